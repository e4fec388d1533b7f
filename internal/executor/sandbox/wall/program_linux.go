//go:build amd64 || arm64

package wall

import "golang.org/x/sys/unix"

// Where struct seccomp_data has what a program looks at, in bytes. Both architectures are little-endian, so
// the lower half of an argument comes first.
const (
	callAt     = 0
	archAt     = 4
	argumentAt = 16
)

// Verdicts of a program.
const (
	allow = unix.SECCOMP_RET_ALLOW
	kill  = unix.SECCOMP_RET_KILL_PROCESS
	deny  = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	// lacking is for a call that libc tries first: it then uses one whose arguments can be looked at.
	lacking = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
)

// foreignCalls is where the numbers of another ABI of this machine begin: x32 has amd64's architecture.
const foreignCalls = 0x40000000

// program translates rules into one of the kernel's packet filters, which decides about each system call.
func program(rules []rule) []unix.SockFilter {
	p := []unix.SockFilter{
		load(archAt),
		jump(unix.BPF_JEQ, architecture, 1, 0),
		verdict(kill),
		load(callAt),
		jump(unix.BPF_JGE, foreignCalls, 0, 1),
		verdict(kill),
		jump(unix.BPF_JEQ, unix.SYS_CLONE3, 0, 1),
		verdict(lacking),
	}

	for _, r := range rules {
		body := r.decide()
		p = append(p, jump(unix.BPF_JEQ, r.call, 0, len(body)))
		p = append(p, body...)
	}

	return append(p, verdict(deny))
}

// decide is the part of a program that is about one call. It always ends with a verdict.
func (r *rule) decide() []unix.SockFilter {
	var p []unix.SockFilter
	for _, c := range r.conditions {
		p = append(p,
			load(argumentAt+8*c.arg),
			unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: c.mask},
			jump(unix.BPF_JEQ, c.value, 1, 0),
			verdict(deny),
		)
	}

	return append(p, verdict(allow))
}

func load(at int) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: uint32(at)}
}

// jump compares what was loaded, and skips some instructions, fewer than 256, in either case.
func jump(comparison uint16, k uint32, ifSo, ifNot int) unix.SockFilter {
	return unix.SockFilter{
		Code: unix.BPF_JMP | comparison | unix.BPF_K,
		Jt:   uint8(ifSo),
		Jf:   uint8(ifNot),
		K:    k,
	}
}

func verdict(v uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: v}
}

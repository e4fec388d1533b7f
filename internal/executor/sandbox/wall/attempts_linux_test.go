//go:build amd64 || arm64

package wall

import (
	"os"
	"path/filepath"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// attempt is one system call of somebody who is not a sandbox any more.
type attempt struct {
	name string
	call uintptr
	args []uintptr
	want unix.Errno // 0 is EPERM
	// keep are buffers that the arguments point to.
	keep []any
}

// try makes the call. One that would have made a process ends that at once.
func (a *attempt) try() error {
	args := append(append([]uintptr{}, a.args...), make([]uintptr, 6-len(a.args))...)
	isFork := a.call == unix.SYS_CLONE && a.args[0]&unix.CLONE_VM == 0
	n, _, errno := unix.RawSyscall6(a.call, args[0], args[1], args[2], args[3], args[4], args[5])
	runtime.KeepAlive(a.keep)
	if isFork && errno == 0 && n == 0 {
		unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
	if errno == 0 {
		return nil
	}
	return errno
}

// on is an attempt with a path as its argument number k.
func on(path string, a attempt, k int) attempt {
	b, err := unix.BytePtrFromString(path)
	if err != nil {
		panic(err)
	}
	a.args[k] = uintptr(unsafe.Pointer(b))
	a.keep = append(a.keep, b)
	return a
}

const atCWD = ^uintptr(99) // AT_FDCWD

// attempts are all that a trespasser tries.
func (p *place) attempts() []attempt {
	var list []attempt
	list = append(list, p.againstProcesses()...)
	list = append(list, p.againstFiles()...)
	list = append(list, againstKernel()...)
	return append(list, againstItself()...)
}

func (p *place) againstProcesses() []attempt {
	victim := uintptr(p.Victim)
	parent := uintptr(os.Getppid())
	return []attempt{
		{name: "kill the neighbour", call: unix.SYS_KILL, args: []uintptr{victim, uintptr(unix.SIGKILL)}},
		{name: "kill the parent", call: unix.SYS_KILL, args: []uintptr{parent, 0}},
		{name: "kill everybody", call: unix.SYS_KILL, args: []uintptr{^uintptr(0), 0}},
		{name: "kill its group", call: unix.SYS_KILL, args: []uintptr{0, 0}},
		{name: "tkill", call: unix.SYS_TKILL, args: []uintptr{victim, uintptr(unix.SIGKILL)}},
		{name: "tgkill", call: unix.SYS_TGKILL, args: []uintptr{victim, victim, uintptr(unix.SIGKILL)}},
		{name: "sigqueue", call: unix.SYS_RT_SIGQUEUEINFO, args: []uintptr{victim, 0}},
		{name: "pidfd_open", call: unix.SYS_PIDFD_OPEN, args: []uintptr{victim}},
		{name: "pidfd_send_signal", call: unix.SYS_PIDFD_SEND_SIGNAL, args: []uintptr{3}},
		{name: "ptrace", call: unix.SYS_PTRACE, args: []uintptr{unix.PTRACE_SEIZE, victim}},
		{name: "ptrace the parent", call: unix.SYS_PTRACE, args: []uintptr{unix.PTRACE_SEIZE, parent}},
		{name: "process_vm_readv", call: unix.SYS_PROCESS_VM_READV, args: []uintptr{victim}},
		{name: "process_vm_writev", call: unix.SYS_PROCESS_VM_WRITEV, args: []uintptr{victim}},
		{name: "kcmp", call: unix.SYS_KCMP, args: []uintptr{victim, victim}},
		{name: "setpriority", call: unix.SYS_SETPRIORITY, args: []uintptr{unix.PRIO_PROCESS, victim, 19}},
		{name: "sched_setaffinity", call: unix.SYS_SCHED_SETAFFINITY, args: []uintptr{victim}},
		{name: "sched_setscheduler", call: unix.SYS_SCHED_SETSCHEDULER, args: []uintptr{victim}},
		{name: "ioprio_set", call: unix.SYS_IOPRIO_SET, args: []uintptr{1, victim}},
		{name: "prlimit", call: unix.SYS_PRLIMIT64, args: []uintptr{victim, unix.RLIMIT_NOFILE}},
		{name: "setpgid", call: unix.SYS_SETPGID, args: []uintptr{victim, victim}},
		{name: "another's CPU time", call: unix.SYS_CLOCK_GETTIME, args: []uintptr{^victim<<3 | 2}},
		{name: "move_pages", call: unix.SYS_MOVE_PAGES, args: []uintptr{victim}},
		{name: "perf_event_open", call: unix.SYS_PERF_EVENT_OPEN, args: []uintptr{0, victim}},
	}
}

func (p *place) againstFiles() []attempt {
	inside := filepath.Join(p.Dir, "made")
	zero := func(n int) []uintptr { return make([]uintptr, n) }
	at := func() []uintptr { return []uintptr{atCWD, 0, 0, 0} }
	return []attempt{
		on(p.File, attempt{name: "openat", call: unix.SYS_OPENAT, args: at()}, 1),
		on(p.File, attempt{name: "openat2", call: unix.SYS_OPENAT2, args: at()}, 1),
		on(inside, attempt{name: "mkdirat", call: unix.SYS_MKDIRAT, args: at()}, 1),
		on(inside, on(p.File, attempt{name: "symlinkat", call: unix.SYS_SYMLINKAT, args: []uintptr{0, atCWD, 0}}, 0), 2),
		on(inside, attempt{name: "mkfifo", call: unix.SYS_MKNODAT, args: []uintptr{atCWD, 0, unix.S_IFIFO | 0o600}}, 1),
		on(inside, on(p.File, attempt{name: "linkat", call: unix.SYS_LINKAT, args: []uintptr{atCWD, 0, atCWD, 0}}, 1), 3),
		on(inside, on(p.File, attempt{name: "renameat2", call: unix.SYS_RENAMEAT2, args: []uintptr{atCWD, 0, atCWD, 0}}, 1), 3),
		on(p.File, attempt{name: "unlinkat", call: unix.SYS_UNLINKAT, args: at()}, 1),
		on(p.File, attempt{name: "fchmodat", call: unix.SYS_FCHMODAT, args: at()}, 1),
		on(p.File, attempt{name: "fchownat", call: unix.SYS_FCHOWNAT, args: []uintptr{atCWD, 0, 1, 1}}, 1),
		on(p.File, attempt{name: "truncate", call: unix.SYS_TRUNCATE, args: zero(2)}, 0),
		on(p.File, attempt{name: "statx", call: unix.SYS_STATX, args: at()}, 1),
		on(p.File, attempt{name: "statfs", call: unix.SYS_STATFS, args: zero(2)}, 0),
		on(p.File, attempt{name: "readlinkat", call: unix.SYS_READLINKAT, args: at()}, 1),
		on(p.File, attempt{name: "faccessat", call: unix.SYS_FACCESSAT, args: at()}, 1),
		on(p.File, attempt{name: "utimensat", call: unix.SYS_UTIMENSAT, args: at()}, 1),
		on(p.File, attempt{name: "getxattr", call: unix.SYS_GETXATTR, args: zero(4)}, 0),
		on(p.Dir, attempt{name: "chdir", call: unix.SYS_CHDIR, args: zero(1)}, 0),
		on(p.Dir, attempt{name: "chroot", call: unix.SYS_CHROOT, args: zero(1)}, 0),
		on(p.File, attempt{name: "execve", call: unix.SYS_EXECVE, args: zero(3)}, 0),
		on(p.File, attempt{name: "execveat", call: unix.SYS_EXECVEAT, args: []uintptr{atCWD, 0, 0, 0, 0}}, 1),
		on(p.Dir, attempt{name: "mount", call: unix.SYS_MOUNT, args: zero(5)}, 1),
		on(p.Dir, attempt{name: "umount", call: unix.SYS_UMOUNT2, args: zero(2)}, 0),
		{name: "pread what was inherited", call: unix.SYS_PREAD64, args: []uintptr{4, 0, 0, 0}},
		{name: "read what was inherited", call: unix.SYS_READ, args: []uintptr{4, 0, 0}, want: unix.EBADF},
		{name: "pread the connection", call: unix.SYS_PREAD64, args: []uintptr{3, 0, 0, 0}},
		{name: "getdents", call: unix.SYS_GETDENTS64, args: []uintptr{3}},
		{name: "inotify", call: unix.SYS_INOTIFY_INIT1, args: zero(1)},
		{name: "fanotify", call: unix.SYS_FANOTIFY_INIT, args: zero(1)},
		{name: "getcwd", call: unix.SYS_GETCWD, args: zero(2)},
	}
}

func againstKernel() []attempt {
	one := []uintptr{0}
	return []attempt{
		{name: "socket unix", call: unix.SYS_SOCKET, args: []uintptr{unix.AF_UNIX, unix.SOCK_STREAM}},
		{name: "socket inet", call: unix.SYS_SOCKET, args: []uintptr{unix.AF_INET, unix.SOCK_DGRAM}},
		{name: "socket netlink", call: unix.SYS_SOCKET, args: []uintptr{unix.AF_NETLINK, unix.SOCK_RAW}},
		{name: "socketpair", call: unix.SYS_SOCKETPAIR, args: []uintptr{unix.AF_UNIX, unix.SOCK_STREAM}},
		{name: "connect", call: unix.SYS_CONNECT, args: []uintptr{3}},
		{name: "sendmsg", call: unix.SYS_SENDMSG, args: []uintptr{3}},
		{name: "recvmsg", call: unix.SYS_RECVMSG, args: []uintptr{3}},
		{name: "pipe", call: unix.SYS_PIPE2, args: one},
		{name: "dup", call: unix.SYS_DUP, args: []uintptr{3}},
		{name: "fcntl", call: unix.SYS_FCNTL, args: []uintptr{3, unix.F_DUPFD}},
		{name: "ioctl", call: unix.SYS_IOCTL, args: []uintptr{3, unix.TIOCSTI}},
		{name: "memfd_create", call: unix.SYS_MEMFD_CREATE, args: one},
		{name: "eventfd", call: unix.SYS_EVENTFD2, args: one},
		{name: "timerfd", call: unix.SYS_TIMERFD_CREATE, args: one},
		{name: "signalfd", call: unix.SYS_SIGNALFD4, args: []uintptr{^uintptr(0)}},
		{name: "io_uring_setup", call: unix.SYS_IO_URING_SETUP, args: []uintptr{1}},
		{name: "bpf", call: unix.SYS_BPF, args: one},
		{name: "userfaultfd", call: unix.SYS_USERFAULTFD, args: one},
		{name: "shmget", call: unix.SYS_SHMGET, args: []uintptr{0, 4096, unix.IPC_CREAT | 0o600}},
		{name: "semget", call: unix.SYS_SEMGET, args: []uintptr{0, 1, unix.IPC_CREAT | 0o600}},
		{name: "msgget", call: unix.SYS_MSGGET, args: []uintptr{0, unix.IPC_CREAT | 0o600}},
		{name: "mq_open", call: unix.SYS_MQ_OPEN, args: one},
		{name: "add_key", call: unix.SYS_ADD_KEY, args: one},
		{name: "request_key", call: unix.SYS_REQUEST_KEY, args: one},
		{name: "keyctl", call: unix.SYS_KEYCTL, args: one},
		{name: "setns", call: unix.SYS_SETNS, args: []uintptr{3}},
		{name: "unshare", call: unix.SYS_UNSHARE, args: []uintptr{unix.CLONE_NEWUSER}},
		{name: "pivot_root", call: unix.SYS_PIVOT_ROOT, args: one},
		{name: "init_module", call: unix.SYS_INIT_MODULE, args: one},
		{name: "syslog", call: unix.SYS_SYSLOG, args: []uintptr{10}},
		{name: "sysinfo", call: unix.SYS_SYSINFO, args: one},
		{name: "open_by_handle_at", call: unix.SYS_OPEN_BY_HANDLE_AT, args: one},
		{name: "splice", call: unix.SYS_SPLICE, args: []uintptr{3}},
		{name: "landlock", call: unix.SYS_LANDLOCK_CREATE_RULESET, args: one},
	}
}

func againstItself() []attempt {
	const anonymous = unix.MAP_PRIVATE | unix.MAP_ANON
	const code = unix.PROT_READ | unix.PROT_EXEC
	none := ^uintptr(0)
	return []attempt{
		{name: "fork", call: unix.SYS_CLONE, args: []uintptr{uintptr(unix.SIGCHLD)}},
		{name: "a process with namespaces", call: unix.SYS_CLONE, args: []uintptr{unix.CLONE_NEWUSER | uintptr(unix.SIGCHLD)}},
		{name: "clone3", call: unix.SYS_CLONE3, args: []uintptr{0, 0}, want: unix.ENOSYS},
		{name: "code in memory", call: unix.SYS_MMAP, args: []uintptr{0, 4096, code, anonymous, none}},
		{name: "shared memory", call: unix.SYS_MMAP, args: []uintptr{0, 4096, unix.PROT_READ, unix.MAP_SHARED | unix.MAP_ANON, none}},
		{name: "memory becomes code", call: unix.SYS_MPROTECT, args: []uintptr{0, 4096, code}},
		{name: "mremap", call: unix.SYS_MREMAP, args: []uintptr{0}},
		{name: "be traceable", call: unix.SYS_PRCTL, args: []uintptr{unix.PR_SET_DUMPABLE, 1}},
		{name: "outlive the parent", call: unix.SYS_PRCTL, args: []uintptr{unix.PR_SET_PDEATHSIG, 0}},
		{name: "another filter", call: unix.SYS_SECCOMP, args: []uintptr{unix.SECCOMP_SET_MODE_FILTER}},
		{name: "its own limits", call: unix.SYS_PRLIMIT64, args: []uintptr{0, unix.RLIMIT_AS}},
		{name: "setuid", call: unix.SYS_SETUID, args: []uintptr{0}},
		{name: "setgid", call: unix.SYS_SETGID, args: []uintptr{0}},
		{name: "setgroups", call: unix.SYS_SETGROUPS, args: []uintptr{0, 0}},
		{name: "setsid", call: unix.SYS_SETSID, args: []uintptr{}},
		{name: "capset", call: unix.SYS_CAPSET, args: []uintptr{0}},
		{name: "personality", call: unix.SYS_PERSONALITY, args: []uintptr{0}},
	}
}

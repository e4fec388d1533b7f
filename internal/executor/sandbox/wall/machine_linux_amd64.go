package wall

import "golang.org/x/sys/unix"

const (
	architecture = unix.AUDIT_ARCH_X86_64
	// setThreadPointer is ARCH_SET_FS of arch_prctl(2), with which each thread starts.
	setThreadPointer = 0x1002
)

// machineRules are the calls that exist only on this architecture.
func machineRules() []rule {
	return []rule{
		{call: unix.SYS_EPOLL_WAIT},
		{
			call:       unix.SYS_ARCH_PRCTL,
			conditions: []condition{{arg: 0, mask: everyBit, value: setThreadPointer}},
		},
	}
}

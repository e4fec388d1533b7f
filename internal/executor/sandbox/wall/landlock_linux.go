package wall

import (
	"syscall"

	"golang.org/x/sys/unix"

	"picloud/internal/executor/sandbox/rawsys"
)

// generations are the kinds of access that each version of landlock added, the oldest first. A rule set that
// handles a kind and has no rule refuses it.
var generations = []unix.LandlockRulesetAttr{
	{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1}, // execute, read, write, make, remove
	{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_REFER},
	{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_TRUNCATE},
	{Handled_access_net: unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP},
	{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_IOCTL_DEV},
	{Scoped: unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL},
	{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX},
	{Handled_access_net: unix.LANDLOCK_ACCESS_NET_BIND_UDP | unix.LANDLOCK_ACCESS_NET_CONNECT_SEND_UDP},
}

// threadsMaySignal is the erratum by which threads of one process may send each other signals although each
// has a domain of its own. Without it the scope of signals would take the Go runtime its means of preemption.
const threadsMaySignal = 1 << 1

// restrictAccess gives up all rights to files, to ports, and to send signals to other processes, as far as
// the kernel's landlock knows them. It is left out of a program built with cgo, where one cannot reach every
// thread of the process.
func (r *Report) restrictAccess() {
	version, err := rawsys.Landlock(nil, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if err != nil {
		return
	}
	errata, err := rawsys.Landlock(nil, unix.LANDLOCK_CREATE_RULESET_ERRATA)
	if err != nil {
		errata = 0 // a kernel that is older than the list of them
	}

	ruleset, attr, err := strictest(errata&threadsMaySignal != 0)
	if err != nil {
		return
	}
	defer func() { _ = unix.Close(ruleset) }()
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(ruleset), 0, 0)
	if errno != 0 {
		return
	}

	r.Landlock = version
	r.SignalScope = attr.Scoped&unix.LANDLOCK_SCOPE_SIGNAL != 0
	r.SocketScope = attr.Scoped&unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET != 0
}

// strictest opens the rule set without a rule that handles most of what this kernel knows.
func strictest(scopeSignals bool) (fd int, attr unix.LandlockRulesetAttr, err error) {
	for n := len(generations); n > 0; n-- {
		attr = handled(generations[:n])
		if !scopeSignals {
			attr.Scoped &^= unix.LANDLOCK_SCOPE_SIGNAL
		}
		if fd, err = rawsys.Landlock(&attr, 0); err == nil {
			break
		}
	}

	return fd, attr, err
}

// handled is what some generations of landlock handle together.
func handled(some []unix.LandlockRulesetAttr) unix.LandlockRulesetAttr {
	var all unix.LandlockRulesetAttr
	for _, g := range some {
		all.Handled_access_fs |= g.Handled_access_fs
		all.Handled_access_net |= g.Handled_access_net
		all.Scoped |= g.Scoped
	}

	return all
}

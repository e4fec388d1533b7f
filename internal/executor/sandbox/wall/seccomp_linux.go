//go:build amd64 || arm64

package wall

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"picloud/internal/executor/sandbox/rawsys"
)

// condition is what a call's argument must be: the lower half of it, under the mask. The kernel looks at no
// more of the arguments that are compared here.
type condition struct {
	arg         int
	mask, value uint32
}

// rule allows a call whose arguments meet all conditions.
type rule struct {
	call       uint32
	conditions []condition
}

const (
	everyBit = ^uint32(0)
	// threadFlags are what the Go runtime and libc start threads with. Without CLONE_THREAD they would start
	// a process; flags beyond them make namespaces.
	threadFlags = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_THREAD |
		unix.CLONE_SYSVSEM | unix.CLONE_SETTLS | unix.CLONE_PARENT_SETTID | unix.CLONE_CHILD_SETTID |
		unix.CLONE_CHILD_CLEARTID
	// ownClocks are the clocks with small numbers; others are those of processes.
	ownClocks = 15
)

// rules are the calls that a sandbox makes: what the Go runtime needs for memory, threads, signals, timers
// and its poller, and reading and writing what is open. statusFD is the descriptor that may be read at an
// offset.
func rules(statusFD int) []rule {
	self := []condition{{arg: 0, mask: everyBit, value: uint32(os.Getpid())}}
	notExecutable := condition{arg: 2, mask: unix.PROT_EXEC}
	list := slices.Concat(machineRules(), []rule{
		{call: unix.SYS_TGKILL, conditions: self}, // preemption, and ending itself
		{call: unix.SYS_KILL, conditions: self},
		{call: unix.SYS_CLONE, conditions: []condition{
			{arg: 0, mask: unix.CLONE_THREAD, value: unix.CLONE_THREAD},
			{arg: 0, mask: everyBit &^ threadFlags},
		}},
		{call: unix.SYS_MMAP, conditions: []condition{
			notExecutable,
			{arg: 3, mask: unix.MAP_TYPE | unix.MAP_ANON, value: unix.MAP_PRIVATE | unix.MAP_ANON},
		}},
		{call: unix.SYS_MPROTECT, conditions: []condition{notExecutable}},
		// The runtime names its memory.
		{call: unix.SYS_PRCTL, conditions: []condition{{arg: 0, mask: everyBit, value: unix.PR_SET_VMA}}},
		{call: unix.SYS_CLOCK_GETTIME, conditions: []condition{{arg: 0, mask: everyBit &^ ownClocks}}},
	})
	if statusFD >= 0 {
		status := condition{arg: 0, mask: everyBit, value: uint32(statusFD)}
		list = append(list, rule{call: unix.SYS_PREAD64, conditions: []condition{status}})
	}

	for _, call := range []uint32{
		unix.SYS_FUTEX, unix.SYS_READ, unix.SYS_WRITE, unix.SYS_EPOLL_PWAIT, unix.SYS_NANOSLEEP,
		unix.SYS_SCHED_YIELD, unix.SYS_MADVISE, unix.SYS_MUNMAP, unix.SYS_GETPID, unix.SYS_GETTID,
		unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_RT_SIGACTION, unix.SYS_SIGALTSTACK,
		unix.SYS_CLOCK_NANOSLEEP, unix.SYS_RESTART_SYSCALL, unix.SYS_EPOLL_CTL, unix.SYS_CLOSE,
		unix.SYS_GETRANDOM, unix.SYS_GETTIMEOFDAY, unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ,
		unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
	} {
		list = append(list, rule{call: call})
	}

	return list
}

// restrictCalls has the kernel refuse every system call but those of the rules, in each thread there is and
// will be. One refused fails with EPERM, so that whoever made it can say so; a call by the numbers of another
// architecture ends the process.
func restrictCalls(statusFD int) error {
	return rawsys.Filter(program(rules(statusFD)))
}

// Package rawsys makes system calls without the Go runtime's bookkeeping. After an ordinary one the runtime
// wakes its monitor (sysmon, runtime/proc.go), a thread that then polls every 20 us for a while. In a child
// that has little to do, that costs more than a short run.
//
// None of these calls may block, because the runtime would not hand the thread's work to another one.
// Beside the package engine, this is the only one of the sandbox that uses unsafe: it passes the addresses
// of buffers to the kernel. So it also has the two calls by which a process gives up rights, Filter and
// Landlock.
package rawsys

import (
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Read reads from a descriptor that does not block. The error is 0 or one of read(2).
func Read(fd uintptr, p []byte) (n int, err unix.Errno) { return transfer(unix.SYS_READ, fd, p) }

// Write writes to a descriptor that does not block. The error is 0 or one of write(2).
func Write(fd uintptr, p []byte) (n int, err unix.Errno) { return transfer(unix.SYS_WRITE, fd, p) }

// transfer makes a read or a write, again if a signal interrupts it.
func transfer(call, fd uintptr, p []byte) (int, unix.Errno) {
	for {
		n, _, errno := unix.RawSyscall(call, fd,
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// ThreadTime is the CPU time of the calling thread, or 0 without such a clock.
func ThreadTime() time.Duration {
	var t unix.Timespec
	_, _, errno := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_THREAD_CPUTIME_ID,
		uintptr(unsafe.Pointer(&t)), 0)
	if errno != 0 {
		return 0
	}
	return time.Duration(t.Nano())
}

// WakeMonitor makes an ordinary system call, so that the runtime's monitor polls again.
func WakeMonitor() { _, _, _ = unix.Syscall(unix.SYS_GETPID, 0, 0, 0) }

// Filter has the kernel decide about every later system call of every thread by a program (seccomp(2)). The
// caller has no_new_privs set, or is root.
func Filter(program []unix.SockFilter) error {
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&filter)))
	runtime.KeepAlive(program)

	switch {
	case errno != 0:
		return errno
	case thread != 0:
		return fmt.Errorf("thread %d has another filter", thread)
	default:
		return nil
	}
}

// Landlock opens a rule set (landlock_create_ruleset(2)), or asks by the flags, with a nil attr, what the
// kernel knows.
func Landlock(attr *unix.LandlockRulesetAttr, flags uintptr) (int, error) {
	size := uintptr(0)
	if attr != nil {
		size = unsafe.Sizeof(*attr)
	}

	n, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(attr)), size, flags)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

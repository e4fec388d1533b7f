// Package rawsys makes the system calls of a sandbox that the Go runtime must not hear of. Of any other
// call the runtime tells its monitor (sysmon, runtime/proc.go), a thread that then looks around every 20 us
// for a while: in a child that has little to do, that would cost more than a short run.
//
// None of these calls may block: the runtime would not know that the thread is gone. It is, beside the
// package engine, the only one of the sandbox that uses unsafe, to give the kernel the address of a buffer.
package rawsys

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Read reads from a descriptor that does not block. The error is 0 or one of read(2).
func Read(fd uintptr, p []byte) (n int, err unix.Errno) { return transfer(unix.SYS_READ, fd, p) }

// Write writes to a descriptor that does not block. The error is 0 or one of write(2).
func Write(fd uintptr, p []byte) (n int, err unix.Errno) { return transfer(unix.SYS_WRITE, fd, p) }

func transfer(call, fd uintptr, p []byte) (int, unix.Errno) {
	for {
		n, _, errno := unix.RawSyscall(call, fd,
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// ThreadTime is the CPU time of the calling thread; 0: there is no such clock.
func ThreadTime() time.Duration {
	var t unix.Timespec
	_, _, errno := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_THREAD_CPUTIME_ID,
		uintptr(unsafe.Pointer(&t)), 0)
	if errno != 0 {
		return 0
	}
	return time.Duration(t.Nano())
}

// WakeMonitor makes a system call that the runtime hears of.
func WakeMonitor() { _, _, _ = unix.Syscall(unix.SYS_GETPID, 0, 0, 0) }

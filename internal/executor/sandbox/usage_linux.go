package sandbox

import (
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// threadTime reads the thread's clock by a system call that wakes nobody (see quietConn).
func threadTime() time.Duration {
	var t unix.Timespec
	if _, _, errno := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_THREAD_CPUTIME_ID, uintptr(unsafe.Pointer(&t)), 0); errno != 0 {
		return 0
	}
	return time.Duration(t.Nano())
}

func (m *memoryFile) open() { m.file, _ = os.Open("/proc/self/status") }

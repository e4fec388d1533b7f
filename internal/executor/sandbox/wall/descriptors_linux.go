package wall

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// CloseInherited closes every descriptor behind the last that is to be kept. What PiCloud's own parent has
// left open without close-on-exec, such as a shell, would come through to here. By that they are told from
// those that the Go runtime has opened already, all with close-on-exec, and needs.
func CloseInherited(last int) error {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}

	for _, entry := range open {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil || fd <= last {
			continue
		}

		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd)
		}
	}

	return nil
}

// preferKill makes a machine without memory end a sandbox before anything else, as it is the one that is
// replaced. It is not possible where the process may not write this file, and then left out.
func preferKill() { _ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0) }

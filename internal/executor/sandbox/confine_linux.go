package sandbox

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"picloud/internal/executor/wire"
)

// threadsPerUser bounds the threads that all children of one user may have together (RLIMIT_NPROC counts
// per user).
const threadsPerUser = 4096

// heapSlack is what Go's collector needs of address space beside the heap. The heap grows in arenas of 64
// MiB: without the slack the last of them would not fit, and a child with plenty of its memory left would
// die.
const heapSlack = 16 << 20

// closeInherited closes every descriptor but the standard ones and the connection to the parent. What
// PiCloud's own parent has left open without close-on-exec, such as a shell, would come through to here. By
// that they are told from those that the Go runtime has opened already, all with close-on-exec, and needs.
func closeInherited() error {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}

	for _, entry := range open {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil || fd <= connFD {
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

// confine gives up everything that a script could want, before any of an app's code is here. The parent has
// already set no_new_privs and the parent-death signal.
func confine(limits wire.InitMsg) error {
	runtime.GOMAXPROCS(1)
	os.Clearenv()
	preferKill()
	if limits.UID != 0 {
		if err := becomeUser(limits.UID, limits.GID); err != nil {
			return err
		}
	}

	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("refuse tracing: %w", err)
	}
	// Setting ids clears the parent-death signal.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("set the parent-death signal: %w", err)
	}

	size, err := virtualSize()
	if err != nil {
		return err
	}

	tuneCollector(limits.MemoryBytes)

	// With NOFILE 0, what is open stays open, but no file and no socket can be opened any more.
	for _, limit := range []struct {
		what  int
		value uint64
	}{
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_FSIZE, 0},
		{unix.RLIMIT_NPROC, threadsPerUser},
		{unix.RLIMIT_AS, size + limits.MemoryBytes + heapSlack},
		{unix.RLIMIT_NOFILE, 0},
	} {
		err := unix.Setrlimit(limit.what, &unix.Rlimit{Cur: limit.value, Max: limit.value})
		if errors.Is(err, unix.EPERM) && limit.what == unix.RLIMIT_NPROC {
			continue // an ordinary user whose own limit is lower already
		}
		if err != nil {
			return fmt.Errorf("set limit %d to %d: %w", limit.what, limit.value, err)
		}
	}

	return nil
}

// becomeUser gives up the parent's user, for good.
func becomeUser(uid, gid int) error {
	if err := syscall.Setgroups(nil); err != nil {
		return fmt.Errorf("drop groups: %w", err)
	}
	if err := syscall.Setgid(gid); err != nil {
		return fmt.Errorf("become group %d: %w", gid, err)
	}
	if err := syscall.Setuid(uid); err != nil {
		return fmt.Errorf("become user %d: %w", uid, err)
	}

	return nil
}

// virtualSize is the process's present address space in bytes (proc_pid_statm(5)).
func virtualSize() (uint64, error) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, fmt.Errorf("read address space: %w", err)
	}

	first, _, _ := strings.Cut(string(b), " ")
	pages, err := strconv.ParseUint(first, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read address space: %w", err)
	}

	return pages * uint64(os.Getpagesize()), nil
}

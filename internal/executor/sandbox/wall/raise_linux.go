package wall

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// threadsPerUser bounds the threads that all children of one user may have together (RLIMIT_NPROC counts
// per user).
const threadsPerUser = 4096

// heapSlack is what Go needs of address space beside the heap, which grows in arenas of 64 MiB: without the
// slack the last of them would not fit, and a child with plenty of its memory left would die.
const heapSlack = 80 << 20

// Raise gives up everything that a script could want, before any of an app's code is here. The parent has
// already set no_new_privs and the parent-death signal. Its steps are in the order in which each is still
// allowed: files are read before they are forbidden, and the list of system calls comes last.
func Raise(o Options) (Report, error) {
	os.Clearenv()
	preferKill()
	if o.UID != 0 {
		if err := becomeUser(o.UID, o.GID); err != nil {
			return Report{}, err
		}
	}

	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return Report{}, fmt.Errorf("refuse tracing: %w", err)
	}
	// Setting ids clears the parent-death signal.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return Report{}, fmt.Errorf("set the parent-death signal: %w", err)
	}

	size, err := virtualSize()
	if err != nil {
		return Report{}, err
	}

	report := Report{UID: os.Getuid()}
	report.restrictAccess()
	if err := limit(size + o.MemoryBytes + heapSlack); err != nil {
		return Report{}, err
	}
	report.Seccomp = restrictCalls(o.StatusFD) == nil

	return report, nil
}

// limit bounds what the process may have: addressSpace in bytes, no file and no socket beyond those that are
// open, and no file that grows.
func limit(addressSpace uint64) error {
	for _, limit := range []struct {
		what  int
		value uint64
	}{
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_FSIZE, 0},
		{unix.RLIMIT_NPROC, threadsPerUser},
		{unix.RLIMIT_AS, addressSpace},
		{unix.RLIMIT_NOFILE, 0}, // what is open stays open
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

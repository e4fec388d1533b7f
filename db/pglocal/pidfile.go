package pglocal

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// pidFile is what a server says of itself in postmaster.pid (PostgreSQL, utils/pidfile.h).
type pidFile struct {
	pid       int
	socketDir string
	// ready says that the server accepts connections.
	ready bool
}

func pidFileName(dir string) string { return filepath.Join(dir, "postmaster.pid") }

// Lines of the file, counted from 0.
const (
	pidLine       = 0
	socketDirLine = 4
	statusLine    = 7
)

// readPidFile reads the file in a cluster's directory. It returns nil if there is none, or if its first
// line is no process id. The server writes it line by line, so the other lines may be missing.
func readPidFile(dir string) (*pidFile, error) {
	b, err := os.ReadFile(pidFileName(dir))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read postmaster.pid: %w", err)
	}

	lines := strings.Split(string(b), "\n")
	line := func(n int) string {
		if n >= len(lines) {
			return ""
		}
		return strings.TrimSpace(lines[n])
	}

	pid, err := strconv.Atoi(line(pidLine))
	if err != nil || pid <= 1 {
		return nil, nil //nolint:nilerr // PostgreSQL itself reports a damaged file when it starts
	}

	return &pidFile{pid: pid, socketDir: line(socketDirLine), ready: line(statusLine) == "ready"}, nil
}

// isPostmasterOf reports whether a process is the server of a cluster. A pid file survives a reboot, and
// its pid may belong to another program by then. A server works in its cluster's directory, which may have
// another name in the mount namespace of a service: it is the same file.
func isPostmasterOf(pid int, dir string) bool {
	want, err := os.Stat(dir)
	if err != nil {
		return false
	}
	if cwd, err := os.Stat(fmt.Sprintf("/proc/%d/cwd", pid)); err == nil {
		return os.SameFile(cwd, want)
	}

	// A system without /proc: the command line names the directory.
	out, err := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(out), dir)
}

package pglocal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stopLeftover ends the server of a PiCloud that was killed. The caller holds the lock of the data directory, so no
// living PiCloud owns it.
func (s *Server) stopLeftover(ctx context.Context) error {
	file := filepath.Join(s.dir, "postmaster.pid")
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read postmaster.pid: %w", err)
	}
	lines := strings.Split(string(b), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || pid <= 1 || !isPostmasterOf(pid, s.dir) {
		return nil // a pid of before a reboot: PostgreSQL itself sees that nobody is there
	}
	if len(lines) > 4 && strings.Contains(lines[4], "picloud-pg-") {
		defer func() { _ = os.RemoveAll(strings.TrimSpace(lines[4])) }()
	}
	s.log.Info("stopping the PostgreSQL that an earlier run left behind", "pid", pid)
	if err := syscall.Kill(pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) { // fast shutdown
		return fmt.Errorf("stop left-over PostgreSQL: %w", err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for syscall.Kill(pid, 0) == nil {
		if time.Now().After(deadline) {
			_ = syscall.Kill(pid, syscall.SIGQUIT) // immediate: recovery follows
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			return nil
		}
	}
	return nil
}

// isPostmasterOf guards against a pid that now belongs to another program.
func isPostmasterOf(pid int, dir string) bool {
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil {
		// No /proc: ask ps for the command line.
		out, err := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
		return err == nil && strings.Contains(string(out), dir)
	}
	return cwd == dir
}

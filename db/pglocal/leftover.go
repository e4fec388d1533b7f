package pglocal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	// shutdownTimeout is how long a fast shutdown may take before the server is ended without one.
	shutdownTimeout = 30 * time.Second
	// exitPoll is how often the end of a process that is not our child is looked for.
	exitPoll = 20 * time.Millisecond
)

// stopLeftover ends the server of a PiCloud that was killed. The caller holds the lock of the data
// directory, so no other PiCloud that lives owns it.
func (s *Server) stopLeftover(ctx context.Context) error {
	left, err := readPidFile(s.place.dir)
	if err != nil || left == nil || !isPostmasterOf(left.pid, s.place.dir) {
		return err
	}
	if strings.HasPrefix(filepath.Base(left.socketDir), socketDirPrefix) {
		defer func() { _ = os.RemoveAll(left.socketDir) }()
	}

	s.log.Info("stopping the PostgreSQL that an earlier run left behind", "pid", left.pid)
	if err := syscall.Kill(left.pid, fastShutdown); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop left-over PostgreSQL: %w", err)
	}

	return waitGone(ctx, left.pid, s.place.dir)
}

// waitGone waits until a server's process or its pid file is gone. After shutdownTimeout it ends the
// process without a shutdown: the next start recovers from the write-ahead log.
func waitGone(ctx context.Context, pid int, dir string) error {
	deadline := time.Now().Add(shutdownTimeout)
	for syscall.Kill(pid, 0) == nil {
		if time.Now().After(deadline) {
			_ = syscall.Kill(pid, immediateShutdown)
		}

		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(exitPoll):
		}

		if _, err := os.Stat(pidFileName(dir)); errors.Is(err, os.ErrNotExist) {
			return nil
		}
	}

	return nil
}

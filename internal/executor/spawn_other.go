//go:build !linux

package executor

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type spawnRequest struct{}

func sysProcAttr() *syscall.SysProcAttr { return nil }

// spawner does nothing: this system has no parent-death signal, so a child may be started from any thread.
func (l *Launcher) spawner() {}

func (l *Launcher) spawn(cmd *exec.Cmd) error { return cmd.Start() }

// RefuseTracing does nothing: this system does not know such a state of a process.
func RefuseTracing() error { return nil }

// socketFiles opens a connected pair: the parent's end, the child's end.
func socketFiles() (parent, childEnd *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "sandbox"), os.NewFile(uintptr(fds[1]), "parent"), nil
}

const (
	// memoryPoll is how often a child's memory is read while it has work.
	memoryPoll = 50 * time.Millisecond
	// extraMiB is what a child may have resident beyond its limit: the binary, and garbage.
	extraMiB = 64
)

// watchMemory samples resident memory while the child has work, since this system has no address-space limit
// to set. The function that it returns ends that.
func (c *child) watchMemory() func() {
	stopCh := make(chan struct{})
	go func() {
		ticker := time.NewTicker(memoryPoll)
		defer ticker.Stop()
		for {
			select {
			case <-stopCh:
				return
			case <-ticker.C:
			}

			c.pool.mu.Lock()
			isBusy := c.jobs > 0
			c.pool.mu.Unlock()
			if isBusy && residentByPS(c.proc.pid) > uint64(c.key.memoryMiB+extraMiB)<<20 {
				c.kill()
			}
		}
	}()
	return func() { close(stopCh) }
}

// residentByPS returns the resident memory of a process in bytes, 0 if it is unknown.
func residentByPS(pid int) uint64 {
	out, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return 0
	}
	kib, _ := strconv.ParseUint(strings.TrimSpace(string(out)), 10, 64)
	return kib << 10
}

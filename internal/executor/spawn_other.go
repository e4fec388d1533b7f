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

func (l *Launcher) spawner() {}

func (l *Launcher) spawn(cmd *exec.Cmd) error { return cmd.Start() }

// socketFiles makes a connected pair: the parent's end, the child's end.
func socketFiles() (parent, childEnd *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "sandbox"), os.NewFile(uintptr(fds[1]), "parent"), nil
}

// watchMemory samples resident memory while the child has work, since this system has no address-space limit to set.
func (c *child) watchMemory() func() {
	stop := make(chan struct{})
	go func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				c.pool.mu.Lock()
				busy := c.jobs > 0
				c.pool.mu.Unlock()
				if busy && residentByPS(c.proc.pid) > uint64(c.key.memoryMiB+64)<<20 {
					c.kill()
				}
			}
		}
	}()
	return func() { close(stop) }
}

func residentByPS(pid int) uint64 {
	out, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return 0
	}
	kib, _ := strconv.ParseUint(strings.TrimSpace(string(out)), 10, 64)
	return kib << 10
}

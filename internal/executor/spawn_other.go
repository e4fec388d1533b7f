//go:build !linux

package executor

import (
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type spawnRequest struct{}

func sysProcAttr() *syscall.SysProcAttr { return nil }

func (p *Pool) spawner() {}

func (p *Pool) spawn(cmd *exec.Cmd) error { return cmd.Start() }

func socketPair() (net.Conn, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	parent := os.NewFile(uintptr(fds[0]), "sandbox")
	defer func() { _ = parent.Close() }()
	conn, err := net.FileConn(parent)
	if err != nil {
		_ = syscall.Close(fds[1])
		return nil, nil, err
	}
	return conn, os.NewFile(uintptr(fds[1]), "parent"), nil
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
				if busy && residentByPS(c.proc.Pid) > uint64(c.key.memoryMiB+64)<<20 {
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

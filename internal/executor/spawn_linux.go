package executor

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

type spawnRequest struct {
	cmd   *exec.Cmd
	errCh chan error
}

func sysProcAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// spawner starts children from one thread that never ends: the parent-death signal follows the thread, not the process,
// and no_new_privs, set on that thread alone, is inherited by what it starts.
func (p *Pool) spawner() {
	runtime.LockOSThread() // for good: the thread ends with the goroutine
	privErr := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	for req := range p.spawnCh {
		if privErr != nil {
			req.errCh <- fmt.Errorf("set no_new_privs: %w", privErr)
			continue
		}
		req.errCh <- req.cmd.Start()
	}
}

func (p *Pool) spawn(cmd *exec.Cmd) error {
	req := spawnRequest{cmd: cmd, errCh: make(chan error, 1)}
	p.spawnCh <- req
	return <-req.errCh
}

func socketPair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	for _, fd := range fds {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 256<<10)
	}
	parent := os.NewFile(uintptr(fds[0]), "sandbox")
	defer func() { _ = parent.Close() }()
	conn, err := net.FileConn(parent)
	if err != nil {
		_ = unix.Close(fds[1])
		return nil, nil, err
	}
	return conn, os.NewFile(uintptr(fds[1]), "parent"), nil
}

func (c *child) watchMemory() func() { return func() {} }

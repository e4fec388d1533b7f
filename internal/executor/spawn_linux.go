package executor

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// spawnRequest asks the spawner for a process.
type spawnRequest struct {
	cmd   *exec.Cmd
	errCh chan error
}

// sysProcAttr lets a child die with its parent, also when that is killed.
func sysProcAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// spawn has the spawner start a process.
func (l *Launcher) spawn(cmd *exec.Cmd) error {
	req := spawnRequest{cmd: cmd, errCh: make(chan error, 1)}
	l.spawnCh <- req
	return <-req.errCh
}

// spawner starts children from one thread that never ends: the parent-death signal follows the thread, not
// the process, and no_new_privs, set on that thread alone, is inherited by what it starts. Before the first
// child this process refuses to be traced.
func (l *Launcher) spawner() {
	runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
	privErr := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	if err := RefuseTracing(); privErr == nil {
		privErr = err
	}

	for req := range l.spawnCh {
		if privErr != nil {
			req.errCh <- fmt.Errorf("give up privileges for the sandbox: %w", privErr)
			continue
		}
		req.errCh <- req.cmd.Start()
	}
}

// RefuseTracing makes this process one that no other of the same user, as a sandbox may be, can trace or
// read.
func RefuseTracing() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("refuse tracing: %w", err)
	}
	return nil
}

// socketFiles opens a connected pair: the parent's end, the child's end.
func socketFiles() (parent, childEnd *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}

	// Larger buffers let a response go out in one write.
	for _, fd := range fds {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 256<<10)
	}
	return os.NewFile(uintptr(fds[0]), "sandbox"), os.NewFile(uintptr(fds[1]), "parent"), nil
}

// watchMemory does nothing: on this system a child limits its own address space.
func (c *child) watchMemory() func() { return func() {} }

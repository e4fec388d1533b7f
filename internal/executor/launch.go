package executor

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
)

// sandboxProcess is a sandbox that was started, by this process or by a Service.
type sandboxProcess struct {
	conn net.Conn // the parent's end of its socket
	pid  int      // 0 if its number means another process here
	// users are who the child is to become, by its app.
	users Users
	kill  func()
	// memory tells what the process has.
	memory memoryGauge
	// wait waits for its end, and returns what it wrote to stderr and how it ended.
	wait func() (dump string, err error)
}

// starter starts sandbox processes: a Launcher or a Client.
type starter interface {
	launch() (*sandboxProcess, error)
	close()
}

// Launcher starts sandbox processes as children of this process. It is safe for concurrent use.
type Launcher struct {
	// Command starts a child: program and arguments.
	Command []string
	// Users are who the children become.
	Users Users

	once    sync.Once
	spawnCh chan spawnRequest // to the spawner
}

func (l *Launcher) open() {
	l.once.Do(func() {
		l.spawnCh = make(chan spawnRequest)
		go l.spawner()
	})
}

// close ends the spawner. It is called once, after the last launch.
func (l *Launcher) close() {
	l.open()
	close(l.spawnCh)
}

func (l *Launcher) launch() (*sandboxProcess, error) {
	parent, childEnd, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("open socket pair: %w", err)
	}

	cmd, stderr, err := l.startWith(childEnd)
	if err != nil {
		_ = parent.Close()
		return nil, err
	}

	return &sandboxProcess{
		conn:  parent,
		pid:   cmd.Process.Pid,
		users: l.Users,
		kill:  func() { _ = cmd.Process.Kill() },
		wait: func() (string, error) {
			err := cmd.Wait()
			return stderr.String(), err
		},
	}, nil
}

// startWith starts a child with one end of a socket, and closes that end here. The child has nothing else of
// this process: no environment, no other file, no working directory.
func (l *Launcher) startWith(childEnd *os.File) (*exec.Cmd, *stderrHead, error) {
	l.open()
	defer func() { _ = childEnd.Close() }()

	stderr := &stderrHead{}
	cmd := exec.Command(l.Command[0], l.Command[1:]...)
	cmd.Env = []string{}
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{childEnd}
	cmd.Stderr = stderr
	cmd.SysProcAttr = sysProcAttr()
	if err := l.spawn(cmd); err != nil {
		return nil, nil, fmt.Errorf("start sandbox: %w", err)
	}
	return cmd, stderr, nil
}

// socketPair returns both ends of a socket, the parent's for use by the runtime's poller.
func socketPair() (net.Conn, *os.File, error) {
	parent, childEnd, err := socketFiles()
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = parent.Close() }() // FileConn has a copy

	conn, err := net.FileConn(parent)
	if err != nil {
		_ = childEnd.Close()
		return nil, nil, err
	}
	return conn, childEnd, nil
}

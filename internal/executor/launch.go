package executor

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
)

// sandboxProcess is a started sandbox, here or at another service.
type sandboxProcess struct {
	conn net.Conn // the parent's end of its socket
	// pid is 0 where it means another process here. uid and gid are what the child is to become; 0 keeps what it is.
	pid, uid, gid int
	kill          func()
	// wait gives what it said on stderr, and how it ended.
	wait func() (dump string, err error)
}

// starter starts sandbox processes.
type starter interface {
	launch() (*sandboxProcess, error)
	close()
}

// Launcher starts sandbox processes as children of this one.
type Launcher struct {
	// Command starts a child: program and arguments.
	Command []string
	// UID and GID are the unprivileged user that a child becomes; 0 keeps the parent's.
	UID, GID int

	once    sync.Once
	spawnCh chan spawnRequest
}

func (l *Launcher) open() {
	l.once.Do(func() {
		l.spawnCh = make(chan spawnRequest)
		go l.spawner()
	})
}

func (l *Launcher) close() {
	l.open()
	close(l.spawnCh)
}

func (l *Launcher) launch() (*sandboxProcess, error) {
	parent, childEnd, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("open socket pair: %w", err)
	}
	cmd, dump, err := l.startWith(childEnd)
	if err != nil {
		_ = parent.Close()
		return nil, err
	}
	return &sandboxProcess{conn: parent, pid: cmd.Process.Pid, uid: l.UID, gid: l.GID, kill: func() { _ = cmd.Process.Kill() },
		wait: func() (string, error) { err := cmd.Wait(); return dump.String(), err }}, nil
}

// startWith starts a child that has the one end of a socket, which is closed here.
func (l *Launcher) startWith(childEnd *os.File) (*exec.Cmd, *tail, error) {
	l.open()
	defer func() { _ = childEnd.Close() }()
	dump := &tail{}
	cmd := exec.Command(l.Command[0], l.Command[1:]...)
	cmd.Env = []string{}
	cmd.ExtraFiles = []*os.File{childEnd}
	cmd.Stderr = dump
	cmd.SysProcAttr = sysProcAttr()
	cmd.Dir = "/"
	if err := l.spawn(cmd); err != nil {
		return nil, nil, fmt.Errorf("start sandbox: %w", err)
	}
	return cmd, dump, nil
}

func socketPair() (net.Conn, *os.File, error) {
	parent, childEnd, err := socketFiles()
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = parent.Close() }()
	conn, err := net.FileConn(parent)
	if err != nil {
		_ = childEnd.Close()
		return nil, nil, err
	}
	return conn, childEnd, nil
}

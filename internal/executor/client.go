package executor

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

var errRefused = errors.New("the executor could not start a sandbox")

// errServiceGone: the sandbox ended because its service did, not by anything that a script did.
var errServiceGone = errors.New("the executor is gone")

// Remote starts sandbox processes at a Service.
type Remote struct {
	// Socket is the service's path.
	Socket string
}

func (r *Remote) close() {}

// launch asks again while the service is being restarted.
func (r *Remote) launch() (*sandboxProcess, error) {
	for end := time.Now().Add(comesBack); ; time.Sleep(20 * time.Millisecond) {
		p, err := r.ask()
		if err == nil || errors.Is(err, errRefused) || time.Now().After(end) {
			return p, err
		}
	}
}

func (r *Remote) ask() (*sandboxProcess, error) {
	service, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: r.Socket, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("reach the executor: %w", err)
	}
	p, err := r.receive(service)
	if err != nil {
		_ = service.Close()
	}
	return p, err
}

func (r *Remote) receive(service *net.UnixConn) (*sandboxProcess, error) {
	_ = service.SetReadDeadline(time.Now().Add(answerTimeout))
	text, rights := make([]byte, 4096), make([]byte, syscall.CmsgSpace(4))
	n, oob, _, _, err := service.ReadMsgUnix(text, rights)
	if err != nil {
		return nil, fmt.Errorf("hear of the executor: %w", err)
	}
	var first started
	if err := json.Unmarshal(text[:n], &first); err != nil {
		return nil, fmt.Errorf("understand the executor: %w", err)
	}
	if first.Error != "" {
		return nil, fmt.Errorf("%w: %s", errRefused, first.Error)
	}
	conn, err := received(rights[:oob])
	if err != nil {
		return nil, fmt.Errorf("take the sandbox's socket: %w", err)
	}
	_ = service.SetReadDeadline(time.Time{})
	if first.Space != pidSpace() {
		first.PID = 0
	}
	return &sandboxProcess{conn: conn, pid: first.PID, uid: first.UID, gid: first.GID, kill: func() { _ = service.CloseWrite() },
		wait: func() (string, error) {
			defer func() { _ = service.Close() }()
			var last ended
			if err := json.NewDecoder(bufio.NewReader(service)).Decode(&last); err != nil {
				return "", fmt.Errorf("%w: %w", errServiceGone, err)
			}
			if last.Error == "" {
				return last.Dump, nil
			}
			return last.Dump, errors.New(last.Error)
		}}, nil
}

// received opens the descriptor that came along with a message.
func received(rights []byte) (net.Conn, error) {
	messages, err := syscall.ParseSocketControlMessage(rights)
	if err != nil {
		return nil, err
	}
	for k := range messages {
		fds, err := syscall.ParseUnixRights(&messages[k])
		if err != nil || len(fds) == 0 {
			continue
		}
		syscall.CloseOnExec(fds[0])
		if err := syscall.SetNonblock(fds[0], true); err != nil {
			_ = syscall.Close(fds[0])
			return nil, err
		}
		f := os.NewFile(uintptr(fds[0]), "sandbox")
		defer func() { _ = f.Close() }()
		return net.FileConn(f)
	}
	return nil, errors.New("no descriptor came")
}

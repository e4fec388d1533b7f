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

const (
	// reconnectTimeout is how long a client retries while its service is being restarted.
	reconnectTimeout = 2 * time.Second
	// reconnectPause is the pause between two of these tries.
	reconnectPause = 20 * time.Millisecond
)

var (
	errRefused = errors.New("the executor could not start a sandbox")
	// errServiceGone means that a sandbox ended because its service did, and not by anything that a script
	// did.
	errServiceGone = errors.New("the executor is gone")
)

// Client starts sandbox processes at a Service. It is safe for concurrent use.
type Client struct {
	// Socket is the path of the service's socket.
	Socket string
}

func (c *Client) close() {}

// launch asks for a sandbox, and asks again while the service is being restarted.
func (c *Client) launch() (*sandboxProcess, error) {
	for end := time.Now().Add(reconnectTimeout); ; time.Sleep(reconnectPause) {
		p, err := c.ask()
		if err == nil || errors.Is(err, errRefused) || time.Now().After(end) {
			return p, err
		}
	}
}

func (c *Client) ask() (*sandboxProcess, error) {
	service, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: c.Socket, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("reach the executor: %w", err)
	}
	p, err := receive(service)
	if err != nil {
		_ = service.Close()
	}
	return p, err
}

// receive takes the first answer of a service and the socket that comes with it.
func receive(service *net.UnixConn) (*sandboxProcess, error) {
	text := make([]byte, 4096)
	rights := make([]byte, syscall.CmsgSpace(4)) // one descriptor
	_ = service.SetReadDeadline(time.Now().Add(answerTimeout))
	n, rightsLen, _, _, err := service.ReadMsgUnix(text, rights)
	if err != nil {
		return nil, fmt.Errorf("read the executor's answer: %w", err)
	}
	_ = service.SetReadDeadline(time.Time{})

	var first started
	if err := json.Unmarshal(text[:n], &first); err != nil {
		return nil, fmt.Errorf("understand the executor: %w", err)
	}
	if first.Error != "" {
		return nil, fmt.Errorf("%w: %s", errRefused, first.Error)
	}

	conn, err := openSent(rights[:rightsLen])
	if err != nil {
		return nil, fmt.Errorf("take the sandbox's socket: %w", err)
	}

	// In another namespace the number means another process, or none.
	pid := first.PID
	if first.Space != pidSpace() {
		pid = 0
	}
	return &sandboxProcess{
		conn:  conn,
		pid:   pid,
		users: Users{UID: first.UID, GID: first.GID, Count: first.Users},
		kill:  func() { _ = service.CloseWrite() },
		wait:  func() (string, error) { return awaitEnd(service) },
	}, nil
}

// awaitEnd takes the second answer of a service. Without one the service is gone, and has killed the sandbox.
func awaitEnd(service *net.UnixConn) (dump string, err error) {
	defer func() { _ = service.Close() }()

	var last ended
	if err := json.NewDecoder(bufio.NewReader(service)).Decode(&last); err != nil {
		return "", fmt.Errorf("%w: %w", errServiceGone, err)
	}
	if last.Error == "" {
		return last.Dump, nil
	}
	return last.Dump, errors.New(last.Error)
}

// openSent opens the descriptor that was sent along with a message.
func openSent(rights []byte) (net.Conn, error) {
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
		defer func() { _ = f.Close() }() // FileConn has a copy
		return net.FileConn(f)
	}
	return nil, errors.New("no descriptor came")
}

package executor

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// maxServed bounds the sandboxes of one service, which several nodes may use.
const maxServed = 1024

// answerTimeout bounds how long a client waits for its sandbox, and how long the service waits for a client
// to read.
const answerTimeout = 10 * time.Second

// acceptRetry is the pause after a connection could not be accepted for want of file descriptors.
const acceptRetry = 100 * time.Millisecond

// Service starts sandbox processes for other processes of this machine. Whoever connects to its socket gets
// one sandbox: the first answer (started) carries the parent's end of the sandbox's socket (SCM_RIGHTS,
// unix(7)), so that runs take the same way as without a service; the second (ended) says how the process
// ended. The process is killed when the client closes the connection, or its writing side.
type Service struct {
	Launcher *Launcher
	Log      *slog.Logger

	wg sync.WaitGroup // of the connections' goroutines

	// mu guards the fields below. No other lock is taken under it.
	mu     sync.Mutex
	conns  map[*net.UnixConn]bool
	closed bool
}

// started is the service's first answer.
type started struct {
	Error string `json:"error,omitempty"`
	PID   int    `json:"pid"`
	// Space names the pid namespace in which PID means something.
	Space string `json:"space"`
	// UID, GID and Users are the fields of Users.
	UID   int `json:"uid"`
	GID   int `json:"gid"`
	Users int `json:"users,omitempty"`
}

// ended is the service's second answer.
type ended struct {
	Error string `json:"error"`
	Dump  string `json:"dump"`
}

// Serve answers on a unix socket until the listener is closed.
func (s *Service) Serve(l *net.UnixListener) error {
	for {
		conn, err := l.AcceptUnix()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE):
			s.Log.Warn("no connection can be accepted; trying again", "error", err)
			time.Sleep(acceptRetry)
			continue
		case err != nil:
			return fmt.Errorf("accept: %w", err)
		}

		if !s.add(conn) {
			refusal := started{Error: "the executor has as many sandboxes as it can"}
			_ = json.NewEncoder(conn).Encode(refusal)
			_ = conn.Close()
			continue
		}
		s.wg.Go(func() {
			defer s.remove(conn)
			if err := s.serve(conn); err != nil {
				s.Log.Error("serve a sandbox", "error", err)
			}
		})
	}
}

// Close ends every sandbox and waits until they are gone. The caller closes the listener.
func (s *Service) Close() {
	s.mu.Lock()

	s.closed = true
	for conn := range s.conns {
		_ = conn.CloseRead() // as if the client had closed it
	}
	s.mu.Unlock()

	s.wg.Wait()
	s.Launcher.close()
}

// add registers a connection. It reports false when there are too many, or when the service is closed.
func (s *Service) add(conn *net.UnixConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.closed || len(s.conns) >= maxServed {
		return false
	}
	if s.conns == nil {
		s.conns = map[*net.UnixConn]bool{}
	}
	s.conns[conn] = true
	return true
}

func (s *Service) remove(conn *net.UnixConn) {
	_ = conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
}

// serve starts one sandbox for a client and sees it to its end.
func (s *Service) serve(conn *net.UnixConn) error {
	parent, childEnd, err := socketFiles()
	if err != nil {
		return fmt.Errorf("open socket pair: %w", err)
	}
	defer func() { _ = parent.Close() }()
	cmd, stderr, err := s.Launcher.startWith(childEnd)
	if err != nil {
		return errors.Join(err, json.NewEncoder(conn).Encode(started{Error: err.Error()}))
	}

	err = s.handOver(conn, parent, cmd.Process.Pid)
	_ = parent.Close() // the client has it now
	if err != nil {
		_ = cmd.Process.Kill()
		return errors.Join(err, cmd.Wait())
	}

	// A client sends nothing: the read returns when it wants the process killed, or is gone.
	go func() {
		_, _ = conn.Read(make([]byte, 1))
		_ = cmd.Process.Kill()
	}()

	last := ended{}
	if err := cmd.Wait(); err != nil {
		last.Error = err.Error()
	}
	last.Dump = stderr.String()
	_ = conn.SetWriteDeadline(time.Now().Add(answerTimeout))
	_ = json.NewEncoder(conn).Encode(last) // a client that killed it may be gone
	return nil
}

// handOver sends the parent's end of a sandbox's socket to the client.
func (s *Service) handOver(conn *net.UnixConn, parent *os.File, pid int) error {
	users := s.Launcher.Users
	first := started{PID: pid, Space: pidSpace(), UID: users.UID, GID: users.GID, Users: users.Count}
	text, err := json.Marshal(first)
	if err != nil {
		return err
	}
	_ = conn.SetWriteDeadline(time.Now().Add(answerTimeout))
	_, _, err = conn.WriteMsgUnix(append(text, '\n'), syscall.UnixRights(int(parent.Fd())), nil)
	return err
}

// pidSpace names this process's pid namespace; it is empty where there are none.
func pidSpace() string {
	name, _ := os.Readlink("/proc/self/ns/pid")
	return name
}

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

// The executor as a service of its own: whoever connects to its socket gets one sandbox process. The first answer carries
// the parent's end of the sandbox's socket (SCM_RIGHTS, unix(7)), so that runs take the same way as without a service; the
// second says how the process ended. Who closes the connection ends the process.

// started is the first answer.
type started struct {
	Error string `json:"error,omitempty"`
	PID   int    `json:"pid"`
	// Space names the pid namespace in which PID means something.
	Space string `json:"space"`
	UID   int    `json:"uid"`
	GID   int    `json:"gid"`
}

// ended is the second.
type ended struct {
	Error string `json:"error"`
	Dump  string `json:"dump"`
}

// maxServed bounds the sandboxes of one service, which several nodes may use.
const maxServed = 1024

// comesBack is how long a client waits for a service that is being restarted.
const comesBack = 2 * time.Second

// answerTimeout bounds how long a client waits for its sandbox, and how long the service waits for a client to read.
const answerTimeout = 10 * time.Second

// Service gives sandbox processes to other processes of this machine.
type Service struct {
	Launcher *Launcher
	Log      *slog.Logger

	wg     sync.WaitGroup
	mu     sync.Mutex
	conns  map[*net.UnixConn]bool
	closed bool
}

// Serve answers on a unix socket until Close.
func (s *Service) Serve(l *net.UnixListener) error {
	for {
		c, err := l.AcceptUnix()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE):
			s.Log.Warn("no connection can be accepted; trying again", "error", err)
			time.Sleep(100 * time.Millisecond)
			continue
		case err != nil:
			return fmt.Errorf("accept: %w", err)
		}
		if !s.add(c) {
			_ = json.NewEncoder(c).Encode(started{Error: "the executor has as many sandboxes as it can"})
			_ = c.Close()
			continue
		}
		s.wg.Go(func() {
			defer s.remove(c)
			if err := s.serve(c); err != nil {
				s.Log.Error("serve a sandbox", "error", err)
			}
		})
	}
}

// Close ends every sandbox and waits until they are gone. The caller closes the listener.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		_ = c.CloseRead()
	}
	s.mu.Unlock()
	s.wg.Wait()
	s.Launcher.close()
}

func (s *Service) add(c *net.UnixConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.conns) >= maxServed {
		return false
	}
	if s.conns == nil {
		s.conns = map[*net.UnixConn]bool{}
	}
	s.conns[c] = true
	return true
}

func (s *Service) remove(c *net.UnixConn) {
	_ = c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

func (s *Service) serve(c *net.UnixConn) error {
	parent, childEnd, err := socketFiles()
	if err != nil {
		return fmt.Errorf("open socket pair: %w", err)
	}
	defer func() { _ = parent.Close() }()
	cmd, dump, err := s.Launcher.startWith(childEnd)
	if err != nil {
		return errors.Join(err, json.NewEncoder(c).Encode(started{Error: err.Error()}))
	}
	first, err := json.Marshal(started{PID: cmd.Process.Pid, Space: pidSpace(), UID: s.Launcher.UID, GID: s.Launcher.GID})
	if err == nil {
		_ = c.SetWriteDeadline(time.Now().Add(answerTimeout))
		_, _, err = c.WriteMsgUnix(append(first, '\n'), syscall.UnixRights(int(parent.Fd())), nil)
	}
	_ = parent.Close() // the client has it now
	if err != nil {
		_ = cmd.Process.Kill()
		return errors.Join(err, cmd.Wait())
	}
	go func() {
		_, _ = c.Read(make([]byte, 1)) // nothing is ever said: the client wants the process ended, or is gone
		_ = cmd.Process.Kill()
	}()
	last := ended{}
	if err := cmd.Wait(); err != nil {
		last.Error = err.Error()
	}
	last.Dump = dump.String()
	_ = c.SetWriteDeadline(time.Now().Add(answerTimeout))
	_ = json.NewEncoder(c).Encode(last) // who killed it may be gone
	return nil
}

// pidSpace names this process's pid namespace; empty where there are none.
func pidSpace() string {
	s, _ := os.Readlink("/proc/self/ns/pid")
	return s
}

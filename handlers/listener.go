package handlers

import (
	"errors"
	"log/slog"
	"net"
	"syscall"
	"time"
)

// patient is a listener that outlives what passes: a client that is gone before it is accepted, and a system that is short of
// files or memory. The server itself would end.
type patient struct {
	net.Listener
	log *slog.Logger
}

// Pauses between attempts to accept; what is refused meanwhile waits in the system's queue.
const (
	firstPause = 5 * time.Millisecond
	maxPause   = time.Second
)

// Accept waits for the next connection.
func (p *patient) Accept() (net.Conn, error) {
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		c, err := p.Listener.Accept()
		if err == nil || !passes(err) {
			return c, err
		}
		if pause == maxPause {
			p.log.Warn("no connection can be accepted; trying again", "error", err)
		}
		time.Sleep(pause)
	}
}

func passes(err error) bool {
	for _, e := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EINTR} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

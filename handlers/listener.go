package handlers

import (
	"errors"
	"log/slog"
	"net"
	"syscall"
	"time"
)

// retryListener retries Accept after temporary errors: a client that is gone before it is accepted
// (ECONNABORTED), a system that is short of files or memory (EMFILE, ENOBUFS, ...). Each of them would stop
// the server.
type retryListener struct {
	net.Listener
	log *slog.Logger
}

// Pauses between attempts to accept. New connections wait in the system's queue meanwhile.
const (
	firstPause = 5 * time.Millisecond
	maxPause   = time.Second
)

// Accept waits for the next connection.
func (l *retryListener) Accept() (net.Conn, error) {
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		conn, err := l.Listener.Accept()
		if err == nil || !isTemporary(err) {
			return conn, err
		}

		if pause == maxPause {
			l.log.Warn("no connection can be accepted; trying again", "error", err)
		}
		time.Sleep(pause)
	}
}

// temporaryErrors are what Accept returns while the listener itself is sound.
var temporaryErrors = []syscall.Errno{
	syscall.EMFILE,
	syscall.ENFILE,
	syscall.ENOBUFS,
	syscall.ENOMEM,
	syscall.ECONNABORTED,
	syscall.ECONNRESET,
	syscall.EINTR,
}

func isTemporary(err error) bool {
	for _, e := range temporaryErrors {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

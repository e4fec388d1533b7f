package handlers

import (
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// hangupWatch tells when the peer of a connection closes its side while a request is served. fasthttp does not look at the
// connection meanwhile, so the socket is asked: the poller wakes a read that never takes a byte, and a poll without waiting
// tells a hang-up from a pipelined request.
type hangupWatch struct {
	conn  net.Conn
	raw   syscall.RawConn
	timer *time.Timer
	goneC chan struct{}
	overC chan struct{} // closed when the watch is over

	mu      sync.Mutex
	stopped bool
}

// newHangupWatch is of one request; it watches from start on. stop must be called before the handler returns.
func newHangupWatch(conn net.Conn) *hangupWatch {
	w := &hangupWatch{conn: conn}
	if sc, ok := conn.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			w.raw = raw
		}
	}
	return w
}

// start gives what is closed after a hang-up. The watch begins after a delay: most requests end before it.
func (w *hangupWatch) start(delay time.Duration) (gone <-chan struct{}) {
	w.goneC = make(chan struct{})
	if w.raw != nil {
		w.overC = make(chan struct{})
		w.timer = time.AfterFunc(delay, w.watch)
	}
	return w.goneC
}

func (w *hangupWatch) watch() {
	defer close(w.overC)
	w.mu.Lock()
	stopped := w.stopped
	if !stopped {
		_ = w.conn.SetReadDeadline(time.Time{})
	}
	w.mu.Unlock()
	if stopped {
		return
	}
	gone := false
	_ = w.raw.Read(func(fd uintptr) bool {
		gone = hungUp(fd)
		w.mu.Lock()
		defer w.mu.Unlock()
		return gone || w.stopped
	})
	if gone {
		close(w.goneC)
	}
}

// hungUp asks the socket now.
func (w *hangupWatch) hungUp() (gone bool) {
	if w.raw != nil {
		_ = w.raw.Control(func(fd uintptr) { gone = hungUp(fd) })
	}
	return gone
}

func hungUp(fd uintptr) bool {
	p := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	n, err := unix.Poll(p[:], 0)
	return err == nil && n > 0 && p[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
}

func (w *hangupWatch) stop() {
	if w.timer == nil || w.timer.Stop() {
		return
	}
	w.mu.Lock()
	w.stopped = true
	_ = w.conn.SetReadDeadline(time.Unix(1, 0))
	w.mu.Unlock()
	<-w.overC
	_ = w.conn.SetReadDeadline(time.Now().Add(idleTimeout))
}

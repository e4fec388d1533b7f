package ingress

import (
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"picloud/internal/timerwheel"
)

// hangupAfter is how old a request is before its socket is watched.
const hangupAfter = 10 * time.Millisecond

// hangupWatch notices that the peer of a connection closes its side while a request is served. fasthttp does
// not look at the connection meanwhile, so the socket is asked: the poller wakes a read that never takes a
// byte, and a poll without waiting tells a hang-up from a pipelined request.
type hangupWatch struct {
	conn  net.Conn
	raw   syscall.RawConn // nil if the connection has no socket
	entry timerwheel.Entry[*hangupWatch]
	// goneC is closed after a hang-up.
	goneC chan struct{}

	// mu guards what follows. The poller's callback takes it as well. No other lock of ours is taken under
	// it.
	mu      sync.Mutex
	stopped bool
	// overC is made when the socket begins to be watched, and closed when that is over.
	overC chan struct{}
}

// hangups begins to watch the sockets of requests that are still served after hangupAfter, which most are
// not.
var hangups = timerwheel.New(hangupAfter, (*hangupWatch).begin)

// newHangupWatch makes the watch of one request; it watches from Watch or now on. stop must be called before
// the handler returns.
func newHangupWatch(conn net.Conn) *hangupWatch {
	w := &hangupWatch{conn: conn, goneC: make(chan struct{})}
	if sc, ok := conn.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			w.raw = raw
		}
	}
	return w
}

// Watch returns a channel that is closed after a hang-up. The socket is watched once the request is
// hangupAfter old.
func (w *hangupWatch) Watch() (gone <-chan struct{}) {
	hangups.Add(&w.entry, w)
	return w.goneC
}

// now is Watch without the delay.
func (w *hangupWatch) now() (gone <-chan struct{}) {
	w.begin()
	return w.goneC
}

// begin starts to watch, unless the request is over. The timer wheel calls it, so it must not block.
func (w *hangupWatch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped || w.raw == nil {
		return
	}

	_ = w.conn.SetReadDeadline(time.Time{})
	w.overC = make(chan struct{})
	go w.watch()
}

// watch waits in the poller until the socket can be read, and looks whether that is a hang-up; stop wakes it
// by a deadline.
func (w *hangupWatch) watch() {
	defer close(w.overC)
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

// HungUp asks the socket.
func (w *hangupWatch) HungUp() (gone bool) {
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

// stop ends the watch. When it returns nobody reads from the connection but the server.
func (w *hangupWatch) stop() {
	if hangups.Remove(&w.entry) { // it never began
		return
	}

	w.mu.Lock()
	w.stopped = true
	overC := w.overC
	w.mu.Unlock()
	if overC == nil {
		return
	}

	// A deadline in the past wakes the read; then the server's own deadline is restored.
	_ = w.conn.SetReadDeadline(time.Unix(1, 0))
	<-overC
	_ = w.conn.SetReadDeadline(time.Now().Add(IdleTimeout))
}

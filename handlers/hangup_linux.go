package handlers

import (
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"picloud/internal/timerwheel"
)

// hangupWatch tells when the peer of a connection closes its side while a request is served. fasthttp does not look at the
// connection meanwhile, so the socket is asked: the poller wakes a read that never takes a byte, and a poll without waiting
// tells a hang-up from a pipelined request.
type hangupWatch struct {
	conn   net.Conn
	raw    syscall.RawConn
	member timerwheel.Entry[*hangupWatch]
	goneC  chan struct{} // closed after a hang-up

	mu      sync.Mutex
	stopped bool
	overC   chan struct{} // once the socket is watched: closed when that is over
}

// hangups begins to watch the sockets of requests that are still served after hangupAfter, which most are not.
var hangups = timerwheel.New(hangupAfter, (*hangupWatch).begin)

// newHangupWatch is of one request; it watches from Watch or now on. stop must be called before the handler returns.
func newHangupWatch(conn net.Conn) *hangupWatch {
	w := &hangupWatch{conn: conn, goneC: make(chan struct{})}
	if sc, ok := conn.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			w.raw = raw
		}
	}
	return w
}

// Watch gives what is closed after a hang-up, which is looked for a little later.
func (w *hangupWatch) Watch() (gone <-chan struct{}) {
	hangups.Add(&w.member, w)
	return w.goneC
}

// now is Watch for who cannot wait.
func (w *hangupWatch) now() (gone <-chan struct{}) {
	w.begin()
	return w.goneC
}

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

func (w *hangupWatch) stop() {
	if hangups.Remove(&w.member) {
		return
	}
	w.mu.Lock()
	w.stopped = true
	overC := w.overC
	w.mu.Unlock()
	if overC == nil {
		return
	}
	_ = w.conn.SetReadDeadline(time.Unix(1, 0))
	<-overC
	_ = w.conn.SetReadDeadline(time.Now().Add(idleTimeout))
}

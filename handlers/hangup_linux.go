package handlers

import (
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// watchHangup closes the channel when the peer closes its side while a request is served. fasthttp does not look at the
// connection meanwhile, so the socket is asked: the poller wakes the read, which never takes a byte, and a poll without
// waiting tells a hang-up from a pipelined request. stop must be called before the handler returns.
func watchHangup(conn net.Conn) (gone <-chan struct{}, stop func()) {
	goneC := make(chan struct{})
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return goneC, func() {}
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return goneC, func() {}
	}
	_ = conn.SetReadDeadline(time.Time{})
	var stopped atomic.Bool
	endedC := make(chan struct{})
	go func() {
		defer close(endedC)
		hungUp := false
		_ = raw.Read(func(fd uintptr) bool {
			p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
			n, err := unix.Poll(p, 0)
			hungUp = err == nil && n > 0 && p[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
			return hungUp || stopped.Load()
		})
		if hungUp {
			close(goneC)
		}
	}()
	return goneC, func() {
		stopped.Store(true)
		_ = conn.SetReadDeadline(time.Unix(1, 0))
		<-endedC
		_ = conn.SetReadDeadline(time.Now().Add(idleTimeout))
	}
}

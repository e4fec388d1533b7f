//go:build !linux

package handlers

import (
	"net"
	"time"
)

// hangupWatch sees nothing on systems without POLLRDHUP: a caller that hung up is noticed when its answer is written.
type hangupWatch struct{ goneC chan struct{} }

func watchHangup(net.Conn, time.Duration) *hangupWatch {
	return &hangupWatch{goneC: make(chan struct{})}
}

func (*hangupWatch) hungUp() bool { return false }

func (*hangupWatch) stop() {}

//go:build !linux

package handlers

import (
	"net"
	"time"
)

// hangupWatch sees nothing on systems without POLLRDHUP: a caller that hung up is noticed when its answer is written.
type hangupWatch struct{}

func newHangupWatch(net.Conn) *hangupWatch { return &hangupWatch{} }

func (*hangupWatch) start(time.Duration) (gone <-chan struct{}) { return nil }

func (*hangupWatch) hungUp() bool { return false }

func (*hangupWatch) stop() {}

//go:build !linux

package ingress

import "net"

// hangupWatch sees nothing on systems without POLLRDHUP: a caller that hung up is noticed when its answer is
// written.
type hangupWatch struct{}

func newHangupWatch(net.Conn) *hangupWatch { return &hangupWatch{} }

// Watch returns a channel that is never closed.
func (*hangupWatch) Watch() (gone <-chan struct{}) { return nil }

func (*hangupWatch) now() (gone <-chan struct{}) { return nil }

// HungUp does not know.
func (*hangupWatch) HungUp() bool { return false }

func (*hangupWatch) stop() {}

package handlers

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// pieceTimeout is how long a caller may take for each piece of an answer, and pieceSize the most bytes
	// of one.
	pieceTimeout = 30 * time.Second
	pieceSize    = 128 << 10
	// lingerTime and lingerBytes bound what is still read of a body that was refused.
	lingerTime  = 2 * time.Second
	lingerBytes = 64 << 20
)

// pacedListener accepts connections whose peer has to read what it asked for.
type pacedListener struct{ net.Listener }

// Accept waits for the next connection.
func (l pacedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &pacedConn{Conn: conn}, nil
}

// pacedConn gives its peer pieceTimeout for each piece of an answer. The whole answer has no such bound: a
// large one takes a slow peer its time.
type pacedConn struct {
	net.Conn
	// until is the deadline of writes, zero for none. Only who writes looks at it.
	until time.Time
	// sent is called when the answer has been taken; nil for nothing.
	sent atomic.Pointer[func()]
	// lingers says that a body was refused, and that its rest may be on the way.
	lingers atomic.Bool
}

// SyscallConn gives access to the socket, as that of a TCP connection does.
func (c *pacedConn) SyscallConn() (syscall.RawConn, error) {
	conn, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return conn.SyscallConn()
}

// Read reads, which the server does after it has written an answer.
func (c *pacedConn) Read(p []byte) (int, error) {
	c.settle()
	return c.Conn.Read(p)
}

// Write writes piece by piece.
func (c *pacedConn) Write(p []byte) (int, error) {
	written := 0
	for {
		// A deadline that was set within a second will do: setting it costs more than asking the time.
		now := time.Now()
		if c.until.Sub(now) < pieceTimeout-time.Second {
			c.until = now.Add(pieceTimeout)
			if err := c.Conn.SetWriteDeadline(c.until); err != nil {
				return written, err
			}
		}

		piece := p[written:min(written+pieceSize, len(p))]
		n, err := c.Conn.Write(piece)
		written += n
		if err != nil || written == len(p) {
			return written, err
		}
	}
}

// SetDeadline and SetWriteDeadline are the server's, for the whole of what it writes next.
func (c *pacedConn) SetDeadline(t time.Time) error {
	c.until = t
	return c.Conn.SetDeadline(t)
}

// SetWriteDeadline see SetDeadline.
func (c *pacedConn) SetWriteDeadline(t time.Time) error {
	c.until = t
	return c.Conn.SetWriteDeadline(t)
}

// afterAnswer has a function called once the peer has the answer, or is gone.
func (c *pacedConn) afterAnswer(sent func()) {
	c.settle()
	c.sent.Store(&sent)
}

func (c *pacedConn) settle() {
	if c.sent.Load() == nil {
		return
	}
	if sent := c.sent.Swap(nil); sent != nil {
		(*sent)()
	}
}

// linger says whether Close has to wait for the rest of a body that was refused. The system resets a
// connection that is closed with something unread, and the peer, which is still sending, might never see the
// answer.
func (c *pacedConn) linger(isUnread bool) { c.lingers.Store(isUnread) }

// Close closes the connection.
func (c *pacedConn) Close() error {
	c.settle()

	half, ok := c.Conn.(interface{ CloseWrite() error })
	if ok && c.lingers.CompareAndSwap(true, false) && half.CloseWrite() == nil {
		_ = c.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes)
	}

	return c.Conn.Close()
}

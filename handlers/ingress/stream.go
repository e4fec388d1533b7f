package ingress

import (
	"net"

	"picloud/internal/cloud"
)

// bodyReader reads the body that a script is still writing. The server flushes after every Read; an error
// ends the connection, so that the caller sees that the body is cut off. A caller that hangs up, or does not
// read (the server bounds how long a write waits), ends the stream. All of it is called by the connection's
// goroutine.
type bodyReader struct {
	stream cloud.ResponseStream
	conn   net.Conn
	// rest is what the last piece has left.
	rest []byte
	// stop ends the watch for a hang-up; nil until the first Read begins it.
	stop func()
}

// Read gives the next bytes.
func (b *bodyReader) Read(p []byte) (int, error) {
	if b.stop == nil {
		b.watch()
	}

	for len(b.rest) == 0 {
		piece, err := b.stream.Next()
		if err != nil {
			return 0, err
		}
		b.rest = piece
	}

	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// watch ends the stream of a caller that hangs up while the script makes it wait.
func (b *bodyReader) watch() {
	watch := newHangupWatch(b.conn)
	goneC := watch.now()
	overC := make(chan struct{})
	go func() {
		select {
		case <-goneC:
			b.stream.Close()
		case <-overC:
		}
	}()

	b.stop = func() {
		close(overC)
		watch.stop()
	}
}

// Close ends the stream, whether it was read to its end or not.
func (b *bodyReader) Close() error {
	if b.stop != nil {
		b.stop()
		b.stop = func() {}
	}
	b.stream.Close()
	return nil
}

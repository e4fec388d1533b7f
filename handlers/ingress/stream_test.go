package ingress

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// pieces is a script's stream: it gives its pieces, then waits for Close if it is held, then ends with err.
type pieces struct {
	list    []string
	held    bool
	err     error
	closedC chan struct{}
	once    sync.Once
}

func newPieces(err error, list ...string) *pieces {
	return &pieces{list: list, err: err, closedC: make(chan struct{})}
}

func (p *pieces) Next() ([]byte, error) {
	if len(p.list) > 0 {
		piece := p.list[0]
		p.list = p.list[1:]
		return []byte(piece), nil
	}

	if p.held {
		<-p.closedC
	}
	return nil, p.err
}

func (p *pieces) Close() { p.once.Do(func() { close(p.closedC) }) }

// tcp gives the two ends of a connection.
func tcp(t *testing.T) (server, client net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}

	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Close()
		_ = server.Close()
	})
	return server, client
}

// The pieces arrive in order however large the reader's buffer is, and an error is not the end of the body.
func TestBodyReader(t *testing.T) {
	t.Parallel()
	broken := errors.New("the run ended before")

	for _, c := range []struct {
		name   string
		buffer int
		end    error
	}{
		{"whole pieces", 4096, io.EOF},
		{"pieces larger than the buffer", 3, io.EOF},
		{"cut off", 4096, broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn, _ := tcp(t)
			stream := newPieces(c.end, "hello ", "", "streamed ", "world")
			b := &bodyReader{stream: stream, conn: conn}
			var got strings.Builder
			buffer := make([]byte, c.buffer)

			for {
				n, err := b.Read(buffer)
				got.Write(buffer[:n])
				if err != nil {
					if !errors.Is(err, c.end) {
						t.Errorf("ended with %v, want %v", err, c.end)
					}
					break
				}
			}

			if got.String() != "hello streamed world" {
				t.Errorf("read %q", got.String())
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			<-stream.closedC
		})
	}
}

// A caller that hangs up while the script makes it wait ends the stream, so that the script is not left
// writing to nobody.
func TestBodyReaderOfACallerThatHangsUp(t *testing.T) {
	t.Parallel()
	server, client := tcp(t)
	stream := newPieces(errors.New("cancelled"))
	stream.held = true
	b := &bodyReader{stream: stream, conn: server}
	overC := make(chan error, 1)

	go func() {
		_, err := b.Read(make([]byte, 10))
		overC <- err
	}()
	_ = client.Close()
	if err := <-overC; err == nil {
		t.Error("the read did not end with an error")
	}
	_ = b.Close()
}

// Closing before anything was read ends the stream as well.
func TestBodyReaderNeverRead(t *testing.T) {
	t.Parallel()
	conn, _ := tcp(t)
	stream := newPieces(io.EOF)
	if err := (&bodyReader{stream: stream, conn: conn}).Close(); err != nil {
		t.Error(err)
	}
	<-stream.closedC
}

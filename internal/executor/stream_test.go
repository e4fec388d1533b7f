package executor

import (
	"errors"
	"io"
	"net"
	"testing"

	"picloud/internal/executor/wire"
)

// newStream returns the stream of a run whose child answers each Pull by answer.
func newStream(t *testing.T, maxBody int, answer func(*bodyStream)) *bodyStream {
	t.Helper()
	parent, childEnd := net.Pipe()
	c := &child{
		pool: &Pool{cfg: Config{MaxBody: maxBody}},
		w:    wire.NewWriter(parent, 0, 1<<20),
	}
	s := newBodyStream(&Run{child: c})

	doneCh := make(chan struct{})
	go func() {
		defer close(doneCh)

		for r := wire.NewReader(childEnd, 1<<10); ; {
			kind, _, _, err := r.Next()
			if err != nil {
				return
			}
			if kind == wire.Pull {
				answer(s)
			}
		}
	}()
	t.Cleanup(func() {
		_ = parent.Close()
		<-doneCh
	})
	return s
}

// Each Next is one Pull and one piece; the last piece may be empty.
func TestStreamReads(t *testing.T) {
	t.Parallel()

	for name, last := range map[string]string{"last piece is empty": "", "last piece has bytes": "c"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pieces := []string{"a", "b", last}
			pulls := 0
			s := newStream(t, 10, func(s *bodyStream) {
				m := &wire.ChunkMsg{Body: []byte(pieces[pulls]), End: pulls == len(pieces)-1}
				pulls++
				if err := s.take(m); err != nil {
					t.Errorf("piece %d: %v", pulls, err)
				}
			})

			got := ""
			for {
				piece, err := s.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				got += string(piece)
			}
			if got != "ab"+last || pulls != len(pieces) {
				t.Errorf("read %q by %d pulls", got, pulls)
			}
		})
	}
}

// A piece that was not asked for, or is more than a body may have, breaks the protocol.
func TestStreamRefuses(t *testing.T) {
	t.Parallel()
	unasked := newStream(t, 10, func(*bodyStream) {})
	if err := unasked.take(&wire.ChunkMsg{Body: []byte("x")}); !errors.Is(err, wire.ErrProtocol) {
		t.Errorf("a piece that was not asked for: %v", err)
	}

	refusedCh := make(chan error, 1)
	long := newStream(t, 10, func(s *bodyStream) {
		refusedCh <- s.take(&wire.ChunkMsg{Body: make([]byte, 11)})
		close(s.overCh) // the child is killed for it
	})
	if _, err := long.Next(); err != io.ErrUnexpectedEOF {
		t.Errorf("Next: %v", err)
	}
	if err := <-refusedCh; !errors.Is(err, wire.ErrProtocol) {
		t.Errorf("a piece that is too long: %v", err)
	}

	twice := make(chan error, 2)
	s := newStream(t, 10, func(s *bodyStream) {
		twice <- s.take(&wire.ChunkMsg{Body: []byte("x")})
		twice <- s.take(&wire.ChunkMsg{Body: []byte("x")})
	})
	if piece, err := s.Next(); err != nil || string(piece) != "x" {
		t.Errorf("Next: %q %v", piece, err)
	}
	if first, second := <-twice, <-twice; first != nil || !errors.Is(second, wire.ErrProtocol) {
		t.Errorf("two pieces for one Pull: %v, %v", first, second)
	}
}

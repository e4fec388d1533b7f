package executor

import (
	"io"
	"sync"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// bodyStream is the body of a response that its script is still writing: each Next asks the child for one piece, so that
// a slow reader slows the script down and nothing piles up.
type bodyStream struct {
	r       *Run
	chunkCh chan *wire.ChunkMsg
	overCh  chan struct{} // closed when the run ended
	room    int           // bytes that may still come; of the child's reader

	mu     sync.Mutex
	wanted bool // a Pull is out
	ended  bool // the last piece is here
}

func newBodyStream(r *Run) *bodyStream {
	return &bodyStream{r: r, chunkCh: make(chan *wire.ChunkMsg, 1), overCh: make(chan struct{}), room: r.child.pool.cfg.MaxBody}
}

// Next waits for the next piece.
func (s *bodyStream) Next() ([]byte, error) {
	s.mu.Lock()
	ended := s.ended
	s.wanted = !ended
	s.mu.Unlock()
	if ended {
		return nil, io.EOF
	}
	if err := s.r.child.w.Send(wire.Pull, s.r.id, nil); err != nil {
		return nil, err
	}
	select {
	case m := <-s.chunkCh:
		return piece(m)
	case <-s.overCh:
	}
	select { // it came before the end
	case m := <-s.chunkCh:
		return piece(m)
	default:
		return nil, io.ErrUnexpectedEOF
	}
}

func piece(m *wire.ChunkMsg) ([]byte, error) {
	if m.End && len(m.Body) == 0 {
		return nil, io.EOF
	}
	return m.Body, nil
}

// Close says that nobody reads on.
func (s *bodyStream) Close() { s.r.abort() }

// take is the child's answer to a Pull. A child that was not asked, or sends more than a body may have, breaks the protocol.
func (s *bodyStream) take(m *wire.ChunkMsg) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.room -= len(m.Body)
	if !s.wanted || s.room < 0 {
		return wire.ErrProtocol
	}
	s.wanted, s.ended = false, m.End
	s.chunkCh <- m // has room: one Pull, one Chunk, and Next takes it before it pulls again
	return nil
}

var _ cloud.ResponseStream = (*bodyStream)(nil)

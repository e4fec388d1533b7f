package executor

import (
	"io"
	"sync"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// bodyStream is the body of a response that its script is still writing. Each Next asks the child for one
// piece, so that a slow reader slows the script down and nothing piles up here.
type bodyStream struct {
	run     *Run
	chunkCh chan *wire.ChunkMsg // has room for the answer to one Pull
	overCh  chan struct{}       // closed when the run has ended
	left    int                 // bytes that may still come; used by the child's reader only

	// mu guards the fields below. No other lock is taken under it.
	mu     sync.Mutex
	wanted bool // a Pull was sent, and its answer has not come
	ended  bool // the last piece has come
}

var _ cloud.ResponseStream = (*bodyStream)(nil)

func newBodyStream(r *Run) *bodyStream {
	return &bodyStream{
		run:     r,
		chunkCh: make(chan *wire.ChunkMsg, 1),
		overCh:  make(chan struct{}),
		left:    r.child.pool.cfg.MaxBody,
	}
}

// Next waits for the next piece. The error is io.EOF after the last one, and io.ErrUnexpectedEOF if the run
// ended before it.
func (s *bodyStream) Next() ([]byte, error) {
	s.mu.Lock()
	ended := s.ended
	s.wanted = !ended
	s.mu.Unlock()
	if ended {
		return nil, io.EOF
	}

	if err := s.run.child.w.Send(wire.Pull, s.run.id, nil); err != nil {
		return nil, err
	}

	select {
	case m := <-s.chunkCh:
		return piece(m)
	case <-s.overCh:
	}

	// The piece may have come just before the end.
	select {
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

// Close sends the script an abort signal, because the response is no longer read. The run goes on.
func (s *bodyStream) Close() { s.run.abort() }

// take is called with the child's answer to a Pull. A child that was not asked, or sends more than a body may
// have, breaks the protocol.
func (s *bodyStream) take(m *wire.ChunkMsg) error {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.left -= len(m.Body)
	if !s.wanted || s.left < 0 {
		return wire.ErrProtocol
	}
	s.wanted = false
	s.ended = m.End
	s.chunkCh <- m // it has room: Next takes one piece before it asks for another
	return nil
}

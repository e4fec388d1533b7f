package wire

import (
	"encoding/binary"
	"fmt"
	"net"
	"runtime"
	"sync"
	"time"
)

// maxSpare is the largest buffer, in bytes, that a Writer keeps for its next frames.
const maxSpare = 1 << 20

// Writer sends frames. Frames queued while a write is under way go out together in the next one. It is safe
// for concurrent use.
type Writer struct {
	conn    net.Conn
	timeout time.Duration // of one write; 0: none
	limit   int           // the most bytes that may be pending

	// Yield makes a sender wait for the other goroutines that are about to send, so that their frames go out
	// in the same write. It is for processes whose goroutines work briefly: behind a long computation the
	// frame would wait. It must be set before the first Send.
	Yield bool

	// mu guards the fields below, and is not held during a write. The fill function of Send runs under it, so
	// it must not block.
	mu      sync.Mutex
	pending []byte  // whole frames that no write has taken yet
	spare   []byte  // a buffer for the next pending
	encoder Encoder // of the frame that is being queued; here, so that a frame allocates none
	writing bool    // some Send is in flush
	err     error   // the first error, which all later Sends return
}

// NewWriter returns a Writer that fails when a write takes longer than timeout, or when more than limit bytes
// are pending.
func NewWriter(conn net.Conn, timeout time.Duration, limit int) *Writer {
	return &Writer{conn: conn, timeout: timeout, limit: limit}
}

// Send queues a frame whose body fill appends; nil means an empty body. If no other Send is writing, it
// writes all pending frames, also those that are queued meanwhile. A frame whose Send returned nil was
// queued, but may fail to be written.
func (w *Writer) Send(kind Kind, id uint64, fill func(*Encoder)) error {
	w.mu.Lock()
	defer w.mu.Unlock()

	if w.err != nil {
		return w.err
	}

	w.queue(kind, id, fill)
	if w.writing || w.err != nil {
		return w.err
	}

	w.writing = true
	if w.Yield {
		w.mu.Unlock()
		runtime.Gosched()
		w.mu.Lock()
	}
	w.flush()
	w.writing = false
	return w.err
}

// queue appends a frame to pending. w.mu is held.
func (w *Writer) queue(kind Kind, id uint64, fill func(*Encoder)) {
	start := len(w.pending)
	e := &w.encoder
	e.b = append(w.pending, 0, 0, 0, 0, byte(kind), 0, 0, 0, 0, 0, 0, 0, 0)
	binary.LittleEndian.PutUint64(e.b[start+idAt:], id)
	if fill != nil {
		fill(e)
	}

	// The length is known only now.
	binary.LittleEndian.PutUint32(e.b[start:], uint32(len(e.b)-start-kindAt))
	w.pending = e.b
	e.b = nil
	if len(w.pending) > w.limit {
		w.err = fmt.Errorf("%w: %d bytes wait to be read", ErrProtocol, len(w.pending))
	}
}

// flush writes until nothing is pending or a write fails. w.mu is held, except during a write.
func (w *Writer) flush() {
	for len(w.pending) > 0 && w.err == nil {
		frames := w.pending
		w.pending = w.spare[:0]

		w.mu.Unlock()
		err := w.write(frames)
		w.mu.Lock()

		w.spare = nil
		if cap(frames) <= maxSpare {
			w.spare = frames[:0]
		}
		if err != nil {
			w.err = err
		}
	}
}

func (w *Writer) write(b []byte) error {
	if w.timeout > 0 {
		if err := w.conn.SetWriteDeadline(time.Now().Add(w.timeout)); err != nil {
			return fmt.Errorf("set write deadline: %w", err)
		}
	}
	if _, err := w.conn.Write(b); err != nil {
		return fmt.Errorf("write frames: %w", err)
	}
	return nil
}

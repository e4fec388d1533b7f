package wire

import (
	"encoding/binary"
	"fmt"
	"net"
	"runtime"
	"sync"
	"time"
)

// Writer sends frames. Frames queued while a write is under way go out together in the next one. It is safe for
// concurrent use.
type Writer struct {
	conn    net.Conn
	timeout time.Duration // for one write; 0: none
	limit   int           // most bytes that may wait

	// Yield lets who is about to send do so first, and go out in the same write. It is for senders that only do short work:
	// behind a long computation the frame would wait.
	Yield bool

	mu      sync.Mutex
	pending []byte
	spare   []byte
	writing bool
	err     error
}

// NewWriter returns a Writer that fails a write which takes longer than timeout, or when more than limit bytes wait.
func NewWriter(conn net.Conn, timeout time.Duration, limit int) *Writer {
	return &Writer{conn: conn, timeout: timeout, limit: limit}
}

// Send queues a frame. The caller that finds nobody writing writes, for itself and for those who come meanwhile.
func (w *Writer) Send(kind Kind, id uint64, fill func(*Encoder)) error {
	w.mu.Lock()
	if w.err != nil {
		w.mu.Unlock()
		return w.err
	}
	start := len(w.pending)
	e := Encoder{b: append(w.pending, 0, 0, 0, 0, byte(kind), 0, 0, 0, 0, 0, 0, 0, 0)}
	binary.LittleEndian.PutUint64(e.b[start+5:], id)
	if fill != nil {
		fill(&e)
	}
	binary.LittleEndian.PutUint32(e.b[start:], uint32(len(e.b)-start-4))
	w.pending = e.b
	if len(w.pending) > w.limit {
		w.err = fmt.Errorf("%w: %d bytes wait to be read", ErrProtocol, len(w.pending))
	}
	if w.writing || w.err != nil {
		err := w.err
		w.mu.Unlock()
		return err
	}
	w.writing = true
	if w.Yield {
		w.mu.Unlock()
		runtime.Gosched()
		w.mu.Lock()
	}
	for len(w.pending) > 0 && w.err == nil {
		out := w.pending
		w.pending = w.spare[:0]
		w.mu.Unlock()
		err := w.write(out)
		w.mu.Lock()
		if cap(out) <= 1<<20 {
			w.spare = out[:0]
		} else {
			w.spare = nil
		}
		if err != nil {
			w.err = err
		}
	}
	w.writing = false
	err := w.err
	w.mu.Unlock()
	return err
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

// Package wire is the protocol between the executor and its sandbox children: frames on one stream socket, any number of
// runs multiplexed by their number. It knows nothing of JavaScript, HTTP or the database.
//
// A frame is a little-endian uint32 (length of what follows), a byte (its kind), a uint64 (the run or request it belongs
// to) and a body. Bodies are sequences of fields: uvarint numbers, and byte strings with a uvarint length before them.
// Request and response bodies cross as bytes that nobody re-encodes.
package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"runtime"
	"sync"
	"time"
)

// Kind is the kind of a frame.
type Kind uint8

// Frames from the parent to the child.
const (
	Init      Kind = iota + 1 // first frame: the child's limits
	Program                   // a build's code
	Compile                   // bundle sources
	Inspect                   // evaluate a build and name its handlers
	Run                       // start a run
	Reply                     // answer to a Call
	Interrupt                 // the run's time is over
	Abort                     // the run's caller hung up
	Release                   // the run's runtime may be used again, or must be thrown away
	Env                       // the app's variables and secrets
	Pull                      // the next piece of a response's body is wanted
)

// Frames from the child to the parent.
const (
	Ready Kind = iota + 64
	Compiled
	Inspected
	Call
	Log
	Done   // outcome, with the response
	After  // outcome of waitUntil work
	Chunk  // the next piece of a response's body, for a Pull
	Cancel // a fetch is not wanted any more
)

const headerLen = 4 + 1 + 8

// ErrProtocol is returned for anything that a well-behaved peer does not send.
var ErrProtocol = errors.New("protocol violation")

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

// Reader reads frames.
type Reader struct {
	r   *bufio.Reader
	max int
	hdr [headerLen]byte
}

// NewReader returns a Reader that refuses frames over max bytes.
func NewReader(r io.Reader, max int) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, 64<<10), max: max}
}

// Next reads one frame. The body is the caller's to keep.
func (r *Reader) Next() (kind Kind, id uint64, body []byte, err error) {
	if _, err = io.ReadFull(r.r, r.hdr[:]); err != nil {
		return 0, 0, nil, err
	}
	n := int(binary.LittleEndian.Uint32(r.hdr[:])) - (headerLen - 4)
	if n < 0 || n > r.max {
		return 0, 0, nil, fmt.Errorf("%w: frame of %d bytes", ErrProtocol, n)
	}
	body = make([]byte, n)
	if _, err = io.ReadFull(r.r, body); err != nil {
		return 0, 0, nil, err
	}
	return Kind(r.hdr[4]), binary.LittleEndian.Uint64(r.hdr[5:]), body, nil
}

// Encoder appends fields to a frame.
type Encoder struct{ b []byte }

// Uint appends a number.
func (e *Encoder) Uint(v uint64) { e.b = binary.AppendUvarint(e.b, v) }

// Int appends a signed number.
func (e *Encoder) Int(v int64) { e.b = binary.AppendVarint(e.b, v) }

// Float appends a double.
func (e *Encoder) Float(v float64) { e.b = binary.LittleEndian.AppendUint64(e.b, math.Float64bits(v)) }

// Bool appends a flag.
func (e *Encoder) Bool(v bool) {
	if v {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
}

// String appends a string.
func (e *Encoder) String(s string) {
	e.Uint(uint64(len(s)))
	e.b = append(e.b, s...)
}

// Bytes appends a byte string.
func (e *Encoder) Bytes(s []byte) {
	e.Uint(uint64(len(s)))
	e.b = append(e.b, s...)
}

// Decoder reads fields. After the first malformed field every read gives zero values; Err tells.
type Decoder struct {
	b   []byte
	bad bool
}

// NewDecoder reads from body.
func NewDecoder(body []byte) *Decoder { return &Decoder{b: body} }

// Err is ErrProtocol once a field was malformed or bytes are left over.
func (d *Decoder) Err() error {
	if d.bad || len(d.b) > 0 {
		return ErrProtocol
	}
	return nil
}

// Uint reads a number.
func (d *Decoder) Uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		return d.fail()
	}
	d.b = d.b[n:]
	return v
}

// Int reads a signed number.
func (d *Decoder) Int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		return int64(d.fail())
	}
	d.b = d.b[n:]
	return v
}

// Float reads a double.
func (d *Decoder) Float() float64 {
	if len(d.b) < 8 {
		d.fail()
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(d.b))
	d.b = d.b[8:]
	return v
}

// Bool reads a flag.
func (d *Decoder) Bool() bool {
	if len(d.b) < 1 || d.b[0] > 1 {
		d.fail()
		return false
	}
	v := d.b[0] == 1
	d.b = d.b[1:]
	return v
}

// String reads a string.
func (d *Decoder) String() string { return string(d.Bytes()) }

// Bytes reads a byte string; it aliases the frame's body.
func (d *Decoder) Bytes() []byte {
	n := d.Uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

// Count reads how many items follow; it refuses more than could fit in what is left.
func (d *Decoder) Count() int {
	n := d.Uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *Decoder) fail() uint64 {
	d.bad = true
	d.b = nil
	return 0
}

// Raw appends bytes without a length: the rest of the frame.
func (e *Encoder) Raw(s []byte) { e.b = append(e.b, s...) }

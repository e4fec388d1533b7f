package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Frames of many senders arrive whole and in each sender's order.
func TestWriterCoalesces(t *testing.T) {
	t.Parallel()

	for name, yield := range map[string]bool{"at once": false, "yielding": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := net.Pipe()
			w := NewWriter(a, 10*time.Second, 1<<20)
			w.Yield = yield
			const senders, each = 8, 200

			var wg sync.WaitGroup
			for s := range senders {
				wg.Go(func() {
					for k := range each {
						if err := w.Send(Log, uint64(s), func(e *Encoder) { e.Uint(uint64(k)) }); err != nil {
							t.Error(err)
						}
					}
				})
			}
			go func() { wg.Wait(); _ = a.Close() }()

			r := NewReader(b, 1<<20)

			next := map[uint64]uint64{}
			for {
				_, id, body, err := r.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if n := NewDecoder(body).Uint(); n != next[id] {
					t.Fatalf("sender %d: frame %d, want %d", id, n, next[id])
				}
				next[id]++
			}

			for s := range senders {
				if next[uint64(s)] != each {
					t.Errorf("sender %d: %d frames", s, next[uint64(s)])
				}
			}
		})
	}
}

// While a peer does not read, frames are queued up to the limit, and Send returns at once; beyond it the
// Writer has failed.
func TestWriterLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		w := NewWriter(a, 0, 100)
		fill := func(e *Encoder) { e.Raw(make([]byte, 50-headerLen)) }
		firstCh := make(chan error)
		go func() { firstCh <- w.Send(Log, 1, fill) }()
		synctest.Wait() // the first frame is being written

		for n := range 2 {
			if err := w.Send(Log, 2, fill); err != nil {
				t.Errorf("frame %d within the limit: %v", n, err)
			}
		}

		for range 2 {
			if err := w.Send(Log, 3, fill); !errors.Is(err, ErrProtocol) {
				t.Errorf("beyond the limit: %v", err)
			}
		}

		_ = b.Close()
		if err := <-firstCh; err == nil {
			t.Error("the Send that was writing did not fail")
		}
	})
}

// A peer that stops reading fails the write after the timeout, and every later Send with the same error.
func TestWriterTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer func() { _ = b.Close() }()
		w := NewWriter(a, time.Second, 1<<20)
		start := time.Now()
		first := w.Send(Log, 1, nil)

		var timeout net.Error
		if !errors.As(first, &timeout) || !timeout.Timeout() || time.Since(start) != time.Second {
			t.Errorf("after %s: %v", time.Since(start), first)
		}
		if err := w.Send(Log, 2, nil); err != first {
			t.Errorf("a later Send: %v", err)
		}
	})
}

func TestReaderRefuses(t *testing.T) {
	t.Parallel()

	frame := func(size uint32, body int) []byte {
		b := binary.LittleEndian.AppendUint32(nil, size)
		return append(b, make([]byte, headerLen-kindAt+body)...)
	}
	for name, c := range map[string]struct {
		stream []byte
		want   error
	}{
		"nothing":             {nil, io.EOF},
		"half a header":       {[]byte{9, 0, 0, 0, 1}, io.ErrUnexpectedEOF},
		"half a body":         {frame(9+10, 5), io.ErrUnexpectedEOF},
		"shorter than itself": {frame(8, 0), ErrProtocol},
		"a byte too long":     {frame(9+101, 101), ErrProtocol},
		"2 GiB":               {frame(0x7fffffff, 0), ErrProtocol},
		"4 GiB":               {frame(0xffffffff, 0), ErrProtocol},
		"as long as allowed":  {frame(9+100, 100), nil},
		"empty body":          {frame(9, 0), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, _, _, err := NewReader(bytes.NewReader(c.stream), 100).Next(); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

package wire

import (
	"bytes"
	"io"
	"net"
	"reflect"
	"sync"
	"testing"
	"time"

	"picloud/internal/cloud"
)

func TestMessagesReadBack(t *testing.T) {
	req := &cloud.Request{Method: "POST", URL: "http://x/?q", Body: []byte{0, 1, 0xff}, Headers: []cloud.Header{{Name: "A", Value: "b"}},
		Params: []cloud.Header{{Name: "id", Value: "é"}}}
	res := &cloud.Response{Status: 201, Body: []byte("x"), Headers: []cloud.Header{{Name: "C", Value: ""}}}
	encode := func(f func(*Encoder)) []byte {
		e := &Encoder{}
		f(e)
		return e.b
	}
	run := &RunMsg{Build: cloud.ID{1}, Handler: "fetch", Request: req, Event: `{"a":1}`, Execution: cloud.ID{2}, Root: cloud.ID{3}, Depth: 4, Attempt: 5,
		Principal: cloud.Principal{Username: "u", Kind: cloud.PrincipalKey}, IdempotencyKey: "k", MaxLogLines: 6, MaxLogBytes: 7, MaxBody: 8, Stream: true}
	if got, err := DecodeRun(encode(run.Encode)); err != nil || !reflect.DeepEqual(got, run) {
		t.Errorf("run: %+v %v", got, err)
	}
	done := &DoneMsg{Status: cloud.Succeeded, Response: res, Pending: true, Held: true, Streaming: true, Usage: cloud.Usage{CPU: time.Millisecond, MemoryKiB: 5}, Unlogged: 3, Waiting: "w", Error: cloud.ScriptError{Name: "n", Message: "m", Stack: "s"}}
	if got, err := DecodeDone(encode(done.Encode)); err != nil || !reflect.DeepEqual(got, done) {
		t.Errorf("done: %+v %v", got, err)
	}
	call := &CallMsg{N: 9, Op: cloud.OpKVSet, Args: cloud.HostArgs{Collection: "c", Key: "k", Value: "v", Number: -0.5, TTLMillis: -1, IfVersion: 1 << 60, Flag: true, Cursor: "x", Request: req}}
	if got, err := DecodeCall(encode(call.Encode)); err != nil || !reflect.DeepEqual(got, call) {
		t.Errorf("call: %+v %v", got, err)
	}
	for _, reply := range []*ReplyMsg{{N: 1, Error: &cloud.HostError{Name: "E", Message: "m"}},
		{N: 2, Reply: cloud.HostReply{Found: true, Value: "v", Version: 3, Expires: 4, Number: 5, JSON: "{}", Partial: true, Bytes: []byte{1}, Response: res}}} {
		if got, err := DecodeReply(encode(reply.Encode)); err != nil || !reflect.DeepEqual(got, reply) {
			t.Errorf("reply: %+v %v", got, err)
		}
	}
	chunk := &ChunkMsg{Body: []byte{0, 1}, End: true}
	if got, err := DecodeChunk(encode(chunk.Encode)); err != nil || !reflect.DeepEqual(got, chunk) {
		t.Errorf("chunk: %+v %v", got, err)
	}
	if n, err := DecodeCancel(encode(EncodeCancel(7))); err != nil || n != 7 {
		t.Errorf("cancel: %d %v", n, err)
	}
	if _, err := DecodeDone(encode((&DoneMsg{Status: "owned"}).Encode)); err == nil {
		t.Error("a made-up status was accepted")
	}
}

// Frames of many senders arrive whole and in each sender's order.
func TestWriterCoalesces(t *testing.T) {
	a, b := net.Pipe()
	w := NewWriter(a, time.Second, 1<<20)
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
}

func TestReaderRefusesGiants(t *testing.T) {
	if _, _, _, err := NewReader(bytes.NewReader([]byte{0xff, 0xff, 0xff, 0x7f, 1, 0, 0, 0, 0, 0, 0, 0, 0}), 1<<20).Next(); err == nil {
		t.Error("a frame of 2 GiB was accepted")
	}
}

package wire

import (
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"picloud/internal/cloud"
)

func encoded(fill func(*Encoder)) []byte {
	e := &Encoder{}
	fill(e)
	return e.b
}

var (
	request = &cloud.Request{
		Method:  "POST",
		URL:     "http://x/?q",
		Headers: []cloud.Header{{Name: "A", Value: "b"}},
		Params:  []cloud.Header{{Name: "id", Value: "é"}},
		Body:    []byte{0, 1, 0xff},
	}
	response = &cloud.Response{
		Status:  201,
		Headers: []cloud.Header{{Name: "C", Value: ""}, {Name: "C", Value: "d"}},
		Body:    []byte("x"),
	}
)

// message is one message as it is sent, and how it is read.
type message struct {
	sent   any
	encode func(*Encoder)
	decode func([]byte) (any, error)
}

// decoder makes any of a Decode function's result.
func decoder[T any](decode func([]byte) (T, error)) func([]byte) (any, error) {
	return func(body []byte) (any, error) { return decode(body) }
}

func run(m *RunMsg) message     { return message{m, m.Encode, decoder(DecodeRun)} }
func done(m *DoneMsg) message   { return message{m, m.Encode, decoder(DecodeDone)} }
func reply(m *ReplyMsg) message { return message{m, m.Encode, decoder(DecodeReply)} }
func chunk(m *ChunkMsg) message { return message{m, m.Encode, decoder(DecodeChunk)} }

func env(m *cloud.Env) message {
	return message{m, func(e *Encoder) { EncodeEnv(e, m) }, decoder(DecodeEnv)}
}

func log(m cloud.LogLine) message {
	return message{m, func(e *Encoder) { EncodeLog(e, &m) }, decoder(DecodeLog)}
}

func cancel(n uint64) message { return message{n, EncodeCancel(n), decoder(DecodeCancel)} }

// messages has each message with every field set, and with as little as it can have.
var messages = map[string]message{
	"run of a request": run(&RunMsg{
		Build:          cloud.ID{1},
		Env:            cloud.ID{4},
		Handler:        "fetch",
		Request:        request,
		Event:          `{"a":1}`,
		Execution:      cloud.ID{2},
		Root:           cloud.ID{3},
		Depth:          4,
		Attempt:        5,
		Principal:      cloud.Principal{Username: "u", Kind: cloud.PrincipalKey},
		IdempotencyKey: "k",
		MaxLogLines:    6,
		MaxLogBytes:    7,
		MaxBody:        8,
		Stream:         true,
	}),
	"run of an event": run(&RunMsg{Handler: "kv", Event: `{"a":1}`}),
	"env": env(&cloud.Env{
		ID:     cloud.ID{9},
		Values: map[string]string{"B": "2", "A": "", "C": "é\x00"},
	}),
	"empty env": env(&cloud.Env{Values: map[string]string{}}),
	"done with a response": done(&DoneMsg{
		Status:    cloud.Succeeded,
		Response:  response,
		Pending:   true,
		Held:      true,
		Streaming: true,
		Usage:     cloud.Usage{CPU: time.Millisecond, MemoryKiB: 5},
		Unlogged:  3,
	}),
	"done, pending":   done(&DoneMsg{Status: cloud.Succeeded, Pending: true}),
	"done, held":      done(&DoneMsg{Status: cloud.Succeeded, Held: true}),
	"done, streaming": done(&DoneMsg{Status: cloud.Succeeded, Streaming: true}),
	"done with an error": done(&DoneMsg{
		Status: cloud.Failed,
		Error:  cloud.ScriptError{Name: "n", Message: "m", Stack: "s"},
	}),
	"done in time":        done(&DoneMsg{Status: cloud.TimedOut, Waiting: "fetch of x"}),
	"done without memory": done(&DoneMsg{Status: cloud.OutOfMemory}),
	"done with no headers": done(&DoneMsg{
		Status:   cloud.Succeeded,
		Response: &cloud.Response{Status: 204, Body: []byte{}},
	}),
	"error": reply(&ReplyMsg{N: 1, Error: &cloud.HostError{Name: "E", Message: "m"}}),
	"reply": reply(&ReplyMsg{N: 2, Reply: cloud.HostReply{
		Found:    true,
		Value:    "v",
		Version:  3,
		Expires:  -4,
		Number:   5,
		JSON:     "{}",
		Partial:  true,
		Bytes:    []byte{1},
		Response: response,
	}}),
	"bare reply": reply(&ReplyMsg{N: 3, Reply: cloud.HostReply{Bytes: []byte{}}}),
	"chunk":      chunk(&ChunkMsg{Body: []byte{0, 1}}),
	"last chunk": chunk(&ChunkMsg{Body: []byte{}, End: true}),
	"log": log(cloud.LogLine{
		At:      time.UnixMicro(1_700_000_000_000_001).UTC(),
		Level:   "warn",
		Message: "m\n",
	}),
	"cancel": cancel(7),
}

// Each message but a call reads back as it was sent; calls have a test of their own.
func TestMessagesReadBack(t *testing.T) {
	t.Parallel()
	readBack(t, messages)
}

// readBack checks that each message reads as it was sent. One that is cut short anywhere, or has a byte too
// many, is refused.
func readBack(t *testing.T, messages map[string]message) {
	t.Helper()

	for name, m := range messages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := encoded(m.encode)
			got, err := m.decode(body)
			if err != nil || !reflect.DeepEqual(got, m.sent) {
				t.Errorf("read %+v %v, want %+v", got, err, m.sent)
			}

			for n := range body {
				if _, err := m.decode(body[:n]); !errors.Is(err, ErrProtocol) {
					t.Errorf("of %d bytes the first %d were accepted: %v", len(body), n, err)
				}
			}
			if _, err := m.decode(append(body, 0)); !errors.Is(err, ErrProtocol) {
				t.Errorf("a byte too many was accepted: %v", err)
			}
		})
	}
}

// A child can only give the outcomes that are a child's to give.
func TestStatusOfAChild(t *testing.T) {
	t.Parallel()
	for status, accepted := range map[cloud.Status]bool{
		cloud.Succeeded:   true,
		cloud.Failed:      true,
		cloud.TimedOut:    true,
		cloud.OutOfMemory: true,
		cloud.Crashed:     false,
		cloud.Interrupted: false,
		cloud.Conflicted:  false,
		cloud.Refused:     false,
		cloud.Skipped:     false,
		cloud.Abandoned:   false,
		"owned":           false,
		"":                false,
	} {
		t.Run(string(status), func(t *testing.T) {
			t.Parallel()
			m, err := DecodeDone(encoded((&DoneMsg{Status: status}).Encode))
			if accepted != (err == nil) || !accepted && (m != nil || !errors.Is(err, ErrProtocol)) {
				t.Errorf("read %+v %v, want accepted %t", m, err, accepted)
			}
		})
	}
}

// What a child claims to have used is bounded, so that sums of it cannot overflow.
func TestClaimsAreBounded(t *testing.T) {
	t.Parallel()
	m, err := DecodeDone(encoded((&DoneMsg{
		Status:   cloud.Failed,
		Usage:    cloud.Usage{CPU: math.MaxInt64, MemoryKiB: math.MaxInt64},
		Unlogged: math.MaxInt64,
	}).Encode))
	if err != nil || m.Usage.CPU != 24*time.Hour || m.Usage.MemoryKiB != 64<<20 || m.Unlogged != 1<<40 {
		t.Errorf("read %+v %v", m, err)
	}

	negative := &DoneMsg{Status: cloud.Failed, Usage: cloud.Usage{CPU: -1, MemoryKiB: -1}}
	m, err = DecodeDone(encoded(negative.Encode))
	if err != nil || m.Usage != (cloud.Usage{}) {
		t.Errorf("negative usage: %+v %v", m, err)
	}
}

package cloud

import (
	"context"
	"time"
)

// What is kept of a run's log.
const (
	MaxLogLines = 1000
	MaxLogBytes = 256 << 10
)

// LogLine is one console or log call. At is in the child's clock.
type LogLine struct {
	At      time.Time `json:"at"`
	Level   string    `json:"level"`
	Message string    `json:"message"`
}

// RunSpec is one run to be made in a sandbox child.
type RunSpec struct {
	Execution ID
	Root      ID
	App       AppID
	Script    *Script
	// Handler is the name in the default export: fetch, kv, scheduled, deadLetter.
	Handler string
	// Request is set for fetch, Event (JSON text) for every other handler.
	Request        *Request
	Event          string
	Depth          int
	Attempt        int
	Principal      Principal
	IdempotencyKey string
	Deadline       time.Time
	// Stream: the caller takes a response's body piece by piece.
	Stream bool
	// Aborted is closed when the caller hangs up: the script is told, the run goes on.
	Aborted <-chan struct{}
	// Alone asks for a child that no other run shares.
	Alone bool
	// Calls answers the script's host calls; it must not block for ever once ctx is done.
	Calls HostCalls
	// OnLog, if set, is told of every log line as it comes. It must not block: other runs' messages wait behind it.
	OnLog func(LogLine)
}

// HostCalls is the parent's side of a script's host calls.
type HostCalls interface {
	// Call performs one call and returns the answer as JSON text or bytes. A *HostError is thrown to the script
	// under its own name; any other error ends the run as interrupted. n tells the calls of a run apart.
	Call(ctx context.Context, n uint64, op HostOp, args HostArgs) (HostReply, error)
	// Responded says that the calls after this one belong to waitUntil work: the response is out.
	Responded()
}

// HostOp names a host call.
type HostOp uint8

// The host calls. A child that sends any other number is killed.
const (
	OpKVGet HostOp = iota + 1
	OpKVSet
	OpKVDelete
	OpKVHas
	OpKVIncrement
	OpKVUpdateBegin
	OpKVUpdateEnd
	OpKVList
	OpFetch
	OpFetchRead
	OpLetterList
	OpLetterGet
	OpLetterReplay
	OpLetterResolve
)

// Writes reports whether the call belongs to what a commit applies.
func (o HostOp) Writes() bool {
	switch o {
	case OpKVSet, OpKVDelete, OpKVIncrement, OpKVUpdateBegin, OpKVUpdateEnd, OpLetterReplay, OpLetterResolve:
		return true
	default:
		return false
	}
}

// HostArgs are a call's arguments; which fields count depends on the op.
type HostArgs struct {
	Collection string  // letter list: the script
	Key        string  // letter: its id
	Value      string  // letter replay: the payload, if Flag; resolve: the reason
	Number     float64 // increment's amount, list's limit, the fetch whose body is read
	TTLMillis  int64   // 0: none
	IfVersion  int64   // -1: not given
	Flag       bool    // get: unchecked; fetch read: all of it
	Cursor     string
	Request    *Request // fetch; Value is its redirect mode
}

// HostReply is a call's answer.
type HostReply struct {
	Found   bool
	Value   string
	Version int64
	Expires int64 // Unix milliseconds, 0: never
	Number  float64
	// JSON is the whole answer of list, and a dead letter.
	JSON     string
	Response *Response
	// Partial: bytes of a fetched body are still to be read.
	Partial bool
	// Bytes are a piece of a body.
	Bytes []byte
}

// HostError is thrown inside the script as an Error of that name.
type HostError struct{ Name, Message string }

func (e *HostError) Error() string { return e.Name + ": " + e.Message }

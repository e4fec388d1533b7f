package cloud

import "context"

// HostCalls is the parent's side of a script's host calls.
type HostCalls interface {
	// Call performs one call. A *HostError is thrown to the script under its own name; any other error ends
	// the run as interrupted. n identifies the call within its run.
	Call(ctx context.Context, n uint64, call HostCall) (HostReply, error)
	// Responded is called when the response is sent: the calls after it belong to waitUntil work.
	Responded()
}

// HostCall is one host call of a script: a value of one of the structs in kv_calls.go, fetch_calls.go and
// deadletter_calls.go. No other package can add one, because each needs a codec in internal/executor/wire,
// whose table lists them all.
type HostCall interface {
	// Op is the call's number in the frames between the sandbox child and its parent.
	Op() HostOp
	hostCall()
}

// HostOp is the number of a host call.
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
	OpDeadLetterList
	OpDeadLetterGet
	OpDeadLetterReplay
	OpDeadLetterResolve
)

// HostReply is a call's answer. Each field names the calls that set it; for all others it is zero.
type HostReply struct {
	// Found reports whether there is such an entry (KVGet, KVHas, KVUpdateBegin) or dead letter
	// (DeadLetterGet), or whether there was an entry to delete (KVDelete). Fetch and FetchRead always set it.
	Found bool
	// Value is the entry's JSON text (KVGet, KVHas, KVUpdateBegin), the URL from which the response came in
	// the end (Fetch), or the id of the new outbox row (DeadLetterReplay).
	Value string
	// Version is the entry's version, 0 for one that is absent (KVGet, KVHas, KVUpdateBegin).
	Version int64
	// Expires is in Unix milliseconds, 0 for never (KVGet, KVHas, KVUpdateBegin).
	Expires int64
	// Number is the sum (KVIncrement).
	Number float64
	// JSON is the whole page (KVList, DeadLetterList), or the dead letter (DeadLetterGet).
	JSON string
	// Response is without its body if the reply is Partial (Fetch).
	Response *Response
	// Partial says that bytes of the body are still to be read (Fetch, FetchRead).
	Partial bool
	// Bytes are a piece of a body (FetchRead).
	Bytes []byte
}

// HostError is thrown inside the script as an Error of that name.
type HostError struct{ Name, Message string }

// Error returns the name and the message.
func (e *HostError) Error() string { return e.Name + ": " + e.Message }

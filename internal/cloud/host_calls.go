package cloud

import "context"

// HostCalls is the parent's side of a script's host calls.
type HostCalls interface {
	// Call performs one call. A *HostError is thrown to the script under its own name; any other error ends
	// the run as interrupted. n identifies the call within its run.
	Call(ctx context.Context, n uint64, op HostOp, args HostArgs) (HostReply, error)
	// Responded is called when the response is sent: the calls after it belong to waitUntil work.
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

// HostArgs are a call's arguments. Which fields count, and for what, depends on the op.
type HostArgs struct {
	// Collection is a KV collection, or the script of whose dead letters OpLetterList lists.
	Collection string
	// Key is a KV key, or the id of a dead letter.
	Key string
	// Value is a KV value, a fetch's redirect mode, the reason of OpLetterResolve, or, with Flag, the
	// payload of OpLetterReplay.
	Value string
	// Number is an increment's amount, a list's limit, or the fetch whose body OpFetchRead reads.
	Number float64
	// TTLMillis is a KV entry's time to live, 0 for none.
	TTLMillis int64
	// IfVersion is the version that the entry must have, -1 for any.
	IfVersion int64
	// Flag makes OpKVGet unchecked, OpFetchRead read everything, and OpLetterReplay use another payload.
	Flag bool
	// Cursor is where a list goes on.
	Cursor string
	// Request is what OpFetch sends.
	Request *Request
}

// HostReply is a call's answer.
type HostReply struct {
	Found   bool
	Value   string
	Version int64
	// Expires is in Unix milliseconds, 0 for never.
	Expires int64
	Number  float64
	// JSON is the whole answer of a list, or a dead letter.
	JSON     string
	Response *Response
	// Partial says that bytes of a fetched body are still to be read.
	Partial bool
	// Bytes are a piece of a body.
	Bytes []byte
}

// HostError is thrown inside the script as an Error of that name.
type HostError struct{ Name, Message string }

// Error returns the name and the message.
func (e *HostError) Error() string { return e.Name + ": " + e.Message }

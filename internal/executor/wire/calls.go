package wire

import "picloud/internal/cloud"

// MaxCalls is how many host calls a run can make. The child refuses more by a LimitError; a child that sends
// more is killed.
const MaxCalls = 10_000

// codecs lists the host calls. A codec is in the file of its service: kv_calls.go, fetch_calls.go,
// deadletter_calls.go.
var codecs = [...]codec{
	cloud.OpKVGet:         reads(encodeKVGet, decodeKVGet),
	cloud.OpKVSet:         writes(encodeKVSet, decodeKVSet),
	cloud.OpKVDelete:      writes(encodeKVDelete, decodeKVDelete),
	cloud.OpKVHas:         reads(encodeKVHas, decodeKVHas),
	cloud.OpKVIncrement:   writes(encodeKVIncrement, decodeKVIncrement),
	cloud.OpKVUpdateBegin: writes(encodeKVUpdateBegin, decodeKVUpdateBegin),
	cloud.OpKVUpdateEnd:   writes(encodeKVUpdateEnd, decodeKVUpdateEnd),
	cloud.OpKVList:        reads(encodeKVList, decodeKVList),

	cloud.OpFetch:     reads(encodeFetch, decodeFetch),
	cloud.OpFetchRead: reads(encodeFetchRead, decodeFetchRead),

	cloud.OpDeadLetterList:    reads(encodeDeadLetterList, decodeDeadLetterList),
	cloud.OpDeadLetterGet:     reads(encodeDeadLetterGet, decodeDeadLetterGet),
	cloud.OpDeadLetterReplay:  writes(encodeDeadLetterReplay, decodeDeadLetterReplay),
	cloud.OpDeadLetterResolve: writes(encodeDeadLetterResolve, decodeDeadLetterResolve),
}

// codec is how one host call is sent.
type codec struct {
	isWrite bool // the call belongs to what a commit applies
	encode  func(*Encoder, cloud.HostCall)
	// decode takes a body and not a Decoder, which would be allocated for each call: the compiler does not
	// see what a function value does with a pointer.
	decode func(body []byte) (cloud.HostCall, error)
}

// reads is the codec of a call that leaves nothing to commit.
func reads[C cloud.HostCall](encode func(*Encoder, C), decode func([]byte) (C, error)) codec {
	return codec{
		encode: func(e *Encoder, call cloud.HostCall) { encode(e, call.(C)) },
		decode: func(body []byte) (cloud.HostCall, error) { return decode(body) },
	}
}

// writes is the codec of a call that belongs to what a commit applies.
func writes[C cloud.HostCall](encode func(*Encoder, C), decode func([]byte) (C, error)) codec {
	c := reads(encode, decode)
	c.isWrite = true
	return c
}

// Writes reports whether the call belongs to what a commit applies.
func Writes(op cloud.HostOp) bool { return int(op) < len(codecs) && codecs[op].isWrite }

// CallMsg is a host call of a run.
type CallMsg struct {
	N    uint64 // the number of the call in its run
	Call cloud.HostCall
}

// Encode appends the message.
func (m *CallMsg) Encode(e *Encoder) {
	op := m.Call.Op()
	e.Uint(m.N)
	e.Uint(uint64(op))
	codecs[op].encode(e, m.Call)
}

// DecodeCall reads what Encode wrote. The number of a call that does not exist is ErrProtocol.
func DecodeCall(body []byte) (CallMsg, error) {
	d := NewDecoder(body)
	n := d.Uint()
	op := d.Uint()
	if d.bad || op >= uint64(len(codecs)) || codecs[op].decode == nil {
		return CallMsg{}, ErrProtocol
	}

	call, err := codecs[op].decode(d.b)
	if err != nil {
		return CallMsg{}, err
	}
	return CallMsg{N: n, Call: call}, nil
}

// ReplyMsg answers a CallMsg.
type ReplyMsg struct {
	N     uint64           // the number of the call
	Error *cloud.HostError // thrown in the script; the Reply is not sent then
	Reply cloud.HostReply
}

// Encode appends the message.
func (m *ReplyMsg) Encode(e *Encoder) {
	e.Uint(m.N)
	e.Bool(m.Error != nil)
	if m.Error != nil {
		e.String(m.Error.Name)
		e.String(m.Error.Message)
		return
	}

	reply := &m.Reply
	e.Bool(reply.Found)
	e.String(reply.Value)
	e.Int(reply.Version)
	e.Int(reply.Expires)
	e.Float(reply.Number)
	e.String(reply.JSON)
	e.Bool(reply.Partial)
	e.Bytes(reply.Bytes)
	e.Bool(reply.Response != nil)
	if reply.Response != nil {
		encodeResponse(e, reply.Response)
	}
}

// DecodeReply reads what Encode wrote.
func DecodeReply(body []byte) (*ReplyMsg, error) {
	d := NewDecoder(body)
	m := &ReplyMsg{N: d.Uint()}
	if d.Bool() {
		m.Error = &cloud.HostError{Name: d.String(), Message: d.String()}
		return m, d.Err()
	}

	m.Reply = cloud.HostReply{
		Found:   d.Bool(),
		Value:   d.String(),
		Version: d.Int(),
		Expires: d.Int(),
		Number:  d.Float(),
		JSON:    d.String(),
		Partial: d.Bool(),
		Bytes:   d.Bytes(),
	}
	if d.Bool() {
		m.Reply.Response = decodeResponse(d)
	}
	return m, d.Err()
}

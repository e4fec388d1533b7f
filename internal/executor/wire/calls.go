package wire

import "picloud/internal/cloud"

// MaxCalls is how many host calls a run can make. The child refuses more by a LimitError; a child that sends
// more is killed.
const MaxCalls = 10_000

// CallMsg is a host call of a run.
type CallMsg struct {
	N    uint64 // the number of the call in its run
	Op   cloud.HostOp
	Args cloud.HostArgs
}

// Encode appends the message.
func (m *CallMsg) Encode(e *Encoder) {
	e.Uint(m.N)
	e.Uint(uint64(m.Op))

	args := &m.Args
	e.String(args.Collection)
	e.String(args.Key)
	e.String(args.Value)
	e.Float(args.Number)
	e.Int(args.TTLMillis)
	e.Int(args.IfVersion)
	e.Bool(args.Flag)
	e.String(args.Cursor)
	e.Bool(args.Request != nil)
	if args.Request != nil {
		encodeRequest(e, args.Request)
	}
}

// DecodeCall reads what Encode wrote.
func DecodeCall(body []byte) (*CallMsg, error) {
	d := NewDecoder(body)
	m := &CallMsg{N: d.Uint(), Op: cloud.HostOp(d.Uint())}
	m.Args = cloud.HostArgs{
		Collection: d.String(),
		Key:        d.String(),
		Value:      d.String(),
		Number:     d.Float(),
		TTLMillis:  d.Int(),
		IfVersion:  d.Int(),
		Flag:       d.Bool(),
		Cursor:     d.String(),
	}
	if d.Bool() {
		m.Args.Request = decodeRequest(d)
	}
	return m, d.Err()
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

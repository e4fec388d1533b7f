package wire

import (
	"maps"
	"slices"
	"time"

	"picloud/internal/cloud"
)

// RunMsg starts a run.
type RunMsg struct {
	Build          cloud.ID
	Env            cloud.ID // zero: none
	Handler        string
	Request        *cloud.Request
	Event          string
	Execution      cloud.ID
	Root           cloud.ID
	Depth, Attempt int
	Principal      cloud.Principal
	IdempotencyKey string
	MaxLogLines    int
	MaxLogBytes    int
	MaxBody        int
	Stream         bool // a response may be given piece by piece
}

// Encode appends the message.
func (m *RunMsg) Encode(e *Encoder) {
	e.Bytes(m.Build[:])
	e.Bytes(m.Env[:])
	e.String(m.Handler)
	e.Bool(m.Request != nil)
	if m.Request != nil {
		encodeRequest(e, m.Request)
	}
	e.String(m.Event)
	e.Bytes(m.Execution[:])
	e.Bytes(m.Root[:])
	e.Uint(uint64(m.Depth))
	e.Uint(uint64(m.Attempt))
	e.String(m.Principal.Username)
	e.String(string(m.Principal.Kind))
	e.String(m.IdempotencyKey)
	e.Uint(uint64(m.MaxLogLines))
	e.Uint(uint64(m.MaxLogBytes))
	e.Uint(uint64(m.MaxBody))
	e.Bool(m.Stream)
}

// DecodeRun reads what Encode wrote.
func DecodeRun(body []byte) (*RunMsg, error) {
	d := NewDecoder(body)
	m := &RunMsg{}
	copy(m.Build[:], d.Bytes())
	copy(m.Env[:], d.Bytes())
	m.Handler = d.String()
	if d.Bool() {
		m.Request = decodeRequest(d)
	}
	m.Event = d.String()
	copy(m.Execution[:], d.Bytes())
	copy(m.Root[:], d.Bytes())
	m.Depth, m.Attempt = int(d.Uint()), int(d.Uint())
	m.Principal.Username = d.String()
	m.Principal.Kind = cloud.PrincipalKind(d.String())
	m.IdempotencyKey = d.String()
	m.MaxLogLines, m.MaxLogBytes, m.MaxBody = int(d.Uint()), int(d.Uint()), int(d.Uint())
	m.Stream = d.Bool()
	return m, d.Err()
}

// EncodeEnv writes an environment.
func EncodeEnv(e *Encoder, env *cloud.Env) {
	e.Bytes(env.ID[:])
	e.Uint(uint64(len(env.Values)))
	for _, name := range slices.Sorted(maps.Keys(env.Values)) {
		e.String(name)
		e.String(env.Values[name])
	}
}

// DecodeEnv reads what EncodeEnv wrote.
func DecodeEnv(body []byte) (*cloud.Env, error) {
	d := NewDecoder(body)
	env := &cloud.Env{}
	copy(env.ID[:], d.Bytes())
	n := d.Count()
	env.Values = make(map[string]string, n)
	for range n {
		name := d.String()
		env.Values[name] = d.String()
	}
	return env, d.Err()
}

func encodeHeaders(e *Encoder, hs []cloud.Header) {
	e.Uint(uint64(len(hs)))
	for _, h := range hs {
		e.String(h.Name)
		e.String(h.Value)
	}
}

func decodeHeaders(d *Decoder) []cloud.Header {
	n := d.Count()
	if n == 0 {
		return nil
	}
	hs := make([]cloud.Header, n)
	for i := range hs {
		hs[i] = cloud.Header{Name: d.String(), Value: d.String()}
	}
	return hs
}

func encodeRequest(e *Encoder, r *cloud.Request) {
	e.String(r.Method)
	e.String(r.URL)
	encodeHeaders(e, r.Headers)
	encodeHeaders(e, r.Params)
	e.Bytes(r.Body)
}

func decodeRequest(d *Decoder) *cloud.Request {
	return &cloud.Request{Method: d.String(), URL: d.String(), Headers: decodeHeaders(d), Params: decodeHeaders(d), Body: d.Bytes()}
}

func encodeResponse(e *Encoder, r *cloud.Response) {
	e.Uint(uint64(r.Status))
	encodeHeaders(e, r.Headers)
	e.Bytes(r.Body)
}

func decodeResponse(d *Decoder) *cloud.Response {
	return &cloud.Response{Status: int(d.Uint()), Headers: decodeHeaders(d), Body: d.Bytes()}
}

// DoneMsg ends a run, or its first part when Pending.
type DoneMsg struct {
	Status   cloud.Status
	Error    cloud.ScriptError
	Response *cloud.Response
	Pending  bool // waitUntil work goes on; an After frame follows
	Held     bool // the child waits for Release before it uses the runtime again
	// Streaming: the body is not in the response but comes piece by piece, a Chunk for each Pull. The run is Pending meanwhile.
	Streaming bool
	Usage     cloud.Usage
	Unlogged  int // log lines that were not sent: there were too many
	// Waiting says what the run waited for when its time was over, empty when it was computing.
	Waiting string
}

// Encode appends the message.
func (m *DoneMsg) Encode(e *Encoder) {
	e.String(string(m.Status))
	e.Bool(m.Pending)
	e.Bool(m.Held)
	e.Bool(m.Streaming)
	e.Bool(m.Response != nil)
	if m.Response != nil {
		encodeResponse(e, m.Response)
	}
	e.String(m.Error.Name)
	e.String(m.Error.Message)
	e.String(m.Error.Stack)
	e.Uint(uint64(max(m.Usage.CPU.Microseconds(), 0)))
	e.Uint(uint64(max(m.Usage.MemoryKiB, 0)))
	e.Uint(uint64(m.Unlogged))
	e.String(m.Waiting)
}

// Bounds of what a child can claim: a day of CPU, 64 GiB.
const (
	maxCPU = 86_400_000_000
	maxKiB = 64 << 20
)

// DecodeDone reads what Encode wrote.
func DecodeDone(body []byte) (*DoneMsg, error) {
	d := NewDecoder(body)
	m := &DoneMsg{Status: cloud.Status(d.String()), Pending: d.Bool(), Held: d.Bool(), Streaming: d.Bool()}
	if d.Bool() {
		m.Response = decodeResponse(d)
	}
	m.Error = cloud.ScriptError{Name: d.String(), Message: d.String(), Stack: d.String()}
	m.Usage = cloud.Usage{CPU: time.Duration(min(d.Uint(), maxCPU)) * time.Microsecond, MemoryKiB: int64(min(d.Uint(), maxKiB))}
	m.Unlogged = int(min(d.Uint(), 1<<40))
	m.Waiting = d.String()
	switch m.Status {
	case cloud.Succeeded, cloud.Failed, cloud.TimedOut, cloud.OutOfMemory:
		return m, d.Err()
	default:
		return nil, ErrProtocol
	}
}

// ChunkMsg is a piece of a response's body; End says that there is no more.
type ChunkMsg struct {
	Body []byte
	End  bool
}

// Encode appends the message.
func (m *ChunkMsg) Encode(e *Encoder) {
	e.Bool(m.End)
	e.Bytes(m.Body)
}

// DecodeChunk reads what Encode wrote.
func DecodeChunk(body []byte) (*ChunkMsg, error) {
	d := NewDecoder(body)
	m := &ChunkMsg{End: d.Bool(), Body: d.Bytes()}
	return m, d.Err()
}

// EncodeCancel names the call that is not wanted any more.
func EncodeCancel(n uint64) func(*Encoder) { return func(e *Encoder) { e.Uint(n) } }

// DecodeCancel reads what EncodeCancel wrote.
func DecodeCancel(body []byte) (n uint64, err error) {
	d := NewDecoder(body)
	n = d.Uint()
	return n, d.Err()
}

// MaxCalls is how many host calls a run can make.
const MaxCalls = 10_000

// CallMsg is a host call; N tells the calls of a run apart.
type CallMsg struct {
	N    uint64
	Op   cloud.HostOp
	Args cloud.HostArgs
}

// Encode appends the message.
func (m *CallMsg) Encode(e *Encoder) {
	e.Uint(m.N)
	e.Uint(uint64(m.Op))
	a := &m.Args
	e.String(a.Collection)
	e.String(a.Key)
	e.String(a.Value)
	e.Float(a.Number)
	e.Int(a.TTLMillis)
	e.Int(a.IfVersion)
	e.Bool(a.Flag)
	e.String(a.Cursor)
	e.Bool(a.Request != nil)
	if a.Request != nil {
		encodeRequest(e, a.Request)
	}
}

// DecodeCall reads what Encode wrote.
func DecodeCall(body []byte) (*CallMsg, error) {
	d := NewDecoder(body)
	m := &CallMsg{N: d.Uint(), Op: cloud.HostOp(d.Uint())}
	m.Args = cloud.HostArgs{Collection: d.String(), Key: d.String(), Value: d.String(), Number: d.Float(),
		TTLMillis: d.Int(), IfVersion: d.Int(), Flag: d.Bool(), Cursor: d.String()}
	if d.Bool() {
		m.Args.Request = decodeRequest(d)
	}
	return m, d.Err()
}

// ReplyMsg answers a CallMsg.
type ReplyMsg struct {
	N     uint64
	Error *cloud.HostError
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
	r := &m.Reply
	e.Bool(r.Found)
	e.String(r.Value)
	e.Int(r.Version)
	e.Int(r.Expires)
	e.Float(r.Number)
	e.String(r.JSON)
	e.Bool(r.Partial)
	e.Bytes(r.Bytes)
	e.Bool(r.Response != nil)
	if r.Response != nil {
		encodeResponse(e, r.Response)
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
	m.Reply = cloud.HostReply{Found: d.Bool(), Value: d.String(), Version: d.Int(), Expires: d.Int(), Number: d.Float(), JSON: d.String(),
		Partial: d.Bool(), Bytes: d.Bytes()}
	if d.Bool() {
		m.Reply.Response = decodeResponse(d)
	}
	return m, d.Err()
}

// EncodeLog appends a log line.
func EncodeLog(e *Encoder, l *cloud.LogLine) {
	e.Int(l.At.UnixMicro())
	e.String(l.Level)
	e.String(l.Message)
}

// DecodeLog reads a log line.
func DecodeLog(body []byte) (cloud.LogLine, error) {
	d := NewDecoder(body)
	l := cloud.LogLine{At: time.UnixMicro(d.Int()).UTC(), Level: d.String(), Message: d.String()}
	return l, d.Err()
}

// InitMsg is the child's limits.
type InitMsg struct {
	MemoryBytes uint64
	UID, GID    int // 0: stay who you are
}

// MemoryTarget is the share of a script's memory, in bytes, at which the child's collector works hard rather than let it die.
func MemoryTarget(limit uint64) int64 { return int64(limit) * 3 / 4 }

// CompileMsg asks for a bundle.
type CompileMsg = cloud.Source

// CompiledMsg is a bundle, or why there is none.
type CompiledMsg struct {
	Code    string        `json:"code"`
	Imports []string      `json:"imports"`
	Error   *CompileError `json:"error"`
}

// CompileError is a syntax or import error in the author's own terms. Line and column count from 1; 0 when unknown.
type CompileError struct {
	Message string `json:"message"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
}

// InspectedMsg names the handlers of a default export.
type InspectedMsg struct {
	Handlers []string           `json:"handlers"`
	Error    *cloud.ScriptError `json:"error"`
}

package wire

import (
	"maps"
	"slices"
	"time"

	"picloud/internal/cloud"
)

// RunMsg starts a run of a build whose code and environment the child has been sent before.
type RunMsg struct {
	Build   cloud.ID
	Env     cloud.ID       // zero: none
	Handler string         // the name in the default export
	Request *cloud.Request // for fetch
	Event   string         // JSON text, for every other handler

	// What the handler finds in ctx.
	Execution      cloud.ID
	Root           cloud.ID
	Depth          int
	Attempt        int // from 1
	Principal      cloud.Principal
	IdempotencyKey string

	MaxLogLines int
	MaxLogBytes int
	MaxBody     int  // bytes of the response's body
	Stream      bool // the response's body may be sent piece by piece
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
	m.Depth = int(d.Uint())
	m.Attempt = int(d.Uint())
	m.Principal.Username = d.String()
	m.Principal.Kind = cloud.PrincipalKind(d.String())
	m.IdempotencyKey = d.String()

	m.MaxLogLines = int(d.Uint())
	m.MaxLogBytes = int(d.Uint())
	m.MaxBody = int(d.Uint())
	m.Stream = d.Bool()
	return m, d.Err()
}

// EncodeEnv appends an environment, by name.
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

func encodeHeaders(e *Encoder, headers []cloud.Header) {
	e.Uint(uint64(len(headers)))

	for _, h := range headers {
		e.String(h.Name)
		e.String(h.Value)
	}
}

func decodeHeaders(d *Decoder) []cloud.Header {
	n := d.Count()
	if n == 0 {
		return nil
	}

	headers := make([]cloud.Header, n)
	for i := range headers {
		headers[i] = cloud.Header{Name: d.String(), Value: d.String()}
	}
	return headers
}

func encodeRequest(e *Encoder, r *cloud.Request) {
	e.String(r.Method)
	e.String(r.URL)
	encodeHeaders(e, r.Headers)
	encodeHeaders(e, r.Params)
	e.Bytes(r.Body)
}

func decodeRequest(d *Decoder) *cloud.Request {
	return &cloud.Request{
		Method:  d.String(),
		URL:     d.String(),
		Headers: decodeHeaders(d),
		Params:  decodeHeaders(d),
		Body:    d.Bytes(),
	}
}

func encodeResponse(e *Encoder, r *cloud.Response) {
	e.Uint(uint64(r.Status))
	e.String(r.StatusText)
	encodeHeaders(e, r.Headers)
	e.Bytes(r.Body)
}

func decodeResponse(d *Decoder) *cloud.Response {
	return &cloud.Response{
		Status:     int(d.Uint()),
		StatusText: d.String(),
		Headers:    decodeHeaders(d),
		Body:       d.Bytes(),
	}
}

// DoneMsg is the outcome of a run (Done), or of its waitUntil work (After).
type DoneMsg struct {
	Status   cloud.Status
	Error    cloud.ScriptError
	Response *cloud.Response // of a fetch handler that succeeded; never in an After
	// Pending means that waitUntil work goes on, and that an After frame follows.
	Pending bool
	// Held means that the child waits for Release before it uses the runtime again, because the run wrote
	// something.
	Held bool
	// Streaming means that the response has no body yet: it comes piece by piece, a Chunk for each Pull. The
	// run is Pending meanwhile.
	Streaming bool
	Usage     cloud.Usage
	// Unlogged counts the log lines that were not sent because there were too many.
	Unlogged int
	// Waiting names what the run waited for when its time was over; empty if it was computing.
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

// The most that a child can claim. Larger numbers would overflow sums that are kept of all runs.
const (
	maxCPUMicros = 24 * 60 * 60 * 1_000_000 // a day
	maxMemoryKiB = 64 << 20                 // 64 GiB
	maxUnlogged  = 1 << 40
)

// DecodeDone reads what Encode wrote. What the child claims to have used is bounded, and a status that is not
// for a child to give is ErrProtocol.
func DecodeDone(body []byte) (*DoneMsg, error) {
	d := NewDecoder(body)
	m := &DoneMsg{
		Status:    cloud.Status(d.String()),
		Pending:   d.Bool(),
		Held:      d.Bool(),
		Streaming: d.Bool(),
	}
	if d.Bool() {
		m.Response = decodeResponse(d)
	}

	m.Error = cloud.ScriptError{Name: d.String(), Message: d.String(), Stack: d.String()}
	m.Usage.CPU = time.Duration(min(d.Uint(), maxCPUMicros)) * time.Microsecond
	m.Usage.MemoryKiB = int64(min(d.Uint(), maxMemoryKiB))
	m.Unlogged = int(min(d.Uint(), maxUnlogged))
	m.Waiting = d.String()

	switch m.Status {
	case cloud.Succeeded, cloud.Failed, cloud.TimedOut, cloud.OutOfMemory:
		return m, d.Err()
	default:
		return nil, ErrProtocol
	}
}

// ChunkMsg is a piece of a response's body.
type ChunkMsg struct {
	Body []byte
	End  bool // it is the last
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

// EncodeCancel returns a function that appends the number of the call which is not wanted any more.
func EncodeCancel(n uint64) func(*Encoder) { return func(e *Encoder) { e.Uint(n) } }

// DecodeCancel reads what EncodeCancel's function wrote.
func DecodeCancel(body []byte) (n uint64, err error) {
	d := NewDecoder(body)
	n = d.Uint()
	return n, d.Err()
}

// EncodeLog appends a log line.
func EncodeLog(e *Encoder, l *cloud.LogLine) {
	e.Int(l.At.UnixMicro())
	e.String(l.Level)
	e.String(l.Message)
}

// DecodeLog reads what EncodeLog wrote.
func DecodeLog(body []byte) (cloud.LogLine, error) {
	d := NewDecoder(body)
	l := cloud.LogLine{At: time.UnixMicro(d.Int()).UTC(), Level: d.String(), Message: d.String()}
	return l, d.Err()
}

// InitMsg is what the child is to be, as JSON.
type InitMsg struct {
	MemoryBytes uint64
	// UID and GID are the unprivileged user that the child becomes; 0: it stays what it is.
	UID, GID int
}

// ReadyMsg is what of its wall stands, as JSON; the body is empty where a child says nothing of it. The
// fields are those of wall.Report.
type ReadyMsg struct {
	Seccomp                  bool
	Landlock                 int
	SignalScope, SocketScope bool
	UID                      int
}

// CompileMsg asks for a bundle, as JSON.
type CompileMsg = cloud.Source

// CompiledMsg is a bundle, or why there is none, as JSON.
type CompiledMsg struct {
	Code    string        `json:"code"`
	Imports []string      `json:"imports"`
	Error   *CompileError `json:"error"`
}

// CompileError is a syntax or import error, with its place in the author's source. Line and column count from
// 1; 0 when unknown.
type CompileError struct {
	Message string `json:"message"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
}

// InspectedMsg names the handlers of a build's default export, or has the error that its evaluation threw. It
// is JSON. Without handlers, Hint says what the author can write.
type InspectedMsg struct {
	Handlers []string           `json:"handlers"`
	Hint     string             `json:"hint,omitempty"`
	Error    *cloud.ScriptError `json:"error"`
}

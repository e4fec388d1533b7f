// Package cloud is PiCloud's vocabulary: the nouns that manager, orchestrator, executor, services and handlers share,
// and the one error type. It imports the standard library only and knows no database, no HTTP server and no JavaScript.
package cloud

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"sync"
	"time"
)

// AppID identifies an app inside one installation.
type AppID int64

// ID is a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then a counter and randomness, so ids sort by creation.
type ID [16]byte

// IsZero reports whether the id is unset.
func (i ID) IsZero() bool { return i == ID{} }

// String gives the canonical 36-character form; the zero id is the empty string.
func (i ID) String() string {
	if i.IsZero() {
		return ""
	}
	var b [36]byte
	hex.Encode(b[0:8], i[0:4])
	b[8] = '-'
	hex.Encode(b[9:13], i[4:6])
	b[13] = '-'
	hex.Encode(b[14:18], i[6:8])
	b[18] = '-'
	hex.Encode(b[19:23], i[8:10])
	b[23] = '-'
	hex.Encode(b[24:36], i[10:16])
	return string(b[:])
}

// Time is the moment the id was made, to the millisecond.
func (i ID) Time() time.Time {
	ms := int64(binary.BigEndian.Uint64(i[0:8]) >> 16)
	return time.UnixMilli(ms).UTC()
}

// Less reports whether i was made before other.
func (i ID) Less(other ID) bool { return bytes.Compare(i[:], other[:]) < 0 }

// ParseID reads the canonical form.
func ParseID(s string) (ID, bool) {
	var id ID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return id, false
	}
	compact := s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:36]
	if _, err := hex.Decode(id[:], []byte(compact)); err != nil {
		return ID{}, false
	}
	return id, !id.IsZero()
}

// IDSource makes ids that grow strictly within one process. The zero value is ready.
type IDSource struct {
	mu   sync.Mutex
	last uint64 // milliseconds << 12 | counter
	pool []byte
}

// New returns the next id.
func (s *IDSource) New() ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := uint64(time.Now().UnixMilli()) << 12
	if now <= s.last {
		now = s.last + 1
	}
	s.last = now
	if len(s.pool) < 8 {
		s.pool = make([]byte, 2048)
		_, _ = rand.Read(s.pool) // crypto/rand.Read never fails
	}
	var id ID
	ms, counter := now>>12, now&0xfff
	binary.BigEndian.PutUint64(id[0:8], ms<<16|0x7000|counter)
	copy(id[8:], s.pool[:8])
	s.pool = s.pool[8:]
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Principal is whom a run acts for.
type Principal struct {
	Username string        `json:"username"`
	Kind     PrincipalKind `json:"kind"`
}

// PrincipalKind says how a principal came to a run.
type PrincipalKind string

// The kinds of principal.
const (
	PrincipalUser       PrincipalKind = "user"
	PrincipalKey        PrincipalKind = "key"
	PrincipalRegistrant PrincipalKind = "registrant"
)

// IsZero reports an anonymous caller.
func (p Principal) IsZero() bool { return p.Username == "" }

// String names the principal for records: "kind:username", empty when anonymous.
func (p Principal) String() string {
	if p.IsZero() {
		return ""
	}
	return string(p.Kind) + ":" + p.Username
}

// ParsePrincipal reads what String wrote.
func ParsePrincipal(s string) Principal {
	for i := range len(s) {
		if s[i] == ':' {
			return Principal{Kind: PrincipalKind(s[:i]), Username: s[i+1:]}
		}
	}
	return Principal{}
}

// Script kinds.
const (
	KindEndpoint = "endpoint"
	KindModule   = "module"
)

// Script access modes.
const (
	AccessPublic  = "public"
	AccessKey     = "key"
	AccessPrivate = "private"
)

// Event sources that this version dispatches; rows of any other source are left alone.
const (
	SourceHTTP       = "http"
	SourceKV         = "kv"
	SourceCron       = "cron"
	SourceDeadLetter = "dead_letter"
)

// Limits bound one run of a script.
type Limits struct {
	Timeout   time.Duration
	MemoryMiB int
}

// Env is what an app's scripts find in env: its variables and secrets, by name. It never changes; another one has another id.
type Env struct {
	// ID is made of the content, zero for an empty one.
	ID     ID
	Values map[string]string
}

// Script is what the data plane knows of a script.
type Script struct {
	App      AppID
	ID       ID
	Name     string
	Kind     string
	Access   string
	Version  int
	Language string
	Build    ID
	Limits   Limits
	Handlers []string
	Env      *Env // the app's; nil for none
}

// VariableRef names a variable or secret of an app.
type VariableRef struct {
	App    AppID
	Name   string
	Secret bool
}

// EnvID is the id of the script's environment, zero for none.
func (s *Script) EnvID() ID {
	if s.Env == nil {
		return ID{}
	}
	return s.Env.ID
}

// HasHandler reports whether the default export carries the named handler.
func (s *Script) HasHandler(name string) bool {
	for _, h := range s.Handlers {
		if h == name {
			return true
		}
	}
	return false
}

// Header is one header field as it came or goes.
type Header struct{ Name, Value string }

// Request is an HTTP request on its way to a script, free of PiCloud's own credentials.
type Request struct {
	Method  string
	URL     string
	Headers []Header
	Body    []byte
	Params  []Header // route parameters, decoded once
}

// Response is what a script answered.
type Response struct {
	Status  int
	Headers []Header
	Body    []byte
	// Stream, if set, gives the body piece by piece instead, while the run goes on.
	Stream ResponseStream
}

// MaxResponseHeader is the most bytes that a response's header fields can have, names and values together.
const MaxResponseHeader = 64 << 10

// HeaderBytes counts what header fields have.
func HeaderBytes(fields []Header) int {
	n := 0
	for _, f := range fields {
		n += len(f.Name) + len(f.Value) + len(": \r\n")
	}
	return n
}

// ResponseStream is the body of a response that a script is still writing. One goroutine reads it.
type ResponseStream interface {
	// Next waits for the next piece. It returns io.EOF after the last, and another error when the run ended before.
	Next() ([]byte, error)
	// Close says that nobody reads on. The script's stream is cancelled; the run goes on.
	Close()
}

// LogLine is one console or log call. At is in the child's clock.
type LogLine struct {
	At      time.Time `json:"at"`
	Level   string    `json:"level"`
	Message string    `json:"message"`
}

// Retry is a trigger's retry policy.
type Retry struct {
	MaxAttempts int
	Backoff     string // constant, linear, exponential
	Base        time.Duration
	Max         time.Duration
	Jitter      float64 // 0 to 1: the share of the delay that varies each way
}

// DefaultRetry is the policy of a trigger that names none.
func DefaultRetry() Retry {
	return Retry{MaxAttempts: 5, Backoff: "exponential", Base: time.Second, Max: 5 * time.Minute, Jitter: 0.2}
}

// LastID is greater than every id that is made.
var LastID = ID{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// FirstID is the least id of a moment: ids made later are greater.
func FirstID(t time.Time) ID {
	var id ID
	binary.BigEndian.PutUint64(id[0:8], uint64(max(0, t.UnixMilli()))<<16)
	return id
}

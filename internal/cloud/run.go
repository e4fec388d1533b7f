package cloud

import (
	"context"
	"time"
)

// What is kept of a run's log: lines, and bytes of all their messages.
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

// Turn lets a run compute. Its methods are called by one goroutine at a time.
type Turn interface {
	// Pause gives the turn back while the run has nothing to compute.
	Pause()
	// Resume waits for a turn. The error is the cause of a context that is done.
	Resume(ctx context.Context) error
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
	// Stream says that the caller takes a response's body piece by piece.
	Stream bool
	// Aborted is closed when the caller hangs up. The script's request signal is aborted; the run goes on.
	Aborted <-chan struct{}
	// Alone asks for a child that no other run shares.
	Alone bool
	// Calls answers the script's host calls. It must return soon after ctx is done.
	Calls HostCalls
	// Turn, if set, is given back while the run waits for a timer, a fetch or its caller.
	Turn Turn
	// OnLog, if set, is called with each log line. It must not block, because other runs' messages wait for
	// it.
	OnLog func(LogLine)
}

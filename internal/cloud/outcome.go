package cloud

import "time"

// Status is how a run ended, or the state of a row that has not ended yet.
type Status string

// The closed set of outcomes.
const (
	Succeeded   Status = "succeeded"
	Failed      Status = "failed"
	TimedOut    Status = "timeout"
	OutOfMemory Status = "memory"
	Crashed     Status = "crashed"
	Conflicted  Status = "conflict"
	Refused     Status = "refused"
	Skipped     Status = "skipped"
	Abandoned   Status = "abandoned"
	Interrupted Status = "interrupted"

	// These two are no outcomes but the states before one.
	Waiting Status = "waiting"
	Running Status = "running"
)

// ScriptError is what a script's author is shown. The stack ends with what caused the error: its cause, and
// the errors of an AggregateError, each after "[cause]: " or "[errors 0]: " at the start of a line.
type ScriptError struct {
	Name    string `json:"name"`
	Message string `json:"message"`
	Stack   string `json:"stack"`
}

// Outcome is what a script did. It is a value: a Go error means that the platform failed.
type Outcome struct {
	Status Status
	Error  ScriptError
	// Response is set for HTTP runs that succeeded.
	Response *Response
	// Unsafe says that the run made a fetch other than GET or HEAD. It must not be retried unasked: the
	// fetch could take effect twice.
	Unsafe bool
	Logs   []LogLine
	// LogsDropped counts lines over the limit.
	LogsDropped int
	// Pending says that the response was sent and waitUntil work goes on.
	Pending bool
	// Collateral says that the run may have done nothing wrong: another run killed the child that the two
	// shared, or others may have filled it.
	Collateral bool
	// Cold says that the script had to be loaded into its process first.
	Cold  bool
	Usage Usage
	// ConflictKeys failed the commit's checks. They are set for the status conflict.
	ConflictKeys []KeyRef
}

// Usage is what a run used.
type Usage struct {
	// CPU is the time in which its own code was executed, without waiting. It is 0 if the process was killed.
	CPU time.Duration
	// MemoryKiB is the most that its process had resident until the run ended. Other runs of the app may
	// have shared the process.
	MemoryKiB int64
}

// HTTPStatus maps the outcomes of a run to the status its caller sees. Succeeded carries the response's own.
var HTTPStatus = map[Status]int{
	Failed:      502,
	Crashed:     502,
	Conflicted:  503,
	Interrupted: 503,
	TimedOut:    504,
	OutOfMemory: 507,
	Refused:     403,
	Skipped:     508,
	Abandoned:   504,
}

// KeyRef names a KV entry.
type KeyRef struct {
	App        AppID
	Collection string
	Key        string
}

// Check is one condition of a commit: the entry still has this version (0: absent).
type Check struct {
	Key     KeyRef
	Version int64
}

// Write is one KV write of a run, in the order of the script's calls.
type Write struct {
	Key    KeyRef
	Delete bool
	// Value is JSON text.
	Value string
	// Version is drawn before the commit, so that a run that follows this one knows it.
	Version int64
	// TTLMillis > 0 sets the expiry, 0 clears it, -1 keeps what the entry has.
	TTLMillis int64
}

// Changes is everything a run wants to commit.
type Changes struct {
	Checks []Check
	Writes []Write
}

// Empty reports whether there is nothing to commit.
func (c *Changes) Empty() bool { return len(c.Writes) == 0 }

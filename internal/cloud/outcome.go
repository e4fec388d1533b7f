package cloud

import "time"

// Status is how a run ended, or where a row that has not run yet stands.
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

	// Not outcomes: what a row says before it has one.
	Waiting Status = "waiting"
	Running Status = "running"
)

// ScriptError is what a script's author is shown.
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
	// Unsafe: the run made a fetch other than GET or HEAD, so nobody may run it again on its behalf.
	Unsafe bool
	Logs   []LogLine
	// LogsDropped counts lines over the limit.
	LogsDropped int
	// Pending: the response is out, waitUntil work goes on.
	Pending bool
	// Collateral: this run did nothing wrong, the child it shared died of another.
	Collateral bool
	Usage      Usage
	// Keys that failed the commit's checks (status conflict).
	ConflictKeys []KeyRef
}

// Usage is what a run used.
type Usage struct {
	// CPU is the time that its own code was executed, without waiting; 0 when its process was killed.
	CPU time.Duration
	// MemoryKiB is the most that its process had resident until the run ended. Other runs of the app may have shared it.
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
	Value  string // JSON text
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

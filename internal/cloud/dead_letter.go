package cloud

import "time"

// Resolutions of a dead letter.
const (
	DeadLetterReplayed      = "replayed"
	DeadLetterIgnored       = "ignored"
	DeadLetterHandled       = "handled_by_script"
	DeadLetterHandlerFailed = "handler_failed"
)

// DeadLetter is an event that was given up, with its payload as it was.
type DeadLetter struct {
	App    AppID
	ID     ID
	Outbox ID // the row that it was
	Source string
	Op     string

	Trigger ID // zero: no trigger raised it
	Script  ID
	// Name is the script's name when the letter was buried.
	Name    string
	Payload string // JSON text

	Reason   string // failed, refused, infrastructure, or in words
	Error    ScriptError
	Attempts int
	// ErrorGroup is what errors of the same cause have in common.
	ErrorGroup string

	Depth         int
	Root          ID
	Parent        ID
	LastExecution ID // zero: it was never run

	// Origin is the principal that caused the event, RunAs that of an HTTP row.
	Origin         string
	RunAs          string
	IdempotencyKey string

	FirstAttempt *time.Time
	LastAttempt  *time.Time
	Created      time.Time

	// Resolution is "" until somebody deals with the letter; the fields below go with it.
	Resolution    string
	ResolvedAt    *time.Time
	ResolvedBy    string
	ResolveReason string
	// ReplayedAs is the row that a replay made; ReplayOf is the letter that this one is a failed replay of.
	ReplayedAs ID
	ReplayOf   ID
}

// IsUnresolved reports whether the letter still wants somebody's attention: it is shown, counted, replayable
// and never swept. One whose handler failed still counts.
func (d *DeadLetter) IsUnresolved() bool {
	return d.Resolution == "" || d.Resolution == DeadLetterHandlerFailed
}

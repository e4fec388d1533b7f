package outbox

import (
	"time"

	"picloud/internal/cloud"
)

// maxInterruptions is how often a row may be interrupted before it becomes a dead letter of reason
// "infrastructure".
const maxInterruptions = 10

// AloneAfter is the number of interruptions from which a row runs in a child of its own: it may be what kills
// the others.
const AloneAfter = 2

// EndKind is the next state of a claimed row.
type EndKind uint8

// The states that follow a claim.
const (
	// EndDone deletes the row; its execution remains.
	EndDone EndKind = iota + 1
	// EndSkip deletes the row, which was not run; its execution says why.
	EndSkip
	// EndRetry lets the row wait again.
	EndRetry
	// EndBury makes it a dead letter.
	EndBury
)

// End is what becomes of a claimed row. Retry and Bury go with their kinds.
type End struct {
	Kind  EndKind
	Retry Retry
	Bury  Bury
}

// Retry is what a row waits with: its counts, and a delay by the database's clock.
type Retry struct {
	Attempts, Interruptions int
	// Attempted says that the row was really tried, as opposed to interrupted or parked.
	Attempted bool
	Delay     time.Duration
	Error     string
}

// Bury is the dead letter that a row becomes.
type Bury struct {
	Letter    cloud.ID
	Script    string // its name
	Reason    string
	Error     cloud.ScriptError
	Attempts  int
	Execution cloud.ID // of the last attempt
}

// EndOf decides what an outcome makes of a claimed row. It is the transition table of the outbox, and pure:
// random, from 0 to 1, spreads the retries.
func EndOf(r *Row, outcome *cloud.Outcome, script string, random float64) End {
	switch {
	case outcome.Status == cloud.Skipped:
		return End{Kind: EndSkip}
	case !r.ReplyTo.IsZero():
		return End{Kind: EndDone} // its client is answered whatever happened, so it is never run again
	case r.Source == cloud.SourceDeadLetter && !IsInterruption(outcome.Status):
		return End{Kind: EndDone} // a handler of dead letters must not make more of them
	case outcome.Status == cloud.Succeeded:
		return End{Kind: EndDone}
	case outcome.Status == cloud.Refused:
		return bury(outcome, script, "refused", r.Attempts)
	case IsInterruption(outcome.Status):
		return interrupted(r, outcome, script)
	}

	attempts := r.Attempts + 1
	if attempts >= r.Retry.MaxAttempts {
		return bury(outcome, script, "failed", attempts)
	}
	return End{Kind: EndRetry, Retry: Retry{
		Attempts:      attempts,
		Interruptions: r.Interruptions,
		Attempted:     true,
		Delay:         r.Retry.Delay(attempts, random),
		Error:         outcome.Error.String(),
	}}
}

// IsInterruption reports whether an outcome was not the script's doing, so that no attempt is counted.
func IsInterruption(s cloud.Status) bool { return s == cloud.Conflicted || s == cloud.Interrupted }

func interrupted(r *Row, outcome *cloud.Outcome, script string) End {
	n := r.Interruptions + 1
	if n >= maxInterruptions {
		if r.Source == cloud.SourceDeadLetter {
			return End{Kind: EndDone} // the letter it should have handled says handler_failed
		}
		return bury(outcome, script, "infrastructure", r.Attempts)
	}

	delay := min(50*time.Millisecond<<n, 5*time.Second)
	return End{Kind: EndRetry, Retry: Retry{
		Attempts:      r.Attempts,
		Interruptions: n,
		Delay:         delay,
		Error:         outcome.Error.String(),
	}}
}

func bury(outcome *cloud.Outcome, script, reason string, attempts int) End {
	return End{
		Kind: EndBury,
		Bury: Bury{Script: script, Reason: reason, Error: outcome.Error, Attempts: attempts},
	}
}

// HandledLetter is what a dead-letter handler's run says of its dead letter.
type HandledLetter struct {
	ID         cloud.ID
	Resolution string
	Reason     string
}

// HandledBy says what the end of a row means for the dead letter that it handles; nil: the row handles none,
// or waits again.
func HandledBy(r *Row, outcome *cloud.Outcome, end End) *HandledLetter {
	if r.Source != cloud.SourceDeadLetter || end.Kind == EndRetry {
		return nil
	}
	if outcome.Status == cloud.Succeeded {
		return &HandledLetter{ID: r.DeadLetter, Resolution: cloud.DeadLetterHandled}
	}
	return &HandledLetter{
		ID:         r.DeadLetter,
		Resolution: cloud.DeadLetterHandlerFailed,
		Reason:     outcome.Error.String(),
	}
}

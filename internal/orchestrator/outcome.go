package orchestrator

import (
	"fmt"
	"math/rand/v2"
	"time"

	"picloud/internal/cloud"
)

// maxInterruptions is how often a row may be interrupted before it is the infrastructure's dead letter.
const maxInterruptions = 10

// aloneAfter interruptions a row runs in a child of its own: it may be what kills the others.
const aloneAfter = 2

// Resolutions of dead letters.
const (
	resolvedReplayed      = "replayed"
	resolvedIgnored       = "ignored"
	resolvedHandled       = "handled_by_script"
	resolvedHandlerFailed = "handler_failed"
)

// endOf decides what an outcome makes of a claimed row. It is the table of the outbox: pure but for the jitter.
func endOf(r *row, o *cloud.Outcome, name string, random float64) rowEnd {
	switch {
	case o.Status == cloud.Skipped:
		return rowEnd{kind: endSkip}
	case !r.replyTo.IsZero(), r.source == cloud.SourceDeadLetter && !isInterruption(o.Status):
		return rowEnd{kind: endDone} // never tried again
	case o.Status == cloud.Succeeded:
		return rowEnd{kind: endDone}
	case o.Status == cloud.Refused:
		return bury(o, name, "refused", r.attempts)
	case isInterruption(o.Status):
		return interrupted(r, o, name)
	}
	attempts := r.attempts + 1
	if attempts >= r.retry.MaxAttempts {
		return bury(o, name, "failed", attempts)
	}
	return rowEnd{kind: endRetry, retry: retryEnd{attempts: attempts, interruptions: r.interruptions, attempted: true,
		delay: r.retry.Delay(attempts, random), err: describe(&o.Error)}}
}

// isInterruption: not the script's doing, so no attempt is counted.
func isInterruption(s cloud.Status) bool { return s == cloud.Conflicted || s == cloud.Interrupted }

func interrupted(r *row, o *cloud.Outcome, name string) rowEnd {
	n := r.interruptions + 1
	if n >= maxInterruptions {
		if r.source == cloud.SourceDeadLetter {
			return rowEnd{kind: endDone} // handler_failed tells
		}
		return bury(o, name, "infrastructure", r.attempts)
	}
	delay := min(50*time.Millisecond<<n, 5*time.Second)
	return rowEnd{kind: endRetry, retry: retryEnd{attempts: r.attempts, interruptions: n, delay: delay, err: describe(&o.Error)}}
}

func bury(o *cloud.Outcome, name, reason string, attempts int) rowEnd {
	return rowEnd{kind: endBury, bury: buryEnd{script: name, reason: reason, err: o.Error, attempts: attempts}}
}

// handledBy says what the end of a dead letter handler's row means for the dead letter.
func handledBy(r *row, o *cloud.Outcome, end rowEnd) *handledLetter {
	if r.source != cloud.SourceDeadLetter || end.kind == endRetry {
		return nil
	}
	if o.Status == cloud.Succeeded {
		return &handledLetter{id: r.deadLetter, resolution: resolvedHandled}
	}
	return &handledLetter{id: r.deadLetter, resolution: resolvedHandlerFailed, reason: describe(&o.Error)}
}

func describe(e *cloud.ScriptError) string {
	if e.Name == "" && e.Message == "" {
		return ""
	}
	return fmt.Sprintf("%s: %s", e.Name, e.Message)
}

func jitter() float64 { return rand.Float64() } //nolint:gosec // spreads retries, keeps no secret

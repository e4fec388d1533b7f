package orchestrator

import (
	"math/rand/v2"

	"picloud/internal/cloud"
	"picloud/internal/commit"
	"picloud/internal/outbox"
)

// commit applies what the run did, together with the end of its row. Without a retry the task is over.
func (e *execution) commit(outcome cloud.Outcome) (*finished, *retry) {
	t := e.t
	fin := e.finish(outcome)
	if changed := e.session.Changed(); len(changed) > 0 && saysItself(outcome.Status) {
		return e.refused(fin, commit.Result{Conflicts: changed})
	}

	var did effects
	if fin.succeeded() {
		did = effects{e.session.Changes(), e.letters.changes()}
	}

	if t.dry {
		fin.changes = did.changes
		e.session.Settled()
		return e.conclude(fin, false), nil
	}
	if !e.needsCommit(fin, &did) {
		e.session.Settled()
		return e.conclude(fin, fin.succeeded()), nil
	}

	x := &commit.Commit{App: t.app.ID, Cause: t.cause(), Parts: e.parts(fin, &did)}
	e.r.committer.Submit(x)
	if did.changes.Empty() {
		e.session.Settled() // nobody follows a run that writes nothing
	} else {
		e.session.Submitted()
	}
	// While waitUntil work goes on the run computes, and keeps its permit.
	if !outcome.Pending {
		defer t.permit.Lend(!did.changes.Empty())()
	}

	result := x.Wait()
	e.session.Settled()
	if result.Applied {
		fin.recorded = true
		return e.conclude(fin, true), nil
	}

	return e.refused(fin, result)
}

// saysItself reports whether an outcome is what the script's code came to, from what it read.
func saysItself(status cloud.Status) bool { return status == cloud.Succeeded || status == cloud.Failed }

// effects are what a run, or its waitUntil work, wants to be committed.
type effects struct {
	changes cloud.Changes
	letters []commit.ResolveLetter
}

func (d *effects) empty() bool { return d.changes.Empty() && len(d.letters) == 0 }

// parts of a commit. A run that wrote nothing is not checked.
func (d *effects) parts() []commit.Part {
	if d.empty() {
		return nil
	}

	parts := []commit.Part{commit.Writes(d.changes)}
	for k := range d.letters {
		parts = append(parts, d.letters[k])
	}

	return parts
}

// needsCommit reports whether a run leaves anything that must be applied at once. The record alone is no such
// thing.
func (e *execution) needsCommit(fin *finished, did *effects) bool {
	return !did.empty() || e.t.row != nil || e.t.audit != nil || e.t.answerKey != nil && fin.succeeded()
}

// parts are the consequences of a run's outcome.
func (e *execution) parts(fin *finished, did *effects) []commit.Part {
	t := e.t
	parts := did.parts()
	if t.row != nil {
		parts = append(parts, e.rowParts(fin)...)
	}
	if t.answerKey != nil && fin.succeeded() {
		parts = append(parts, commit.StoreAnswer{Key: *t.answerKey, Response: fin.outcome.Response})
	}
	if t.audit != nil {
		parts = append(parts, *t.audit)
	}

	return append(parts, commit.Record{Execution: fin.record})
}

// rowParts are the consequences for the row that started the run, and for whoever waits for it.
func (e *execution) rowParts(fin *finished) []commit.Part {
	t, row := e.t, e.t.row
	end := outbox.EndOf(row, &fin.outcome, t.script.Name, rand.Float64()) //nolint:gosec // spreads retries
	if end.Kind == outbox.EndBury {
		end.Bury.Letter = e.r.ids.New()
		end.Bury.Execution = t.execution
	}

	parts := []commit.Part{commit.RowEnd{Row: row, End: end}}
	if handled := outbox.HandledBy(row, &fin.outcome, end); handled != nil {
		parts = append(parts, commit.HandleLetter{HandledLetter: *handled})
	}
	if row.ReplyTo.IsZero() {
		return parts
	}

	// Somebody waits. A client of this node is answered by a channel, after the commit.
	if row.ReplyNode != e.r.node {
		parts = append(parts, replyPart(row, t.script.ID, fin))
	}

	return parts
}

// refused decides what follows when the commit did not take effect.
func (e *execution) refused(fin *finished, result commit.Result) (*finished, *retry) {
	e.sandbox.Release(false)
	if fin.outcome.Pending { // waitUntil work of a run that did not happen
		e.sandbox.Cancel()
		e.sandbox.After()
	}

	switch {
	case cloud.CodeOf(result.Err) == cloud.CodeQuota:
		return e.overQuota(fin, safeError(result.Err)), nil
	case result.Err != nil:
		fin.unknown = result.Unknown
		fin.commitErr = safeError(result.Err)
		return e.interrupt(fin, fin.commitErr.Message), nil
	case result.Lost:
		fin.lost = true
		return e.interrupt(fin, "another run took over; nothing of this one was kept"), nil
	default:
		return e.conflicted(fin, result.Conflicts)
	}
}

// interrupt ends a task whose commit did not take effect, and will not be repeated by this node.
func (e *execution) interrupt(fin *finished, message string) *finished {
	fin.outcome.Status = cloud.Interrupted
	fin.outcome.Response = nil
	fin.outcome.Error = cloud.ScriptError{Name: "Interrupted", Message: message}
	fin.record = e.finish(fin.outcome).record
	return e.note(fin)
}

// conflicted is what a run ends with whose checks failed, unless it is made again.
func (e *execution) conflicted(fin *finished, keys []cloud.KeyRef) (*finished, *retry) {
	outcome := cloud.Outcome{
		Status:      cloud.Conflicted,
		Logs:        fin.outcome.Logs,
		LogsDropped: fin.outcome.LogsDropped,
		Unsafe:      fin.outcome.Unsafe,
		Error: cloud.ScriptError{
			Name:    "ConflictError",
			Message: "what the run had read was changed by another run each time; nothing of it was kept",
		},
	}
	if outcome.Unsafe {
		outcome.Error.Message = "what the run had read was changed by another run; " +
			"it made requests that must not be repeated, so it was not run again"
		keys = nil
	}

	return e.finish(outcome), &retry{keys: keys}
}

// conclude ends a task whose outcome stands. waitUntil work, if there is any, is left for finishBackground.
func (e *execution) conclude(fin *finished, committed bool) *finished {
	if fin.outcome.Pending {
		e.background = fin
	} else if e.sandbox != nil {
		e.sandbox.Release(committed)
	}
	return e.note(fin)
}

// fail ends a task that will not be run again and did not get as far as a commit of its own.
func (e *execution) fail(fin *finished) *finished {
	if e.t.row != nil || e.t.audit != nil {
		x := &commit.Commit{App: e.t.app.ID, Cause: e.t.cause(), Parts: e.parts(fin, &effects{})}
		result := e.r.committer.Do(x)
		fin.recorded = result.Applied
		fin.lost = !result.Applied
	}

	return e.note(fin)
}

// note has the outcome counted and recorded, once for a task. What is lost is another's to record.
func (e *execution) note(fin *finished) *finished {
	if !fin.lost && !e.t.dry {
		fin.entry = e.r.recorder.Note(fin.record, fin.recorded)
	}
	return fin
}

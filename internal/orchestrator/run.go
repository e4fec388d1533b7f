package orchestrator

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/trace"

	"picloud/internal/cloud"
	"picloud/internal/commit"
	"picloud/internal/history"
	"picloud/internal/outbox"
)

// maxConflicts is how often a run whose checks failed is run again.
const maxConflicts = 5

// runner makes the runs of this node, whoever wants them: in a sandbox, with their host calls, up to their
// commit.
type runner struct {
	node      string
	ids       *cloud.IDSource
	log       *slog.Logger
	executor  Executor
	sessions  func(app cloud.AppID) Session
	fetchers  func(app cloud.AppID) Fetcher
	committer *commit.Committer
	recorder  *history.Recorder
	tails     *history.Tails
	replayer  *replayer
	tracer    trace.Tracer // nil: no spans
}

// perform makes the run and commits it. It runs it again when its checks failed, or when the child that it
// shared died of another's doing. It returns the first outcome, after its commit. If finish is not nil, the
// caller must call it: it waits for waitUntil work, after which the permit can be released.
func (r *runner) perform(ctx context.Context, t *task) (fin *finished, finish func()) {
	ctx, endSpan := r.startSpan(ctx, t)
	defer func() { endSpan(fin) }()

	// The record's duration is that of all executions together, which is what the caller waited for.
	started := time.Now()
	var keys []cloud.KeyRef // that failed a check

	wasCollateral := false
	for conflicts := 0; ; {
		t.permit.TakeBack()
		e := r.newExecution(t, started)
		if len(keys) > 0 {
			time.Sleep(conflictBackoff(conflicts))
			e.session.Prepare(ctx, keys)
		}

		result, again := e.run(ctx)
		if e.background != nil {
			return result, e.finishBackground
		}
		e.session.Finished()
		if again == nil {
			return result, nil
		}

		switch {
		// Whoever dies a second time, in a child of its own, is not collateral.
		case again.collateral && !wasCollateral:
			wasCollateral = true
			t.alone = true
		case len(again.keys) > 0 && conflicts < maxConflicts:
			conflicts++
			keys = append(keys, again.keys...)
		default:
			return e.fail(result), nil
		}
	}
}

// conflictBackoff is how long a run waits before it is made again. The first two retries are immediate:
// within a node the per-key queue orders them. Later ones back off exponentially, because another node is
// writing the same keys: the longer one of the two stays away, the more of its own runs the other brings to
// an end meanwhile.
func conflictBackoff(conflicts int) time.Duration {
	if conflicts <= 2 {
		return 0
	}
	pause := 10 * time.Millisecond << (2 * (conflicts - 3)) // 10, 40, 160 ms
	return pause/2 + rand.N(pause)                          //nolint:gosec // spreads repeats
}

// retry says why a run can be made again.
type retry struct {
	// collateral says that the child died of another run.
	collateral bool
	// keys are those whose check failed; none if the run must not be repeated.
	keys []cloud.KeyRef
}

// execution is a task in a sandbox, once.
type execution struct {
	r       *runner
	t       *task
	started time.Time // of the task's first execution
	session Session
	letters deadLetterCalls
	sandbox Run
	// background is the outcome that was given to the caller while waitUntil work goes on; nil when there is
	// none.
	background *finished
}

func (r *runner) newExecution(t *task, started time.Time) *execution {
	session := r.sessions(t.app.ID)
	session.UseTurn(t.permit)

	return &execution{
		r:       r,
		t:       t,
		started: started,
		session: session,
		letters: deadLetterCalls{replayer: r.replayer, task: t},
	}
}

// run makes the run in a sandbox and commits it. With a retry, fin is what the task ends with if it is not
// repeated.
func (e *execution) run(ctx context.Context) (fin *finished, again *retry) {
	sandbox, err := e.r.executor.Run(ctx, e.spec())
	if err != nil {
		return e.notStarted(err), nil
	}

	// From here on the run can be cancelled, also by somebody who had wanted to before it started.
	e.sandbox = sandbox
	if e.t.onStart != nil {
		e.t.onStart(sandbox)
	}
	// Secrets are masked before anything is recorded, logged or shown.
	outcome := sandbox.Outcome()
	e.t.app.MaskOutcome(&outcome)

	if outcome.Collateral && !outcome.Unsafe {
		return e.finish(outcome), &retry{collateral: true}
	}

	return e.commit(outcome)
}

// notStarted ends a task for which there was no sandbox.
func (e *execution) notStarted(err error) *finished {
	level, message := slog.LevelError, "the sandbox could not be started; nothing was run"

	var known *cloud.Error
	if errors.As(err, &known) && known.Code == cloud.CodeUnavailable {
		level, message = slog.LevelWarn, known.Message // there is much to do, and no fault
	}

	e.r.log.Log(context.Background(), level, "start run", "execution", e.t.execution.String(),
		"app", e.t.app.Slug, "script", e.t.script.Name, "error", err)
	return e.fail(e.finish(interrupted(message)))
}

func interrupted(message string) cloud.Outcome {
	return cloud.Outcome{
		Status: cloud.Interrupted,
		Error:  cloud.ScriptError{Name: "Interrupted", Message: message},
	}
}

func (e *execution) spec() *cloud.RunSpec {
	t := e.t
	spec := &cloud.RunSpec{
		Execution:      t.execution,
		Root:           t.root,
		App:            t.app.ID,
		Script:         t.script,
		Handler:        t.handler,
		Request:        t.request,
		Event:          t.event,
		Depth:          t.depth,
		Attempt:        t.attempt,
		Principal:      t.principal,
		IdempotencyKey: t.idempotencyKey,
		Deadline:       time.Now().Add(t.script.Limits.Timeout),
		Stream:         t.stream,
		Aborted:        t.aborted,
		Alone:          t.alone,
		Calls: &hostCalls{
			Session:    e.session,
			app:        t.app.ID,
			letters:    &e.letters,
			newFetcher: e.r.fetchers,
			dry:        t.dry,
		},
		Turn: t.permit,
	}

	if !t.dry {
		spec.OnLog = e.tailLine
	}

	return spec
}

// tailLine shows a log line as it comes. A run that is made again because of a conflict logs again.
func (e *execution) tailLine(line cloud.LogLine) {
	if !e.r.tails.Wanted() {
		return
	}
	line.Message = e.t.app.MaskText(line.Message)
	e.r.tails.PublishLine(e.t.app.ID, e.t.execution, e.t.script.Name, line)
}

// finish makes the record of an outcome.
func (e *execution) finish(outcome cloud.Outcome) *finished {
	t := e.t
	record := &cloud.Execution{
		App:         t.app.ID,
		ID:          t.execution,
		Script:      t.script.ID,
		Name:        t.script.Name,
		Version:     t.script.Version,
		Source:      t.source,
		Trigger:     t.trigger,
		Status:      outcome.Status,
		Attempt:     t.attempt,
		Depth:       t.depth,
		Root:        t.root,
		Parent:      t.parent,
		Principal:   t.principal.String(),
		Started:     e.started.UTC(),
		Duration:    time.Since(e.started),
		Error:       outcome.Error,
		Logs:        outcome.Logs,
		LogsDropped: outcome.LogsDropped,
		Usage:       outcome.Usage,
	}

	if t.row != nil {
		record.Outbox = t.row.ID
		// The attempt itself is still to come, under its own id.
		if outbox.IsInterruption(outcome.Status) && t.row.ReplyTo.IsZero() {
			record.ID = e.r.ids.New()
		}
	}

	if t.request == nil {
		record.Request = eventSummary(t.handler, t.event)
		// A request that was ended before it was read has a caller to be answered all the same.
		if t.source == cloud.SourceHTTP {
			record.HTTPStatus = cloud.HTTPStatus[outcome.Status]
		}
		return &finished{outcome: outcome, record: record}
	}
	record.Request = t.request.Method + " " + cloud.Shorten(t.app.MaskText(t.request.URL))
	record.HTTPStatus = cloud.HTTPStatus[outcome.Status]
	if outcome.Status == cloud.Succeeded && outcome.Response != nil {
		record.HTTPStatus = outcome.Response.Status
	}

	return &finished{outcome: outcome, record: record}
}

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

// finishBackground sees waitUntil work to its end: its writes are a second commit.
func (e *execution) finishBackground() {
	defer e.session.Finished()

	fin := e.background
	after := e.sandbox.After()
	e.t.app.MaskOutcome(&after)

	status := after.Status
	ok := status == cloud.Succeeded
	did := effects{e.session.After(), e.letters.after()}
	if e.t.dry { // nothing of it is kept
		e.sandbox.Release(ok)
		return
	}
	if ok && !did.empty() {
		status, after.Error = e.commitBackground(&did)
		ok = status == cloud.Succeeded
	}

	// The execution's own error is that of its response, so that of its waitUntil work goes into the log.
	if !ok {
		message := "after the response: " + after.Error.String() + "; nothing written since was kept"
		after.Logs = append(after.Logs, cloud.LogLine{At: time.Now().UTC(), Level: "error", Message: message})
	}
	e.sandbox.Release(ok)
	e.r.recorder.After(fin.entry, status, &after)
}

func (e *execution) commitBackground(did *effects) (cloud.Status, cloud.ScriptError) {
	x := &commit.Commit{App: e.t.app.ID, Cause: e.t.cause(), Parts: did.parts()}
	result := commit.Result{Conflicts: e.session.Changed()}
	if len(result.Conflicts) == 0 {
		e.r.committer.Submit(x)
		e.session.Submitted()
		result = x.Wait()
	}

	switch {
	case cloud.CodeOf(result.Err) == cloud.CodeQuota:
		return cloud.Failed, quotaError(safeError(result.Err))
	case len(result.Conflicts) > 0:
		return cloud.Conflicted, cloud.ScriptError{
			Name:    "ConflictError",
			Message: "what it had read was changed by another run",
		}
	case !result.Applied:
		return cloud.Interrupted, cloud.ScriptError{
			Name:    "Interrupted",
			Message: "the database did not take it",
		}
	default:
		return cloud.Succeeded, cloud.ScriptError{}
	}
}

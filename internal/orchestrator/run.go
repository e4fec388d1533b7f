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

package orchestrator

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"picloud/internal/cloud"
)

// maxConflicts is how often a run whose checks failed is run again.
const maxConflicts = 5

// task is a run to be made, whether a request or a row started it. The two flows meet here.
type task struct {
	app     *appDefs
	script  *cloud.Script
	handler string
	request *cloud.Request
	event   string

	execution cloud.ID
	root      cloud.ID
	parent    cloud.ID
	depth     int
	attempt   int
	principal cloud.Principal
	idemKey   string // for ctx.idempotencyKey
	source    string
	trigger   cloud.ID

	permit *permit
	row    *row
	idem   *idempotentAnswer // reserved key, to be answered by the commit
	alone  bool
	// stream: the caller takes the response's body while the script writes it.
	stream bool
	// aborted is closed when the caller hangs up, soon after.
	aborted <-chan struct{}
	// onStart hears of every sandbox run of the task, so that it can be cancelled.
	onStart func(Run)
	// dry: nothing is committed, fetch is refused.
	dry bool
	// answer, if somebody waits for it, takes the first outcome, after its commit, once, before perform returns; waitUntil work is
	// what follows. first is that outcome.
	answer func(*finished)
	first  *finished
}

// finished is a task's first outcome, and its record.
type finished struct {
	outcome cloud.Outcome
	rec     *record
	// unknown: whether the commit took effect cannot be told.
	unknown bool
	// lost: the claim was no longer ours, so nothing of this run counts.
	lost bool
	// recorded: its record went with the commit.
	recorded bool
	// changes of a dry run.
	changes cloud.Changes
	// commitErr is the platform's failure to commit, safe to show.
	commitErr *cloud.Error
}

// calls answers a run's host calls: KV from its session, fetch from its fetcher.
type calls struct {
	Session
	letters    *letterCalls
	newFetcher func() Fetcher
	once       sync.Once // for the fetcher: many runs need none
	fetcher    Fetcher
	dry        bool
}

// Responded splits what the run does after its response from what it did before.
func (c *calls) Responded() {
	c.Session.Responded()
	c.letters.responded()
}

// Call sends a host call to the service that answers it.
func (c *calls) Call(ctx context.Context, n uint64, op cloud.HostOp, args cloud.HostArgs) (cloud.HostReply, error) {
	switch op {
	case cloud.OpFetch, cloud.OpFetchRead:
		if c.dry {
			return cloud.HostReply{}, &cloud.HostError{Name: "FetchError", Message: "fetch is refused in a dry run"}
		}
		c.once.Do(func() { c.fetcher = c.newFetcher() })
		return c.fetcher.Call(ctx, n, op, args)
	case cloud.OpLetterList, cloud.OpLetterGet, cloud.OpLetterReplay, cloud.OpLetterResolve:
		return c.letters.call(ctx, op, args)
	default:
		return c.Session.Call(ctx, op, args)
	}
}

// perform makes the run, commits it, and runs it again when its checks failed or when the child it shared died of another.
// When it returns the task was answered. What it returns, unless nil, sees waitUntil work to its end and must be called: the
// caller gives the permit back when that is over.
func (o *Orchestrator) perform(ctx context.Context, t *task) (rest func()) {
	ctx = o.traced(ctx, t)
	started := time.Now()
	var keys []cloud.KeyRef
	collateral := false
	for conflicts := 0; ; {
		a := &try{o: o, t: t, started: started, session: o.cfg.Sessions(t.app.id), letters: letterCalls{o: o, t: t}}
		if len(keys) > 0 {
			time.Sleep(stepAside(conflicts))
			t.permit.takeBack()
			a.session.Prepare(ctx, keys)
		}
		again := a.run(ctx)
		if a.pending != nil {
			return a.seeOff
		}
		a.session.Finished()
		if again == nil {
			return nil
		}
		switch {
		case again.collateral && !collateral:
			collateral = true
			t.alone = true
		case len(again.keys) > 0 && conflicts < maxConflicts:
			conflicts++
			keys = append(keys, again.keys...)
		default:
			a.fail(again.fin)
			return nil
		}
	}
}

// stepAside is how long a run waits before it is made again. Twice it is made at once: inside a node the keys' turns see to
// it that it gets through. After that another node works on the same keys, and the longer one of the two stays away, the
// more of its own runs the other brings to an end meanwhile.
func stepAside(conflicts int) time.Duration {
	if conflicts <= 2 {
		return 0
	}
	pause := 10 * time.Millisecond << (2 * (conflicts - 3)) // 10, 40, 160 ms
	return pause/2 + rand.N(pause)                          //nolint:gosec // spreads repeats
}

// again says why a run may be made once more, and what it ends with if it is not.
type again struct {
	collateral bool
	keys       []cloud.KeyRef
	fin        *finished
}

// try is one execution of a task in a sandbox.
type try struct {
	o       *Orchestrator
	t       *task
	started time.Time
	session Session
	letters letterCalls
	sandbox Run
	pending *finished // answered, with waitUntil work to come
}

func (a *try) run(ctx context.Context) *again {
	t := a.t
	spec := &cloud.RunSpec{Execution: t.execution, Root: t.root, App: t.app.id, Script: t.script, Handler: t.handler, Request: t.request,
		Event: t.event, Depth: t.depth, Attempt: t.attempt, Principal: t.principal, IdempotencyKey: t.idemKey, Alone: t.alone,
		Deadline: time.Now().Add(t.script.Limits.Timeout), Stream: t.stream, Aborted: t.aborted,
		Calls: &calls{Session: a.session, letters: &a.letters, newFetcher: a.o.cfg.Fetchers, dry: t.dry}}
	if !t.dry {
		spec.OnLog = func(l cloud.LogLine) { a.o.tails.publishLine(t, l) }
	}
	run, err := a.o.cfg.Executor.Run(ctx, spec)
	if err != nil {
		a.o.cfg.Log.Error("start run", "execution", t.execution.String(), "app", t.app.slug, "script", t.script.Name, "error", err)
		a.fail(a.finish(cloud.Outcome{Status: cloud.Interrupted, Error: cloud.ScriptError{Name: "Interrupted",
			Message: "the sandbox could not be started; nothing was run"}}))
		return nil
	}
	a.sandbox = run
	if t.onStart != nil {
		t.onStart(run)
	}
	outcome := run.Outcome()
	t.app.hide(&outcome)
	if outcome.Collateral && !outcome.Unsafe {
		return &again{collateral: true, fin: a.finish(outcome)}
	}
	return a.commit(outcome)
}

func (a *try) finish(outcome cloud.Outcome) *finished {
	t := a.t
	f := &finished{outcome: outcome}
	f.rec = &record{app: t.app.id, id: t.execution, script: t.script.ID, name: t.script.Name, version: t.script.Version, source: t.source,
		trigger: t.trigger, status: outcome.Status, attempt: t.attempt, depth: t.depth, root: t.root, parent: t.parent,
		principal: t.principal.String(), started: a.started.UTC(), duration: time.Since(a.started), err: outcome.Error,
		logs: outcome.Logs, dropped: outcome.LogsDropped, usage: outcome.Usage}
	if t.row != nil {
		f.rec.outbox = t.row.id
		if isInterruption(outcome.Status) && t.row.replyTo.IsZero() {
			f.rec.id = a.o.cfg.IDs.New() // the attempt itself is still to come, under its own id
		}
	}
	if t.request != nil {
		f.rec.request = t.request.Method + " " + cloud.Shorten(t.request.URL)
		if outcome.Status == cloud.Succeeded && outcome.Response != nil {
			f.rec.http = outcome.Response.Status
		} else {
			f.rec.http = cloud.HTTPStatus[outcome.Status]
		}
	} else {
		f.rec.request = subjectOf(t.handler, t.event)
	}
	return f
}

// commit applies what the run did, together with the end of its row. nil: the task is over.
func (a *try) commit(outcome cloud.Outcome) *again {
	t := a.t
	fin := a.finish(outcome)
	var changes cloud.Changes
	var letters []letterChange
	if outcome.Status == cloud.Succeeded {
		changes, letters = a.session.Changes(), a.letters.changes()
	}
	if t.dry {
		fin.changes = changes
		a.session.Settled()
		a.conclude(fin, false)
		return nil
	}
	if changes.Empty() && len(letters) == 0 && t.row == nil && (t.idem == nil || outcome.Status != cloud.Succeeded) {
		a.session.Settled()
		a.conclude(fin, outcome.Status == cloud.Succeeded)
		return nil
	}
	x := a.transition(fin, changes, letters)
	a.o.committer.submit(x)
	if changes.Empty() {
		a.session.Settled() // nobody follows writes that are not committed
	} else {
		a.session.Submitted()
	}
	if !outcome.Pending {
		defer t.permit.lend(!changes.Empty())()
	}
	res := x.wait()
	a.session.Settled()
	if res.applied {
		fin.recorded = true
		a.conclude(fin, true)
		return nil
	}
	return a.refused(fin, res)
}

// transition is the commit of a run's outcome.
func (a *try) transition(fin *finished, changes cloud.Changes, letters []letterChange) *commit {
	t := a.t
	x := &commit{app: t.app.id, changes: changes, letters: letters, record: fin.rec, row: t.row,
		cause: cause{execution: t.execution, root: t.root, depth: t.depth, principal: t.principal.String()}}
	if changes.Empty() && len(letters) == 0 {
		x.changes = cloud.Changes{} // a run that wrote nothing is not checked
	}
	if t.idem != nil && fin.outcome.Status == cloud.Succeeded {
		answer := *t.idem
		answer.fill(fin.outcome.Response)
		x.idem = &answer
	}
	if r := t.row; r != nil {
		a.o.endRowOf(x, t, fin)
		if !r.replyTo.IsZero() && r.idempotencyKey != "" && fin.outcome.Status == cloud.Succeeded {
			x.idem = &idempotentAnswer{app: r.app, script: r.script, principal: r.runAs, key: r.idempotencyKey, execution: r.execution}
			x.idem.fill(fin.outcome.Response)
		}
	}
	return x
}

// endRowOf adds what becomes of the task's row.
func (o *Orchestrator) endRowOf(x *commit, t *task, fin *finished) {
	x.row = t.row
	x.end = endOf(t.row, &fin.outcome, t.script.Name, jitter())
	if x.end.kind == endBury {
		x.end.bury.letter, x.end.bury.execution = o.cfg.IDs.New(), t.execution
	}
	x.handled = handledBy(t.row, &fin.outcome, x.end)
	if !t.row.replyTo.IsZero() {
		o.inbox.address(x, t, fin)
	}
}

// refused decides what follows when the commit did not take effect.
func (a *try) refused(fin *finished, res commitResult) *again {
	a.sandbox.Release(false)
	switch {
	case res.err != nil:
		a.settleAfter(fin)
		fin.outcome.Response = nil
		fin.outcome.Status = cloud.Interrupted
		fin.unknown = res.unknown
		fin.commitErr = safeError(res.err)
		fin.outcome.Error = cloud.ScriptError{Name: "Interrupted", Message: fin.commitErr.Message}
		fin.rec = a.finish(fin.outcome).rec
		a.deliver(fin)
		return nil
	case res.lost:
		a.settleAfter(fin)
		fin.lost = true
		fin.outcome.Status, fin.outcome.Response = cloud.Interrupted, nil
		fin.outcome.Error = cloud.ScriptError{Name: "Interrupted", Message: "another run took over; nothing of this one was kept"}
		fin.rec = a.finish(fin.outcome).rec
		a.deliver(fin)
		return nil
	}
	a.settleAfter(fin)
	conflict := cloud.Outcome{Status: cloud.Conflicted, Logs: fin.outcome.Logs, LogsDropped: fin.outcome.LogsDropped, Unsafe: fin.outcome.Unsafe,
		Error: cloud.ScriptError{Name: "ConflictError", Message: "what the run had read was changed by another run each time; nothing of it was kept"}}
	g := &again{keys: res.conflicts, fin: a.finish(conflict)}
	if conflict.Unsafe {
		g.fin.outcome.Error.Message = "what the run had read was changed by another run; it made requests that must not be repeated, so it was not run again"
		g.fin.rec.err = g.fin.outcome.Error
		g.keys = nil
	}
	return g
}

// settleAfter ends waitUntil work whose run did not commit.
func (a *try) settleAfter(fin *finished) {
	if fin.outcome.Pending {
		a.sandbox.Cancel()
		a.sandbox.After()
	}
}

func safeError(err error) *cloud.Error {
	var ce *cloud.Error
	if errors.As(err, &ce) {
		return ce
	}
	return cloud.Errorf(cloud.CodeInternal, "the run could not be committed").Because(err)
}

// conclude answers; waitUntil work, if there is any, is left for seeOff.
func (a *try) conclude(fin *finished, committed bool) {
	if fin.outcome.Pending {
		a.pending = fin
	} else if a.sandbox != nil {
		a.sandbox.Release(committed)
	}
	a.deliver(fin)
}

// seeOff sees waitUntil work to its end: its writes are a second commit.
func (a *try) seeOff() {
	defer a.session.Finished()
	fin := a.pending
	after := a.sandbox.After()
	a.t.app.hide(&after)
	ok := after.Status == cloud.Succeeded
	status := after.Status
	if changes, letters := a.session.After(), a.letters.after(); ok && (!changes.Empty() || len(letters) > 0) && !a.t.dry {
		x := &commit{app: a.t.app.id, changes: changes, letters: letters,
			cause: cause{execution: a.t.execution, root: a.t.root, depth: a.t.depth, principal: a.t.principal.String()}}
		a.o.committer.submit(x)
		a.session.Submitted()
		res := x.wait()
		ok = res.applied
		switch {
		case len(res.conflicts) > 0:
			status = cloud.Conflicted
			after.Error = cloud.ScriptError{Name: "ConflictError", Message: "what it had read was changed by another run"}
		case !ok:
			status = cloud.Interrupted
			after.Error = cloud.ScriptError{Name: "Interrupted", Message: "the database did not take it"}
		}
	}
	if !ok { // the execution's own error is that of its response
		after.Logs = append(after.Logs, cloud.LogLine{At: time.Now().UTC(), Level: "error",
			Message: "after the response: " + describe(&after.Error) + "; nothing written since was kept"})
	}
	a.sandbox.Release(ok)
	a.o.recorder.after(fin.rec, status, &after)
}

// fail ends a task that will not be run again and did not get as far as a commit of its own.
func (a *try) fail(fin *finished) {
	if a.t.row != nil {
		res := a.o.committer.do(a.transition(fin, cloud.Changes{}, nil))
		fin.recorded = res.applied
		fin.lost = !res.applied
	}
	a.deliver(fin)
}

// deliver hands the first outcome on, once for a task.
func (a *try) deliver(fin *finished) {
	if !fin.lost && !a.t.dry {
		a.o.recorder.note(fin)
	}
	a.t.first = fin
	if a.t.answer != nil {
		a.t.answer(fin)
	}
}

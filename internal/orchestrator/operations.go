package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"picloud/db"
	"picloud/internal/admission"
	"picloud/internal/catalog"
	"picloud/internal/cloud"
	"picloud/internal/commit"
	"picloud/internal/outbox"
)

// Operations are what operators do by hand. Each takes effect in one transaction with its audit row, or not
// at all.
type Operations struct {
	ids        *cloud.IDSource
	db         *db.DB
	version    string // of this node
	gate       *admission.Gate
	catalog    *catalog.Catalog
	committer  *commit.Committer
	dispatcher *outbox.Dispatcher
	runner     *runner
	replayer   *replayer
	sessions   func(app cloud.AppID) Session
	// runs counts the runs in progress, for whoever waits for them at the end; runCtx ends them.
	runs   *sync.WaitGroup
	runCtx func() context.Context
}

// audit is the entry of an operator's action. The app may be gone; then the commit is refused.
func audit(app *catalog.App, by cloud.Principal, action, target string, detail any) commit.Audit {
	entry := commit.Audit{Actor: by.Username, Action: action, Target: target, Detail: detail}
	if app != nil {
		entry.App = app.Slug
	}
	return entry
}

var (
	errNoRow      = cloud.Errorf(cloud.CodeNotFound, "no such row in the outbox")
	errRowRunning = cloud.Errorf(cloud.CodeConflict, "the row is running")

	errTriggerDisabled = cloud.Errorf(cloud.CodeConflict, "the trigger is disabled: enable it first")
)

// mayRunFor refuses a test event of a trigger whose registrant may run nothing: it would only become a dead
// letter.
func mayRunFor(t *cloud.Trigger) error {
	if t.Refusal == "" {
		return nil
	}
	return cloud.Errorf(cloud.CodeConflict,
		"%s: take the trigger over first, and its runs act as you (\"Take over\" on its page, or "+
			`{"registrant": "me"})`, t.Refusal)
}

// RunNow makes a waiting row due. A row of a disabled trigger would only be parked anew, so it is refused.
func (o *Operations) RunNow(ctx context.Context, app cloud.AppID, id cloud.ID, by cloud.Principal) error {
	listed, _, err := o.replayer.reader.Outbox(ctx, app, idBefore(id), 1)
	switch {
	case err != nil:
		return err
	case len(listed) == 0 || cloud.ID(listed[0].ID) != id:
		return errNoRow
	case !listed[0].TriggerEnabled:
		return errTriggerDisabled
	}

	entry := audit(o.catalog.App(app), by, "outbox.run-now", id.String(), nil)
	var woken int64

	err = o.db.Tx(ctx, func(q *db.Queries) error {
		var err error
		if woken, err = q.WakeNow(ctx, int64(app), id); err != nil || woken == 0 {
			return err
		}
		return q.InsertAudit(ctx, entry.Params(o.ids.New(), app))
	})
	switch {
	case err != nil:
		return cloud.DatabaseAway("change row", db.Translate(err))
	case woken == 0:
		return o.whyNotWaiting(ctx, app, id)
	}

	o.dispatcher.ScanWithin(0)
	return nil
}

// whyNotWaiting says why there is no waiting row of an id.
func (o *Operations) whyNotWaiting(ctx context.Context, app cloud.AppID, id cloud.ID) error {
	_, err := o.db.Queries().OutboxRow(ctx, int64(app), id)
	switch {
	case db.IsNotFound(err):
		return errNoRow
	case err != nil:
		return cloud.DatabaseAway("read row", db.Translate(err))
	default:
		return errRowRunning
	}
}

// RemoveRow makes a waiting row a dead letter, and returns the letter's id.
func (o *Operations) RemoveRow(
	ctx context.Context,
	app cloud.AppID,
	id cloud.ID,
	by cloud.Principal,
) (cloud.ID, error) {
	definitions := o.catalog.App(app)
	if definitions == nil {
		return cloud.ID{}, cloud.Errorf(cloud.CodeNotFound, "no such app")
	}
	listed, _, err := o.replayer.reader.Outbox(ctx, app, idBefore(id), 1)
	if err != nil {
		return cloud.ID{}, err
	}
	if len(listed) == 0 || cloud.ID(listed[0].ID) != id {
		return cloud.ID{}, errNoRow
	}

	letter := o.ids.New()
	row := removedRow(app, &listed[0])
	x := &commit.Commit{
		App:   app,
		Cause: commit.Cause{Root: row.Root, Depth: row.Depth, Principal: by.String()},
		Parts: []commit.Part{
			commit.RowEnd{Row: row, End: removal(letter, &listed[0], by)},
			audit(definitions, by, "outbox.remove", id.String(), nil),
		},
	}

	result := o.committer.Do(x)
	switch {
	case result.Applied:
		return letter, nil
	case result.Err != nil:
		return cloud.ID{}, safeError(result.Err)
	default: // it was claimed, or has ended, since it was read
		return cloud.ID{}, o.whyNotWaiting(ctx, app, id)
	}
}

// removedRow is a row that waits: it has no token.
func removedRow(app cloud.AppID, listed *db.ListOutboxRow) *outbox.Row {
	return &outbox.Row{
		App:     app,
		ID:      listed.ID,
		Trigger: db.OrZero(listed.TriggerID),
		Source:  listed.Source,
		Op:      listed.Op,
		Script:  listed.ScriptID,
		Payload: listed.Payload,
		Root:    listed.RootID,
		Depth:   int(listed.Depth),
	}
}

func removal(letter cloud.ID, listed *db.ListOutboxRow, by cloud.Principal) outbox.End {
	return outbox.End{Kind: outbox.EndBury, Bury: outbox.Bury{
		Letter:   letter,
		Script:   listed.Script,
		Reason:   "removed by an operator",
		Error:    cloud.ScriptError{Name: "Removed", Message: "removed from the queue by " + by.Username},
		Attempts: int(listed.AttemptCount),
	}}
}

// idBefore is the id just below another.
func idBefore(id cloud.ID) cloud.ID {
	for k := len(id) - 1; k >= 0; k-- {
		id[k]--
		if id[k] != 0xff {
			break
		}
	}
	return id
}

// Fire puts a test event (JSON text) into the outbox as if the trigger had matched. It runs as the
// registrant. Errors: conflict for a trigger that is disabled, or whose registrant may run nothing.
func (o *Operations) Fire(
	_ context.Context,
	app cloud.AppID,
	trigger cloud.ID,
	event string,
	by cloud.Principal,
) (
	row, execution cloud.ID, err error,
) {
	definitions := o.catalog.App(app)
	if definitions == nil || definitions.Triggers[trigger] == nil {
		return row, execution, cloud.Errorf(cloud.CodeNotFound, "no such trigger")
	}
	t := definitions.Triggers[trigger]
	if !t.Enabled {
		return row, execution, errTriggerDisabled
	}
	if err := mayRunFor(t); err != nil {
		return row, execution, err
	}

	execution = o.ids.New()
	n := &outbox.NewRow{Row: outbox.Row{
		App:       app,
		ID:        o.ids.New(),
		Source:    t.Kind,
		Op:        "test",
		Trigger:   t.ID,
		Script:    t.Script,
		Payload:   event,
		Origin:    by.String(),
		Root:      execution,
		Depth:     1,
		Execution: execution,
		Retry:     t.Retry,
	}}
	x := &commit.Commit{App: app, Parts: []commit.Part{
		commit.Enqueue{Row: n},
		audit(definitions, by, "trigger.fire", trigger.String(), nil),
	}}
	if err := enqueueResult(o.committer.Do(x)); err != nil {
		return row, execution, err
	}
	return n.ID, execution, nil
}

// Invocation is a test run of a script.
type Invocation struct {
	Script  string
	Handler string
	// Request is set for fetch, Event (JSON text) otherwise.
	Request   *cloud.Request
	Event     string
	DryRun    bool
	Principal cloud.Principal
}

// Invoked is what a test run did.
type Invoked struct {
	Execution cloud.ID
	Status    cloud.Status
	Response  *cloud.Response
	Error     cloud.ScriptError
	Logs      []cloud.LogLine
	Writes    []cloud.Write
	Duration  time.Duration
}

// Invoke runs a script once, directly. A dry run commits nothing, raises nothing and refuses fetch.
func (o *Operations) Invoke(_ context.Context, app cloud.AppID, in *Invocation) (*Invoked, error) {
	definitions := o.catalog.App(app)
	if definitions == nil || definitions.Scripts[in.Script] == nil {
		return nil, cloud.Errorf(cloud.CodeNotFound, "no such script")
	}
	script := definitions.Scripts[in.Script]
	if script.Kind != cloud.KindEndpoint {
		return nil, cloud.Errorf(
			cloud.CodeInvalid,
			"the script %q is a module: it can be imported, not run",
			script.Name,
		)
	}

	permit, err := o.gate.Acquire(app)
	if err != nil {
		return nil, err
	}
	t := o.invocationTask(definitions, script, in)
	t.permit = permit
	o.runs.Add(1)
	var finish func()
	defer func() { releaseAfter(permit, o.runs, finish) }()
	var fin *finished
	fin, finish = o.runner.perform(o.runCtx(), t)

	if fin.commitErr != nil {
		return nil, fin.commitErr
	}
	return &Invoked{
		Execution: t.execution,
		Status:    fin.outcome.Status,
		Response:  fin.outcome.Response,
		Error:     fin.outcome.Error,
		Logs:      fin.outcome.Logs,
		Writes:    fin.changes.Writes,
		Duration:  fin.record.Duration,
	}, nil
}

// invocationTask is the task of a test run. Unless it is dry, it is an operator's action and audited as such.
func (o *Operations) invocationTask(app *catalog.App, script *cloud.Script, in *Invocation) *task {
	id := o.ids.New()
	t := &task{
		app:            app,
		script:         script,
		handler:        in.Handler,
		request:        in.Request,
		event:          in.Event,
		execution:      id,
		root:           id,
		attempt:        1,
		principal:      in.Principal,
		source:         "invoke",
		idempotencyKey: id.String(),
		dry:            in.DryRun,
	}
	if !in.DryRun {
		detail := map[string]string{"handler": in.Handler, "execution": id.String()}
		entry := audit(app, in.Principal, "script.invoke", script.Name, detail)
		t.audit = &entry
	}
	return t
}

// SetKV writes an entry with the commit of runs, so that it has the same checks, events and limits.
func (o *Operations) SetKV(ctx context.Context, app cloud.AppID, set cloud.KVSet, by cloud.Principal) error {
	entry := audit(o.catalog.App(app), by, "kv.set", set.Collection+"/"+set.Key, nil)

	return o.writeKV(ctx, app, entry, by, func(s Session) error {
		_, err := s.Call(ctx, set)
		return err
	})
}

var errEntryChanged = cloud.Errorf(cloud.CodePrecondition,
	"somebody changed the entry meanwhile: look at it again")

// KVDelete is an operator's deletion of an entry.
type KVDelete struct {
	Collection, Key string
	// IfVersion is the version that the entry must have, cloud.AnyVersion for any.
	IfVersion int64
}

// DeleteKV deletes an entry with the commit of runs. It reports whether the entry was there; if not, nothing
// is done and nothing is audited.
func (o *Operations) DeleteKV(
	ctx context.Context, app cloud.AppID, del KVDelete, by cloud.Principal,
) (found bool, err error) {
	entry := audit(o.catalog.App(app), by, "kv.delete", del.Collection+"/"+del.Key, nil)

	err = o.writeKV(ctx, app, entry, by, func(s Session) error {
		now, err := s.Call(ctx, cloud.KVGet{Collection: del.Collection, Key: del.Key})
		found = now.Found
		if err != nil || !found {
			return err
		}
		if del.IfVersion != cloud.AnyVersion && now.Version != del.IfVersion {
			return errEntryChanged
		}

		_, err = s.Call(ctx, cloud.KVDelete{Collection: del.Collection, Key: del.Key})
		return err
	})

	return found, err
}

// writeKV commits an operator's calls. Of calls that change nothing no trace is left.
func (o *Operations) writeKV(
	ctx context.Context, app cloud.AppID, entry commit.Audit, by cloud.Principal, calls func(Session) error,
) error {
	id := o.ids.New()
	for tries := 0; ; tries++ {
		session := o.sessions(app)
		if err := calls(session); err != nil {
			session.Finished()
			return apiError(err)
		}

		changes := session.Changes()
		if changes.Empty() {
			session.Finished()
			return nil
		}

		x := &commit.Commit{
			App:   app,
			Cause: commit.Cause{Execution: id, Root: id, Principal: by.String()},
			Parts: []commit.Part{commit.Writes(changes), entry},
		}
		o.committer.Submit(x)
		session.Submitted()
		result := x.Wait()
		session.Finished()

		switch {
		case result.Applied:
			return nil
		case result.Err != nil:
			return safeError(result.Err)
		case tries >= maxConflicts || ctx.Err() != nil:
			return cloud.Errorf(cloud.CodeConflict, "the key was changed by others each time; try again")
		}
	}
}

// apiError converts a host call's error into the API's, with the matching code.
func apiError(err error) error {
	var hostErr *cloud.HostError
	if !errors.As(err, &hostErr) {
		return err
	}
	if hostErr.Name == "KvConflictError" {
		return cloud.Errorf(cloud.CodePrecondition, "%s", hostErr.Message)
	}
	return cloud.Errorf(cloud.CodeInvalid, "%s", hostErr.Message)
}

// EventsOf is the events that writes would raise, for a dry run: JSON texts.
func (o *Operations) EventsOf(app cloud.AppID, writes []cloud.Write) []json.RawMessage {
	events := []json.RawMessage{}
	definitions := o.catalog.App(app)
	if definitions == nil {
		return events
	}

	for k := range writes {
		w := &writes[k]
		event := map[string]any{
			"op":         "set",
			"collection": w.Key.Collection,
			"key":        w.Key.Key,
			"triggers":   triggerIDs(definitions, w.Key.Collection),
		}
		if w.Delete {
			event["op"] = "delete"
		} else {
			event["value"] = json.RawMessage(w.Value)
		}
		events = append(events, cloud.AppendJSON(nil, event))
	}
	return events
}

// triggerIDs are the enabled triggers that a change in a collection may raise.
func triggerIDs(app *catalog.App, collection string) []string {
	ids := []string{}
	for _, t := range app.Triggers {
		if t.Enabled && t.Kind == cloud.SourceKV && cloud.MatchesCollection(t.Collection, collection) {
			ids = append(ids, t.ID.String())
		}
	}
	return ids
}

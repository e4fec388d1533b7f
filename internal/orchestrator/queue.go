package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// Outbox lists an app's rows, oldest first.
func (o *Orchestrator) Outbox(ctx context.Context, app cloud.AppID, after cloud.ID, limit int) ([]db.ListOutboxRow, error) {
	list, err := o.cfg.DB.Queries().ListOutbox(ctx, int64(app), after, int32(limit))
	return list, explain("list outbox", err)
}

// WhyWaiting says in words why a row stands where it stands.
func (o *Orchestrator) WhyWaiting(r *db.ListOutboxRow, now time.Time) string {
	switch hold := o.Hold(); {
	case hold != "":
		return "on hold: " + hold
	case r.ClaimedBy != nil && r.Due:
		return fmt.Sprintf("its lease on node %s has ended; another node will take it over", *r.ClaimedBy)
	case r.ClaimedBy != nil:
		return fmt.Sprintf("running on node %s", *r.ClaimedBy)
	case !r.TriggerEnabled:
		return "trigger disabled"
	case r.Due:
		return "due; it starts as soon as a permit is free"
	case r.AttemptCount > 0:
		return fmt.Sprintf("attempt %d of %d failed (%s); the next is due in %s", r.AttemptCount, r.MaxAttempts, cloud.Shorten(r.LastError),
			r.WakeAt.Sub(now).Round(time.Second))
	default:
		return fmt.Sprintf("it was interrupted %d times; the next try is due in %s", r.Interruptions, r.WakeAt.Sub(now).Round(time.Second))
	}
}

func (o *Orchestrator) waitingRow(ctx context.Context, app cloud.AppID, id cloud.ID, affected int64, err error) error {
	if err != nil {
		return explain("change row", err)
	}
	if affected > 0 {
		return nil
	}
	_, err = o.cfg.DB.Queries().OutboxRow(ctx, int64(app), id)
	switch {
	case isNotFound(err):
		return cloud.Errorf(cloud.CodeNotFound, "no such row in the outbox")
	case err != nil:
		return explain("read row", err)
	default:
		return cloud.Errorf(cloud.CodeConflict, "the row is running")
	}
}

// RunNow makes a waiting row due.
func (o *Orchestrator) RunNow(ctx context.Context, app cloud.AppID, id cloud.ID) error {
	n, err := o.cfg.DB.Queries().WakeNow(ctx, int64(app), id)
	if err := o.waitingRow(ctx, app, id, n, err); err != nil {
		return err
	}
	o.dispatcher.scout.ask(0)
	return nil
}

// RemoveRow makes a waiting row a dead letter. The caller is told its id.
func (o *Orchestrator) RemoveRow(ctx context.Context, app cloud.AppID, id cloud.ID, operator string) (cloud.ID, error) {
	defs := o.definitions.app(app)
	if defs == nil {
		return cloud.ID{}, cloud.Errorf(cloud.CodeNotFound, "no such app")
	}
	rows, err := o.cfg.DB.Queries().ListOutbox(ctx, int64(app), before(id), 1)
	if err != nil {
		return cloud.ID{}, explain("read row", err)
	}
	if len(rows) == 0 || cloud.ID(rows[0].ID) != id {
		return cloud.ID{}, cloud.Errorf(cloud.CodeNotFound, "no such row in the outbox")
	}
	token := o.cfg.IDs.New()
	n, err := o.cfg.DB.Queries().ClaimForRemoval(ctx, db.ClaimForRemovalParams{AppID: int64(app), ID: id, Node: o.cfg.Node, Token: token})
	if err := o.waitingRow(ctx, app, id, n, err); err != nil {
		return cloud.ID{}, err
	}
	l := &rows[0]
	r := &row{app: app, id: id, token: token, source: l.Source, op: l.Op, script: l.ScriptID, payload: l.Payload, root: l.RootID, depth: int(l.Depth)}
	if l.TriggerID != nil {
		r.trigger = *l.TriggerID
	}
	letter := o.cfg.IDs.New()
	x := &commit{app: app, row: r, cause: cause{root: l.RootID, depth: int(l.Depth), principal: cloud.Principal{Username: operator, Kind: cloud.PrincipalUser}.String()},
		end: rowEnd{kind: endBury, bury: buryEnd{letter: letter, script: l.Script, reason: "removed by an operator", attempts: int(l.AttemptCount),
			err: cloud.ScriptError{Name: "Removed", Message: "removed from the queue by " + operator}}}}
	res := o.committer.do(x)
	switch {
	case res.err != nil:
		return cloud.ID{}, safeError(res.err)
	case !res.applied:
		return cloud.ID{}, cloud.Errorf(cloud.CodeConflict, "the row is running")
	}
	return letter, nil
}

// before is the id just below another.
func before(id cloud.ID) cloud.ID {
	for k := len(id) - 1; k >= 0; k-- {
		id[k]--
		if id[k] != 0xff {
			break
		}
	}
	return id
}

// Conservation is an app's ledger against its queue.
type Conservation struct {
	Enqueued, Waiting, Running, Done, DeadLettered, Skipped, Discarded int64
	Balanced                                                           bool
}

// Conservation reads ledger and queue in one snapshot.
func (o *Orchestrator) Conservation(ctx context.Context, app cloud.AppID) (Conservation, error) {
	all, err := o.Conservations(ctx, []cloud.AppID{app})
	return all[app], err
}

// Conservations reads those of several apps, all in one snapshot.
func (o *Orchestrator) Conservations(ctx context.Context, apps []cloud.AppID) (map[cloud.AppID]Conservation, error) {
	all, err := conservations(ctx, o.cfg.DB, apps)
	return all, explain("read conservation", err)
}

func conservations(ctx context.Context, d *db.DB, apps []cloud.AppID) (map[cloud.AppID]Conservation, error) {
	out := make(map[cloud.AppID]Conservation, len(apps))
	err := d.Snapshot(ctx, func(q *db.Queries) error {
		sums, err := q.LedgerSumsOfApps(ctx, appIDs(apps))
		if err != nil {
			return err
		}
		for _, r := range sums {
			c := out[cloud.AppID(r.AppID)]
			switch r.What {
			case "enqueued":
				c.Enqueued = r.N
			case "done":
				c.Done = r.N
			case "dead_lettered":
				c.DeadLettered = r.N
			case "skipped":
				c.Skipped = r.N
			case "discarded":
				c.Discarded = r.N
			}
			out[cloud.AppID(r.AppID)] = c
		}
		rows, err := q.CountOutboxOfApps(ctx, appIDs(apps))
		for _, r := range rows {
			c := out[cloud.AppID(r.AppID)]
			c.Waiting, c.Running = r.Waiting, r.Running
			out[cloud.AppID(r.AppID)] = c
		}
		return err
	})
	for _, app := range apps {
		c := out[app]
		c.Balanced = c.Enqueued == c.Waiting+c.Running+c.Done+c.DeadLettered+c.Skipped+c.Discarded
		out[app] = c
	}
	return out, err
}

// appIDs are apps as the database numbers them.
func appIDs(apps []cloud.AppID) []int64 {
	ids := make([]int64, len(apps))
	for k, a := range apps {
		ids[k] = int64(a)
	}
	return ids
}

// Fire puts a test event (JSON text) into the outbox as if the trigger had matched. It runs as the registrant.
func (o *Orchestrator) Fire(_ context.Context, app cloud.AppID, trigger cloud.ID, event string, by cloud.Principal) (row, execution cloud.ID, err error) {
	defs := o.definitions.app(app)
	if defs == nil || defs.triggers[trigger] == nil {
		return row, execution, cloud.Errorf(cloud.CodeNotFound, "no such trigger")
	}
	t := defs.triggers[trigger]
	if !t.Enabled {
		return row, execution, cloud.Errorf(cloud.CodeConflict, "the trigger is disabled: enable it first")
	}
	n := &newRow{row: rowOfTrigger(o, defs, t, event, by)}
	if err := o.enqueue(&commit{app: app, enqueue: []*newRow{n}}); err != nil {
		return row, execution, err
	}
	return n.id, n.execution, nil
}

func rowOfTrigger(o *Orchestrator, defs *appDefs, t *cloud.Trigger, event string, by cloud.Principal) row {
	execution := o.cfg.IDs.New()
	return row{app: defs.id, id: o.cfg.IDs.New(), source: t.Kind, op: "test", trigger: t.ID, script: t.Script, payload: event, origin: by.String(),
		root: execution, depth: 1, execution: execution, retry: t.Retry}
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
func (o *Orchestrator) Invoke(_ context.Context, app cloud.AppID, in *Invocation) (*Invoked, error) {
	defs := o.definitions.app(app)
	if defs == nil || defs.scripts[in.Script] == nil {
		return nil, cloud.Errorf(cloud.CodeNotFound, "no such script")
	}
	s := defs.scripts[in.Script]
	if s.Kind != cloud.KindEndpoint {
		return nil, cloud.Errorf(cloud.CodeInvalid, "the script %q is a module: it can be imported, not run", s.Name)
	}
	if err := o.gate.acquire(app); err != nil {
		return nil, err
	}
	id := o.cfg.IDs.New()
	t := &task{app: defs, script: s, handler: in.Handler, request: in.Request, event: in.Event, execution: id, root: id, attempt: 1,
		principal: in.Principal, source: "invoke", idemKey: id.String(), dry: in.DryRun,
		permit: &permit{gate: o.gate, app: app}}
	o.runs.Add(1)
	var rest func()
	defer func() { o.giveBack(t, rest) }()
	rest = o.perform(o.ctx, t)
	f := t.first
	if f.commitErr != nil {
		return nil, f.commitErr
	}
	return &Invoked{Execution: id, Status: f.outcome.Status, Response: f.outcome.Response, Error: f.outcome.Error, Logs: f.outcome.Logs,
		Writes: f.changes.Writes, Duration: f.rec.duration}, nil
}

// WriteKV performs an operator's write with the commit of runs: the same checks, events and limits.
func (o *Orchestrator) WriteKV(ctx context.Context, app cloud.AppID, by cloud.Principal, f func(Session) error) error {
	id := o.cfg.IDs.New()
	for tries := 0; ; tries++ {
		s := o.cfg.Sessions(app)
		if err := f(s); err != nil {
			s.Finished()
			return hostErrorCode(err)
		}
		changes := s.Changes()
		if changes.Empty() {
			s.Finished()
			return nil
		}
		x := &commit{app: app, changes: changes, cause: cause{execution: id, root: id, principal: by.String()}}
		o.committer.submit(x)
		s.Submitted()
		res := x.wait()
		s.Finished()
		switch {
		case res.applied:
			return nil
		case res.err != nil:
			return safeError(res.err)
		case tries >= maxConflicts || ctx.Err() != nil:
			return cloud.Errorf(cloud.CodeConflict, "the key was changed by others each time; try again")
		}
	}
}

// hostErrorCode gives what a script would have been thrown the code of the API.
func hostErrorCode(err error) error {
	var he *cloud.HostError
	if !errors.As(err, &he) {
		return err
	}
	if he.Name == "KvConflictError" {
		return cloud.Errorf(cloud.CodePrecondition, "%s", he.Message)
	}
	return cloud.Errorf(cloud.CodeInvalid, "%s", he.Message)
}

// EventsOf is the events that writes would raise, for a dry run: JSON texts.
func (o *Orchestrator) EventsOf(app cloud.AppID, writes []cloud.Write) []json.RawMessage {
	defs := o.definitions.app(app)
	events := []json.RawMessage{}
	if defs == nil {
		return events
	}
	for _, w := range writes {
		op := "set"
		if w.Delete {
			op = "delete"
		}
		triggers := []string{}
		for _, t := range defs.triggers {
			if t.Enabled && t.Kind == cloud.SourceKV && cloud.MatchesCollection(t.Collection, w.Key.Collection) {
				triggers = append(triggers, t.ID.String())
			}
		}
		e := map[string]any{"op": op, "collection": w.Key.Collection, "key": w.Key.Key, "triggers": triggers}
		if !w.Delete {
			e["value"] = json.RawMessage(w.Value)
		}
		events = append(events, appendJSON(nil, e))
	}
	return events
}

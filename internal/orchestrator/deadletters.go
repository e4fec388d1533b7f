package orchestrator

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"picloud/db"
	"picloud/internal/cloud"
)

// DeadLetter is a dead letter as it is stored.
type DeadLetter = db.DeadLetter

// LetterFilter selects dead letters. Zero fields select everything; State is unresolved (default), resolved or all.
type LetterFilter struct {
	State   string
	Script  string
	Source  string
	Trigger cloud.ID
	// ErrorGroup is what cloud.ErrorGroup made of the error.
	ErrorGroup string
}

// DeadLetters lists dead letters, newest first, older than the id before.
func (o *Orchestrator) DeadLetters(ctx context.Context, app cloud.AppID, f LetterFilter, before cloud.ID, limit int) ([]DeadLetter, error) {
	if f.State == "" {
		f.State = "unresolved"
	}
	f = f.clean()
	list, err := o.cfg.DB.Queries().ListDeadLetters(ctx, db.ListDeadLettersParams{AppID: int64(app), Before: before, State: f.State,
		Script: f.Script, Source: f.Source, TriggerID: f.Trigger, ErrorGroup: f.ErrorGroup, Max: int32(limit)})
	return list, explain("list dead letters", err)
}

// clean makes the texts of a filter comparable: what PostgreSQL cannot store matches nothing.
func (f LetterFilter) clean() LetterFilter {
	f.Script, f.Source, f.ErrorGroup = clean(f.Script), clean(f.Source), clean(f.ErrorGroup)
	return f
}

// CountMatching counts the unresolved ones that a filter selects, whatever its state.
func (o *Orchestrator) CountMatching(ctx context.Context, app cloud.AppID, f LetterFilter) (int64, error) {
	f = f.clean()
	n, err := o.cfg.DB.Queries().CountMatching(ctx, db.CountMatchingParams{AppID: int64(app), Script: f.Script, Source: f.Source, TriggerID: f.Trigger,
		ErrorGroup: f.ErrorGroup})
	return n, explain("count dead letters", err)
}

// LetterGroup is the unresolved dead letters of one script that failed alike.
type LetterGroup = db.GroupDeadLettersRow

// GroupDeadLetters groups the unresolved ones by script and error, the largest group first.
func (o *Orchestrator) GroupDeadLetters(ctx context.Context, app cloud.AppID, limit int) ([]LetterGroup, error) {
	list, err := o.cfg.DB.Queries().GroupDeadLetters(ctx, int64(app), int32(limit))
	return list, explain("group dead letters", err)
}

// CountDeadLetters counts the unresolved ones.
func (o *Orchestrator) CountDeadLetters(ctx context.Context, app cloud.AppID) (int64, error) {
	n, err := o.cfg.DB.Queries().CountUnresolved(ctx, int64(app))
	return n, explain("count dead letters", err)
}

// CountDeadLettersOf counts the unresolved ones of several apps.
func (o *Orchestrator) CountDeadLettersOf(ctx context.Context, apps []cloud.AppID) (map[cloud.AppID]int64, error) {
	rows, err := o.cfg.DB.Queries().CountUnresolvedOfApps(ctx, appIDs(apps))
	out := make(map[cloud.AppID]int64, len(rows))
	for _, r := range rows {
		out[cloud.AppID(r.AppID)] = r.N
	}
	return out, explain("count dead letters", err)
}

// DeadLetter finds one.
func (o *Orchestrator) DeadLetter(ctx context.Context, app cloud.AppID, id cloud.ID) (*DeadLetter, error) {
	d, err := o.cfg.DB.Queries().DeadLetterByID(ctx, int64(app), id)
	if isNotFound(err) {
		return nil, cloud.Errorf(cloud.CodeNotFound, "no such dead letter")
	}
	return &d, explain("read dead letter", err)
}

func isNoLetter(err error) bool { return err != nil && cloud.CodeOf(err) == cloud.CodeNotFound }

// explain gives a database error a code; nil stays nil.
func explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	return errDatabaseAway.Because(fmt.Errorf("%s: %w", doing, db.Translate(err)))
}

// isUnresolved: handler_failed still counts.
func isUnresolved(d *DeadLetter) bool {
	return d.Resolution == nil || *d.Resolution == resolvedHandlerFailed
}

// Replay puts a dead letter back into the outbox as a fresh row, with its payload or an edited one (JSON text), and marks it
// replayed, in one transaction. It returns the new row's id.
func (o *Orchestrator) Replay(ctx context.Context, app cloud.AppID, id cloud.ID, payload, operator string) (cloud.ID, error) {
	d, err := o.DeadLetter(ctx, app, id)
	if err != nil {
		return cloud.ID{}, err
	}
	if payload != "" {
		d.Payload = payload
	}
	x, err := o.replay(d, operator)
	if err != nil {
		return cloud.ID{}, err
	}
	if err := letterResult(x); err != nil {
		return cloud.ID{}, err
	}
	return x.letters[0].replay.id, nil
}

// unresolved refuses a letter that somebody has dealt with.
func unresolved(d *DeadLetter) error {
	if !isUnresolved(d) {
		return cloud.Errorf(cloud.CodeConflict, "the dead letter is resolved already: %s", *d.Resolution)
	}
	return nil
}

// replay submits the commit of a replay. Of two at once the second finds the letter resolved.
func (o *Orchestrator) replay(d *DeadLetter, operator string) (*commit, error) {
	n, err := o.replayRow(o.definitions.app(cloud.AppID(d.AppID)), d, cloud.Principal{Username: operator, Kind: cloud.PrincipalUser})
	if err != nil {
		return nil, err
	}
	x := &commit{app: n.app, letters: []letterChange{{id: d.ID, replay: n, by: operator}}}
	o.committer.submit(x)
	return x, nil
}

// letterResult waits for an operator's change.
func letterResult(x *commit) error {
	res := x.wait()
	switch {
	case res.err != nil:
		return safeError(res.err)
	case !res.applied:
		return cloud.Errorf(cloud.CodeConflict, "the dead letter was resolved, or its script deleted, meanwhile")
	}
	return nil
}

// ErrorOf is a dead letter's error as JSON: name, message and stack. Letters that no run made have only a reason.
func ErrorOf(d *DeadLetter) json.RawMessage {
	if e := json.RawMessage(d.Error); json.Valid(e) {
		return e
	}
	return appendJSON(nil, cloud.ScriptError{Name: "Error", Message: d.Error})
}

func ptr[T any](v T) *T { return &v }

// replayRow is the fresh row of an unresolved letter: attempt 0, nobody waits for it, same trigger, script, depth and root.
func (o *Orchestrator) replayRow(app *appDefs, d *DeadLetter, by cloud.Principal) (*newRow, error) {
	if err := unresolved(d); err != nil {
		return nil, err
	}
	if app == nil || app.script(d.ScriptID) == nil {
		return nil, cloud.Errorf(cloud.CodeConflict, "the script %q is gone: deploy it under that name again and send the event anew", d.Script)
	}
	if !json.Valid([]byte(d.Payload)) {
		return nil, cloud.Errorf(cloud.CodeInvalid, "the payload is not JSON")
	}
	if d.Source == cloud.SourceHTTP {
		if _, err := requestOf(d.Payload); err != nil {
			return nil, cloud.Errorf(cloud.CodeInvalid, "the payload of an http event needs method, url, headers and body: %s", err)
		}
	}
	r := row{app: app.id, id: o.cfg.IDs.New(), source: d.Source, op: d.Op, script: d.ScriptID, payload: d.Payload, origin: d.OriginPrincipal,
		runAs: d.RunAs, root: d.RootID, depth: int(d.Depth), deadLetter: d.ID, idempotencyKey: d.IdempotencyKey, execution: o.cfg.IDs.New(),
		retry: cloud.DefaultRetry()}
	if d.ParentID != nil {
		r.parent = *d.ParentID
	}
	if d.LastExecutionID != nil {
		r.parent = *d.LastExecutionID
	}
	if d.TriggerID != nil {
		r.trigger = *d.TriggerID
		if t := app.triggers[r.trigger]; t != nil {
			r.retry = t.Retry
		} else { // of a deleted trigger, as the operator
			r.runAs = by.String()
		}
	}
	return &newRow{row: r}, nil
}

// MaxBulk is the most dead letters that one bulk replay takes.
const MaxBulk = 1000

// BulkReplay is what a bulk replay did.
type BulkReplay struct {
	Matched, Replayed int
	// Last is the id to go on before, zero when everything was matched.
	Last cloud.ID
}

// ReplayMany replays by ids, or by filter the newest ones before an id, so many at most.
func (o *Orchestrator) ReplayMany(ctx context.Context, app cloud.AppID, ids []cloud.ID, f LetterFilter, before cloud.ID, limit int, operator string) (BulkReplay, error) {
	var out BulkReplay
	var letters []DeadLetter
	if ids != nil {
		for _, id := range ids {
			d, err := o.DeadLetter(ctx, app, id)
			if isNoLetter(err) {
				continue
			}
			if err != nil {
				return out, err
			}
			letters = append(letters, *d)
		}
	} else {
		f.State = "unresolved"
		var err error
		if letters, err = o.DeadLetters(ctx, app, f, before, limit+1); err != nil {
			return out, err
		}
		if len(letters) > limit {
			letters = letters[:limit]
			out.Last = letters[limit-1].ID
		}
	}
	out.Matched = len(letters)
	var submitted []*commit // together, so that they share commits
	var failed error
	for k := range letters {
		x, err := o.replay(&letters[k], operator)
		if err == nil {
			submitted = append(submitted, x)
		} else if failed = ours(err); failed != nil {
			break
		}
	}
	for _, x := range submitted { // all of them, what is on its way takes effect
		if err := letterResult(x); err == nil {
			out.Replayed++
		} else if failed == nil {
			failed = ours(err)
		}
	}
	return out, failed
}

// ours keeps an error that is PiCloud's; one that lies in a dead letter - resolved meanwhile, without script, with a payload
// that is no request - only leaves that one as it is.
func ours(err error) error {
	if StatusOf(cloud.CodeOf(err)) >= http.StatusInternalServerError {
		return err
	}
	return nil
}

// Resolve marks a dead letter as ignored, with the operator's reason.
func (o *Orchestrator) Resolve(ctx context.Context, app cloud.AppID, id cloud.ID, reason, operator string) (*DeadLetter, error) {
	d, err := o.DeadLetter(ctx, app, id)
	if err == nil {
		err = unresolved(d)
	}
	if err != nil {
		return nil, err
	}
	x := &commit{app: app, letters: []letterChange{{id: id, reason: clean(reason), by: operator}}}
	o.committer.submit(x)
	if err := letterResult(x); err != nil {
		return nil, err
	}
	return o.DeadLetter(ctx, app, id)
}

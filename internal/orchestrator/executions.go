package orchestrator

import (
	"context"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// Abandoned lists abandoned executions, newest first.
func (o *Orchestrator) Abandoned(ctx context.Context, app cloud.AppID, before cloud.ID, limit int) ([]db.AbandonedExecution, error) {
	list, err := o.cfg.DB.Read().ListAbandoned(ctx, db.ListAbandonedParams{AppID: int64(app), Before: before, Max: int32(limit)})
	return list, explain("list abandoned executions", err)
}

// ExecutionFilter selects executions; zero fields select everything.
type ExecutionFilter struct {
	Script, Status, Source string
	Trigger, Root          cloud.ID
	From, To               time.Time
	// Search is a text in the error, the request or the log; the latest SearchDepth executions that the rest selects are
	// looked at.
	Search string
}

// SearchDepth is how many executions a search looks at before it answers (SearchExecutions has the same number).
const SearchDepth = 5000

// Executions lists executions, newest first, older than the id before. A search that ended before it had enough says with
// which execution: there it goes on.
func (o *Orchestrator) Executions(ctx context.Context, app cloud.AppID, f ExecutionFilter, before cloud.ID, limit int) (list []db.Execution, searched cloud.ID, err error) {
	last := cloud.ID{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	if !f.To.IsZero() {
		last = cloud.FirstID(f.To)
	}
	if !before.IsZero() && slicesLess(before, last) {
		last = before
	}
	var first cloud.ID
	if !f.From.IsZero() {
		first = cloud.FirstID(f.From)
	}
	f.Script, f.Status, f.Source, f.Search = clean(f.Script), clean(f.Status), clean(f.Source), clean(f.Search)
	q := o.cfg.DB.Read()
	if f.Search == "" {
		list, err = q.ListExecutions(ctx, db.ListExecutionsParams{AppID: int64(app), Before: last, Since: first, Script: f.Script,
			Status: f.Status, Source: f.Source, TriggerID: f.Trigger, RootID: f.Root, Max: int32(limit)})
		return list, searched, explain("list executions", err)
	}
	list, err = q.SearchExecutions(ctx, db.SearchExecutionsParams{AppID: int64(app), Before: last, Since: first, Script: f.Script,
		Status: f.Status, Source: f.Source, TriggerID: f.Trigger, RootID: f.Root, Search: f.Search, Max: int32(limit)})
	if err != nil || len(list) >= limit {
		return list, searched, explain("search executions", err)
	}
	end, err := q.SearchEnd(ctx, db.SearchEndParams{AppID: int64(app), Before: last, Since: first, Script: f.Script, Status: f.Status,
		Source: f.Source, TriggerID: f.Trigger, RootID: f.Root})
	if isNotFound(err) {
		return list, searched, nil
	}
	return list, end, explain("search executions", err)
}

// Failure is a run that did not succeed, without its long texts.
type Failure = db.LatestFailuresRow

// Failures lists the latest runs since a moment that did not succeed, newest first.
func (o *Orchestrator) Failures(ctx context.Context, app cloud.AppID, since time.Time, limit int) ([]Failure, error) {
	list, err := o.cfg.DB.Read().LatestFailures(ctx, int64(app), cloud.FirstID(since), int32(limit))
	return list, explain("list failures", err)
}

// AbandonedOf lists the results of an execution that nobody waited for.
func (o *Orchestrator) AbandonedOf(ctx context.Context, app cloud.AppID, execution cloud.ID) ([]db.AbandonedExecution, error) {
	list, err := o.cfg.DB.Read().AbandonedOfExecution(ctx, int64(app), execution)
	return list, explain("list abandoned executions", err)
}

// AppOf finds the app, among some, in which an execution is recorded; 0 if in none.
func (o *Orchestrator) AppOf(ctx context.Context, execution cloud.ID, among []cloud.AppID) (cloud.AppID, error) {
	ids := make([]int64, len(among))
	for k, a := range among {
		ids[k] = int64(a)
	}
	list, err := o.cfg.DB.Read().AppsOfExecution(ctx, execution, ids)
	if err != nil || len(list) == 0 {
		return 0, explain("find execution", err)
	}
	return cloud.AppID(list[0]), nil
}

func slicesLess(a, b cloud.ID) bool { return string(a[:]) < string(b[:]) }

// Execution finds one. An accepted call that has not run yet is waiting or running; what was not kept is not-recorded.
func (o *Orchestrator) Execution(ctx context.Context, app cloud.AppID, id cloud.ID) (*db.Execution, error) {
	e, err := o.cfg.DB.Read().ExecutionByID(ctx, int64(app), id)
	if err == nil {
		return &e, nil
	}
	if !isNotFound(err) {
		return nil, explain("read execution", err)
	}
	w, err := o.cfg.DB.Read().OutboxByExecution(ctx, int64(app), id)
	if isNotFound(err) {
		// It may have ended between the two looks.
		if e, err := o.cfg.DB.Read().ExecutionByID(ctx, int64(app), id); err == nil {
			return &e, nil
		}
		return nil, cloud.Errorf(cloud.CodeNotRecorded, "no execution with this id was recorded")
	}
	if err != nil {
		return nil, explain("read execution", err)
	}
	status := cloud.Waiting
	if w.ClaimedBy != nil {
		status = cloud.Running
	}
	return &db.Execution{AppID: int64(app), ID: id, ScriptID: w.ScriptID, Script: w.Script, Source: cloud.SourceHTTP, OutboxID: &w.ID,
		Status: string(status), Attempt: 1, Depth: w.Depth, RootID: w.RootID, ParentID: w.ParentID, StartedAt: w.CreatedAt}, nil
}

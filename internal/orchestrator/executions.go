package orchestrator

import (
	"context"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// Abandoned lists abandoned executions, newest first.
func (o *Orchestrator) Abandoned(ctx context.Context, app cloud.AppID, before cloud.ID, limit int) ([]db.AbandonedExecution, error) {
	list, err := o.cfg.DB.Queries().ListAbandoned(ctx, db.ListAbandonedParams{AppID: int64(app), Before: before, Max: int32(limit)})
	return list, explain("list abandoned executions", err)
}

// ExecutionFilter selects executions; zero fields select everything.
type ExecutionFilter struct {
	Script, Status, Source string
	Trigger, Root          cloud.ID
	From, To               time.Time
	// Search is a text in the error, the request or the log.
	Search string
}

// SearchDepth is how many executions are looked at before a list answers that must look for what no index finds: a text, a
// source, a trigger, a script that is gone. An index for each would be paid by every run.
const SearchDepth = 2000

// Executions lists executions, newest first, older than the id before. A search that ended before it had enough says with
// which execution: there it goes on.
func (o *Orchestrator) Executions(ctx context.Context, app cloud.AppID, f ExecutionFilter, before cloud.ID, limit int) (list []db.Execution, searched cloud.ID, err error) {
	arg := db.ListExecutionsParams{AppID: int64(app), Before: cloud.LastID, Status: clean(f.Status), RootID: f.Root, Max: int32(limit)}
	if !f.To.IsZero() {
		arg.Before = cloud.FirstID(f.To)
	}
	if !before.IsZero() && before.Less(arg.Before) {
		arg.Before = before
	}
	if !f.From.IsZero() {
		arg.Since = cloud.FirstID(f.From)
	}
	if defs := o.definitions.app(app); defs != nil && defs.scripts[f.Script] != nil {
		arg.ScriptID, f.Script = defs.scripts[f.Script].ID, ""
	}
	q := o.cfg.DB.Queries()
	if f.Search == "" && f.Source == "" && f.Script == "" && f.Trigger.IsZero() {
		list, err = q.ListExecutions(ctx, arg)
		return list, searched, explain("list executions", err)
	}
	list, err = q.SearchExecutions(ctx, db.SearchExecutionsParams{AppID: arg.AppID, Before: arg.Before, Since: arg.Since, ScriptID: arg.ScriptID,
		Status: arg.Status, RootID: arg.RootID, Depth: SearchDepth, Script: clean(f.Script), TriggerID: f.Trigger, Source: clean(f.Source),
		Search: clean(f.Search), Max: arg.Max})
	if err != nil || len(list) >= limit {
		return list, searched, explain("search executions", err)
	}
	end, err := q.SearchEnd(ctx, db.SearchEndParams{AppID: arg.AppID, Before: arg.Before, Since: arg.Since, ScriptID: arg.ScriptID, Status: arg.Status,
		RootID: arg.RootID, Skip: SearchDepth - 1})
	if isNotFound(err) {
		return list, searched, nil
	}
	return list, end, explain("search executions", err)
}

// Failure is a run that did not succeed, without its long texts.
type Failure = db.LatestFailuresRow

// Failures lists the latest runs since a moment that did not succeed, newest first.
func (o *Orchestrator) Failures(ctx context.Context, app cloud.AppID, since time.Time, limit int) ([]Failure, error) {
	list, err := o.cfg.DB.Queries().LatestFailures(ctx, int64(app), cloud.FirstID(since), int32(limit))
	return list, explain("list failures", err)
}

// AbandonedOf lists the results of an execution that nobody waited for.
func (o *Orchestrator) AbandonedOf(ctx context.Context, app cloud.AppID, execution cloud.ID) ([]db.AbandonedExecution, error) {
	list, err := o.cfg.DB.Queries().AbandonedOfExecution(ctx, int64(app), execution)
	return list, explain("list abandoned executions", err)
}

// AppOf finds the app, among some, in which an execution is recorded; 0 if in none.
func (o *Orchestrator) AppOf(ctx context.Context, execution cloud.ID, among []cloud.AppID) (cloud.AppID, error) {
	list, err := o.cfg.DB.Queries().AppsOfExecution(ctx, execution, appIDs(among))
	if err != nil || len(list) == 0 {
		return 0, explain("find execution", err)
	}
	return cloud.AppID(list[0]), nil
}

// Execution finds one. An accepted call that has not run yet is waiting or running; what was not kept is not-recorded.
func (o *Orchestrator) Execution(ctx context.Context, app cloud.AppID, id cloud.ID) (*db.Execution, error) {
	e, err := o.cfg.DB.Queries().ExecutionByID(ctx, int64(app), id)
	if err == nil {
		return &e, nil
	}
	if !isNotFound(err) {
		return nil, explain("read execution", err)
	}
	w, err := o.cfg.DB.Queries().OutboxByExecution(ctx, int64(app), id)
	if isNotFound(err) {
		// It may have ended between the two looks.
		if e, err := o.cfg.DB.Queries().ExecutionByID(ctx, int64(app), id); err == nil {
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

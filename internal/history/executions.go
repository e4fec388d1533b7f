package history

import (
	"context"
	"encoding/json"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// Abandoned lists abandoned executions, newest first, older than the id before.
func (r *Reader) Abandoned(ctx context.Context, app cloud.AppID, before cloud.ID, limit int) (
	[]db.AbandonedExecution, error,
) {
	list, err := r.db.Queries().ListAbandoned(ctx, db.ListAbandonedParams{
		AppID:  int64(app),
		Before: before,
		Max:    int32(limit),
	})
	return list, explain("list abandoned executions", err)
}

// AbandonedOf lists the results of an execution that nobody waited for.
func (r *Reader) AbandonedOf(ctx context.Context, app cloud.AppID, execution cloud.ID) (
	[]db.AbandonedExecution, error,
) {
	list, err := r.db.Queries().AbandonedOfExecution(ctx, int64(app), execution)
	return list, explain("list abandoned executions", err)
}

// Execution is a recorded execution. Its log is kept as it is stored, since most readers of a list do not
// show it.
type Execution struct {
	cloud.Execution
	Node string // that ran it
	// LogText is the log, a JSON array of cloud.LogLine; "" for an empty one.
	LogText string
}

// Lines parses the log.
func (e *Execution) Lines() []cloud.LogLine {
	var lines []cloud.LogLine
	_ = json.Unmarshal([]byte(e.LogText), &lines) // our own text, or none
	return lines
}

// executionOf reads an execution as it is stored.
func executionOf(row *db.Execution) Execution {
	return Execution{
		Node:    row.Node,
		LogText: row.Logs,
		Execution: cloud.Execution{
			App:        cloud.AppID(row.AppID),
			ID:         row.ID,
			Script:     row.ScriptID,
			Name:       row.Script,
			Version:    int(row.Version),
			Source:     row.Source,
			Trigger:    db.OrZero(row.TriggerID),
			Outbox:     db.OrZero(row.OutboxID),
			Status:     cloud.Status(row.Status),
			Attempt:    int(row.Attempt),
			Depth:      int(row.Depth),
			Root:       row.RootID,
			Parent:     db.OrZero(row.ParentID),
			Principal:  row.Principal,
			Request:    row.Request,
			Started:    row.StartedAt,
			Duration:   time.Duration(row.DurationUs) * time.Microsecond,
			HTTPStatus: int(row.HttpStatus),
			Error: cloud.ScriptError{
				Name:    row.ErrorName,
				Message: row.ErrorMessage,
				Stack:   row.ErrorStack,
			},
			After: cloud.Status(row.AfterStatus),
			Usage: cloud.Usage{
				CPU:       time.Duration(row.CpuUs) * time.Microsecond,
				MemoryKiB: row.MemoryKib,
			},
		},
	}
}

// ExecutionFilter selects executions; zero fields select everything.
type ExecutionFilter struct {
	Script, Status, Source string
	Trigger, Root          cloud.ID
	// From is included, To is not.
	From, To time.Time
	// Search is a text in the error, the request or the log.
	Search string
}

// needsSearch reports whether the filter asks for what no index finds.
func (f *ExecutionFilter) needsSearch() bool {
	return f.Search != "" || f.Source != "" || f.Script != "" || !f.Trigger.IsZero()
}

// SearchDepth is how many executions are looked at before a list answers that must look for what no index
// finds: a text, a source, a trigger, a script that is gone. An index for each would be paid by every run.
const SearchDepth = 2000

// executionSize is the long texts of an execution, in bytes.
func executionSize(row *db.Execution) int {
	return len(row.Request) + len(row.ErrorName) + len(row.ErrorMessage) + len(row.ErrorStack) + len(row.Logs)
}

// ExecutionPage is a page of executions.
type ExecutionPage struct {
	List []Execution
	// End is the last execution that was looked at, zero if none follows: there the next page goes on.
	End cloud.ID
	// Searched: it is not full because SearchDepth executions were looked at.
	Searched bool
}

// executionPage is the page of what a statement found.
func executionPage(rows []db.Execution, limit int) ExecutionPage {
	rows, more := cutPage(rows, limit, executionSize)

	page := ExecutionPage{List: make([]Execution, len(rows))}
	for k := range rows {
		page.List[k] = executionOf(&rows[k])
	}
	if more {
		page.End = rows[len(rows)-1].ID
	}
	return page
}

// Executions lists executions, newest first, older than the id before: at most limit, and MaxListBytes.
func (r *Reader) Executions(
	ctx context.Context, app cloud.AppID, f ExecutionFilter, before cloud.ID, limit int,
) (ExecutionPage, error) {
	arg := db.ListExecutionsParams{
		AppID:    int64(app),
		Before:   cloud.LastID,
		Status:   db.Storable(f.Status),
		RootID:   f.Root,
		Max:      int32(limit) + 1, // one more tells whether there is another page
		MaxBytes: MaxListBytes,
		RowBytes: rowBytes,
	}

	// Ids begin with the time at which they were made, so times are bounds on ids.
	if !f.To.IsZero() {
		arg.Before = cloud.FirstID(f.To)
	}
	if !before.IsZero() && before.Less(arg.Before) {
		arg.Before = before
	}
	if !f.From.IsZero() {
		arg.Since = cloud.FirstID(f.From)
	}

	// The id of a script has an index; its name, which executions carry for when it is gone, has none.
	if f.Script != "" {
		if id, ok := r.scriptID(app, f.Script); ok {
			arg.ScriptID = id
			f.Script = ""
		}
	}

	if !f.needsSearch() {
		rows, err := r.db.Queries().ListExecutions(ctx, arg)
		return executionPage(rows, limit), explain("list executions", err)
	}

	return r.searchExecutions(ctx, arg, f, limit)
}

// searchExecutions looks at the newest SearchDepth executions that the indexed part of a filter finds.
func (r *Reader) searchExecutions(
	ctx context.Context, arg db.ListExecutionsParams, f ExecutionFilter, limit int,
) (ExecutionPage, error) {
	q := r.db.Queries()
	rows, err := q.SearchExecutions(ctx, db.SearchExecutionsParams{
		AppID:     arg.AppID,
		Before:    arg.Before,
		Since:     arg.Since,
		ScriptID:  arg.ScriptID,
		Status:    arg.Status,
		RootID:    arg.RootID,
		Depth:     SearchDepth,
		Script:    db.Storable(f.Script),
		TriggerID: f.Trigger,
		Source:    db.Storable(f.Source),
		Search:    db.Storable(f.Search),
		Max:       arg.Max,
		MaxBytes:  arg.MaxBytes,
		RowBytes:  arg.RowBytes,
	})
	page := executionPage(rows, limit)
	if err != nil || !page.End.IsZero() {
		return page, explain("search executions", err)
	}

	// Fewer than were asked for: either there are no more, or the search ended at its depth.
	end, err := q.SearchEnd(ctx, db.SearchEndParams{
		AppID:    arg.AppID,
		Before:   arg.Before,
		Since:    arg.Since,
		ScriptID: arg.ScriptID,
		Status:   arg.Status,
		RootID:   arg.RootID,
		Skip:     SearchDepth - 1,
	})
	if db.IsNotFound(err) {
		return page, nil
	}

	page.End = end
	page.Searched = true
	return page, explain("search executions", err)
}

// Failure is a run that did not succeed, without its long texts.
type Failure = db.LatestFailuresRow

// Failures lists the latest runs since a moment that did not succeed, newest first.
func (r *Reader) Failures(ctx context.Context, app cloud.AppID, since time.Time, limit int) (
	[]Failure, error,
) {
	list, err := r.db.Queries().LatestFailures(ctx, int64(app), cloud.FirstID(since), int32(limit))
	return list, explain("list failures", err)
}

// AppOf finds the app, among some, in which an execution is recorded; 0 if in none.
func (r *Reader) AppOf(ctx context.Context, execution cloud.ID, among []cloud.AppID) (cloud.AppID, error) {
	list, err := r.db.Queries().AppsOfExecution(ctx, execution, appIDs(among))
	if err != nil || len(list) == 0 {
		return 0, explain("find execution", err)
	}
	return cloud.AppID(list[0]), nil
}

// Execution finds one. An accepted call that has not run yet is waiting or running; what was not kept is
// CodeNotRecorded.
func (r *Reader) Execution(ctx context.Context, app cloud.AppID, id cloud.ID) (*Execution, error) {
	q := r.db.Queries()
	e, err := q.ExecutionByID(ctx, int64(app), id)
	if err == nil {
		found := executionOf(&e)
		return &found, nil
	}
	if !db.IsNotFound(err) {
		return nil, explain("read execution", err)
	}

	// An accepted call is a row of the outbox until it has run.
	row, err := q.OutboxByExecution(ctx, int64(app), id)
	if err == nil {
		return accepted(app, id, &row), nil
	}
	if !db.IsNotFound(err) {
		return nil, explain("read execution", err)
	}

	// It may have ended between the two reads.
	if e, err := q.ExecutionByID(ctx, int64(app), id); err == nil {
		found := executionOf(&e)
		return &found, nil
	}

	return nil, cloud.Errorf(cloud.CodeNotRecorded, "no execution with this id was recorded")
}

// accepted is the execution of a row that has not ended.
func accepted(app cloud.AppID, id cloud.ID, row *db.OutboxByExecutionRow) *Execution {
	status := cloud.Waiting
	if row.ClaimedBy != nil {
		status = cloud.Running
	}

	return &Execution{Execution: cloud.Execution{
		App:     app,
		ID:      id,
		Script:  row.ScriptID,
		Name:    row.Script,
		Source:  cloud.SourceHTTP,
		Outbox:  row.ID,
		Status:  status,
		Attempt: 1,
		Depth:   int(row.Depth),
		Root:    row.RootID,
		Parent:  db.OrZero(row.ParentID),
		Started: row.CreatedAt,
	}}
}

package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"picloud/db"
	"picloud/handlers/edge"
	"picloud/handlers/tail"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/history"
)

// executionItem is a recorded run.
type executionItem struct {
	ID         string          `json:"id"`
	App        string          `json:"app"`
	Script     string          `json:"script"`
	Version    int             `json:"version"`
	Source     string          `json:"source"`
	TriggerID  *string         `json:"trigger_id"`
	OutboxID   *string         `json:"outbox_id"`
	Status     string          `json:"status"`
	Attempt    int             `json:"attempt"`
	Depth      int             `json:"depth"`
	RootID     string          `json:"root_id"`
	ParentID   *string         `json:"parent_id"`
	Principal  *string         `json:"principal"`
	Request    *string         `json:"request"`
	Node       string          `json:"node"`
	StartedAt  time.Time       `json:"started_at"`
	DurationMS float64         `json:"duration_ms"`
	CPUMS      float64         `json:"cpu_ms" doc:"CPU time of its own code; 0 when its process was killed"`
	MemoryMiB  float64         `json:"memory_mib" doc:"most that its process had resident until it ended; runs of the app share a process"`
	HTTPStatus *int            `json:"http_status"`
	Error      *tail.ErrorItem `json:"error"`
	After      *string         `json:"after" doc:"outcome of waitUntil work after the response"`
	Logs       json.RawMessage `json:"logs"`
}

type executionOutput struct{ Body executionItem }

type listExecutions struct {
	AppPath
	PageQuery
	Script  string    `query:"script"`
	Status  string    `query:"status"`
	Source  string    `query:"source"`
	Trigger string    `query:"trigger"`
	Root    string    `query:"root"`
	From    time.Time `query:"from"`
	To      time.Time `query:"to"`
	Search  string    `query:"q" maxLength:"200" doc:"text in error, request or log. With q, source, trigger or a script that is gone, 2000 executions a call are looked at: a page may be short, next_cursor goes on"`
}

type executionPath struct {
	AppPath
	ID string `path:"id"`
}

// abandonedItem is the answer of a run whose caller had hung up.
type abandonedItem struct {
	ID          string    `json:"id"`
	Script      string    `json:"script"`
	ExecutionID string    `json:"execution_id"`
	StatusCode  int       `json:"status_code"`
	Summary     string    `json:"summary"`
	Reason      string    `json:"reason"`
	CreatedAt   time.Time `json:"created_at"`
}

// showExecution shows the executions of an app.
func showExecution(c *edge.AppCaller) func(*history.Execution) executionItem {
	return func(e *history.Execution) executionItem {
		it := executionItem{
			ID:         e.ID.String(),
			App:        c.App.Slug,
			Script:     e.Name,
			Version:    e.Version,
			Source:     e.Source,
			TriggerID:  nonEmpty(e.Trigger.String()),
			OutboxID:   nonEmpty(e.Outbox.String()),
			Status:     string(e.Status),
			Attempt:    e.Attempt,
			Depth:      e.Depth,
			RootID:     e.Root.String(),
			ParentID:   nonEmpty(e.Parent.String()),
			Principal:  nonEmpty(e.Principal),
			Request:    nonEmpty(e.Request),
			Node:       e.Node,
			StartedAt:  utc(e.Started),
			DurationMS: millis(e.Duration),
			CPUMS:      millis(e.Usage.CPU),
			MemoryMiB:  edge.MemoryMiB(e.Usage.MemoryKiB),
			After:      nonEmpty(string(e.After)),
			Logs:       json.RawMessage("[]"),
		}

		if e.LogText != "" {
			it.Logs = json.RawMessage(e.LogText)
		}
		if e.HTTPStatus != 0 {
			it.HTTPStatus = &e.HTTPStatus
		}
		if e.Error.Name != "" || e.Error.Message != "" {
			it.Error = &tail.ErrorItem{Name: e.Error.Name, Message: e.Error.Message, Stack: e.Error.Stack}
		}
		return it
	}
}

func (s *Server) executionsAPI() {
	appOp(s,
		operation("list-executions", http.MethodGet, "/apps/{app}/executions",
			"Recorded executions, newest first", "executions"),
		auth.ReadExecutions, s.listExecutions)
	appOp(s,
		operation("show-execution", http.MethodGet, "/apps/{app}/executions/{id}",
			"An execution", "executions"),
		auth.ReadExecutions, s.showExecution)
	appOp(s,
		operation("list-abandoned-executions", http.MethodGet, "/apps/{app}/abandoned-executions",
			"Results that nobody waited for", "executions"),
		auth.ReadExecutions, s.listAbandoned)
}

func (s *Server) showExecution(
	ctx context.Context, c *edge.AppCaller, in *executionPath,
) (*executionOutput, error) {
	id, err := edge.IDParam(in.ID, "execution")
	if err != nil {
		return nil, err
	}

	e, err := s.Orchestrator.History.Execution(ctx, c.ID(), id)
	if err != nil {
		return nil, err
	}
	return &executionOutput{showExecution(c)(e)}, nil
}

// listExecutions lists executions, newest first. A search may end before its page is full; next_cursor goes
// on.
func (s *Server) listExecutions(
	ctx context.Context, c *edge.AppCaller, in *listExecutions,
) (*page[executionItem], error) {
	q := edge.ExecutionQuery{
		Script:  in.Script,
		Status:  in.Status,
		Source:  in.Source,
		Trigger: in.Trigger,
		Root:    in.Root,
		From:    in.From,
		To:      in.To,
		Search:  in.Search,
	}
	f, err := q.Filter()
	if err != nil {
		return nil, err
	}

	list := q.List(c)
	before, err := s.OpenIDCursor(list, in.Cursor)
	if err != nil {
		return nil, err
	}

	page, err := s.Orchestrator.History.Executions(ctx, c.ID(), f, before, in.Limit)
	if err != nil {
		return nil, err
	}
	return pageOf(page.List, s.IDCursor(list, page.End), showExecution(c)), nil
}

func (s *Server) listAbandoned(
	ctx context.Context, c *edge.AppCaller, in *listInput,
) (*page[abandonedItem], error) {
	list := edge.ListName(c, "abandoned")
	before, err := s.OpenIDCursor(list, in.Cursor)
	if err != nil {
		return nil, err
	}

	rows, err := s.Orchestrator.History.Abandoned(ctx, c.ID(), before, in.Limit+1)
	if err != nil {
		return nil, err
	}

	rows, next := edge.Cut(s.Edge, list, rows, in.Limit,
		func(a *db.AbandonedExecution) string { return cloud.ID(a.ID).String() })
	return pageOf(rows, next, func(a *db.AbandonedExecution) abandonedItem {
		return abandonedItem{
			ID:          cloud.ID(a.ID).String(),
			Script:      a.Script,
			ExecutionID: cloud.ID(a.ExecutionID).String(),
			StatusCode:  int(a.StatusCode),
			Summary:     a.Summary,
			Reason:      a.Reason,
			CreatedAt:   utc(a.CreatedAt),
		}
	}), nil
}

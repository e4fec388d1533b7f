package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"picloud/db"
	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/history"
)

// outboxItem is a row of the outbox.
type outboxItem struct {
	ID          string          `json:"id"`
	Source      string          `json:"source"`
	Script      string          `json:"script"`
	TriggerID   *string         `json:"trigger_id"`
	State       string          `json:"state" enum:"waiting,running"`
	Reason      string          `json:"reason" doc:"why it stands there, in words"`
	Attempt     int             `json:"attempt" doc:"failed attempts so far"`
	MaxAttempts int             `json:"max_attempts"`
	DueAt       time.Time       `json:"due_at"`
	Depth       int             `json:"depth"`
	RootID      string          `json:"root_id"`
	LastError   string          `json:"last_error,omitempty"`
	CreatedAt   time.Time       `json:"created_at"`
	Payload     json.RawMessage `json:"payload"`
}

type outboxPath struct {
	AppPath
	ID string `path:"id"`
}

type removedOutput struct {
	Body struct {
		DeadLetterID string `json:"dead_letter_id"`
	}
}

// conservationOutput is the ledger: what was enqueued is waiting, running or ended in one of four ways.
type conservationOutput struct {
	Body struct {
		Enqueued     int64 `json:"enqueued"`
		Waiting      int64 `json:"waiting"`
		Running      int64 `json:"running"`
		Done         int64 `json:"done"`
		DeadLettered int64 `json:"dead_lettered"`
		Skipped      int64 `json:"skipped"`
		Discarded    int64 `json:"discarded"`
		Balanced     bool  `json:"balanced"`
		Exact        bool  `json:"exact" doc:"The queue was counted. One of over 2,000 events follows from the ledger."`
	}
}

func (s *Server) outboxAPI() {
	const path = "/apps/{app}/outbox"
	appOp(s,
		operation("list-outbox", http.MethodGet, path, "What waits and what runs, oldest first", "events"),
		auth.ReadExecutions, s.listOutbox)
	appOp(s,
		status(operation("run-outbox-row-now", http.MethodPost, path+"/{id}/run-now",
			"Make a waiting row due", "events"), http.StatusNoContent),
		auth.OperateQueue, s.runOutboxRowNow)
	appOp(s,
		status(operation("remove-outbox-row", http.MethodDelete, path+"/{id}",
			"Make a waiting row a dead letter", "events"), http.StatusOK),
		auth.OperateQueue, s.removeOutboxRow)
	appOp(s,
		operation("conservation", http.MethodGet, "/apps/{app}/conservation",
			"The ledger against the queue", "events"),
		auth.ReadExecutions, s.conservation)
}

// runOutboxRowNow makes a waiting row due, without the rest of its pause.
func (s *Server) runOutboxRowNow(ctx context.Context, c *edge.AppCaller, in *outboxPath) (*none, error) {
	id, err := edge.IDParam(in.ID, "row in the outbox")
	if err != nil {
		return nil, err
	}

	if err := s.Orchestrator.Operations.RunNow(ctx, c.ID(), id, c.Cloud()); err != nil {
		return nil, err
	}
	return nil, nil
}

// removeOutboxRow takes a waiting row out: it becomes a dead letter, which can be replayed.
func (s *Server) removeOutboxRow(
	ctx context.Context, c *edge.AppCaller, in *outboxPath,
) (*removedOutput, error) {
	id, err := edge.IDParam(in.ID, "row in the outbox")
	if err != nil {
		return nil, err
	}

	letter, err := s.Orchestrator.Operations.RemoveRow(ctx, c.ID(), id, c.Cloud())
	if err != nil {
		return nil, err
	}

	out := &removedOutput{}
	out.Body.DeadLetterID = letter.String()
	return out, nil
}

// conservation shows the ledger: every event that was enqueued must be somewhere.
func (s *Server) conservation(
	ctx context.Context, c *edge.AppCaller, _ *AppPath,
) (*conservationOutput, error) {
	v, err := s.Orchestrator.History.Conservation(ctx, c.ID())
	if err != nil {
		return nil, err
	}

	out := &conservationOutput{}
	out.Body.Enqueued = v.Enqueued
	out.Body.Waiting = v.Waiting
	out.Body.Running = v.Running
	out.Body.Done = v.Done
	out.Body.DeadLettered = v.DeadLettered
	out.Body.Skipped = v.Skipped
	out.Body.Discarded = v.Discarded
	out.Body.Balanced = v.Balanced
	out.Body.Exact = v.Exact
	return out, nil
}

// listOutbox lists what waits and what runs, oldest first, and says of each row why it stands there.
func (s *Server) listOutbox(
	ctx context.Context, c *edge.AppCaller, in *listInput,
) (*page[outboxItem], error) {
	list := edge.ListName(c, "outbox")
	after, err := s.OpenIDCursor(list, in.Cursor)
	if err != nil {
		return nil, err
	}

	rows, more, err := s.Orchestrator.History.Outbox(ctx, c.ID(), after, in.Limit)
	if err != nil {
		return nil, err
	}

	now := time.Now()
	next := edge.NextAfter(s.Edge, list, rows, more,
		func(r *db.ListOutboxRow) string { return cloud.ID(r.ID).String() })
	return pageOf(rows, next, func(r *db.ListOutboxRow) outboxItem {
		state := "waiting"
		if r.ClaimedBy != nil {
			state = "running"
		}

		return outboxItem{
			ID:          cloud.ID(r.ID).String(),
			Source:      r.Source,
			Script:      r.Script,
			TriggerID:   idPtr(r.TriggerID),
			State:       state,
			Reason:      history.WhyWaiting(r, s.Orchestrator.OnHold(), now),
			Attempt:     int(r.AttemptCount),
			MaxAttempts: int(r.MaxAttempts),
			DueAt:       utc(r.WakeAt),
			Depth:       int(r.Depth),
			RootID:      cloud.ID(r.RootID).String(),
			LastError:   r.LastError,
			CreatedAt:   utc(r.CreatedAt),
			Payload:     json.RawMessage(r.Payload),
		}
	}), nil
}

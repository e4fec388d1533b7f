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
	"picloud/internal/manager"
	"picloud/internal/services/kv"
)

type retryItem struct {
	MaxAttempts int32   `json:"max_attempts"`
	Backoff     string  `json:"backoff" enum:"constant,linear,exponential"`
	BaseMS      int32   `json:"base_ms"`
	MaxMS       int32   `json:"max_ms"`
	Jitter      float64 `json:"jitter"`
}

// triggerItem is a trigger, with the fields of its kind alone.
type triggerItem struct {
	ID           string    `json:"id"`
	Kind         string    `json:"kind" enum:"kv,cron,dead_letter"`
	Script       string    `json:"script"`
	Enabled      bool      `json:"enabled"`
	RegisteredBy string    `json:"registered_by"`
	Retry        retryItem `json:"retry"`
	Collection   *string   `json:"collection,omitempty"`
	Ops          *[]string `json:"ops,omitempty"`
	Source       *string   `json:"source,omitempty"`
	Trigger      *string   `json:"trigger,omitempty"`
	FailedScript *string   `json:"failed_script,omitempty"`
	Schedule     *string   `json:"schedule,omitempty"`
	Timezone     *string   `json:"timezone,omitempty"`
	CatchUp      *string   `json:"catch_up,omitempty" enum:"none,one,all"`
	Overlap      *string   `json:"overlap,omitempty" enum:"allow,skip"`
	JitterMS     *int32    `json:"jitter_ms,omitempty"`
	CreatedAt    time.Time `json:"created_at"`
}

type triggerOutput struct{ Body triggerItem }

type retryBody struct {
	MaxAttempts *int32   `json:"max_attempts,omitempty"`
	Backoff     *string  `json:"backoff,omitempty"`
	BaseMS      *int32   `json:"base_ms,omitempty"`
	MaxMS       *int32   `json:"max_ms,omitempty"`
	Jitter      *float64 `json:"jitter,omitempty"`
}

// triggerBody is a new trigger or a change of one, with the fields that are given.
type triggerBody struct {
	Kind         *string    `json:"kind,omitempty" doc:"kv, cron or dead_letter"`
	Script       *string    `json:"script,omitempty"`
	Enabled      *bool      `json:"enabled,omitempty"`
	Registrant   *string    `json:"registrant,omitempty" enum:"me" doc:"me takes the trigger over: its runs act as you"`
	Collection   *string    `json:"collection,omitempty" doc:"kv: a name, a prefix and :*, or *"`
	Ops          *[]string  `json:"ops,omitempty" doc:"kv: insert, update, delete; empty is all"`
	Source       *string    `json:"source,omitempty" doc:"dead_letter: source of the failed event"`
	Trigger      *string    `json:"trigger,omitempty" doc:"dead_letter: trigger that failed"`
	FailedScript *string    `json:"failed_script,omitempty" doc:"dead_letter: script that failed"`
	Schedule     *string    `json:"schedule,omitempty" doc:"cron: 5 fields (minute hour day month weekday), or 6 with the second first"`
	Timezone     *string    `json:"timezone,omitempty" doc:"cron: IANA time zone, UTC without one"`
	CatchUp      *string    `json:"catch_up,omitempty" doc:"cron: none, one (default) or all of the slots missed in a downtime"`
	Overlap      *string    `json:"overlap,omitempty" doc:"cron: allow (default), or skip a slot while the run before is not over"`
	JitterMS     *int32     `json:"jitter_ms,omitempty" doc:"cron: the most that a slot fires after its time"`
	Retry        *retryBody `json:"retry,omitempty"`
}

// change is the body as the manager takes it.
func (b *triggerBody) change() manager.TriggerChange {
	c := manager.TriggerChange{
		Kind:         b.Kind,
		Script:       b.Script,
		Enabled:      b.Enabled,
		Registrant:   b.Registrant,
		Collection:   b.Collection,
		Ops:          b.Ops,
		Source:       b.Source,
		Trigger:      b.Trigger,
		FailedScript: b.FailedScript,
		Schedule:     b.Schedule,
		Timezone:     b.Timezone,
		CatchUp:      b.CatchUp,
		Overlap:      b.Overlap,
		JitterMS:     b.JitterMS,
	}

	if r := b.Retry; r != nil {
		c.Retry = &manager.RetryChange{
			MaxAttempts: r.MaxAttempts,
			Backoff:     r.Backoff,
			BaseMS:      r.BaseMS,
			MaxMS:       r.MaxMS,
			Jitter:      r.Jitter,
		}
	}
	return c
}

func showTrigger(t *manager.Trigger) triggerItem {
	it := triggerItem{
		ID:           cloud.ID(t.ID).String(),
		Kind:         t.Kind,
		Script:       t.Script,
		Enabled:      t.Enabled,
		RegisteredBy: t.RegisteredName,
		Retry:        retryItem{t.MaxAttempts, t.Backoff, t.BaseMs, t.MaxMs, t.Jitter},
		CreatedAt:    utc(t.CreatedAt),
	}

	switch t.Kind {
	case cloud.SourceKV:
		it.Collection = &t.Collection
		it.Ops = &t.Ops
	case cloud.SourceCron:
		it.Schedule = &t.Schedule
		it.Timezone = &t.Timezone
		it.CatchUp = &t.CatchUp
		it.Overlap = &t.Overlap
		it.JitterMS = &t.JitterMs
	default:
		it.Source = t.SourceFilter
		it.Trigger = idPtr(t.TriggerFilter)
		it.FailedScript = nonEmpty(t.FailedScript)
	}
	return it
}

// slotItem is a slot of a schedule that was decided.
type slotItem struct {
	Slot        time.Time `json:"slot"`
	State       string    `json:"state" enum:"fired,late,missed,skipped"`
	Reason      string    `json:"reason"`
	DecidedAt   time.Time `json:"decided_at"`
	DriftMS     int64     `json:"drift_ms" doc:"how long after its time it was decided"`
	ExecutionID *string   `json:"execution_id" doc:"of the first attempt, if it fired"`
}

func showSlot(s *history.Slot) slotItem {
	return slotItem{
		Slot:        utc(s.Slot),
		State:       s.State,
		Reason:      s.Reason,
		DecidedAt:   utc(s.DecidedAt),
		DriftMS:     s.DecidedAt.Sub(s.Slot).Milliseconds(),
		ExecutionID: idPtr(s.ExecutionID),
	}
}

type listSlots struct {
	TriggerPath
	PageQuery
}

type slotsOutput struct {
	Body struct {
		Items      []slotItem  `json:"items"`
		NextCursor *string     `json:"next_cursor"`
		Upcoming   []time.Time `json:"upcoming" doc:"the next 10 slots"`
		OverdueMS  int64       `json:"overdue_ms" doc:"for how long the first of them should have fired"`
	}
}

type createTrigger struct {
	AppPath
	Body triggerBody
}

// TriggerPath is the input of an operation on one trigger.
type TriggerPath struct {
	AppPath
	ID string `path:"id"`
}

type patchTrigger struct {
	TriggerPath
	Body triggerBody
}

type deleteTrigger struct {
	TriggerPath
	Force bool `query:"force"`
}

type fireBody struct {
	Event json.RawMessage `json:"event"`
}

type fireTrigger struct {
	TriggerPath
	RawBody []byte
}

type fireOutput struct {
	Body struct {
		ID          string `json:"id" doc:"of the outbox row"`
		ExecutionID string `json:"execution_id" doc:"of its first attempt"`
	}
}

func (s *Server) triggersAPI() {
	const path = "/apps/{app}/triggers"
	appOp(s, operation("list-triggers", http.MethodGet, path, "Triggers", "triggers"),
		auth.ReadTriggers, s.listTriggers)
	appOp(s, operation("create-trigger", http.MethodPost, path, "Bind a script to events", "triggers"),
		auth.WriteTriggers, s.createTrigger)
	appOp(s, operation("show-trigger", http.MethodGet, path+"/{id}", "A trigger", "triggers"),
		auth.ReadTriggers, s.showTrigger)
	appOp(s, operation("update-trigger", http.MethodPatch, path+"/{id}", "Change a trigger", "triggers"),
		auth.WriteTriggers, s.updateTrigger)
	appOp(s, operation("delete-trigger", http.MethodDelete, path+"/{id}", "Delete a trigger", "triggers"),
		auth.WriteTriggers, s.deleteTrigger)
	appOp(s,
		operation("list-slots", http.MethodGet, path+"/{id}/slots",
			"What became of a schedule's slots, newest first, and the next ones", "triggers"),
		auth.ReadTriggers, s.listSlots)

	fire := rawBody[fireBody](s, status(operation("fire-trigger", http.MethodPost, path+"/{id}/fire",
		"Fire a test event", "triggers"), http.StatusAccepted))
	appOp(s, fire, auth.FireTriggers, s.fireTrigger)
}

func (s *Server) createTrigger(
	ctx context.Context, c *edge.AppCaller, in *createTrigger,
) (*triggerOutput, error) {
	t, err := s.Manager.CreateTrigger(ctx, edge.Actor(c.Principal), c.App, in.Body.change())
	if err != nil {
		return nil, err
	}
	return &triggerOutput{showTrigger(t)}, nil
}

func (s *Server) showTrigger(
	ctx context.Context, c *edge.AppCaller, in *TriggerPath,
) (*triggerOutput, error) {
	id, err := edge.IDParam(in.ID, "trigger")
	if err != nil {
		return nil, err
	}

	t, err := s.Manager.Trigger(ctx, c.App, id)
	if err != nil {
		return nil, err
	}
	return &triggerOutput{showTrigger(t)}, nil
}

func (s *Server) updateTrigger(
	ctx context.Context, c *edge.AppCaller, in *patchTrigger,
) (*triggerOutput, error) {
	id, err := edge.IDParam(in.ID, "trigger")
	if err != nil {
		return nil, err
	}

	t, err := s.Manager.UpdateTrigger(ctx, edge.Actor(c.Principal), c.App, id, in.Body.change())
	if err != nil {
		return nil, err
	}
	return &triggerOutput{showTrigger(t)}, nil
}

func (s *Server) deleteTrigger(ctx context.Context, c *edge.AppCaller, in *deleteTrigger) (*none, error) {
	id, err := edge.IDParam(in.ID, "trigger")
	if err != nil {
		return nil, err
	}
	return nil, s.Manager.DeleteTrigger(ctx, edge.Actor(c.Principal), c.App, id, in.Force)
}

func (s *Server) listTriggers(
	ctx context.Context, c *edge.AppCaller, in *listInput,
) (*page[triggerItem], error) {
	list := edge.ListName(c, "triggers")
	after, err := s.OpenIDCursor(list, in.Cursor)
	if err != nil {
		return nil, err
	}

	rows, err := s.Manager.Triggers(ctx, c.App, after, in.Limit+1)
	if err != nil {
		return nil, err
	}

	rows, next := edge.Cut(s.Edge, list, rows, in.Limit,
		func(r *db.ListTriggersRow) string { return cloud.ID(r.ID).String() })
	return pageOf(rows, next, func(r *db.ListTriggersRow) triggerItem {
		return showTrigger((*manager.Trigger)(r))
	}), nil
}

// upcomingSlots is how many slots to come are listed.
const upcomingSlots = 10

// listSlots says what became of a schedule's slots, newest first, and lists the next ones.
func (s *Server) listSlots(ctx context.Context, c *edge.AppCaller, in *listSlots) (*slotsOutput, error) {
	id, err := edge.IDParam(in.ID, "trigger")
	if err != nil {
		return nil, err
	}

	if _, err := s.Manager.Trigger(ctx, c.App, id); err != nil {
		return nil, err
	}

	list := edge.ListName(c, "slots", in.ID)
	before, err := s.OpenTimeCursor(list, in.Cursor, edge.EndOfTime)
	if err != nil {
		return nil, err
	}

	rows, err := s.Orchestrator.History.Slots(ctx, c.ID(), id, before, in.Limit+1)
	if err != nil {
		return nil, err
	}

	rows, next := edge.Cut(s.Edge, list, rows, in.Limit, edge.SlotKey)
	p := pageOf(rows, next, showSlot)
	out := &slotsOutput{}
	out.Body.Items = p.Body.Items
	out.Body.NextCursor = p.Body.NextCursor

	upcoming, overdue, err := s.Orchestrator.Schedules.Upcoming(ctx, c.ID(), id, upcomingSlots)
	out.Body.Upcoming = append([]time.Time{}, upcoming...)
	out.Body.OverdueMS = overdue.Milliseconds()
	return out, err
}

// fireTrigger enqueues a test event, as if the trigger had raised it.
func (s *Server) fireTrigger(ctx context.Context, c *edge.AppCaller, in *fireTrigger) (*fireOutput, error) {
	id, err := edge.IDParam(in.ID, "trigger")
	if err != nil {
		return nil, err
	}

	var b fireBody
	if err := decodeBody(in.RawBody, &b); err != nil {
		return nil, err
	}
	if b.Event == nil {
		return nil, cloud.Errorf(cloud.CodeInvalid, "the field event is missing")
	}

	event, err := kv.Normalize(string(b.Event))
	if err != nil {
		return nil, err
	}

	row, execution, err := s.Orchestrator.Operations.Fire(ctx, c.ID(), id, event, c.Cloud())
	if err != nil {
		return nil, err
	}

	out := &fireOutput{}
	out.Body.ID = row.String()
	out.Body.ExecutionID = execution.String()
	return out, nil
}

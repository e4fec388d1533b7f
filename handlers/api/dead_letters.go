package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/history"
	"picloud/internal/orchestrator"
	"picloud/internal/services/kv"
)

// deadLetterItem is a dead letter: the event, why it was given up, and what became of it.
type deadLetterItem struct {
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Op              string          `json:"op"`
	TriggerID       *string         `json:"trigger_id"`
	Script          string          `json:"script"`
	Payload         json.RawMessage `json:"payload"`
	Reason          string          `json:"reason"`
	Attempts        int             `json:"attempts"`
	Error           json.RawMessage `json:"error"`
	Depth           int             `json:"depth"`
	RootID          string          `json:"root_id"`
	LastExecutionID *string         `json:"last_execution_id"`
	FirstAttemptAt  *time.Time      `json:"first_attempt_at"`
	LastAttemptAt   *time.Time      `json:"last_attempt_at"`
	CreatedAt       time.Time       `json:"created_at"`
	Resolution      *string         `json:"resolution" enum:"replayed,ignored,handled_by_script,handler_failed"`
	ResolvedAt      *time.Time      `json:"resolved_at"`
	ResolvedBy      *string         `json:"resolved_by"`
	ResolveReason   *string         `json:"resolve_reason"`
	ReplayedAs      *string         `json:"replayed_as" doc:"outbox row that the replay made"`
	ReplayOf        *string         `json:"replay_of" doc:"dead letter that this is a failed replay of"`
	ErrorGroup      string          `json:"error_group" doc:"what errors of the same cause have in common; filter by it with error"`
}

type deadLetterOutput struct{ Body deadLetterItem }

func showDeadLetter(d *cloud.DeadLetter) deadLetterItem {
	return deadLetterItem{
		ID:              d.ID.String(),
		Source:          d.Source,
		Op:              d.Op,
		TriggerID:       nonEmpty(d.Trigger.String()),
		Script:          d.Name,
		Payload:         json.RawMessage(d.Payload),
		Reason:          d.Reason,
		Attempts:        d.Attempts,
		Error:           cloud.AppendJSON(nil, d.Error),
		Depth:           d.Depth,
		RootID:          d.Root.String(),
		LastExecutionID: nonEmpty(d.LastExecution.String()),
		FirstAttemptAt:  utcPtr(d.FirstAttempt),
		LastAttemptAt:   utcPtr(d.LastAttempt),
		CreatedAt:       utc(d.Created),
		Resolution:      nonEmpty(d.Resolution),
		ResolvedAt:      utcPtr(d.ResolvedAt),
		ResolvedBy:      nonEmpty(d.ResolvedBy),
		ResolveReason:   nonEmpty(d.ResolveReason),
		ReplayedAs:      nonEmpty(d.ReplayedAs.String()),
		ReplayOf:        nonEmpty(d.ReplayOf.String()),
		ErrorGroup:      d.ErrorGroup,
	}
}

type listDeadLetters struct {
	AppPath
	PageQuery
	State   string `query:"state" enum:"unresolved,resolved,all" default:"unresolved"`
	Script  string `query:"script"`
	Source  string `query:"source"`
	Trigger string `query:"trigger"`
	Error   string `query:"error" doc:"an error_group"`
}

// DeadLetterPath is the input of an operation on one dead letter.
type DeadLetterPath struct {
	AppPath
	ID string `path:"id"`
}

type replayBody struct {
	Payload json.RawMessage `json:"payload,omitempty" doc:"replaces the event"`
}

type replayDeadLetter struct {
	DeadLetterPath
	RawBody []byte
}

type replayOutput struct {
	Body struct {
		OutboxID   string `json:"outbox_id"`
		Resolution string `json:"resolution"`
	}
}

type resolveDeadLetter struct {
	DeadLetterPath
	Body struct {
		Reason string `json:"reason" maxLength:"1000"`
	}
}

type bulkFilter struct {
	Script  string `json:"script,omitempty"`
	Source  string `json:"source,omitempty"`
	Trigger string `json:"trigger,omitempty"`
	Error   string `json:"error,omitempty" doc:"an error_group"`
}

// bulkReplay names dead letters, or filters the unresolved ones; cursor goes on where a call ended.
type bulkReplay struct {
	AppPath
	Body struct {
		IDs    *[]string   `json:"ids,omitempty" maxItems:"1000"`
		Filter *bulkFilter `json:"filter,omitempty"`
		Cursor string      `json:"cursor,omitempty"`
	}
}

type bulkOutput struct {
	Body struct {
		Matched    int     `json:"matched"`
		Replayed   int     `json:"replayed"`
		NextCursor *string `json:"next_cursor"`
	}
}

type countOutput struct {
	Body struct {
		Unresolved int64 `json:"unresolved"`
	}
}

func (s *Server) deadLettersAPI() {
	const path = "/apps/{app}/dead-letters"
	appOp(s,
		operation("list-dead-letters", http.MethodGet, path, "Dead letters, newest first", "dead letters"),
		auth.ReadDeadLetters, s.listDeadLetters)
	appOp(s,
		operation("count-dead-letters", http.MethodGet, path+"/count",
			"How many are unresolved", "dead letters"),
		auth.ReadDeadLetters, s.countDeadLetters)

	bulk := status(operation("replay-dead-letters", http.MethodPost, path+"/replay",
		"Replay by ids or filter, 1000 a call", "dead letters"), http.StatusOK)
	appOp(s, bulk, auth.WriteDeadLetter, s.bulkReplay)

	appOp(s, operation("show-dead-letter", http.MethodGet, path+"/{id}", "A dead letter", "dead letters"),
		auth.ReadDeadLetters, s.showDeadLetter)

	replay := rawBody[replayBody](s, status(operation("replay-dead-letter", http.MethodPost,
		path+"/{id}/replay", "Replay, with an edited payload if given", "dead letters"), http.StatusOK))
	appOp(s, replay, auth.WriteDeadLetter, s.replayDeadLetter)

	resolve := status(operation("resolve-dead-letter", http.MethodPost, path+"/{id}/resolve",
		"Mark as ignored", "dead letters"), http.StatusOK)
	appOp(s, resolve, auth.WriteDeadLetter, s.resolveDeadLetter)
}

// countDeadLetters counts the unresolved ones, for alarms.
func (s *Server) countDeadLetters(ctx context.Context, c *edge.AppCaller, _ *AppPath) (*countOutput, error) {
	n, err := s.Orchestrator.History.CountDeadLetters(ctx, c.ID())
	out := &countOutput{}
	out.Body.Unresolved = n
	return out, err
}

func (s *Server) showDeadLetter(
	ctx context.Context, c *edge.AppCaller, in *DeadLetterPath,
) (*deadLetterOutput, error) {
	id, err := edge.IDParam(in.ID, "dead letter")
	if err != nil {
		return nil, err
	}

	d, err := s.Orchestrator.History.DeadLetter(ctx, c.ID(), id)
	if err != nil {
		return nil, err
	}
	return &deadLetterOutput{showDeadLetter(d)}, nil
}

// resolveDeadLetter marks a dead letter as ignored, with the operator's reason.
func (s *Server) resolveDeadLetter(
	ctx context.Context, c *edge.AppCaller, in *resolveDeadLetter,
) (*deadLetterOutput, error) {
	id, err := edge.IDParam(in.ID, "dead letter")
	if err != nil {
		return nil, err
	}

	d, err := s.Orchestrator.Operations.Resolve(ctx, c.ID(), id, in.Body.Reason, c.Cloud())
	if err != nil {
		return nil, err
	}
	return &deadLetterOutput{showDeadLetter(d)}, nil
}

// listDeadLetters lists dead letters, newest first.
func (s *Server) listDeadLetters(
	ctx context.Context, c *edge.AppCaller, in *listDeadLetters,
) (*page[deadLetterItem], error) {
	q := edge.LetterQuery{
		State:   in.State,
		Script:  in.Script,
		Source:  in.Source,
		Trigger: in.Trigger,
		Group:   in.Error,
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

	rows, more, err := s.Orchestrator.History.DeadLetters(ctx, c.ID(), f, before, in.Limit)
	if err != nil {
		return nil, err
	}

	next := edge.NextAfter(s.Edge, list, rows, more,
		func(d *cloud.DeadLetter) string { return d.ID.String() })
	return pageOf(rows, next, showDeadLetter), nil
}

// replayDeadLetter makes a new row of the outbox, with an edited payload if the body has one.
func (s *Server) replayDeadLetter(
	ctx context.Context, c *edge.AppCaller, in *replayDeadLetter,
) (*replayOutput, error) {
	id, err := edge.IDParam(in.ID, "dead letter")
	if err != nil {
		return nil, err
	}

	var b replayBody
	if len(in.RawBody) > 0 {
		if err := decodeBody(in.RawBody, &b); err != nil {
			return nil, err
		}
	}

	payload := "" // as it is
	if b.Payload != nil {
		if payload, err = kv.Normalize(string(b.Payload)); err != nil {
			return nil, err
		}
	}

	row, err := s.Orchestrator.Operations.Replay(ctx, c.ID(), id, payload, c.Cloud())
	if err != nil {
		return nil, err
	}

	out := &replayOutput{}
	out.Body.OutboxID = row.String()
	out.Body.Resolution = "replayed"
	return out, nil
}

// selection is what is replayed: the ids, or nil and a filter.
func (in *bulkReplay) selection() ([]cloud.ID, history.LetterFilter, error) {
	var none history.LetterFilter
	if (in.Body.IDs == nil) == (in.Body.Filter == nil) {
		return nil, none, cloud.Errorf(cloud.CodeInvalid, "give ids or a filter")
	}
	if f := in.Body.Filter; f != nil {
		query := edge.LetterQuery{
			State:   "unresolved",
			Script:  f.Script,
			Source:  f.Source,
			Trigger: f.Trigger,
			Group:   f.Error,
		}
		filter, err := query.Filter()
		return nil, filter, err
	}

	ids := []cloud.ID{} // an empty list selects nothing, nil everything
	for _, v := range *in.Body.IDs {
		id, ok := cloud.ParseID(v)
		if !ok {
			return nil, none, cloud.Errorf(cloud.CodeInvalid, "%q is no id", cloud.Shorten(v))
		}
		ids = append(ids, id)
	}
	return ids, none, nil
}

// bulkReplay replays at most MaxBulk dead letters; the answer's cursor goes on with the rest.
func (s *Server) bulkReplay(ctx context.Context, c *edge.AppCaller, in *bulkReplay) (*bulkOutput, error) {
	ids, f, err := in.selection()
	if err != nil {
		return nil, err
	}
	list := edge.ListName(c, "bulk-replay", f.Script, f.Source, f.Trigger.String(), f.ErrorGroup)
	before, err := s.OpenIDCursor(list, in.Body.Cursor)
	if err != nil {
		return nil, err
	}

	r, err := s.Orchestrator.Operations.ReplayMany(
		ctx,
		c.ID(),
		orchestrator.LetterSelection{
			IDs:    ids,
			Filter: f,
			Before: before,
			Limit:  orchestrator.MaxBulk,
		},
		c.Cloud(),
	)
	if err != nil {
		return nil, err
	}

	out := &bulkOutput{}
	out.Body.Matched = r.Matched
	out.Body.Replayed = r.Replayed
	if !r.Last.IsZero() {
		next := s.Cursor(list, r.Last.String())
		out.Body.NextCursor = &next
	}
	return out, nil
}

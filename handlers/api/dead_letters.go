package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
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
	From    string `query:"from" format:"date-time" doc:"given up at this time or later"`
	To      string `query:"to" format:"date-time" doc:"given up before this time"`
	Search  string `query:"q" maxLength:"1000" doc:"a text in the error or the payload, whatever the case"`
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
	From    string `json:"from,omitempty" format:"date-time" doc:"given up at this time or later"`
	To      string `json:"to,omitempty" format:"date-time" doc:"given up before this time"`
	Search  string `json:"q,omitempty" maxLength:"1000" doc:"a text in the error or the payload, whatever the case"`
}

// BulkSelection is the body of a bulk action. It names dead letters, or filters the unresolved ones; cursor
// goes on where a call ended.
type BulkSelection struct {
	IDs    *[]string   `json:"ids,omitempty" maxItems:"1000"`
	Filter *bulkFilter `json:"filter,omitempty"`
	Cursor string      `json:"cursor,omitempty"`
}

type bulkReplay struct {
	AppPath
	Body struct {
		BulkSelection
		Rate *float64 `json:"rate,omitempty" minimum:"0.001" maximum:"1000" doc:"how many become due in a second, one after the other; without it all are due at once. A call that goes on behind a cursor begins where the last one ended"`
	}
}

type bulkResolve struct {
	AppPath
	Body struct {
		BulkSelection
		Reason string `json:"reason" maxLength:"1000"`
	}
}

type bulkReplayOutput struct {
	Body struct {
		Matched    int     `json:"matched"`
		Replayed   int     `json:"replayed"`
		NextCursor *string `json:"next_cursor"`
		// LastDueAt is null for a replay without a rate.
		LastDueAt *time.Time `json:"last_due_at" doc:"when the last of them is due, at a rate"`
	}
}

type bulkResolveOutput struct {
	Body struct {
		Matched    int     `json:"matched"`
		Resolved   int     `json:"resolved"`
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
		"Replay by ids or filter, at a rate if one is given, 1000 a call", "dead letters"), http.StatusOK)
	appOp(s, bulk, auth.WriteDeadLetter, s.bulkReplay)
	ignore := status(operation("resolve-dead-letters", http.MethodPost, path+"/resolve",
		"Mark as ignored by ids or filter, 1000 a call", "dead letters"), http.StatusOK)
	appOp(s, ignore, auth.WriteDeadLetter, s.bulkResolve)

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
		From:    in.From,
		To:      in.To,
		Search:  in.Search,
	}
	f, err := q.Filter()
	if err != nil {
		return nil, err
	}

	list := q.List(c, "dead-letters")
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

// query is the filter of a bulk action.
func (f *bulkFilter) query() *edge.LetterQuery {
	return &edge.LetterQuery{
		State:   "unresolved",
		Script:  f.Script,
		Source:  f.Source,
		Trigger: f.Trigger,
		Group:   f.Error,
		From:    f.From,
		To:      f.To,
		Search:  f.Search,
	}
}

// selection checks what a bulk action is about.
func (in *BulkSelection) selection() (
	sel orchestrator.LetterSelection, query *edge.LetterQuery, err error,
) {
	if (in.IDs == nil) == (in.Filter == nil) {
		return sel, nil, cloud.Errorf(cloud.CodeInvalid, "give ids or a filter")
	}

	sel.Limit = orchestrator.MaxBulk
	query = &edge.LetterQuery{State: "unresolved"}
	if in.Filter != nil {
		query = in.Filter.query()
		sel.Filter, err = query.Filter()
	} else {
		sel.IDs, err = letterIDs(*in.IDs)
	}
	return sel, query, err
}

// openBulk reads what a bulk action is about, and the name of its list, for the cursor that goes on.
func (s *Server) openBulk(c *edge.AppCaller, in *BulkSelection, action string) (
	sel orchestrator.LetterSelection, list string, err error,
) {
	sel, query, err := in.selection()
	if err != nil {
		return sel, "", err
	}

	list = query.List(c, action)
	sel.Before, sel.Pace.After, err = s.OpenBulkCursor(list, in.Cursor)
	return sel, list, err
}

// letterIDs reads ids. An empty list selects nothing, nil everything.
func letterIDs(texts []string) ([]cloud.ID, error) {
	ids := []cloud.ID{}
	for _, text := range texts {
		id, ok := cloud.ParseID(text)
		if !ok {
			return nil, cloud.Errorf(cloud.CodeInvalid, "%q is no id", cloud.Shorten(text))
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// bulkReplay replays at most MaxBulk dead letters; the answer's cursor goes on with the rest.
func (s *Server) bulkReplay(
	ctx context.Context, c *edge.AppCaller, in *bulkReplay,
) (*bulkReplayOutput, error) {
	sel, list, err := s.openBulk(c, &in.Body.BulkSelection, "bulk-replay")
	if err != nil {
		return nil, err
	}
	if in.Body.Rate != nil {
		sel.Pace.PerSecond = *in.Body.Rate
	}

	r, err := s.Orchestrator.Operations.ReplayMany(ctx, c.ID(), sel, c.Cloud())
	if err != nil {
		return nil, err
	}

	out := &bulkReplayOutput{}
	out.Body.Matched = r.Matched
	out.Body.Replayed = r.Done
	out.Body.NextCursor = s.nextBulk(list, &r)
	if !r.LastDue.IsZero() {
		due := utc(r.LastDue)
		out.Body.LastDueAt = &due
	}
	return out, nil
}

// bulkResolve marks at most MaxBulk dead letters as ignored; the answer's cursor goes on with the rest.
func (s *Server) bulkResolve(
	ctx context.Context, c *edge.AppCaller, in *bulkResolve,
) (*bulkResolveOutput, error) {
	sel, list, err := s.openBulk(c, &in.Body.BulkSelection, "bulk-resolve")
	if err != nil {
		return nil, err
	}

	r, err := s.Orchestrator.Operations.ResolveMany(ctx, c.ID(), sel, in.Body.Reason, c.Cloud())
	if err != nil {
		return nil, err
	}

	out := &bulkResolveOutput{}
	out.Body.Matched = r.Matched
	out.Body.Resolved = r.Done
	out.Body.NextCursor = s.nextBulk(list, &r)
	return out, nil
}

// nextBulk is the cursor by which a bulk action goes on, nil if it has come to the end.
func (s *Server) nextBulk(list string, r *orchestrator.BulkResult) *string {
	return nonEmpty(s.BulkCursor(list, r.Last, r.LastDue))
}

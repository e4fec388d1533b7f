package handlers

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
	"picloud/internal/services/kv"
	"picloud/views"
)

func executionRow(e *executionItem) views.ExecutionRow {
	r := views.ExecutionRow{ID: e.ID, Script: e.Script, Source: e.Source, Status: e.Status, Attempt: e.Attempt, StartedAt: e.StartedAt,
		Duration: time.Duration(e.DurationMS * float64(time.Millisecond))}
	if e.HTTPStatus != nil {
		r.HTTPStatus = *e.HTTPStatus
	}
	if e.Error != nil {
		r.Error = e.Error.Name + ": " + e.Error.Message
	}
	return r
}

func (s *Server) showExecutions(v *visit) error {
	frame, err := v.frame("Executions", "executions")
	if err != nil {
		return err
	}
	in := &listExecutions{PageQuery: *v.pageQuery(), Script: v.Query("script"), Status: v.Query("status"), Root: v.Query("root")}
	list, err := s.listExecutions(v.UserContext(), v.app, in)
	if err != nil {
		return err
	}
	vm := views.ExecutionsPage{Page: frame, Script: in.Script, Status: in.Status, Next: v.next(list.Body.NextCursor)}
	for k := range list.Body.Items {
		vm.Rows = append(vm.Rows, executionRow(&list.Body.Items[k]))
	}
	return v.render(http.StatusOK, views.Executions(vm))
}

func (s *Server) showExecutionPage(v *visit) error {
	id, err := idParam(v.Params("id"), "execution")
	if err != nil {
		return err
	}
	e, err := s.cfg.Orchestrator.Execution(v.UserContext(), v.app.id(), id)
	if err != nil {
		return err
	}
	frame, err := v.frame("Execution", "executions")
	if err != nil {
		return err
	}
	show := showExecution(v.app)
	it := show(e)
	vm := views.ExecutionPage{Page: frame, ExecutionRow: executionRow(&it), Version: it.Version, Node: it.Node, Stack: e.ErrorStack, RootID: it.RootID,
		Depth: it.Depth, Principal: e.Principal, Request: e.Request, After: e.AfterStatus}
	if it.ParentID != nil {
		vm.Parent = *it.ParentID
	}
	var logs []logItem
	if json.Unmarshal(it.Logs, &logs) == nil {
		for _, l := range logs {
			vm.Logs = append(vm.Logs, views.LogRow{At: l.At, Level: l.Level, Message: l.Message})
		}
	}
	related, err := s.cfg.Orchestrator.Executions(v.UserContext(), v.app.id(), orchestrator.ExecutionFilter{Root: e.RootID}, cloud.ID{}, pageSize)
	if err != nil {
		return err
	}
	for k := range related {
		it := show(&related[k])
		vm.Related = append(vm.Related, executionRow(&it))
	}
	return v.render(http.StatusOK, views.Execution(vm))
}

func (s *Server) showQueue(v *visit) error {
	frame, err := v.frame("Queue", "queue")
	if err != nil {
		return err
	}
	list, err := s.listOutbox(v.UserContext(), v.app, &listScripts{PageQuery: *v.pageQuery()})
	if err != nil {
		return err
	}
	vm := views.QueuePage{Page: frame, MayOperate: v.mayOperate(), Next: v.next(list.Body.NextCursor)}
	for _, r := range list.Body.Items {
		vm.Rows = append(vm.Rows, views.QueueRow{ID: r.ID, Script: r.Script, Source: r.Source, State: r.State, Reason: r.Reason, Attempt: r.Attempt,
			MaxAttempts: r.MaxAttempts, Depth: r.Depth, DueAt: r.DueAt, Waiting: r.State == "waiting"})
	}
	return v.render(http.StatusOK, views.Queue(vm))
}

func (s *Server) runRowNow(v *visit) error {
	id, err := idParam(v.Params("id"), "row in the queue")
	if err != nil {
		return err
	}
	if err := s.cfg.Orchestrator.RunNow(v.UserContext(), v.app.id(), id); err != nil {
		return err
	}
	if err := s.cfg.Manager.Record(v.UserContext(), actor(v.p), v.app.app, "outbox.run-now", id.String(), nil); err != nil {
		return err
	}
	return v.to("/queue")
}

func letterRow(d *deadLetterItem) views.DeadLetterRow {
	r := views.DeadLetterRow{ID: d.ID, Script: d.Script, Source: d.Source, Reason: d.Reason, Attempts: d.Attempts, CreatedAt: d.CreatedAt}
	var e errorItem
	if json.Unmarshal(d.Error, &e) == nil {
		r.Error = e.Name + ": " + e.Message
	}
	if d.Resolution != nil {
		r.Resolution = *d.Resolution
	}
	return r
}

func (s *Server) showDeadLetters(v *visit) error {
	frame, err := v.frame("Dead letters", "dead-letters")
	if err != nil {
		return err
	}
	in := &listDeadLetters{PageQuery: *v.pageQuery(), State: v.Query("state", "unresolved"), Script: v.Query("script"), Source: v.Query("source")}
	list, err := s.listDeadLetters(v.UserContext(), v.app, in)
	if err != nil {
		return err
	}
	vm := views.DeadLettersPage{Page: frame, State: in.State, Script: in.Script, MayReplay: v.mayOperate(), Next: v.next(list.Body.NextCursor)}
	for k := range list.Body.Items {
		vm.Rows = append(vm.Rows, letterRow(&list.Body.Items[k]))
	}
	return v.render(http.StatusOK, views.DeadLetters(vm))
}

func (s *Server) showDeadLetterPage(v *visit) error { return s.letterPage(v, http.StatusOK, "", "") }

func (s *Server) letterPage(v *visit, status int, payload, problem string) error {
	id, err := idParam(v.Params("id"), "dead letter")
	if err != nil {
		return err
	}
	d, err := s.cfg.Orchestrator.DeadLetter(v.UserContext(), v.app.id(), id)
	if err != nil {
		return err
	}
	frame, err := v.frame("Dead letter", "dead-letters")
	if err != nil {
		return err
	}
	frame.Error = problem
	it := showDeadLetter(d)
	vm := views.DeadLetterPage{Page: frame, DeadLetterRow: letterRow(&it), Payload: payload, RootID: it.RootID, First: it.FirstAttemptAt,
		Last: it.LastAttemptAt, MayReplay: v.mayOperate()}
	if payload == "" {
		vm.Payload = indented(it.Payload)
	}
	var e errorItem
	if json.Unmarshal(it.Error, &e) == nil {
		vm.Stack = e.Stack
	}
	if it.LastExecutionID != nil {
		vm.Execution = *it.LastExecutionID
	}
	if it.ResolvedBy != nil {
		vm.ResolvedBy = "by " + *it.ResolvedBy
	}
	if it.ResolveReason != nil && *it.ResolveReason != "" {
		vm.ResolveReason = "(" + *it.ResolveReason + ")"
	}
	return v.render(status, views.DeadLetter(vm))
}

// indented lays JSON out for a person.
func indented(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}

// replayOne replays with the payload of the form; one that is no JSON is shown again as it was typed.
func (s *Server) replayOne(v *visit) error {
	id, err := idParam(v.Params("id"), "dead letter")
	if err != nil {
		return err
	}
	typed := v.form.Get("payload")
	payload, err := kv.Normalize(typed)
	if err == nil {
		_, err = s.cfg.Orchestrator.Replay(v.UserContext(), v.app.id(), id, payload, v.p.Username)
	}
	if message, ok := refused(err); ok {
		return s.letterPage(v, http.StatusUnprocessableEntity, typed, message)
	}
	if err != nil {
		return err
	}
	if err := s.cfg.Manager.Record(v.UserContext(), actor(v.p), v.app.app, "dead-letter.replay", id.String(), nil); err != nil {
		return err
	}
	return v.to("/dead-letters/" + id.String())
}

func (s *Server) resolveOne(v *visit) error {
	id, err := idParam(v.Params("id"), "dead letter")
	if err != nil {
		return err
	}
	_, err = s.cfg.Orchestrator.Resolve(v.UserContext(), v.app.id(), id, cloud.Shorten(v.form.Get("reason")), v.p.Username)
	if message, ok := refused(err); ok {
		return s.letterPage(v, http.StatusUnprocessableEntity, "", message)
	}
	if err != nil {
		return err
	}
	if err := s.cfg.Manager.Record(v.UserContext(), actor(v.p), v.app.app, "dead-letter.resolve", id.String(), nil); err != nil {
		return err
	}
	return v.to("/dead-letters/" + id.String())
}

func (s *Server) replaySelected(v *visit) error {
	ids := []cloud.ID{}
	for _, text := range v.form["id"] {
		if id, ok := cloud.ParseID(text); ok {
			ids = append(ids, id)
		}
	}
	r, err := s.cfg.Orchestrator.ReplayMany(v.UserContext(), v.app.id(), ids, orchestrator.LetterFilter{}, cloud.ID{}, v.p.Username)
	if err != nil {
		return err
	}
	if err := s.cfg.Manager.Record(v.UserContext(), actor(v.p), v.app.app, "dead-letter.replay-many", "", map[string]int{"replayed": r.Replayed}); err != nil {
		return err
	}
	return v.to("/dead-letters")
}

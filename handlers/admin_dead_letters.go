package handlers

import (
	"bytes"
	"encoding/json"
	"net/http"
	"picloud/internal/history"
	"strconv"

	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
	"picloud/internal/services/kv"
	"picloud/views"
)

func letterRow(d *deadLetterItem) views.DeadLetterRow {
	r := views.DeadLetterRow{ID: d.ID, Script: d.Script, Source: d.Source, Reason: d.Reason, Attempts: d.Attempts, CreatedAt: d.CreatedAt}
	var e errorItem
	if json.Unmarshal(d.Error, &e) == nil && e.Name+e.Message != "" {
		r.Error = e.Name + ": " + e.Message
	}
	if d.Resolution != nil {
		r.Resolution = *d.Resolution
	}
	return r
}

// letterGroups bounds the groups of the page.
const letterGroups = 20

func (s *Server) showDeadLetters(v *visit) error {
	frame, err := v.frame("Dead letters", "dead-letters")
	if err != nil {
		return err
	}
	if n := v.Query("replayed"); n != "" {
		frame.Notice = strconv.Itoa(v.QueryInt("replayed")) + " replayed. Those that fail again come back as new dead letters."
	}
	in := &listDeadLetters{PageQuery: *v.pageQuery(), State: v.Query("state", "unresolved"), Script: v.Query("script"), Source: v.Query("source"),
		Trigger: v.Query("trigger"), Error: v.Query("error")}
	list, err := s.listDeadLetters(v.UserContext(), v.app, in)
	if err != nil {
		return err
	}
	vm := views.DeadLettersPage{Page: frame, MayReplay: v.may(auth.WriteDeadLetter), Next: v.next(list.Body.NextCursor),
		Filter: views.LetterFilter{State: in.State, Script: in.Script, Source: in.Source, Trigger: in.Trigger, Group: in.Error}}
	for k := range list.Body.Items {
		vm.Rows = append(vm.Rows, letterRow(&list.Body.Items[k]))
	}
	if vm.Scripts, err = v.scriptNames(); err != nil {
		return err
	}
	f, err := letterFilter(in.State, in.Script, in.Source, in.Trigger, in.Error)
	if err != nil {
		return err
	}
	if vm.Filtered() {
		if vm.Matching, err = s.cfg.Orchestrator.History.CountMatching(v.UserContext(), v.app.id(), f); err != nil {
			return err
		}
	}
	if in.State == "unresolved" && in.Cursor == "" {
		groups, err := s.cfg.Orchestrator.History.GroupDeadLetters(v.UserContext(), v.app.id(), letterGroups)
		if err != nil {
			return err
		}
		for _, g := range groups {
			vm.Groups = append(vm.Groups, views.LetterGroup{Script: g.Script, Error: g.ErrorGroup, Count: g.N, Latest: cloud.ID(g.Latest).Time()})
		}
	}
	return v.render(http.StatusOK, views.DeadLetters(vm))
}

func (s *Server) showDeadLetterPage(v *visit) error { return s.letterPage(v, http.StatusOK, "", "") }

func (s *Server) letterPage(v *visit, status int, payload, problem string) error {
	ctx, o := v.UserContext(), s.cfg.Orchestrator
	id, err := idParam(v.Params("id"), "dead letter")
	if err != nil {
		return err
	}
	d, err := o.History.DeadLetter(ctx, v.app.id(), id)
	if err != nil {
		return err
	}
	frame, err := v.frame("Dead letter of "+d.Script, "dead-letters")
	if err != nil {
		return err
	}
	frame.Error = problem
	vm := letterView(d, payload)
	vm.Page, vm.MayReplay = frame, v.may(auth.WriteDeadLetter)
	lineage, err := o.History.Lineage(ctx, v.app.id(), d.RootID)
	if err != nil {
		return err
	}
	vm.Tree = tree(lineage, vm.ID)
	if event := lineage.Event(d.OutboxID); event != nil {
		for _, a := range event.Attempts {
			row := views.ExecutionRow{ID: a.ID.String(), Script: a.Row.Script, Source: a.Row.Source, Subject: a.Row.Request, Status: a.Row.Status,
				Attempt: int(a.Row.Attempt), StartedAt: a.Row.StartedAt, Duration: micros(a.Row.DurationUs)}
			if a.Row.ErrorMessage != "" {
				row.Error = a.Row.ErrorName + ": " + a.Row.ErrorMessage
			}
			vm.Steps = append(vm.Steps, row)
		}
	}
	return v.render(status, views.DeadLetter(vm))
}

// letterView is a dead letter with its own payload, or with one as it was typed.
func letterView(d *history.DeadLetter, payload string) views.DeadLetterPage {
	it := showDeadLetter(d)
	vm := views.DeadLetterPage{DeadLetterRow: letterRow(&it), Payload: payload, RootID: it.RootID, First: it.FirstAttemptAt, Last: it.LastAttemptAt,
		ResolvedAt: it.ResolvedAt, Depth: it.Depth, Op: d.Op, Principal: d.OriginPrincipal}
	if payload == "" {
		vm.Payload = indented(it.Payload)
	}
	var e errorItem
	if json.Unmarshal(it.Error, &e) == nil {
		vm.Stack = e.Stack
	}
	for _, p := range []struct {
		to   *string
		from *string
	}{{&vm.Trigger, it.TriggerID}, {&vm.Execution, it.LastExecutionID}, {&vm.ResolvedBy, it.ResolvedBy}, {&vm.ResolveReason, it.ResolveReason},
		{&vm.ReplayOf, idPtr(d.ReplayOf)}, {&vm.ReplayedAs, idPtr(d.ReplayedAs)}} {
		if p.from != nil {
			*p.to = *p.from
		}
	}
	return vm
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
		_, err = s.cfg.Orchestrator.Operations.Replay(v.UserContext(), v.app.id(), id, payload, v.p.Cloud())
	}
	if message, ok := refused(err); ok {
		return s.letterPage(v, http.StatusUnprocessableEntity, typed, message)
	}
	if err != nil {
		return err
	}
	return v.to("/dead-letters/" + id.String())
}

func (s *Server) resolveOne(v *visit) error {
	id, err := idParam(v.Params("id"), "dead letter")
	if err != nil {
		return err
	}
	reason := cloud.ValidPrefix(v.form.Get("reason"), 1000)
	_, err = s.cfg.Orchestrator.Operations.Resolve(v.UserContext(), v.app.id(), id, reason, v.p.Cloud())
	if message, ok := refused(err); ok {
		return s.letterPage(v, http.StatusUnprocessableEntity, "", message)
	}
	if err != nil {
		return err
	}
	return v.to("/dead-letters/" + id.String())
}

func (s *Server) replaySelected(v *visit) error {
	ids := []cloud.ID{}
	for _, text := range v.form["id"] {
		if id, ok := cloud.ParseID(text); ok && len(ids) < orchestrator.MaxBulk {
			ids = append(ids, id)
		}
	}
	r, err := s.cfg.Orchestrator.Operations.ReplayMany(v.UserContext(), v.app.id(), orchestrator.LetterSelection{IDs: ids}, v.p.Cloud())
	if err != nil {
		return err
	}
	return v.to("/dead-letters?replayed=" + strconv.Itoa(r.Replayed))
}

// replayStep is how many dead letters a step of a bulk replay takes, so that its progress is seen.
const replayStep = 250

// replayAll does one step of a bulk replay and shows how far it is; the page sends for the next. Nothing is kept between
// the steps but what the form carries, so a broken one is simply begun again.
func (s *Server) replayAll(v *visit) error {
	f := v.form
	r := views.Replaying{Filter: views.LetterFilter{Script: f.Get("script"), Source: f.Get("source"), Trigger: f.Get("trigger"), Group: f.Get("error")}}
	filter, err := letterFilter("unresolved", r.Filter.Script, r.Filter.Source, r.Filter.Trigger, r.Filter.Group)
	if err != nil {
		return err
	}
	list := listName(v.app, "bulk-replay", r.Filter.Script, r.Filter.Source, r.Filter.Trigger, r.Filter.Group)
	before, err := s.openIDCursor(list, f.Get("cursor"))
	if err != nil {
		return err
	}
	for _, n := range []struct {
		name string
		to   *int64
	}{{"total", &r.Total}, {"done", &r.Done}, {"replayed", &r.Replayed}} {
		*n.to, _ = strconv.ParseInt(f.Get(n.name), 10, 64)
	}
	if before.IsZero() {
		if r.Total, err = s.cfg.Orchestrator.History.CountMatching(v.UserContext(), v.app.id(), filter); err != nil {
			return err
		}
	}
	step, err := s.cfg.Orchestrator.Operations.ReplayMany(v.UserContext(), v.app.id(),
		orchestrator.LetterSelection{Filter: filter, Before: before, Limit: replayStep}, v.p.Cloud())
	if err != nil {
		return err
	}
	r.Done, r.Replayed = r.Done+int64(step.Matched), r.Replayed+int64(step.Replayed)
	if !step.Last.IsZero() {
		r.Cursor = s.cursor(list, step.Last.String())
	}
	frame, err := v.frame("Replay", "dead-letters")
	if err != nil {
		return err
	}
	if v.wantsFragment() {
		return v.render(http.StatusOK, views.ReplayProgress(frame, r))
	}
	return v.render(http.StatusOK, views.ReplayAll(views.ReplayingPage{Page: frame, Replaying: r}))
}

package admin

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/history"
	"picloud/internal/services/kv"
	"picloud/views"
)

// letterRow shows a dead letter in a list.
func letterRow(d *cloud.DeadLetter) views.DeadLetterRow {
	return views.DeadLetterRow{
		ID:         d.ID.String(),
		Script:     d.Name,
		Source:     d.Source,
		Reason:     d.Reason,
		Attempts:   d.Attempts,
		CreatedAt:  d.Created,
		Error:      d.Error.String(),
		Resolution: d.Resolution,
	}
}

// groupsOfLetters bounds the groups of the page.
const groupsOfLetters = 20

// showDeadLetters lists dead letters; the unresolved ones are also counted by what their errors have in
// common.
func (s *Server) showDeadLetters(v *visit) error {
	frame, err := v.frame("Dead letters", "dead-letters")
	if err != nil {
		return err
	}
	frame.Notice = bulkNotice(v)

	query := edge.LetterQuery{
		State:   v.Query("state", "unresolved"),
		Script:  v.Query("script"),
		Source:  v.Query("source"),
		Trigger: v.Query("trigger"),
		Group:   v.Query("error"),
		From:    v.Query("from"),
		To:      v.Query("to"),
		Search:  v.Query("q"),
	}
	filter, err := query.Filter()
	if err != nil {
		return err
	}
	list := query.List(v.app, "dead-letters")
	before, err := s.OpenIDCursor(list, v.Query("cursor"))
	if err != nil {
		return err
	}

	letters, more, err := s.Orchestrator.History.DeadLetters(
		v.UserContext(),
		v.app.ID(),
		filter,
		before,
		pageSize,
	)
	if err != nil {
		return err
	}

	vm := views.DeadLettersPage{
		Page:      frame,
		MayReplay: v.may(auth.WriteDeadLetter),
		Next:      v.next(edge.NextAfter(s.Edge, list, letters, more, letterKey)),
		Filter:    views.LetterFilter(query),
	}
	for k := range letters {
		vm.Rows = append(vm.Rows, letterRow(&letters[k]))
	}
	if vm.Scripts, err = v.scriptNames(); err != nil {
		return err
	}

	// How many a bulk replay would take, and the groups, which stand on the first page alone.
	if vm.Filtered() {
		vm.Matching, err = s.Orchestrator.History.CountMatching(v.UserContext(), v.app.ID(), filter)
		if err != nil {
			return err
		}
	}
	if query.State == "unresolved" && before.IsZero() {
		if vm.Groups, err = s.letterGroups(v); err != nil {
			return err
		}
	}
	return v.render(http.StatusOK, views.DeadLetters(vm))
}

// bulkNotice says what an action on those that were ticked did.
func bulkNotice(v *visit) string {
	switch {
	case v.Query("replayed") != "":
		due := ""
		if at, err := time.Parse(time.RFC3339, v.Query("due")); err == nil {
			due = "; the last is due at " + at.UTC().Format("2006-01-02 15:04:05 UTC")
		}
		return strconv.Itoa(v.QueryInt("replayed")) + " replayed" + due +
			". Those that fail again come back as new dead letters."
	case v.Query("resolved") != "":
		return strconv.Itoa(v.QueryInt("resolved")) + " marked as ignored."
	default:
		return ""
	}
}

// letterGroups counts the app's unresolved dead letters by what their errors have in common.
func (s *Server) letterGroups(v *visit) ([]views.LetterGroup, error) {
	groups, err := s.Orchestrator.History.GroupDeadLetters(v.UserContext(), v.app.ID(), groupsOfLetters)
	if err != nil {
		return nil, err
	}

	var out []views.LetterGroup
	for _, g := range groups {
		out = append(out, views.LetterGroup{
			Script: g.Script,
			Error:  g.ErrorGroup,
			Count:  g.N,
			Latest: cloud.ID(g.Latest).Time(),
		})
	}
	return out, nil
}

// letterKey is where a dead letter stands in lists.
func letterKey(d *cloud.DeadLetter) string { return d.ID.String() }

func (s *Server) showDeadLetterPage(v *visit) error { return s.letterPage(v, http.StatusOK, "", "") }

// letterPage shows a dead letter with what led to it; after a refused replay with the payload as it was
// typed.
func (s *Server) letterPage(v *visit, status int, payload, problem string) error {
	ctx := v.UserContext()
	id, err := edge.IDParam(v.Params("id"), "dead letter")
	if err != nil {
		return err
	}
	d, err := s.Orchestrator.History.DeadLetter(ctx, v.app.ID(), id)
	if err != nil {
		return err
	}
	frame, err := v.frame("Dead letter of "+d.Name, "dead-letters")
	if err != nil {
		return err
	}
	frame.Error = problem

	vm := letterView(d, payload)
	vm.Page = frame
	vm.MayReplay = v.may(auth.WriteDeadLetter)
	lineage, err := s.Orchestrator.History.Lineage(ctx, v.app.ID(), d.Root)
	if err != nil {
		return err
	}
	vm.Tree = tree(lineage, id)
	if event := lineage.Event(d.Outbox); event != nil {
		for _, attempt := range event.Attempts {
			vm.Steps = append(vm.Steps, attemptRow(attempt))
		}
	}
	return v.render(status, views.DeadLetter(vm))
}

// attemptRow shows one of the attempts before a dead letter.
func attemptRow(attempt *history.LineageRun) views.ExecutionRow {
	run := attempt.Row
	row := views.ExecutionRow{
		ID:        attempt.ID.String(),
		Script:    run.Script,
		Source:    run.Source,
		Subject:   run.Request,
		Status:    run.Status,
		Attempt:   int(run.Attempt),
		StartedAt: run.StartedAt,
		Duration:  micros(run.DurationUs),
	}
	if run.ErrorMessage != "" {
		row.Error = run.ErrorName + ": " + run.ErrorMessage
	}
	return row
}

// letterView is a dead letter with its own payload, or with one as it was typed.
func letterView(d *cloud.DeadLetter, payload string) views.DeadLetterPage {
	vm := views.DeadLetterPage{
		DeadLetterRow: letterRow(d),
		Payload:       payload,
		RootID:        d.Root.String(),
		First:         d.FirstAttempt,
		Last:          d.LastAttempt,
		ResolvedAt:    d.ResolvedAt,
		ResolvedBy:    d.ResolvedBy,
		ResolveReason: d.ResolveReason,
		Depth:         d.Depth,
		Op:            d.Op,
		Principal:     d.Origin,
		Stack:         d.Error.Stack,
		Trigger:       d.Trigger.String(),
		Execution:     d.LastExecution.String(),
		ReplayOf:      d.ReplayOf.String(),
		ReplayedAs:    d.ReplayedAs.String(),
	}

	if payload == "" {
		vm.Payload = indented(json.RawMessage(d.Payload))
	}
	return vm
}

// idText shows an id that may be missing.
func idText(id *[16]byte) string {
	if id == nil {
		return ""
	}
	return cloud.ID(*id).String()
}

// orEmpty shows a text that may be missing.
func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
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
	id, err := edge.IDParam(v.Params("id"), "dead letter")
	if err != nil {
		return err
	}

	typed := v.form.Get("payload")
	payload, err := kv.Normalize(typed)
	if err == nil {
		_, err = s.Orchestrator.Operations.Replay(v.UserContext(), v.app.ID(), id, payload, v.p.Cloud())
	}
	if message, ok := refused(err); ok {
		return s.letterPage(v, http.StatusUnprocessableEntity, typed, message)
	}
	if err != nil {
		return err
	}

	return v.to("/dead-letters/" + id.String())
}

// resolveOne marks a dead letter as ignored.
func (s *Server) resolveOne(v *visit) error {
	id, err := edge.IDParam(v.Params("id"), "dead letter")
	if err != nil {
		return err
	}

	reason := cloud.ValidPrefix(v.form.Get("reason"), 1000)
	_, err = s.Orchestrator.Operations.Resolve(v.UserContext(), v.app.ID(), id, reason, v.p.Cloud())
	if message, ok := refused(err); ok {
		return s.letterPage(v, http.StatusUnprocessableEntity, "", message)
	}
	if err != nil {
		return err
	}

	return v.to("/dead-letters/" + id.String())
}

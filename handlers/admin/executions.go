package admin

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"picloud/db"
	"picloud/handlers/edge"
	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
	"picloud/views"
)

func executionRow(e *db.Execution) views.ExecutionRow {
	row := views.ExecutionRow{
		ID:         cloud.ID(e.ID).String(),
		Script:     e.Script,
		Source:     e.Source,
		Subject:    e.Request,
		Status:     e.Status,
		HTTPStatus: int(e.HttpStatus),
		Attempt:    int(e.Attempt),
		StartedAt:  e.StartedAt,
		Duration:   micros(e.DurationUs),
	}
	if e.ErrorName != "" || e.ErrorMessage != "" {
		row.Error = e.ErrorName + ": " + e.ErrorMessage
	}
	return row
}

// executionKey is where an execution stands in lists.
func executionKey(e *db.Execution) string { return cloud.ID(e.ID).String() }

// formTime is how an input of type datetime-local writes a moment; here it is UTC.
const formTime = "2006-01-02T15:04"

func (s *Server) showExecutions(v *visit) error {
	frame, err := v.frame("Executions", "executions")
	if err != nil {
		return err
	}
	query := edge.ExecutionQuery{
		Script:  v.Query("script"),
		Status:  v.Query("status"),
		Source:  v.Query("source"),
		Trigger: v.Query("trigger"),
		Root:    v.Query("root"),
		Search:  v.Query("q"),
	}
	for _, t := range []struct {
		text string
		to   *time.Time
	}{{v.Query("from"), &query.From}, {v.Query("to"), &query.To}} {
		if t.text == "" {
			continue
		}
		if *t.to, err = time.Parse(formTime, t.text); err != nil {
			return cloud.Errorf(cloud.CodeInvalid, "from and to must be moments such as 2026-01-31T12:30")
		}
	}

	// Whoever searches for an id wants that execution, not those that name it.
	if id, ok := cloud.ParseID(strings.TrimSpace(query.Search)); ok {
		return v.to("/executions/" + id.String())
	}

	filter, err := query.Filter()
	if err != nil {
		return err
	}
	list := query.List(v.app)
	before, err := s.OpenIDCursor(list, v.Query("cursor"))
	if err != nil {
		return err
	}
	executions, searched, err := s.Orchestrator.Executions(v.UserContext(), v.app.ID(), filter, before, pageSize+1)
	if err != nil {
		return err
	}

	executions, next := edge.Cut(s.Edge, list, executions, pageSize, executionKey)
	if next == "" && !searched.IsZero() {
		next = s.Cursor(list, searched.String())
	}
	vm := views.ExecutionsPage{
		Page:  frame,
		Next:  v.next(next),
		First: before.IsZero(),
		Filter: views.ExecutionFilter{
			Script:  query.Script,
			Status:  query.Status,
			Source:  query.Source,
			Trigger: query.Trigger,
			Search:  query.Search,
			From:    v.Query("from"),
			To:      v.Query("to"),
		},
	}
	if next != "" && len(executions) < pageSize {
		vm.Searched = orchestrator.SearchDepth
	}
	for k := range executions {
		vm.Rows = append(vm.Rows, executionRow(&executions[k]))
	}
	if vm.Scripts, err = v.scriptNames(); err != nil {
		return err
	}
	return v.render(http.StatusOK, views.Executions(vm))
}

func (s *Server) showExecutionPage(v *visit) error {
	id, err := edge.IDParam(v.Params("id"), "execution")
	if err != nil {
		return err
	}
	e, err := s.Orchestrator.Execution(v.UserContext(), v.app.ID(), id)
	if err != nil {
		return err
	}
	frame, err := v.frame("Execution of "+e.Script, "executions")
	if err != nil {
		return err
	}
	vm := views.ExecutionPage{
		Page:         frame,
		ExecutionRow: executionRow(e),
		Version:      int(e.Version),
		Node:         e.Node,
		Stack:        e.ErrorStack,
		CPU:          micros(e.CpuUs),
		MemoryMiB:    edge.MemoryMiB(e.MemoryKib),
		RootID:       cloud.ID(e.RootID).String(),
		Parent:       idText(e.ParentID),
		Outbox:       idText(e.OutboxID),
		Trigger:      idText(e.TriggerID),
		Depth:        int(e.Depth),
		Principal:    e.Principal,
		After:        e.AfterStatus,
		Logs:         recordedLogs(e.Logs),
	}

	abandoned, err := s.Orchestrator.AbandonedOf(v.UserContext(), v.app.ID(), id)
	if err != nil {
		return err
	}
	for _, a := range abandoned {
		vm.Abandoned = append(vm.Abandoned, a.Reason+": "+strconv.Itoa(int(a.StatusCode))+" "+a.Summary)
	}
	lineage, err := s.Orchestrator.Lineage(v.UserContext(), v.app.ID(), e.RootID)
	if err != nil {
		return err
	}
	vm.Tree, vm.TreeTruncated = tree(lineage, id), lineage.Truncated
	vm.Steps = timeline(lineage, e, vm.Logs)
	return v.render(http.StatusOK, views.Execution(vm))
}

// recordedLogs reads the lines of a record, which has none or a JSON list.
func recordedLogs(text string) []views.LogRow {
	var lines []cloud.LogLine
	_ = json.Unmarshal([]byte(text), &lines) // a record without lines is empty
	return logRows(lines)
}

// timeline is the life of the event that an execution is an attempt of, or just the execution.
func timeline(l *orchestrator.Lineage, e *db.Execution, logs []views.LogRow) []views.Step {
	this := views.Step{At: e.StartedAt, Status: e.Status, Text: "attempt " + strconv.Itoa(int(e.Attempt)) + ", took " + took(e.DurationUs) + onNode(e.Node),
		Current: true, Logs: logs}
	if e.OutboxID == nil {
		this.Text = "took " + took(e.DurationUs) + onNode(e.Node)
		return []views.Step{this}
	}
	outbox := cloud.ID(*e.OutboxID)
	steps := []views.Step{{At: outbox.Time(), Text: "enqueued"}}
	event := l.Event(outbox)
	if event == nil {
		return append(steps, this)
	}
	last := outbox.Time()
	for _, a := range event.Attempts {
		step := this
		if r := a.Row; a.ID != cloud.ID(e.ID) {
			step = views.Step{At: r.StartedAt, Status: r.Status, Href: "/executions/" + a.ID.String(),
				Text: "attempt " + strconv.Itoa(int(r.Attempt)) + ", took " + took(r.DurationUs) + onNode(r.Node)}
		}
		if wait := a.Row.StartedAt.Sub(last); wait > 0 {
			step.Text = "after " + wait.Round(time.Millisecond).String() + ": " + step.Text
		}
		last = a.Row.StartedAt.Add(micros(a.Row.DurationUs))
		steps = append(steps, step)
	}
	if len(event.Attempts) == 0 {
		steps = append(steps, this)
	}
	if w := event.Waiting; w != nil {
		steps = append(steps, views.Step{At: w.WakeAt, Status: "waiting", Text: "for the next attempt, or it is running", Href: "/queue"})
	}
	if d := event.Letter; d != nil {
		steps = append(steps, views.Step{At: d.CreatedAt, Status: "dead letter", Text: d.Reason, Href: "/dead-letters/" + cloud.ID(d.ID).String()})
	}
	return steps
}

func micros(us int64) time.Duration { return time.Duration(us) * time.Microsecond }

func took(us int64) string { return micros(us).Round(100 * time.Microsecond).String() }

func onNode(node string) string {
	if node == "" {
		return ""
	}
	return " on " + node
}

// tree draws a lineage; the execution or dead letter that the page is about is marked.
func tree(l *orchestrator.Lineage, current cloud.ID) []views.TreeNode {
	var out []views.TreeNode
	for _, r := range l.Top {
		out = append(out, runNode(r, current))
	}
	return append(out, eventNodes(l.Events, current)...)
}

func runNode(r *orchestrator.LineageRun, current cloud.ID) views.TreeNode {
	n := views.TreeNode{Text: "a run that was not recorded", Detail: r.ID.String()}
	if r.Row != nil {
		n = views.TreeNode{
			Text:    r.Row.Script,
			Detail:  runDetail(r.Row),
			Status:  r.Row.Status,
			Href:    "/executions/" + r.ID.String(),
			At:      &r.Row.StartedAt,
			Current: r.ID == current,
		}
	}
	n.Children = eventNodes(r.Events, current)
	return n
}

func runDetail(r *db.ExecutionsOfRootRow) string {
	out := r.Request
	if r.OutboxID != nil {
		out = "attempt " + strconv.Itoa(int(r.Attempt))
	}
	if r.ErrorMessage != "" {
		out += ", " + r.ErrorName + ": " + cloud.Shorten(r.ErrorMessage)
	}
	return strings.TrimPrefix(out, ", ")
}

func eventNodes(events []*orchestrator.LineageEvent, current cloud.ID) []views.TreeNode {
	var out []views.TreeNode
	for _, e := range events {
		n := views.TreeNode{Text: eventText(e), Detail: "for " + e.Script}
		for _, a := range e.Attempts {
			n.Children = append(n.Children, runNode(a, current))
		}
		if w := e.Waiting; w != nil {
			status := "waiting"
			if w.ClaimedBy != nil {
				status = "running"
			}
			n.Children = append(n.Children, views.TreeNode{Text: "in the queue", Status: status, Href: "/queue", At: &w.WakeAt})
		}
		if d := e.Letter; d != nil {
			id := cloud.ID(d.ID)
			letter := views.TreeNode{
				Text:    "dead letter",
				Status:  "failed",
				Detail:  d.Reason,
				Href:    "/dead-letters/" + id.String(),
				At:      &d.CreatedAt,
				Current: id == current,
			}
			if d.Resolution != nil {
				letter.Status = *d.Resolution
			}
			n.Children = append(n.Children, letter)
		}
		out = append(out, n)
	}
	return out
}

// eventText says what an event was: what its runs recorded of it, else where it came from.
func eventText(e *orchestrator.LineageEvent) string {
	for _, a := range e.Attempts {
		if a.Row.Request != "" {
			return a.Row.Request
		}
	}
	return e.Source + " event"
}

// findExecution leads from an id to its page, in whichever app it is.
func (s *Server) findExecution(v *visit) error {
	text := strings.TrimSpace(v.Query("id"))
	if id, ok := cloud.ParseID(text); ok {
		apps, err := s.Manager.Apps(v.UserContext(), v.seesAppsOf(), "", maxAppsSearched)
		if err != nil {
			return err
		}
		slugs, ids := map[cloud.AppID]string{}, []cloud.AppID{}
		for _, a := range apps {
			ids, slugs[cloud.AppID(a.ID)] = append(ids, cloud.AppID(a.ID)), a.Slug
		}
		app, err := s.Orchestrator.AppOf(v.UserContext(), id, ids)
		if err != nil {
			return err
		}
		if app != 0 {
			return v.Redirect("/admin/apps/"+slugs[app]+"/executions/"+id.String(), http.StatusSeeOther)
		}
	}
	frame, err := v.frame("Find an execution", "")
	if err != nil {
		return err
	}
	return v.render(http.StatusOK, views.Find(views.FindPage{Page: frame, ID: cloud.Shorten(text)}))
}

// maxAppsSearched bounds the apps in which an id is looked for.
const maxAppsSearched = 1000

func (s *Server) showAbandoned(v *visit) error {
	frame, err := v.frame("Abandoned executions", "abandoned")
	if err != nil {
		return err
	}
	list := edge.ListName(v.app, "abandoned")
	before, err := s.OpenIDCursor(list, v.Query("cursor"))
	if err != nil {
		return err
	}

	rows, err := s.Orchestrator.Abandoned(v.UserContext(), v.app.ID(), before, pageSize+1)
	if err != nil {
		return err
	}
	rows, next := edge.Cut(s.Edge, list, rows, pageSize, func(a *db.AbandonedExecution) string { return cloud.ID(a.ID).String() })
	vm := views.AbandonedPage{Page: frame, Next: v.next(next)}
	for _, a := range rows {
		vm.Rows = append(vm.Rows, views.AbandonedRow{
			ID:        cloud.ID(a.ID).String(),
			Script:    a.Script,
			Execution: cloud.ID(a.ExecutionID).String(),
			Status:    int(a.StatusCode),
			Summary:   a.Summary,
			Reason:    a.Reason,
			CreatedAt: a.CreatedAt,
		})
	}
	return v.render(http.StatusOK, views.Abandoned(vm))
}

func (s *Server) showTail(v *visit) error {
	frame, err := v.frame("Live tail", "tail")
	if err != nil {
		return err
	}
	vm := views.TailPage{Page: frame, Script: v.Query("script"), Status: v.Query("status")}
	if vm.Scripts, err = v.scriptNames(); err != nil {
		return err
	}
	return v.render(http.StatusOK, views.Tail(vm))
}

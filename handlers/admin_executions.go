package handlers

import (
	"encoding/json"
	"net/http"
	"picloud/internal/history"
	"strconv"
	"strings"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/views"
)

func executionRow(e *executionItem) views.ExecutionRow {
	r := views.ExecutionRow{ID: e.ID, Script: e.Script, Source: e.Source, Status: e.Status, Attempt: e.Attempt, StartedAt: e.StartedAt,
		Duration: time.Duration(e.DurationMS * float64(time.Millisecond))}
	if e.Request != nil {
		r.Subject = *e.Request
	}
	if e.HTTPStatus != nil {
		r.HTTPStatus = *e.HTTPStatus
	}
	if e.Error != nil {
		r.Error = e.Error.Name + ": " + e.Error.Message
	}
	return r
}

// formTime is how an input of type datetime-local writes a moment; here it is UTC.
const formTime = "2006-01-02T15:04"

func (s *Server) showExecutions(v *visit) error {
	frame, err := v.frame("Executions", "executions")
	if err != nil {
		return err
	}
	in := &listExecutions{PageQuery: *v.pageQuery(), Script: v.Query("script"), Status: v.Query("status"), Source: v.Query("source"),
		Trigger: v.Query("trigger"), Root: v.Query("root"), Search: v.Query("q")}
	for _, t := range []struct {
		text string
		to   *time.Time
	}{{v.Query("from"), &in.From}, {v.Query("to"), &in.To}} {
		if t.text == "" {
			continue
		}
		if *t.to, err = time.Parse(formTime, t.text); err != nil {
			return cloud.Errorf(cloud.CodeInvalid, "from and to must be moments such as 2026-01-31T12:30")
		}
	}
	if id, ok := cloud.ParseID(strings.TrimSpace(in.Search)); ok {
		return v.to("/executions/" + id.String())
	}
	list, err := s.listExecutions(v.UserContext(), v.app, in)
	if err != nil {
		return err
	}
	vm := views.ExecutionsPage{Page: frame, Next: v.next(list.Body.NextCursor), First: in.Cursor == "",
		Filter: views.ExecutionFilter{Script: in.Script, Status: in.Status, Source: in.Source, Trigger: in.Trigger, Search: in.Search,
			From: v.Query("from"), To: v.Query("to")}}
	if list.Body.NextCursor != nil && len(list.Body.Items) < in.Limit {
		vm.Searched = history.SearchDepth
	}
	for k := range list.Body.Items {
		vm.Rows = append(vm.Rows, executionRow(&list.Body.Items[k]))
	}
	if vm.Scripts, err = v.scriptNames(); err != nil {
		return err
	}
	return v.render(http.StatusOK, views.Executions(vm))
}

func (s *Server) showExecutionPage(v *visit) error {
	id, err := idParam(v.Params("id"), "execution")
	if err != nil {
		return err
	}
	e, err := s.cfg.Orchestrator.History.Execution(v.UserContext(), v.app.id(), id)
	if err != nil {
		return err
	}
	frame, err := v.frame("Execution of "+e.Script, "executions")
	if err != nil {
		return err
	}
	it := showExecution(v.app)(e)
	vm := views.ExecutionPage{Page: frame, ExecutionRow: executionRow(&it), Version: it.Version, Node: it.Node, Stack: e.ErrorStack, CPU: time.Duration(it.CPUMS * float64(time.Millisecond)), MemoryMiB: it.MemoryMiB, RootID: it.RootID,
		Depth: it.Depth, Principal: e.Principal, After: e.AfterStatus}
	for _, p := range []struct {
		to   *string
		from *string
	}{{&vm.Parent, it.ParentID}, {&vm.Outbox, it.OutboxID}, {&vm.Trigger, it.TriggerID}} {
		if p.from != nil {
			*p.to = *p.from
		}
	}
	var logs []logItem
	if json.Unmarshal(it.Logs, &logs) == nil {
		for _, l := range logs {
			vm.Logs = append(vm.Logs, views.LogRow{At: l.At, Level: l.Level, Message: l.Message})
		}
	}
	abandoned, err := s.cfg.Orchestrator.History.AbandonedOf(v.UserContext(), v.app.id(), id)
	if err != nil {
		return err
	}
	for _, a := range abandoned {
		vm.Abandoned = append(vm.Abandoned, a.Reason+": "+strconv.Itoa(int(a.StatusCode))+" "+a.Summary)
	}
	lineage, err := s.cfg.Orchestrator.History.Lineage(v.UserContext(), v.app.id(), e.RootID)
	if err != nil {
		return err
	}
	vm.Tree, vm.TreeTruncated = tree(lineage, vm.ID), lineage.Truncated
	vm.Steps = timeline(lineage, e, vm.Logs)
	return v.render(http.StatusOK, views.Execution(vm))
}

// timeline is the life of the event that an execution is an attempt of, or just the execution.
func timeline(l *history.Lineage, e *db.Execution, logs []views.LogRow) []views.Step {
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
func tree(l *history.Lineage, current string) []views.TreeNode {
	var out []views.TreeNode
	for _, r := range l.Top {
		out = append(out, runNode(r, current))
	}
	return append(out, eventNodes(l.Events, current)...)
}

func runNode(r *history.LineageRun, current string) views.TreeNode {
	n := views.TreeNode{Text: "a run that was not recorded", Detail: r.ID.String()}
	if r.Row != nil {
		id := r.ID.String()
		n = views.TreeNode{Text: r.Row.Script, Detail: runDetail(r.Row), Status: r.Row.Status, Href: "/executions/" + id, At: &r.Row.StartedAt, Current: id == current}
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

func eventNodes(events []*history.LineageEvent, current string) []views.TreeNode {
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
			id := cloud.ID(d.ID).String()
			letter := views.TreeNode{Text: "dead letter", Status: "failed", Detail: d.Reason, Href: "/dead-letters/" + id, At: &d.CreatedAt, Current: id == current}
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
func eventText(e *history.LineageEvent) string {
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
		apps, err := s.cfg.Manager.Apps(v.UserContext(), v.seesAppsOf(), "", maxAppsSearched)
		if err != nil {
			return err
		}
		slugs, ids := map[cloud.AppID]string{}, []cloud.AppID{}
		for _, a := range apps {
			ids, slugs[cloud.AppID(a.ID)] = append(ids, cloud.AppID(a.ID)), a.Slug
		}
		app, err := s.cfg.Orchestrator.History.AppOf(v.UserContext(), id, ids)
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
	list, err := s.listAbandoned(v.UserContext(), v.app, &listScripts{PageQuery: *v.pageQuery()})
	if err != nil {
		return err
	}
	vm := views.AbandonedPage{Page: frame, Next: v.next(list.Body.NextCursor)}
	for _, a := range list.Body.Items {
		vm.Rows = append(vm.Rows, views.AbandonedRow{ID: a.ID, Script: a.Script, Execution: a.ExecutionID, Status: a.StatusCode, Summary: a.Summary,
			Reason: a.Reason, CreatedAt: a.CreatedAt})
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

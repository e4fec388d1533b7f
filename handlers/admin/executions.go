package admin

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"picloud/db"
	"picloud/handlers/edge"
	"picloud/internal/cloud"
	"picloud/internal/history"
	"picloud/views"
)

// executionRow shows an execution in a list.
func executionRow(e *history.Execution) views.ExecutionRow {
	return views.ExecutionRow{
		ID:         e.ID.String(),
		Script:     e.Name,
		Source:     e.Source,
		Subject:    e.Request,
		Status:     string(e.Status),
		HTTPStatus: e.HTTPStatus,
		Attempt:    e.Attempt,
		StartedAt:  e.Started,
		Duration:   e.Duration,
		Error:      e.Error.String(),
	}
}

// formTime is how an input of type datetime-local writes a moment; here it is UTC.
const formTime = "2006-01-02T15:04"

// showExecutions lists executions, narrowed by what the address says.
func (s *Server) showExecutions(v *visit) error {
	frame, err := v.frame("Executions", "executions")
	if err != nil {
		return err
	}
	query, err := v.executionQuery()
	if err != nil {
		return err
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

	page, err := s.Orchestrator.History.Executions(v.UserContext(), v.app.ID(), filter, before, pageSize)
	if err != nil {
		return err
	}

	vm := views.ExecutionsPage{
		Page:   frame,
		Next:   v.next(s.IDCursor(list, page.End)),
		First:  before.IsZero(),
		Filter: v.shown(query),
	}
	if page.Searched {
		vm.Searched = history.SearchDepth
	}

	for k := range page.List {
		vm.Rows = append(vm.Rows, executionRow(&page.List[k]))
	}
	if vm.Scripts, err = v.scriptNames(); err != nil {
		return err
	}
	return v.render(http.StatusOK, views.Executions(vm))
}

// executionQuery is what the address asks for.
func (v *visit) executionQuery() (*edge.ExecutionQuery, error) {
	query := &edge.ExecutionQuery{
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
	}{
		{v.Query("from"), &query.From},
		{v.Query("to"), &query.To},
	} {
		if t.text == "" {
			continue
		}
		var err error
		if *t.to, err = time.Parse(formTime, t.text); err != nil {
			return nil, cloud.Errorf(cloud.CodeInvalid,
				"from and to must be moments such as 2026-01-31T12:30")
		}
	}
	return query, nil
}

// shown is a query as its form shows it, moments as they were typed.
func (v *visit) shown(query *edge.ExecutionQuery) views.ExecutionFilter {
	return views.ExecutionFilter{
		Script:  query.Script,
		Status:  query.Status,
		Source:  query.Source,
		Trigger: query.Trigger,
		Search:  query.Search,
		From:    v.Query("from"),
		To:      v.Query("to"),
	}
}

// showExecutionPage shows an execution with its log, what became of its event, and everything that has the
// same root.
func (s *Server) showExecutionPage(v *visit) error {
	id, err := edge.IDParam(v.Params("id"), "execution")
	if err != nil {
		return err
	}

	e, err := s.Orchestrator.History.Execution(v.UserContext(), v.app.ID(), id)
	if err != nil {
		return err
	}

	frame, err := v.frame("Execution of "+e.Name, "executions")
	if err != nil {
		return err
	}

	vm := views.ExecutionPage{
		Page:         frame,
		ExecutionRow: executionRow(e),
		Version:      e.Version,
		Node:         e.Node,
		Stack:        e.Error.Stack,
		CPU:          e.Usage.CPU,
		MemoryMiB:    edge.MemoryMiB(e.Usage.MemoryKiB),
		RootID:       e.Root.String(),
		Parent:       e.Parent.String(),
		Outbox:       e.Outbox.String(),
		Trigger:      e.Trigger.String(),
		Depth:        e.Depth,
		Principal:    e.Principal,
		After:        string(e.After),
		Logs:         logRows(e.Lines()),
	}

	abandoned, err := s.Orchestrator.History.AbandonedOf(v.UserContext(), v.app.ID(), id)
	if err != nil {
		return err
	}

	for _, a := range abandoned {
		vm.Abandoned = append(vm.Abandoned, a.Reason+": "+strconv.Itoa(int(a.StatusCode))+" "+a.Summary)
	}

	lineage, err := s.Orchestrator.History.Lineage(v.UserContext(), v.app.ID(), e.Root)
	if err != nil {
		return err
	}
	vm.Tree = tree(lineage, id)
	vm.TreeTruncated = lineage.Truncated
	vm.Steps = timeline(lineage, e, vm.Logs)
	return v.render(http.StatusOK, views.Execution(vm))
}

// findExecution leads from an id to its page, in whichever app it is.
func (s *Server) findExecution(v *visit) error {
	text := strings.TrimSpace(v.Query("id"))
	if id, ok := cloud.ParseID(text); ok {
		apps, err := s.Manager.Apps(v.UserContext(), v.seesAppsOf(), "", maxAppsSearched)
		if err != nil {
			return err
		}

		slugs := map[cloud.AppID]string{}

		ids := []cloud.AppID{}
		for _, a := range apps {
			ids = append(ids, cloud.AppID(a.ID))
			slugs[cloud.AppID(a.ID)] = a.Slug
		}

		app, err := s.Orchestrator.History.AppOf(v.UserContext(), id, ids)
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

// showAbandoned lists the answers whose callers had hung up before they could be sent.
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

	rows, err := s.Orchestrator.History.Abandoned(v.UserContext(), v.app.ID(), before, pageSize+1)
	if err != nil {
		return err
	}

	rows, next := edge.Cut(s.Edge, list, rows, pageSize,
		func(a *db.AbandonedExecution) string { return cloud.ID(a.ID).String() })
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

// showTail is the frame of the live tail; the page follows the stream itself.
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

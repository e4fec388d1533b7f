package handlers

import (
	"net/http"

	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
	"picloud/views"
)

// pageSize is the items of a page of the dashboard.
const pageSize = 50

func (v *visit) pageQuery() *PageQuery { return &PageQuery{Limit: pageSize, Cursor: v.Query("cursor")} }

func (s *Server) showApps(v *visit) error { return s.appsPage(v, http.StatusOK, "", "") }

func (s *Server) appsPage(v *visit, status int, slug, problem string) error {
	frame, err := v.frame("Apps", "")
	if err != nil {
		return err
	}
	frame.Error = problem
	list, err := s.listApps(v.UserContext(), v.p, v.pageQuery())
	if err != nil {
		return err
	}
	vm := views.AppsPage{Page: frame, MayCreate: v.p.IsAdmin(), Slug: slug, Next: v.next(list.Body.NextCursor)}
	for _, a := range list.Body.Items {
		row := views.AppRow{Slug: a.Slug, Name: a.Name, Description: a.Description}
		app, err := s.cfg.Manager.App(v.UserContext(), a.Slug)
		if err != nil {
			continue // deleted meanwhile
		}
		c, err := s.cfg.Orchestrator.Conservation(v.UserContext(), cloud.AppID(app.ID))
		if err != nil {
			return err
		}
		row.Waiting, row.Running, row.Balanced = c.Waiting, c.Running, c.Balanced
		if row.Unresolved, err = s.cfg.Orchestrator.CountDeadLetters(v.UserContext(), cloud.AppID(app.ID)); err != nil {
			return err
		}
		vm.Apps = append(vm.Apps, row)
	}
	return v.render(status, views.Apps(vm))
}

func (s *Server) createApp(v *visit) error {
	if err := instanceAdmin(v.p, "apps:admin"); err != nil {
		return err
	}
	slug := v.form.Get("slug")
	app, err := s.cfg.Manager.CreateApp(v.UserContext(), actor(v.p), slug, v.form.Get("name"), "")
	if message, ok := refused(err); ok {
		return s.appsPage(v, http.StatusUnprocessableEntity, slug, message)
	}
	if err != nil {
		return err
	}
	return v.Redirect("/admin/apps/"+app.Slug+"/scripts", http.StatusSeeOther)
}

func (s *Server) showOverview(v *visit) error {
	frame, err := v.frame(v.app.app.Name, "overview")
	if err != nil {
		return err
	}
	c, err := s.cfg.Orchestrator.Conservation(v.UserContext(), v.app.id())
	if err != nil {
		return err
	}
	vm := views.OverviewPage{Page: frame, Name: v.app.app.Name, Description: v.app.app.Description, Enqueued: c.Enqueued, Waiting: c.Waiting,
		Running: c.Running, Done: c.Done, DeadLettered: c.DeadLettered, Skipped: c.Skipped, Discarded: c.Discarded, Balanced: c.Balanced}
	failed, err := s.cfg.Orchestrator.Executions(v.UserContext(), v.app.id(), orchestrator.ExecutionFilter{Status: string(cloud.Failed)}, cloud.ID{}, 10)
	if err != nil {
		return err
	}
	show := showExecution(v.app)
	for k := range failed {
		it := show(&failed[k])
		vm.Failures = append(vm.Failures, executionRow(&it))
	}
	return v.render(http.StatusOK, views.Overview(vm))
}

func (s *Server) showCollections(v *visit) error {
	frame, err := v.frame("KV", "kv")
	if err != nil {
		return err
	}
	list, err := s.listCollections(v.UserContext(), v.app, &listScripts{PageQuery: *v.pageQuery()})
	if err != nil {
		return err
	}
	vm := views.KVPage{Page: frame, Next: v.next(list.Body.NextCursor)}
	for _, c := range list.Body.Items {
		vm.Rows = append(vm.Rows, views.KVRow{Collection: c.Collection, Keys: c.Keys})
	}
	return v.render(http.StatusOK, views.KV(vm))
}

func (s *Server) showEntries(v *visit) error {
	collection, err := unescape(v.Params("collection"))
	if err != nil {
		return err
	}
	frame, err := v.frame(collection, "kv")
	if err != nil {
		return err
	}
	in := &listEntries{PageQuery: *v.pageQuery(), Prefix: v.Query("prefix")}
	in.Collection = v.Params("collection")
	list, err := s.listEntries(v.UserContext(), v.app, in)
	if err != nil {
		return err
	}
	vm := views.KVPage{Page: frame, Collection: collection, Prefix: in.Prefix, Next: v.next(list.Body.NextCursor)}
	for _, e := range list.Body.Items {
		vm.Rows = append(vm.Rows, views.KVRow{Collection: e.Collection, Key: e.Key, Value: cloud.Shorten(string(e.Value)), Version: e.Version,
			ExpiresAt: e.ExpiresAt, UpdatedAt: e.UpdatedAt})
	}
	return v.render(http.StatusOK, views.KV(vm))
}

// mayOperate is a shorthand of the pages about events.
func (v *visit) mayOperate() bool { return v.may(auth.WriteDeadLetter) }

package handlers

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/internal/orchestrator"
	"picloud/views"
)

func (s *Server) showApps(v *visit) error { return s.appsPage(v, http.StatusOK, "") }

func (s *Server) appsPage(v *visit, status int, problem string) error {
	frame, err := v.frame("Apps", "apps")
	if err != nil {
		return err
	}
	frame.Error = problem
	list, err := s.listApps(v.UserContext(), v.p, v.pageQuery())
	if err != nil {
		return err
	}
	vm := views.AppsPage{Page: frame, MayCreate: v.p.IsAdmin(), Next: v.next(list.Body.NextCursor)}
	if v.form != nil {
		vm.Slug, vm.Name = v.form.Get("slug"), v.form.Get("name")
	}
	var ids []cloud.AppID
	for _, a := range list.Body.Items {
		app, err := s.cfg.Manager.App(v.UserContext(), a.Slug)
		if err != nil {
			continue // deleted meanwhile
		}
		ids = append(ids, cloud.AppID(app.ID))
		vm.Apps = append(vm.Apps, views.AppRow{Slug: a.Slug, Name: a.Name, Description: a.Description})
	}
	runs, err := s.cfg.Orchestrator.CountRuns(v.UserContext(), ids)
	if err != nil {
		return err
	}
	for k, id := range ids {
		row := &vm.Apps[k]
		row.Runs, row.Errors = runs[id].Runs, runs[id].Errors
		c, err := s.cfg.Orchestrator.Conservation(v.UserContext(), id)
		if err != nil {
			return err
		}
		row.Waiting, row.Running, row.Balanced = c.Waiting, c.Running, c.Balanced
		if row.Unresolved, err = s.cfg.Orchestrator.CountDeadLetters(v.UserContext(), id); err != nil {
			return err
		}
	}
	return v.render(status, views.Apps(vm))
}

func (s *Server) createApp(v *visit) error {
	app, err := s.cfg.Manager.CreateApp(v.UserContext(), actor(v.p), v.form.Get("slug"), v.form.Get("name"), "")
	if message, ok := refused(err); ok {
		return s.appsPage(v, http.StatusUnprocessableEntity, message)
	}
	if err != nil {
		return err
	}
	return v.Redirect("/admin/apps/"+app.Slug, http.StatusSeeOther)
}

// failuresSeen is how many failures the overview looks at.
const failuresSeen = 1000

func (s *Server) showOverview(v *visit) error {
	frame, err := v.frame("Overview", "overview")
	if err != nil {
		return err
	}
	ctx, o := v.UserContext(), s.cfg.Orchestrator
	c, err := o.Conservation(ctx, v.app.id())
	if err != nil {
		return err
	}
	vm := views.OverviewPage{Page: frame, Name: v.app.app.Name, Description: v.app.app.Description, Enqueued: c.Enqueued, Waiting: c.Waiting,
		Running: c.Running, Done: c.Done, DeadLettered: c.DeadLettered, Skipped: c.Skipped, Discarded: c.Discarded, Balanced: c.Balanced}
	if vm.Oldest, err = o.OldestWaiting(ctx, v.app.id()); err != nil {
		return err
	}
	now := time.Now()
	stats, err := o.RunStats(ctx, v.app.id(), orchestrator.StatsQuery{From: now.Add(-day + time.Hour), Until: now, Step: time.Hour})
	if err != nil {
		return err
	}
	for _, p := range stats {
		vm.Runs, vm.Errors = vm.Runs+p.Runs, vm.Errors+p.Errors
		vm.Points = append(vm.Points, views.Point{At: p.At, Runs: p.Runs, Errors: p.Errors, P50: p.P50, P95: p.P95})
	}
	vm.P50, vm.P95 = orchestrator.Quantiles(stats)
	failed, err := o.Failures(ctx, v.app.id(), now.Add(-day), failuresSeen+1)
	if err != nil {
		return err
	}
	vm.Failures, vm.Capped = groupFailures(failed[:min(len(failed), failuresSeen)]), len(failed) > failuresSeen
	if vm.Runs == 0 {
		names, err := v.scriptNames()
		if err != nil {
			return err
		}
		vm.Empty = len(names) == 0 && v.may(auth.WriteScripts)
	}
	return v.render(http.StatusOK, views.Overview(vm))
}

// groupsShown bounds the groups of the overview.
const groupsShown = 10

// groupFailures counts what failed alike, the most frequent first. The list is newest first, so the first of a group is
// its latest.
func groupFailures(list []orchestrator.Failure) []views.FailureGroup {
	type key struct{ script, status, group string }
	at := map[key]int{}
	var groups []views.FailureGroup
	for k := range list {
		f := &list[k]
		g := key{f.Script, f.Status, cloud.ErrorGroup(f.ErrorName, f.ErrorMessage)}
		n, ok := at[g]
		if !ok {
			n = len(groups)
			at[g] = n
			groups = append(groups, views.FailureGroup{Script: f.Script, Status: f.Status, Error: g.group, Latest: cloud.ID(f.ID).String(), LatestAt: f.StartedAt})
		}
		groups[n].Count++
	}
	slices.SortStableFunc(groups, func(a, b views.FailureGroup) int { return b.Count - a.Count })
	return groups[:min(len(groups), groupsShown)]
}

func (s *Server) showSettings(v *visit) error { return s.settingsPage(v, http.StatusOK, "") }

func (s *Server) settingsPage(v *visit, status int, problem string) error {
	frame, err := v.frame("Settings", "settings")
	if err != nil {
		return err
	}
	frame.Error = problem
	if v.Query("done") == "saved" {
		frame.Notice = "Saved."
	}
	a := v.app.app
	hosts, err := s.cfg.Manager.Hosts(v.UserContext(), a)
	if err != nil {
		return err
	}
	vm := views.SettingsPage{Page: frame, Name: a.Name, Description: a.Description, Hosts: strings.Join(hosts, "\n"), MayEdit: v.may(auth.AdminApp),
		MayHosts: v.p.IsAdmin(), CreatedAt: a.CreatedAt}
	if v.form != nil && v.form.Has("name") {
		vm.Name, vm.Description, vm.Hosts = v.form.Get("name"), v.form.Get("description"), v.form.Get("hosts")
	}
	return v.render(status, views.Settings(vm))
}

func (s *Server) updateAppPage(v *visit) error {
	name, description := v.form.Get("name"), v.form.Get("description")
	change := manager.AppChange{Name: &name, Description: &description}
	if v.p.IsAdmin() {
		hosts := strings.Fields(v.form.Get("hosts"))
		change.Hosts = &hosts
	}
	_, err := s.cfg.Manager.UpdateApp(v.UserContext(), actor(v.p), v.app.app, change)
	if message, ok := refused(err); ok {
		return s.settingsPage(v, http.StatusUnprocessableEntity, message)
	}
	if err != nil {
		return err
	}
	return v.to("/settings?done=saved")
}

func (s *Server) deleteAppPage(v *visit) error {
	err := v.confirmed(v.app.app.Slug)
	if err == nil {
		err = s.cfg.Manager.DeleteApp(v.UserContext(), actor(v.p), v.app.app, v.form.Get("force") == "true")
	}
	if message, ok := refused(err); ok {
		return s.settingsPage(v, http.StatusUnprocessableEntity, message)
	}
	if err != nil {
		return err
	}
	return v.Redirect("/admin", http.StatusSeeOther)
}

package admin

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"picloud/handlers/edge"
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
	apps, next, err := s.visibleApps(v)
	if err != nil {
		return err
	}
	vm := views.AppsPage{Page: frame, MayCreate: v.p.IsAdmin(), Next: next}
	if v.form != nil {
		vm.Slug, vm.Name = v.form.Get("slug"), v.form.Get("name")
	}
	if vm.Apps, err = s.health(v.UserContext(), apps); err != nil {
		return err
	}
	return v.render(status, views.Apps(vm))
}

// visibleApps is a page of the apps that the visitor may see.
func (s *Server) visibleApps(v *visit) ([]manager.App, string, error) {
	list := "app-page\x00" + v.p.Username
	after, err := s.OpenCursor(list, v.Query("cursor"))
	if err != nil {
		return nil, "", err
	}
	apps, err := s.Manager.Apps(v.UserContext(), v.seesAppsOf(), after, pageSize+1)
	if err != nil {
		return nil, "", err
	}
	apps, next := edge.Cut(s.Edge, list, apps, pageSize, func(a *manager.App) string { return a.Slug })
	return apps, v.next(next), nil
}

// seesAppsOf is the user whose apps the visitor sees, 0 for all.
func (v *visit) seesAppsOf() int64 {
	if v.p.IsAdmin() {
		return 0
	}
	return v.p.UserID
}

// health looks at several apps at once.
func (s *Server) health(ctx context.Context, apps []manager.App) ([]views.AppRow, error) {
	ids := make([]cloud.AppID, len(apps))
	for k := range apps {
		ids[k] = cloud.AppID(apps[k].ID)
	}
	runs, err := s.Orchestrator.CountRuns(ctx, ids)
	if err != nil {
		return nil, err
	}
	ledgers, err := s.Orchestrator.Conservations(ctx, ids)
	if err != nil {
		return nil, err
	}
	letters, err := s.Orchestrator.CountDeadLettersOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	rows := make([]views.AppRow, len(apps))
	for k, id := range ids {
		a, c := &apps[k], ledgers[id]
		rows[k] = views.AppRow{Slug: a.Slug, Name: a.Name, Description: a.Description, Runs: runs[id].Runs, Errors: runs[id].Errors, Waiting: c.Waiting,
			Running: c.Running, Balanced: c.Balanced, Unresolved: letters[id]}
	}
	return rows, nil
}

func (s *Server) createApp(v *visit) error {
	app, err := s.Manager.CreateApp(v.UserContext(), edge.Actor(v.p), v.form.Get("slug"), v.form.Get("name"), "")
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
	ctx, o := v.UserContext(), s.Orchestrator
	if hold := o.Hold(); hold != "" {
		frame.Error = "On hold: no event and no schedule runs. This installation was " + hold + "; \"picloud release\" lets it work."
	}
	c, err := o.Conservation(ctx, v.app.ID())
	if err != nil {
		return err
	}
	vm := views.OverviewPage{Page: frame, Name: v.app.App.Name, Description: v.app.App.Description, Enqueued: c.Enqueued, Waiting: c.Waiting,
		Running: c.Running, Done: c.Done, DeadLettered: c.DeadLettered, Skipped: c.Skipped, Discarded: c.Discarded, Balanced: c.Balanced}
	if vm.Oldest, err = o.OldestWaiting(ctx, v.app.ID()); err != nil {
		return err
	}
	if vm.Overdue, err = v.overdue(); err != nil {
		return err
	}
	now := time.Now()
	stats, err := o.RunStats(ctx, v.app.ID(), orchestrator.StatsQuery{From: now.Add(-day + time.Hour), Until: now, Step: time.Hour})
	if err != nil {
		return err
	}
	for _, p := range stats {
		vm.Runs, vm.Errors = vm.Runs+p.Runs, vm.Errors+p.Errors
		vm.Points = append(vm.Points, views.Point{At: p.At, Runs: p.Runs, Errors: p.Errors, P50: p.P50, P95: p.P95})
	}
	vm.P50, vm.P95 = orchestrator.Quantiles(stats)
	failed, err := o.Failures(ctx, v.app.ID(), now.Add(-day), failuresSeen+1)
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
	a := v.app.App
	hosts, err := s.Manager.Hosts(v.UserContext(), a)
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
	_, err := s.Manager.UpdateApp(v.UserContext(), edge.Actor(v.p), v.app.App, change)
	if message, ok := refused(err); ok {
		return s.settingsPage(v, http.StatusUnprocessableEntity, message)
	}
	if err != nil {
		return err
	}
	return v.to("/settings?done=saved")
}

func (s *Server) deleteAppPage(v *visit) error {
	err := v.confirmed(v.app.App.Slug)
	if err == nil {
		err = s.Manager.DeleteApp(v.UserContext(), edge.Actor(v.p), v.app.App, v.form.Get("force") == "true")
	}
	if message, ok := refused(err); ok {
		return s.settingsPage(v, http.StatusUnprocessableEntity, message)
	}
	if err != nil {
		return err
	}
	return v.Redirect("/admin", http.StatusSeeOther)
}

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
	"picloud/internal/history"
	"picloud/internal/manager"
	"picloud/views"
)

func (s *Server) showApps(v *visit) error { return s.appsPage(v, http.StatusOK, "") }

// appsPage lists the apps that the visitor may see, with how they do.
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
		vm.Slug = v.form.Get("slug")
		vm.Name = v.form.Get("name")
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

// health sums up several apps with one question each.
func (s *Server) health(ctx context.Context, apps []manager.App) ([]views.AppRow, error) {
	ids := make([]cloud.AppID, len(apps))
	for k := range apps {
		ids[k] = cloud.AppID(apps[k].ID)
	}

	runs, err := s.Orchestrator.History.CountRuns(ctx, ids)
	if err != nil {
		return nil, err
	}
	ledgers, err := s.Orchestrator.History.Conservations(ctx, ids)
	if err != nil {
		return nil, err
	}
	letters, err := s.Orchestrator.History.CountDeadLettersOf(ctx, ids)
	if err != nil {
		return nil, err
	}

	rows := make([]views.AppRow, len(apps))
	for k, id := range ids {
		app := &apps[k]
		ledger := ledgers[id]
		rows[k] = views.AppRow{
			Slug:        app.Slug,
			Name:        app.Name,
			Description: app.Description,
			Runs:        runs[id].Runs,
			Errors:      runs[id].Errors,
			Waiting:     ledger.Waiting,
			Running:     ledger.Running,
			Balanced:    ledger.Balanced,
			Unresolved:  letters[id],
		}
	}
	return rows, nil
}

// createApp leads to the new app; a refusal is the list again, with what was typed.
func (s *Server) createApp(v *visit) error {
	app, err := s.Manager.CreateApp(v.UserContext(), edge.Actor(v.p), v.form.Get("slug"),
		v.form.Get("name"), "")
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

// showOverview is the first page of an app: the ledger, the schedules that are late, and the runs of the last
// day.
func (s *Server) showOverview(v *visit) error {
	ctx := v.UserContext()
	frame, err := v.frame("Overview", "overview")
	if err != nil {
		return err
	}
	if hold := s.Orchestrator.OnHold(); hold != "" {
		frame.Error = "On hold: no event and no schedule runs. This installation was " +
			hold + "; \"picloud release\" lets it work."
	}

	ledger, err := s.Orchestrator.History.Conservation(ctx, v.app.ID())
	if err != nil {
		return err
	}
	vm := views.OverviewPage{
		Page:         frame,
		Name:         v.app.App.Name,
		Description:  v.app.App.Description,
		Enqueued:     ledger.Enqueued,
		Waiting:      ledger.Waiting,
		Running:      ledger.Running,
		Done:         ledger.Done,
		DeadLettered: ledger.DeadLettered,
		Skipped:      ledger.Skipped,
		Discarded:    ledger.Discarded,
		Balanced:     ledger.Balanced,
	}
	if vm.Oldest, err = s.Orchestrator.History.OldestWaiting(ctx, v.app.ID()); err != nil {
		return err
	}
	if vm.Overdue, err = v.overdue(); err != nil {
		return err
	}
	if vm.Quotas, err = v.quotas(); err != nil {
		return err
	}
	if err := s.addRuns(v, &vm); err != nil {
		return err
	}

	// An app without runs may be one without scripts: then the page says how to make one.
	if vm.Runs == 0 {
		names, err := v.scriptNames()
		if err != nil {
			return err
		}
		vm.Empty = len(names) == 0 && v.may(auth.WriteScripts)
	}
	return v.render(http.StatusOK, views.Overview(vm))
}

// addRuns shows the runs of the last day: how many an hour, how long they took, and what failed.
func (s *Server) addRuns(v *visit, vm *views.OverviewPage) error {
	ctx := v.UserContext()
	now := time.Now()
	hours := history.StatsQuery{From: now.Add(-day + time.Hour), Until: now, Step: time.Hour}
	stats, err := s.Orchestrator.History.RunStats(ctx, v.app.ID(), hours)
	if err != nil {
		return err
	}

	for _, p := range stats {
		vm.Runs += p.Runs
		vm.Errors += p.Errors
		vm.Points = append(vm.Points, views.Point{
			At:     p.At,
			Runs:   p.Runs,
			Errors: p.Errors,
			P50:    p.P50,
			P95:    p.P95,
		})
	}
	vm.P50, vm.P95 = history.Quantiles(stats)

	failed, err := s.Orchestrator.History.Failures(ctx, v.app.ID(), now.Add(-day), failuresSeen+1)
	if err != nil {
		return err
	}
	vm.Failures = groupFailures(failed[:min(len(failed), failuresSeen)])
	vm.Capped = len(failed) > failuresSeen
	return nil
}

// groupsShown bounds the groups of the overview.
const groupsShown = 10

// groupFailures counts what failed alike, the most frequent first. The list is newest first, so the first of
// a group is its latest.
func groupFailures(list []history.Failure) []views.FailureGroup {
	type key struct{ script, status, group string }
	at := map[key]int{} // in groups

	var groups []views.FailureGroup
	for k := range list {
		failure := &list[k]
		group := cloud.ErrorGroup(failure.ErrorName, failure.ErrorMessage)
		alike := key{failure.Script, failure.Status, group}
		n, ok := at[alike]
		if !ok {
			n = len(groups)
			at[alike] = n
			groups = append(groups, views.FailureGroup{
				Script:   failure.Script,
				Status:   failure.Status,
				Error:    group,
				Latest:   cloud.ID(failure.ID).String(),
				LatestAt: failure.StartedAt,
			})
		}
		groups[n].Count++
	}

	slices.SortStableFunc(groups, func(a, b views.FailureGroup) int { return b.Count - a.Count })
	return groups[:min(len(groups), groupsShown)]
}

func (s *Server) showSettings(v *visit) error { return s.settingsPage(v, http.StatusOK, "") }

// settingsPage is what an app is called and where it answers; after a refusal with what was typed.
func (s *Server) settingsPage(v *visit, status int, problem string) error {
	frame, err := v.frame("Settings", "settings")
	if err != nil {
		return err
	}
	frame.Error = problem
	if v.Query("done") == "saved" {
		frame.Notice = "Saved."
	}

	app := v.app.App
	hosts, err := s.Manager.Hosts(v.UserContext(), app)
	if err != nil {
		return err
	}

	vm := views.SettingsPage{
		Page:        frame,
		Name:        app.Name,
		Description: app.Description,
		Hosts:       strings.Join(hosts, "\n"),
		MayEdit:     v.may(auth.AdminApp),
		MayHosts:    v.p.IsAdmin(),
		CreatedAt:   app.CreatedAt,
	}

	if vm.Quotas, err = v.quotas(); err != nil {
		return err
	}
	if v.form != nil && v.form.Has("name") {
		vm.Name = v.form.Get("name")
		vm.Description = v.form.Get("description")
		vm.Hosts = v.form.Get("hosts")
	}
	return v.render(status, views.Settings(vm))
}

// updateAppPage saves name and description, and the hosts and quotas if an instance admin sent the form.
func (s *Server) updateAppPage(v *visit) error {
	err := s.updateApp(v)
	if message, ok := refused(err); ok {
		return s.settingsPage(v, http.StatusUnprocessableEntity, message)
	}
	if err != nil {
		return err
	}
	return v.to("/settings?done=saved")
}

func (s *Server) updateApp(v *visit) error {
	name := v.form.Get("name")
	description := v.form.Get("description")
	change := manager.AppChange{Name: &name, Description: &description}
	if v.p.IsAdmin() { // others see the hosts and quotas, and cannot change them
		hosts := strings.Fields(v.form.Get("hosts"))
		change.Hosts = &hosts

		quotas, err := v.quotaChange()
		if err != nil {
			return err
		}
		change.Quotas = quotas
	}

	_, err := s.Manager.UpdateApp(v.UserContext(), edge.Actor(v.p), v.app.App, change)
	return err
}

// deleteAppPage deletes an app whose name was typed. One that has scripts needs force.
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

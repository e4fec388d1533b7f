package admin

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"picloud/db"
	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/views"
)

// routeRow shows a route in a list.
func routeRow(r *manager.Route) views.RouteRow {
	return views.RouteRow{
		ID:       cloud.ID(r.ID).String(),
		Script:   r.Script,
		Method:   r.Method,
		Host:     r.Host,
		Path:     r.Path,
		Dispatch: r.Dispatch,
		Limit:    rateLimitOf(cloud.ParseRateLimit(r.RateLimit)),
	}
}

// typedRoute is a route as a form has it.
func (v *visit) typedRoute() views.RouteRow {
	f := v.form
	return views.RouteRow{
		Script:   f.Get("script"),
		Method:   f.Get("method"),
		Host:     f.Get("host"),
		Path:     f.Get("path"),
		Dispatch: f.Get("dispatch"),
		Limit:    v.typedRateLimit(),
	}
}

// routeChange reads the form of a route.
func routeChange(r *views.RouteRow) (manager.RouteChange, error) {
	limit, err := rateLimitChange(r.Limit)
	method := strings.ToUpper(strings.TrimSpace(r.Method))
	return manager.RouteChange{
		Script:    &r.Script,
		Method:    &method,
		Host:      &r.Host,
		Path:      &r.Path,
		Dispatch:  &r.Dispatch,
		RateLimit: limit,
	}, err
}

func (s *Server) showRoutes(v *visit) error {
	return s.routesPage(v, http.StatusOK, views.RouteRow{Script: v.Query("script")}, "")
}

// routesPage lists the routes beside the form of a new one; after a refusal with what was typed.
func (s *Server) routesPage(v *visit, status int, form views.RouteRow, problem string) error {
	frame, err := v.frame("Routes", "routes")
	if err != nil {
		return err
	}
	frame.Error = problem
	if v.Query("done") == "deleted" {
		frame.Notice = "The route is gone."
	}

	list := edge.ListName(v.app, "routes")
	after, err := s.OpenIDCursor(list, v.Query("cursor"))
	if err != nil {
		return err
	}

	rows, err := s.Manager.Routes(v.UserContext(), v.app.App, after, pageSize+1)
	if err != nil {
		return err
	}

	rows, next := edge.Cut(s.Edge, list, rows, pageSize,
		func(r *db.ListRoutesRow) string { return cloud.ID(r.ID).String() })
	vm := views.RoutesPage{
		Page:    frame,
		Next:    v.next(next),
		MayEdit: v.may(auth.WriteRoutes),
		Form:    form,
		Match:   s.routeMatch(v),
	}

	for k := range rows {
		vm.Rows = append(vm.Rows, routeRow((*manager.Route)(&rows[k])))
	}
	if vm.Scripts, err = v.scriptNames(); err != nil {
		return err
	}

	if vm.Hosts, err = s.Manager.Hosts(v.UserContext(), v.app.App); err != nil {
		return err
	}
	return v.render(status, views.Routes(vm))
}

// routeMatch answers what the match form of the address asks.
func (s *Server) routeMatch(v *visit) views.RouteMatch {
	m := views.RouteMatch{Method: v.Query("method"), URL: v.Query("url")}
	if m.URL == "" {
		return m
	}

	m.Asked = true
	if err := s.findRoute(v, &m); err != nil {
		m.Problem = s.ProblemOf(err).Detail
	}
	return m
}

// findRoute looks for the route of a question.
func (s *Server) findRoute(v *visit, m *views.RouteMatch) error {
	question, err := edge.AskRoute(cmp.Or(m.Method, "GET"), m.URL)
	if err != nil {
		return err
	}

	target, route, err := s.Orchestrator.Catalog.MatchRoute(question.Method, question.Host, question.Path)
	if matched, err := edge.AnsweredIn(v.app, target, err); err != nil || !matched {
		return err
	}

	m.Route = &views.RouteRow{
		ID:       route.ID.String(),
		Script:   target.Script.Name,
		Method:   route.Method,
		Host:     route.Host,
		Path:     route.Path,
		Dispatch: route.Dispatch,
		Limit:    rateLimitOf(route.RateLimit),
	}

	for _, p := range target.Params {
		m.Params = append(m.Params, [2]string{p.Name, p.Value})
	}
	slices.SortFunc(m.Params, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return nil
}

// matchFragment answers the match form without the rest of the page.
func (s *Server) matchFragment(v *visit) error {
	return v.render(http.StatusOK, views.Match(v.app.App.Slug, s.routeMatch(v)))
}

// createRoutePage makes a route; a refusal is the list again, with what was typed.
func (s *Server) createRoutePage(v *visit) error {
	form := v.typedRoute()
	change, err := routeChange(&form)
	if err == nil {
		_, err = s.Manager.CreateRoute(v.UserContext(), edge.Actor(v.p), v.app.App, change)
	}
	if message, ok := refused(err); ok {
		return s.routesPage(v, http.StatusUnprocessableEntity, form, message)
	}
	if err != nil {
		return err
	}
	return v.to("/routes")
}

func (s *Server) showRoutePage(v *visit) error {
	id, err := edge.IDParam(v.Params("id"), "route")
	if err != nil {
		return err
	}

	r, err := s.Manager.Route(v.UserContext(), v.app.App, id)
	if err != nil {
		return err
	}
	return s.routePage(v, http.StatusOK, routeRow(r), "")
}

// routePage is the form of a route that exists.
func (s *Server) routePage(v *visit, status int, row views.RouteRow, problem string) error {
	frame, err := v.frame("Route", "routes")
	if err != nil {
		return err
	}
	frame.Error = problem
	if v.Query("done") == "saved" {
		frame.Notice = "Saved."
	}

	vm := views.RoutePage{Page: frame, Route: row, MayEdit: v.may(auth.WriteRoutes)}
	if vm.Scripts, err = v.scriptNames(); err != nil {
		return err
	}

	if vm.Hosts, err = s.Manager.Hosts(v.UserContext(), v.app.App); err != nil {
		return err
	}
	return v.render(status, views.Route(vm))
}

// updateRoutePage saves a route; a refusal is its form again, with what was typed.
func (s *Server) updateRoutePage(v *visit) error {
	id, err := edge.IDParam(v.Params("id"), "route")
	if err != nil {
		return err
	}

	form := v.typedRoute()
	form.ID = id.String()
	change, err := routeChange(&form)
	if err == nil {
		_, err = s.Manager.UpdateRoute(v.UserContext(), edge.Actor(v.p), v.app.App, id, change)
	}
	if message, ok := refused(err); ok {
		return s.routePage(v, http.StatusUnprocessableEntity, form, message)
	}
	if err != nil {
		return err
	}
	return v.to("/routes/" + id.String() + "?done=saved")
}

func (s *Server) deleteRoutePage(v *visit) error {
	id, err := edge.IDParam(v.Params("id"), "route")
	if err != nil {
		return err
	}

	if err := s.Manager.DeleteRoute(v.UserContext(), edge.Actor(v.p), v.app.App, id); err != nil {
		return err
	}
	return v.to("/routes?done=deleted")
}

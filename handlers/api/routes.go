package api

import (
	"context"
	"net/http"

	"picloud/db"
	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
)

type routeItem struct {
	ID       string `json:"id"`
	Script   string `json:"script"`
	Method   string `json:"method"`
	Host     string `json:"host"`
	Path     string `json:"path"`
	Dispatch string `json:"dispatch" enum:"sync,async,outbox"`
	// RateLimit is null for a route that has none.
	RateLimit *rateLimitItem `json:"rate_limit"`
}

type routeOutput struct{ Body routeItem }

// routeBody is a new route or a change of one, with the fields that are given.
type routeBody struct {
	Script   *string `json:"script,omitempty"`
	Method   *string `json:"method,omitempty" doc:"a method or ANY (default)"`
	Host     *string `json:"host,omitempty" doc:"any (default), a host, or *. and a domain"`
	Path     *string `json:"path,omitempty" doc:"/exact, /with/:param or /subtree/*"`
	Dispatch *string `json:"dispatch,omitempty" enum:"sync,async,outbox"`

	RateLimit nullable[rateLimitItem] `json:"rate_limit,omitempty" doc:"null takes it away"`
}

type createRoute struct {
	AppPath
	Body routeBody
}

// RoutePath is the input of an operation on one route.
type RoutePath struct {
	AppPath
	ID string `path:"id"`
}

type patchRoute struct {
	RoutePath
	Body routeBody
}

type matchRoute struct {
	AppPath
	Body struct {
		Method string `json:"method"`
		URL    string `json:"url" doc:"absolute, or a path"`
	}
}

type matchOutput struct {
	Body struct {
		Matched bool              `json:"matched"`
		Route   *routeItem        `json:"route"`
		Script  *string           `json:"script"`
		Params  map[string]string `json:"params"`
	}
}

// change is the body as the manager takes it.
func (b *routeBody) change() manager.RouteChange {
	return manager.RouteChange{
		Script:    b.Script,
		Method:    b.Method,
		Host:      b.Host,
		Path:      b.Path,
		Dispatch:  b.Dispatch,
		RateLimit: rateLimitChange(b.RateLimit),
	}
}

func showRoute(r *manager.Route) routeItem {
	return routeItem{
		ID:        cloud.ID(r.ID).String(),
		Script:    r.Script,
		Method:    r.Method,
		Host:      r.Host,
		Path:      r.Path,
		Dispatch:  r.Dispatch,
		RateLimit: showRateLimit(cloud.ParseRateLimit(r.RateLimit)),
	}
}

func (s *Server) routesAPI() {
	const path = "/apps/{app}/routes"
	appOp(s, operation("list-routes", http.MethodGet, path, "Routes", "routes"),
		auth.ReadRoutes, s.listRoutes)
	appOp(s, operation("create-route", http.MethodPost, path, "Give a script a path of its own", "routes"),
		auth.WriteRoutes, s.createRoute)
	appOp(s, operation("update-route", http.MethodPatch, path+"/{id}", "Change a route", "routes"),
		auth.WriteRoutes, s.updateRoute)
	appOp(s, operation("delete-route", http.MethodDelete, path+"/{id}", "Delete a route", "routes"),
		auth.WriteRoutes, s.deleteRoute)
	appOp(s,
		status(operation("match-route", http.MethodPost, path+"/match",
			"Which route answers a request", "routes"), http.StatusOK),
		auth.ReadRoutes, s.matchRoute)
}

func (s *Server) createRoute(ctx context.Context, c *edge.AppCaller, in *createRoute) (*routeOutput, error) {
	r, err := s.Manager.CreateRoute(ctx, edge.Actor(c.Principal), c.App, in.Body.change())
	if err != nil {
		return nil, err
	}
	return &routeOutput{showRoute(r)}, nil
}

func (s *Server) updateRoute(ctx context.Context, c *edge.AppCaller, in *patchRoute) (*routeOutput, error) {
	id, err := edge.IDParam(in.ID, "route")
	if err != nil {
		return nil, err
	}

	r, err := s.Manager.UpdateRoute(ctx, edge.Actor(c.Principal), c.App, id, in.Body.change())
	if err != nil {
		return nil, err
	}
	return &routeOutput{showRoute(r)}, nil
}

func (s *Server) deleteRoute(ctx context.Context, c *edge.AppCaller, in *RoutePath) (*none, error) {
	id, err := edge.IDParam(in.ID, "route")
	if err != nil {
		return nil, err
	}
	return nil, s.Manager.DeleteRoute(ctx, edge.Actor(c.Principal), c.App, id)
}

func (s *Server) listRoutes(ctx context.Context, c *edge.AppCaller, in *listInput) (*page[routeItem], error) {
	list := edge.ListName(c, "routes")
	after, err := s.OpenIDCursor(list, in.Cursor)
	if err != nil {
		return nil, err
	}

	rows, err := s.Manager.Routes(ctx, c.App, after, in.Limit+1)
	if err != nil {
		return nil, err
	}

	rows, next := edge.Cut(s.Edge, list, rows, in.Limit,
		func(r *db.ListRoutesRow) string { return cloud.ID(r.ID).String() })
	return pageOf(rows, next, func(r *db.ListRoutesRow) routeItem {
		return showRoute((*manager.Route)(r))
	}), nil
}

// matchRoute says which route of this app would answer. A route of another app that answers first is no
// match.
func (s *Server) matchRoute(_ context.Context, c *edge.AppCaller, in *matchRoute) (*matchOutput, error) {
	question, err := edge.AskRoute(in.Body.Method, in.Body.URL)
	if err != nil {
		return nil, err
	}

	out := &matchOutput{}
	out.Body.Params = map[string]string{}
	t, r, err := s.Orchestrator.Catalog.MatchRoute(question.Method, question.Host, question.Path)
	if matched, err := edge.AnsweredIn(c, t, err); err != nil || !matched {
		return out, err
	}

	out.Body.Matched = true
	out.Body.Script = &t.Script.Name

	out.Body.Route = &routeItem{
		ID:        r.ID.String(),
		Script:    r.Name,
		Method:    r.Method,
		Host:      r.Host,
		Path:      r.Path,
		Dispatch:  r.Dispatch,
		RateLimit: showRateLimit(r.RateLimit),
	}
	for _, p := range t.Params {
		out.Body.Params[p.Name] = p.Value
	}
	return out, nil
}

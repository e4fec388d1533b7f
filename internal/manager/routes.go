package manager

import (
	"context"
	"slices"
	"strings"

	"picloud/db"
	"picloud/internal/cloud"
)

// RouteChange is what a route can be given; nil keeps, or takes the default.
type RouteChange struct {
	Script   *string `json:"script,omitempty"`
	Method   *string `json:"method,omitempty"`
	Host     *string `json:"host,omitempty"`
	Path     *string `json:"path,omitempty"`
	Dispatch *string `json:"dispatch,omitempty"`
}

// Route is a route with the name of its script.
type Route = db.RouteByIDRow

var methods = []string{cloud.MethodAny, "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// CreateRoute gives a script a path of its own.
func (m *Manager) CreateRoute(ctx context.Context, actor Actor, app *App, c RouteChange) (*Route, error) {
	if c.Script == nil || c.Path == nil {
		return nil, invalid("a route needs script and path")
	}
	r := &Route{AppID: app.ID, ID: m.cfg.IDs.New(), Method: cloud.MethodAny, Host: cloud.HostAny, Dispatch: cloud.DispatchSync}
	audit := change{actor: actor, app: app, action: "route.create", target: cloud.ID(r.ID).String(), detail: c}
	err := m.apply(ctx, audit, func(q *db.Queries) error {
		if err := m.setRoute(ctx, q, actor, app, r, c); err != nil {
			return err
		}
		return q.InsertRoute(ctx, db.InsertRouteParams{AppID: r.AppID, ID: r.ID, ScriptID: r.ScriptID, Method: r.Method, Host: r.Host,
			Path: r.Path, Dispatch: r.Dispatch})
	})
	return r, err
}

// UpdateRoute changes a route.
func (m *Manager) UpdateRoute(ctx context.Context, actor Actor, app *App, id cloud.ID, c RouteChange) (*Route, error) {
	var r Route
	audit := change{actor: actor, app: app, action: "route.update", target: id.String(), detail: c}
	err := m.apply(ctx, audit, func(q *db.Queries) error {
		var err error
		if r, err = q.RouteByID(ctx, app.ID, id); err != nil {
			return found(err, "route")
		}
		if err := m.setRoute(ctx, q, actor, app, &r, c); err != nil {
			return err
		}
		return q.UpdateRoute(ctx, db.UpdateRouteParams{AppID: r.AppID, ID: r.ID, ScriptID: r.ScriptID, Method: r.Method, Host: r.Host,
			Path: r.Path, Dispatch: r.Dispatch})
	})
	return &r, err
}

// setRoute applies a change and checks the result against everybody's routes.
func (m *Manager) setRoute(ctx context.Context, q *db.Queries, actor Actor, app *App, r *Route, c RouteChange) error {
	if err := q.LockRoutes(ctx); err != nil {
		return err
	}
	if c.Script != nil {
		s, err := m.endpoint(ctx, q, app, *c.Script)
		if err != nil {
			return err
		}
		r.ScriptID, r.Script = s.ID, s.Name
	}
	r.Method = strings.ToUpper(or(c.Method, r.Method))
	r.Host = strings.ToLower(or(c.Host, r.Host))
	r.Path, r.Dispatch = or(c.Path, r.Path), or(c.Dispatch, r.Dispatch)
	if !slices.Contains(methods, r.Method) {
		return invalid("method must be one of %s", strings.Join(methods, ", "))
	}
	if !slices.Contains([]string{cloud.DispatchSync, cloud.DispatchAsync, cloud.DispatchOutbox}, r.Dispatch) {
		return invalid("dispatch must be sync, async or outbox")
	}
	if _, err := cloud.ParsePattern(r.Path); err != nil {
		return err
	}
	if err := m.mayUseHost(ctx, q, actor, app, r.Host); err != nil {
		return err
	}
	all, err := q.AllRoutes(ctx)
	if err != nil {
		return err
	}
	mine := &cloud.Route{Method: r.Method, Host: r.Host, Path: r.Path}
	for _, other := range all {
		if other.ID == r.ID || !cloud.Conflicts(mine, &cloud.Route{Method: other.Method, Host: other.Host, Path: other.Path}) {
			continue
		}
		if other.AppID != app.ID {
			return cloud.Errorf(cloud.CodeConflict, "a route of another app could match the same requests at the same precedence")
		}
		return cloud.Errorf(cloud.CodeConflict, "the route %s %s %s of %q could match the same requests at the same precedence",
			other.Method, other.Host, other.Path, other.Script).With("route", cloud.ID(other.ID).String())
	}
	return nil
}

// mayUseHost: 'any' takes paths on every host, so it is for instance admins and the default app; others hold their hosts.
func (m *Manager) mayUseHost(ctx context.Context, q *db.Queries, actor Actor, app *App, host string) error {
	if host == cloud.HostAny {
		if actor.Admin || app.Slug == DefaultApp {
			return nil
		}
		return cloud.Errorf(cloud.CodeForbidden, "a route on host any needs an instance admin or the app %q; name a host of this app", DefaultApp)
	}
	hosts, err := q.AppHosts(ctx, app.ID)
	if err != nil {
		return err
	}
	if slices.Contains(hosts, host) {
		return nil
	}
	return invalid("the app does not hold the host %q: an instance admin gives it one with PATCH of the app", cloud.Shorten(host))
}

// endpoint finds a script that can be called.
func (m *Manager) endpoint(ctx context.Context, q *db.Queries, app *App, name string) (*Script, error) {
	s, err := q.ScriptByName(ctx, app.ID, name)
	if err = found(err, "script"); err != nil {
		if cloud.CodeOf(err) == cloud.CodeNotFound {
			return nil, invalid("this app has no script %q", cloud.Shorten(name))
		}
		return nil, err
	}
	if s.Kind != cloud.KindEndpoint {
		return nil, invalid("the script %q is a module: it can be imported, not called", name)
	}
	return &s, nil
}

// DeleteRoute removes a route.
func (m *Manager) DeleteRoute(ctx context.Context, actor Actor, app *App, id cloud.ID) error {
	return m.apply(ctx, change{actor: actor, app: app, action: "route.delete", target: id.String()}, func(q *db.Queries) error {
		n, err := q.DeleteRoute(ctx, app.ID, id)
		if err == nil && n == 0 {
			return notFound("route")
		}
		return err
	})
}

// Routes lists an app's routes.
func (m *Manager) Routes(ctx context.Context, app *App, after cloud.ID, limit int) ([]db.ListRoutesRow, error) {
	list, err := m.cfg.DB.Queries().ListRoutes(ctx, app.ID, after, int32(limit))
	return list, explain(db.Translate(err))
}

// Route finds a route.
func (m *Manager) Route(ctx context.Context, app *App, id cloud.ID) (*Route, error) {
	r, err := m.cfg.DB.Queries().RouteByID(ctx, app.ID, id)
	if err != nil {
		return nil, found(err, "route")
	}
	return &r, nil
}

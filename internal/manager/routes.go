package manager

import (
	"context"
	"slices"
	"strings"

	"picloud/db"
	"picloud/internal/cloud"
)

// RouteChange is what a route can be given; nil keeps what the route has, or takes the default.
type RouteChange struct {
	// Script is the name of an endpoint of the app.
	Script *string `json:"script,omitempty"`
	// Method is an HTTP method in any case, or ANY (the default).
	Method *string `json:"method,omitempty"`
	// Host is a host of the app in any case, or any (the default).
	Host *string `json:"host,omitempty"`
	// Path is a pattern, as cloud.ParsePattern reads it.
	Path *string `json:"path,omitempty"`
	// Dispatch is sync (the default), async or outbox.
	Dispatch *string `json:"dispatch,omitempty"`
	// RateLimit says how often the path may be asked for; null takes the limit away.
	RateLimit Nullable[cloud.RateLimit] `json:"rate_limit,omitzero"`
}

// Route is a route with the name of its script.
type Route = db.RouteByIDRow

var (
	methods    = []string{cloud.MethodAny, "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
	dispatches = []string{cloud.DispatchSync, cloud.DispatchAsync, cloud.DispatchOutbox}
)

// CreateRoute gives a script a path of its own. Errors: invalid, forbidden for a host that the actor may
// not use, and conflict with a route that could match the same requests.
func (m *Manager) CreateRoute(ctx context.Context, actor Actor, app *App, c RouteChange) (*Route, error) {
	if c.Script == nil || c.Path == nil {
		return nil, invalid("a route needs script and path")
	}

	route := &Route{
		AppID:    app.ID,
		ID:       m.cfg.IDs.New(),
		Method:   cloud.MethodAny,
		Host:     cloud.HostAny,
		Dispatch: cloud.DispatchSync,
	}

	audit := change{
		actor: actor, app: app, action: "route.create", target: cloud.ID(route.ID).String(), detail: c,
	}

	err := m.apply(ctx, audit, func(q *db.Queries) error {
		edit := routeEdit{q: q, actor: actor, app: app, route: route}
		if err := edit.apply(ctx, c); err != nil {
			return err
		}
		return q.InsertRoute(ctx, db.InsertRouteParams{
			AppID:     route.AppID,
			ID:        route.ID,
			ScriptID:  route.ScriptID,
			Method:    route.Method,
			Host:      route.Host,
			Path:      route.Path,
			Dispatch:  route.Dispatch,
			RateLimit: route.RateLimit,
		})
	})

	return route, err
}

// UpdateRoute changes a route. The whole route is checked again, not only what changed.
func (m *Manager) UpdateRoute(
	ctx context.Context, actor Actor, app *App, id cloud.ID, c RouteChange,
) (*Route, error) {
	var route Route
	audit := change{actor: actor, app: app, action: "route.update", target: id.String(), detail: c}
	err := m.apply(ctx, audit, func(q *db.Queries) error {
		var err error
		if route, err = q.RouteByID(ctx, app.ID, id); err != nil {
			return found(err, "route")
		}

		edit := routeEdit{q: q, actor: actor, app: app, route: &route}
		if err := edit.apply(ctx, c); err != nil {
			return err
		}

		return q.UpdateRoute(ctx, db.UpdateRouteParams{
			AppID:     route.AppID,
			ID:        route.ID,
			ScriptID:  route.ScriptID,
			Method:    route.Method,
			Host:      route.Host,
			Path:      route.Path,
			Dispatch:  route.Dispatch,
			RateLimit: route.RateLimit,
		})
	})

	return &route, err
}

// routeEdit changes one route inside a transaction.
type routeEdit struct {
	q     *db.Queries
	actor Actor
	app   *App
	// route is changed in place.
	route *Route
}

// apply changes the route in memory and checks the result against the routes of all apps. The caller writes
// it.
func (e *routeEdit) apply(ctx context.Context, c RouteChange) error {
	// One route at a time in the whole installation, so that two that conflict cannot both pass the check
	// below.
	if err := e.q.LockRoutes(ctx); err != nil {
		return err
	}
	if c.Script != nil {
		script, err := endpoint(ctx, e.q, e.app, *c.Script)
		if err != nil {
			return err
		}
		e.route.ScriptID = script.ID
		e.route.Script = script.Name
	}

	e.route.Method = strings.ToUpper(or(c.Method, e.route.Method))
	e.route.Host = strings.ToLower(or(c.Host, e.route.Host))
	e.route.Path = or(c.Path, e.route.Path)
	e.route.Dispatch = or(c.Dispatch, e.route.Dispatch)
	if !slices.Contains(methods, e.route.Method) {
		return invalid("method must be one of %s", strings.Join(methods, ", "))
	}
	if !slices.Contains(dispatches, e.route.Dispatch) {
		return invalid("dispatch must be sync, async or outbox")
	}
	if err := checkRateLimit(c.RateLimit); err != nil {
		return err
	}
	setRateLimit(&e.route.RateLimit, c.RateLimit)

	// The pattern itself is not stored: the data plane parses all patterns when it builds its table.
	if _, err := cloud.ParsePattern(e.route.Path); err != nil {
		return err
	}

	if err := e.mayUseHost(ctx); err != nil {
		return err
	}

	return e.checkConflicts(ctx)
}

// mayUseHost decides on the route's host. Host any takes a path on every host, also on those of other apps,
// so it is for instance admins and for the default app; everybody else uses the hosts that the app was
// given.
func (e *routeEdit) mayUseHost(ctx context.Context) error {
	if e.route.Host == cloud.HostAny {
		if e.actor.Admin || e.app.Slug == DefaultApp {
			return nil
		}
		return cloud.Errorf(cloud.CodeForbidden,
			"a route on host any needs an instance admin or the app %q; name a host of this app", DefaultApp)
	}

	hosts, err := e.q.AppHosts(ctx, e.app.ID)
	if err != nil {
		return err
	}
	if slices.Contains(hosts, e.route.Host) {
		return nil
	}

	return invalid("the app does not hold the host %q: an instance admin gives it one with PATCH of the app",
		cloud.Shorten(e.route.Host))
}

// checkConflicts refuses a route that could match the same requests as another one at the same precedence.
// A route of another app is not described: its app may be none of the caller's business.
func (e *routeEdit) checkConflicts(ctx context.Context) error {
	all, err := e.q.AllRoutes(ctx)
	if err != nil {
		return err
	}

	mine := &cloud.Route{Method: e.route.Method, Host: e.route.Host, Path: e.route.Path}
	for _, other := range all {
		theirs := &cloud.Route{Method: other.Method, Host: other.Host, Path: other.Path}
		if other.ID == e.route.ID || !cloud.Conflicts(mine, theirs) {
			continue
		}
		if other.AppID != e.app.ID {
			return cloud.Errorf(cloud.CodeConflict,
				"a route of another app could match the same requests at the same precedence")
		}

		return cloud.Errorf(cloud.CodeConflict,
			"the route %s %s %s of %q could match the same requests at the same precedence",
			other.Method, other.Host, other.Path, other.Script).With("route", cloud.ID(other.ID).String())
	}

	return nil
}

// endpoint finds a script that can be called. The name comes from a request's body, so a script that does
// not exist is invalid, not not-found.
func endpoint(ctx context.Context, q *db.Queries, app *App, name string) (*Script, error) {
	script, err := q.ScriptByName(ctx, app.ID, name)
	if err = found(err, "script"); err != nil {
		if cloud.CodeOf(err) == cloud.CodeNotFound {
			return nil, invalid("this app has no script %q", cloud.Shorten(name))
		}
		return nil, err
	}
	if script.Kind != cloud.KindEndpoint {
		return nil, invalid("the script %q is a module: it can be imported, not called", name)
	}

	return &script, nil
}

// DeleteRoute removes a route.
func (m *Manager) DeleteRoute(ctx context.Context, actor Actor, app *App, id cloud.ID) error {
	audit := change{actor: actor, app: app, action: "route.delete", target: id.String()}
	return m.apply(ctx, audit, func(q *db.Queries) error {
		deleted, err := q.DeleteRoute(ctx, app.ID, id)
		if err == nil && deleted == 0 {
			return notFound("route")
		}
		return err
	})
}

// Routes lists at most limit of an app's routes by id, those after an id.
func (m *Manager) Routes(
	ctx context.Context, app *App, after cloud.ID, limit int,
) ([]db.ListRoutesRow, error) {
	list, err := m.cfg.DB.Queries().ListRoutes(ctx, app.ID, after, int32(limit))
	return list, explain(db.Translate(err))
}

// Route finds a route by its id.
func (m *Manager) Route(ctx context.Context, app *App, id cloud.ID) (*Route, error) {
	route, err := m.cfg.DB.Queries().RouteByID(ctx, app.ID, id)
	if err != nil {
		return nil, found(err, "route")
	}
	return &route, nil
}

package manager_test

import (
	"errors"
	"strings"
	"testing"

	"picloud/db"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
)

// A route gets every default, and its method and host in one case.
func TestCreateRoute(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.deploy(t, f.app, "s", "export fetch")
	f.deployModule(t, f.app, "lib", "one")

	for _, c := range []struct {
		name   string
		change manager.RouteChange
		// want is method, host, path and dispatch.
		want string
		code cloud.Code
		text string
	}{
		{
			"defaults", manager.RouteChange{Script: new("s"), Path: new("/defaults")},
			"ANY any /defaults sync", "", "",
		}, {
			"everything", manager.RouteChange{
				Script: new("s"), Path: new("/everything/:id"), Method: new("post"), Dispatch: new("outbox"),
			},
			"POST any /everything/:id outbox", "", "",
		},
		{
			"no script", manager.RouteChange{Path: new("/x")}, "", cloud.CodeInvalid,
			"a route needs script and path",
		},
		{
			"no path", manager.RouteChange{Script: new("s")}, "", cloud.CodeInvalid,
			"a route needs script and path",
		},
		{
			"unknown script", manager.RouteChange{Script: new("nobody"), Path: new("/x")},
			"", cloud.CodeInvalid, `this app has no script "nobody"`,
		}, {
			"module", manager.RouteChange{Script: new("lib"), Path: new("/x")},
			"", cloud.CodeInvalid, `the script "lib" is a module: it can be imported, not called`,
		}, {
			"method", manager.RouteChange{Script: new("s"), Path: new("/x"), Method: new("BREW")},
			"", cloud.CodeInvalid, "method must be one of ANY, GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
		}, {
			"dispatch", manager.RouteChange{Script: new("s"), Path: new("/x"), Dispatch: new("later")},
			"", cloud.CodeInvalid, "dispatch must be sync, async or outbox",
		}, {
			"pattern", manager.RouteChange{Script: new("s"), Path: new("x")},
			"", cloud.CodeInvalid, "it must start with /",
		}, {
			"reserved path", manager.RouteChange{Script: new("s"), Path: new("/admin/x")},
			"", cloud.CodeInvalid, "are reserved",
		}, {
			"host", manager.RouteChange{Script: new("s"), Path: new("/x"), Host: new("h.test")},
			"", cloud.CodeInvalid, `the app does not hold the host "h.test"`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			route, err := f.CreateRoute(t.Context(), f.owner, f.app, c.change)
			check(t, err, c.code, c.text)
			if err != nil {
				return
			}

			stored, err := f.Route(t.Context(), f.app, route.ID)
			if err != nil {
				t.Fatal(err)
			}

			got := strings.Join([]string{stored.Method, stored.Host, stored.Path, stored.Dispatch}, " ")
			route.CreatedAt = stored.CreatedAt // the database's
			if got != c.want || stored.Script != "s" || *stored != *route {
				t.Errorf("stored as %s of %s, answered %+v", got, stored.Script, route)
			}
		})
	}
}

// Two routes that could match one request at one precedence cannot both exist, in whatever apps they are.
// Only the route of the same app is described.
func TestRouteConflicts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.deploy(t, f.app, "s", "export fetch")
	other := f.newApp(t)
	f.deploy(t, other, "theirs", "export fetch")
	first := f.route(t, f.app,
		manager.RouteChange{Script: new("s"), Path: new("/users/:id"), Method: new("GET")})

	for _, c := range []struct {
		name     string
		app      *manager.App
		script   string
		method   string
		path     string
		conflict string
	}{
		{"same path", f.app, "s", "GET", "/users/:name", `the route GET any /users/:id of "s" could match`},
		{"any method", f.app, "s", "ANY", "/users/:name", `the route GET any /users/:id of "s" could match`},
		{"other app", other, "theirs", "GET", "/users/:name", "a route of another app could match"},
		{"other method", f.app, "s", "POST", "/users/:name", ""},
		{"higher precedence", f.app, "s", "GET", "/users/me", ""},
		{"lower precedence", other, "theirs", "GET", "/users/*", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			route, err := f.CreateRoute(ctx, f.owner, c.app, manager.RouteChange{
				Script: &c.script, Method: &c.method, Path: &c.path,
			})
			if c.conflict == "" {
				check(t, err, "", "")
				if err := f.DeleteRoute(ctx, f.owner, c.app, route.ID); err != nil {
					t.Error(err)
				}
				return
			}

			wantError(t, err, cloud.CodeConflict, c.conflict)
			var ce *cloud.Error
			if errors.As(err, &ce); c.app == f.app && ce.Details["route"] != cloud.ID(first.ID).String() {
				t.Errorf("the details are %v", ce.Details)
			} else if c.app == other && len(ce.Details) > 0 {
				t.Errorf("the route of another app is described: %v", ce.Details)
			}
		})
	}
}

// Host any is for instance admins and the default app. Any other host must have been given to the app.
func TestRouteHosts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	app := f.newApp(t)
	hosts := []string{"Shop.Test", "*.shop.test"}
	if _, err := f.UpdateApp(t.Context(), f.owner, app, manager.AppChange{Hosts: &hosts}); err != nil {
		t.Fatal(err)
	}
	f.deploy(t, app, "s", "export fetch")
	f.deploy(t, f.app, "s", "export fetch")
	member := f.newUser(t, "ann", auth.RoleMember)
	admin := f.newUser(t, "bob", auth.RoleAdmin)

	for _, c := range []struct {
		name  string
		actor manager.Actor
		app   *manager.App
		host  string
		code  cloud.Code
		text  string
	}{
		{
			"any by a member", member, app, "any", cloud.CodeForbidden,
			`needs an instance admin or the app "default"`,
		},
		{"any by an admin", admin, app, "any", "", ""},
		{"any in the default app", member, f.app, "any", "", ""},
		{"own host in capitals", member, app, "SHOP.test", "", ""},
		{"own wildcard", member, app, "*.shop.test", "", ""},
		{
			"below the wildcard", admin, app, "a.shop.test", cloud.CodeInvalid,
			"the app does not hold the host",
		},
		{"of another app", admin, f.app, "shop.test", cloud.CodeInvalid, "the app does not hold the host"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			route, err := f.CreateRoute(t.Context(), c.actor, c.app, manager.RouteChange{
				Script: new("s"), Host: &c.host, Path: new("/" + strings.ReplaceAll(c.name, " ", "-")),
			})
			check(t, err, c.code, c.text)
			if err == nil && route.Host != strings.ToLower(c.host) {
				t.Errorf("the host is %s", route.Host)
			}
		})
	}
}

// A change keeps what it does not name, and is checked as a whole. A route does not conflict with itself.
func TestUpdateRoute(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.deploy(t, f.app, "one", "export fetch")
	f.deploy(t, f.app, "two", "export fetch")
	f.route(t, f.app, manager.RouteChange{Script: new("one"), Path: new("/taken")})
	route := f.route(t, f.app, manager.RouteChange{
		Script: new("one"), Path: new("/mine"), Method: new("GET"), Dispatch: new("async"),
	})

	moved, err := f.UpdateRoute(ctx, f.owner, f.app, route.ID, manager.RouteChange{Script: new("two")})
	if err != nil {
		t.Fatal(err)
	}

	stored, err := f.Route(ctx, f.app, route.ID)
	if err != nil || *stored != *moved {
		t.Errorf("stored %+v, answered %+v: %v", stored, moved, err)
	}
	if moved.Script != "two" || moved.Path != "/mine" || moved.Method != "GET" || moved.Dispatch != "async" {
		t.Errorf("the route is %+v", moved)
	}

	_, err = f.UpdateRoute(ctx, f.owner, f.app, route.ID, manager.RouteChange{Path: new("/taken")})
	wantError(t, err, cloud.CodeConflict, `the route ANY any /taken of "one"`)
	_, err = f.UpdateRoute(ctx, f.owner, f.app, f.ids.New(), manager.RouteChange{})
	wantError(t, err, cloud.CodeNotFound, "no such route")
	_, err = f.UpdateRoute(ctx, f.owner, f.newApp(t), route.ID, manager.RouteChange{})
	wantError(t, err, cloud.CodeNotFound, "no such route")
}

func TestDeleteRoute(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.deploy(t, f.app, "s", "export fetch")
	route := f.route(t, f.app, manager.RouteChange{Script: new("s"), Path: new("/x")})

	wantError(t, f.DeleteRoute(ctx, f.owner, f.newApp(t), route.ID), cloud.CodeNotFound, "no such route")
	if err := f.DeleteRoute(ctx, f.owner, f.app, route.ID); err != nil {
		t.Fatal(err)
	}
	wantError(t, f.DeleteRoute(ctx, f.owner, f.app, route.ID), cloud.CodeNotFound, "no such route")
	_, err := f.Route(ctx, f.app, route.ID)
	wantError(t, err, cloud.CodeNotFound, "no such route")
}

// A request for a route waits for one that is being made, and then sees the conflict with it.
func TestRoutesAreMadeOneByOne(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.deploy(t, f.app, "s", "export fetch")
	script := f.script(t, f.app, "s")

	ended := make(chan error, 1)
	err := f.db.Tx(ctx, func(q *db.Queries) error {
		if err := q.LockRoutes(ctx); err != nil {
			return err
		}

		go func() {
			change := manager.RouteChange{Script: new("s"), Path: new("/race")}
			_, err := f.CreateRoute(ctx, f.owner, f.app, change)
			ended <- err
		}()

		// Until the second request waits for the lock, or is through without.
		for waiting := 0; waiting == 0 && len(ended) == 0; {
			err := f.db.Scripts.QueryRow(ctx, `SELECT count(*) FROM pg_locks
				WHERE locktype = 'advisory' AND NOT granted AND database = (
					SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&waiting)
			if err != nil {
				return err
			}
		}

		return q.InsertRoute(ctx, db.InsertRouteParams{
			AppID:    f.app.ID,
			ID:       f.ids.New(),
			ScriptID: script.ID,
			Method:   "GET",
			Host:     cloud.HostAny,
			Path:     "/race",
			Dispatch: cloud.DispatchSync,
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, <-ended, cloud.CodeConflict, "the route GET any /race")
}

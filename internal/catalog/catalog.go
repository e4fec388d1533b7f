// Package catalog is this process's copy of what the manager wrote: apps with their scripts, routes, triggers
// and variables. It answers what a request or an event meets without asking the database. It decides nothing
// and writes nothing; a copy that may be stale is brought up to date before a commit relies on it, by the
// revision of the app.
package catalog

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/schedule"
)

// Decrypter opens sealed variables and secrets.
type Decrypter interface {
	Open(v cloud.VariableRef, keyID string, sealed []byte) (string, error)
}

// Config is what a Catalog needs.
type Config struct {
	DB        *db.DB
	Decrypter Decrypter
	Log       *slog.Logger
	// DefaultLimits are those of a script that sets none.
	DefaultLimits cloud.Limits
}

// Catalog holds the definitions of every app. Apps are replaced whole; readers take no lock.
type Catalog struct {
	cfg Config
	// changed are told after definitions were loaded again. They are set before the first load.
	changed []func()

	// mu orders those who replace the snapshot. It is a leaf; readers load the snapshot without it.
	mu       sync.Mutex
	snapshot atomic.Pointer[snapshot]
}

// snapshot is one state of all definitions. It never changes.
type snapshot struct {
	byID   map[cloud.AppID]*App
	bySlug map[string]*App
	routes *cloud.Routes
}

// App is one app's definitions. It never changes once it is in a snapshot.
type App struct {
	ID   cloud.AppID
	Slug string
	// Revision grows with every change of the app's definitions.
	Revision int64

	Scripts  map[string]*cloud.Script // by name
	Triggers map[cloud.ID]*cloud.Trigger
	// Schedules are those of cron triggers, parsed. One that this version cannot read is missing.
	Schedules map[cloud.ID]*schedule.Schedule
	Env       *cloud.Env
	Quotas    cloud.Quotas
	named     map[string]*cloud.Env

	scriptsByID map[cloud.ID]*cloud.Script
	routes      []*cloud.Route
}

// New returns a Catalog that is empty until LoadAll.
func New(cfg Config) *Catalog {
	c := &Catalog{cfg: cfg}
	c.snapshot.Store(
		&snapshot{byID: map[cloud.AppID]*App{}, bySlug: map[string]*App{}, routes: cloud.NewRoutes(nil)},
	)
	return c
}

// Subscribe has f called after every Refresh: a trigger may have been enabled, a schedule changed. f must not
// block. It is called before the catalog is used by others.
func (c *Catalog) Subscribe(f func()) { c.changed = append(c.changed, f) }

// App finds an app, nil if there is none.
func (c *Catalog) App(id cloud.AppID) *App { return c.snapshot.Load().byID[id] }

// EnvOf is what the script of a name finds in env now, nil without such an app. There need not be such a
// script.
func (c *Catalog) EnvOf(id cloud.AppID, script string) *cloud.Env {
	if app := c.App(id); app != nil {
		return app.EnvFor(script)
	}
	return nil
}

// QuotasOf is what an app may use, no limit without such an app.
func (c *Catalog) QuotasOf(id cloud.AppID) cloud.Quotas {
	if app := c.App(id); app != nil {
		return app.Quotas
	}
	return cloud.Quotas{}
}

// ScriptID finds the id of a script by its name.
func (c *Catalog) ScriptID(app cloud.AppID, name string) (cloud.ID, bool) {
	a := c.App(app)
	if a == nil || a.Scripts[name] == nil {
		return cloud.ID{}, false
	}
	return a.Scripts[name].ID, true
}

// AddScript takes a script in. It is for whoever makes the App, before others see it.
func (a *App) AddScript(script *cloud.Script) {
	if a.Scripts == nil {
		a.Scripts = map[string]*cloud.Script{}
		a.scriptsByID = map[cloud.ID]*cloud.Script{}
	}
	a.Scripts[script.Name] = script
	a.scriptsByID[script.ID] = script
}

// Script finds a script by its id, nil if there is none.
func (a *App) Script(id cloud.ID) *cloud.Script { return a.scriptsByID[id] }

// ScriptName is a script's name, "" if it is gone.
func (a *App) ScriptName(id cloud.ID) string {
	if s := a.scriptsByID[id]; s != nil {
		return s.Name
	}
	return ""
}

// LoadAll brings the copy up to date with every app whose revision is newer, or that is new or gone.
func (c *Catalog) LoadAll(ctx context.Context) error {
	rows, err := c.cfg.DB.Queries().AppRevisionsAll(ctx)
	if err != nil {
		return fmt.Errorf("read revisions: %w", db.Translate(err))
	}

	old := c.snapshot.Load()
	var changed []*App

	alive := map[cloud.AppID]bool{}
	for _, r := range rows {
		id := cloud.AppID(r.ID)
		alive[id] = true
		if have := old.byID[id]; have != nil && have.Revision >= r.Revision {
			continue
		}
		app, err := c.load(ctx, id)
		if err != nil {
			return err
		}
		if app != nil {
			changed = append(changed, app)
		}
	}

	var gone []cloud.AppID
	for id := range old.byID {
		if !alive[id] {
			gone = append(gone, id)
		}
	}
	if len(changed) > 0 || len(gone) > 0 {
		c.replace(changed, gone)
	}

	return nil
}

// Refresh loads one app again, or the list of apps and what changed in it for app 0, and tells the
// subscribers. A failure is logged; the next notification or poll repeats it.
func (c *Catalog) Refresh(ctx context.Context, app cloud.AppID) {
	// The change is made already: whoever made it may go away, and the copy must follow all the same.
	ctx = context.WithoutCancel(ctx)
	var err error
	if app == 0 {
		err = c.LoadAll(ctx)
	} else {
		_, err = c.Reload(ctx, app)
	}
	if err != nil {
		c.cfg.Log.Error("refresh definitions", "app", app, "error", err)
	}

	for _, f := range c.changed {
		f()
	}
}

// Reload loads one app and returns it, nil if it is gone.
func (c *Catalog) Reload(ctx context.Context, id cloud.AppID) (*App, error) {
	app, err := c.load(ctx, id)
	if err != nil {
		return nil, err
	}
	if app == nil {
		c.replace(nil, []cloud.AppID{id})
		return nil, nil
	}
	c.replace([]*App{app}, nil)

	return app, nil
}

// AtLeast gives an app in a revision that is not older than the one named, nil if the app is gone.
func (c *Catalog) AtLeast(ctx context.Context, id cloud.AppID, revision int64) (*App, error) {
	if app := c.App(id); app != nil && app.Revision >= revision {
		return app, nil
	}
	return c.Reload(ctx, id)
}

// replace publishes a snapshot with some apps changed and some gone.
func (c *Catalog) replace(changed []*App, gone []cloud.AppID) {
	c.mu.Lock()
	defer c.mu.Unlock()

	old := c.snapshot.Load()

	next := &snapshot{
		byID:   make(map[cloud.AppID]*App, len(old.byID)+1),
		bySlug: make(map[string]*App, len(old.byID)+1),
		routes: old.routes,
	}
	for id, app := range old.byID {
		next.byID[id] = app
	}

	routesChanged := len(gone) > 0
	for _, app := range changed {
		have := next.byID[app.ID]
		if have != nil && have.Revision > app.Revision {
			continue // a newer one was loaded meanwhile
		}
		routesChanged = routesChanged || len(app.routes) > 0 || have != nil && len(have.routes) > 0
		next.byID[app.ID] = app
	}

	for _, id := range gone {
		delete(next.byID, id)
	}

	var routes []*cloud.Route
	for _, app := range next.byID {
		next.bySlug[app.Slug] = app
		routes = append(routes, app.routes...)
	}
	// Building the matcher costs more than all the rest, and most changes concern no route.
	if routesChanged {
		next.routes = cloud.NewRoutes(routes)
	}
	c.snapshot.Store(next)
}

// load reads an app; nil when it is gone.
func (c *Catalog) load(ctx context.Context, id cloud.AppID) (*App, error) {
	var app *App
	err := c.cfg.DB.Tx(ctx, func(q *db.Queries) error {
		// The revision is read first, so that what follows is not older than it.
		row, err := q.AppByID(ctx, int64(id))
		if err != nil {
			return err
		}
		app = &App{
			ID:        id,
			Slug:      row.Slug,
			Revision:  row.Revision,
			Triggers:  map[cloud.ID]*cloud.Trigger{},
			Schedules: map[cloud.ID]*schedule.Schedule{},
		}
		return c.loadInto(ctx, q, app)
	})

	switch {
	case err == nil:
		return app, nil
	case db.IsNotFound(err):
		return nil, nil
	default:
		return nil, fmt.Errorf("load definitions of app %d: %w", id, err)
	}
}

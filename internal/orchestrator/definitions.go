package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"picloud/db"
	"picloud/internal/auth"
	"picloud/internal/cloud"
)

// definitions is this process's copy of what the manager wrote. Apps are replaced whole; readers take no lock.
type definitions struct {
	o     *Orchestrator
	mu    sync.Mutex // writers
	state atomic.Pointer[snapshot]
}

type snapshot struct {
	byID   map[cloud.AppID]*appDefs
	bySlug map[string]*appDefs
	routes *cloud.Routes
}

// appDefs is one app. It never changes once it is in a snapshot.
type appDefs struct {
	id       cloud.AppID
	slug     string
	revision int64
	scripts  map[string]*cloud.Script
	byID     map[cloud.ID]*cloud.Script
	triggers map[cloud.ID]*cloud.Trigger
	routes   []*cloud.Route
	env      *cloud.Env
	// mask hides the app's secrets in what is logged; nil when there is nothing to hide.
	mask *strings.Replacer
}

func newDefinitions(o *Orchestrator) *definitions {
	d := &definitions{o: o}
	d.state.Store(&snapshot{byID: map[cloud.AppID]*appDefs{}, bySlug: map[string]*appDefs{}, routes: cloud.NewRoutes(nil)})
	return d
}

func (d *definitions) app(id cloud.AppID) *appDefs    { return d.state.Load().byID[id] }
func (d *definitions) appBySlug(slug string) *appDefs { return d.state.Load().bySlug[slug] }
func (a *appDefs) script(id cloud.ID) *cloud.Script   { return a.byID[id] }
func (a *appDefs) scriptName(id cloud.ID) (name string) {
	if s := a.byID[id]; s != nil {
		return s.Name
	}
	return ""
}

// loadAll brings the copy up to date with every app whose revision is newer, or that is new or gone.
func (d *definitions) loadAll(ctx context.Context) error {
	rows, err := d.o.cfg.DB.Queries().AppRevisionsAll(ctx)
	if err != nil {
		return fmt.Errorf("read revisions: %w", db.Translate(err))
	}
	old := d.state.Load()
	var changed []*appDefs
	alive := map[cloud.AppID]bool{}
	for _, r := range rows {
		id := cloud.AppID(r.ID)
		alive[id] = true
		if have := old.byID[id]; have != nil && have.revision >= r.Revision {
			continue
		}
		a, err := d.load(ctx, id)
		if err != nil {
			return err
		}
		if a != nil {
			changed = append(changed, a)
		}
	}
	var gone []cloud.AppID
	for id := range old.byID {
		if !alive[id] {
			gone = append(gone, id)
		}
	}
	if len(changed) > 0 || len(gone) > 0 {
		d.replace(changed, gone)
	}
	return nil
}

// refresh loads one app, or everything for app 0. A failure is logged: the next notification or poll tries again.
func (d *definitions) refresh(ctx context.Context, app cloud.AppID) {
	ctx = context.WithoutCancel(ctx)
	var err error
	if app == 0 {
		err = errors.Join(d.loadAll(ctx), d.o.loadHold(ctx))
	} else {
		_, err = d.reload(ctx, app)
	}
	if err != nil {
		d.o.cfg.Log.Error("refresh definitions", "app", app, "error", err)
	}
	d.o.dispatcher.scout.ask(0) // a trigger may have been enabled
	d.o.cron.wake()
}

// reload loads one app and returns it, nil if it is gone.
func (d *definitions) reload(ctx context.Context, app cloud.AppID) (*appDefs, error) {
	a, err := d.load(ctx, app)
	if err != nil {
		return nil, err
	}
	if a == nil {
		d.replace(nil, []cloud.AppID{app})
		return nil, nil
	}
	d.replace([]*appDefs{a}, nil)
	return a, nil
}

// atLeast gives an app in a revision that is not older than the one named.
func (d *definitions) atLeast(ctx context.Context, app cloud.AppID, revision int64) (*appDefs, error) {
	if a := d.app(app); a != nil && a.revision >= revision {
		return a, nil
	}
	return d.reload(ctx, app)
}

func (d *definitions) replace(changed []*appDefs, gone []cloud.AppID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.state.Load()
	next := &snapshot{byID: make(map[cloud.AppID]*appDefs, len(old.byID)+1), bySlug: make(map[string]*appDefs, len(old.byID)+1), routes: old.routes}
	for id, a := range old.byID {
		next.byID[id] = a
	}
	rebuild := len(gone) > 0
	for _, a := range changed {
		have := next.byID[a.id]
		if have != nil && have.revision > a.revision {
			continue // a newer one was loaded meanwhile
		}
		rebuild = rebuild || len(a.routes) > 0 || have != nil && len(have.routes) > 0
		next.byID[a.id] = a
	}
	for _, id := range gone {
		delete(next.byID, id)
	}
	var routes []*cloud.Route
	for _, a := range next.byID {
		next.bySlug[a.slug] = a
		routes = append(routes, a.routes...)
	}
	if rebuild {
		next.routes = cloud.NewRoutes(routes)
	}
	d.state.Store(next)
}

// load reads an app; nil when it is gone.
func (d *definitions) load(ctx context.Context, id cloud.AppID) (*appDefs, error) {
	var a *appDefs
	err := d.o.cfg.DB.Tx(ctx, func(q *db.Queries) error {
		row, err := q.AppByID(ctx, int64(id)) // first: what follows is not older than this revision
		if err != nil {
			return err
		}
		a = &appDefs{id: id, slug: row.Slug, revision: row.Revision, scripts: map[string]*cloud.Script{}, byID: map[cloud.ID]*cloud.Script{},
			triggers: map[cloud.ID]*cloud.Trigger{}}
		if err := d.loadEnv(ctx, q, a); err != nil {
			return err
		}
		if err := d.loadScripts(ctx, q, a); err != nil {
			return err
		}
		if err := loadTriggers(ctx, q, a); err != nil {
			return err
		}
		routes, err := q.ListRoutes(ctx, int64(id), db.UUID{}, 1<<30)
		if err != nil {
			return err
		}
		for _, r := range routes {
			a.routes = append(a.routes, &cloud.Route{App: id, ID: r.ID, Script: r.ScriptID, Name: r.Script, Method: r.Method, Host: r.Host,
				Path: r.Path, Dispatch: r.Dispatch})
		}
		return nil
	})
	switch {
	case err == nil:
		return a, nil
	case isNotFound(err):
		return nil, nil
	default:
		return nil, fmt.Errorf("load definitions of app %d: %w", id, err)
	}
}

func (d *definitions) loadScripts(ctx context.Context, q *db.Queries, a *appDefs) error {
	rows, err := q.DefinedScripts(ctx, int64(a.id))
	if err != nil {
		return err
	}
	for _, r := range rows {
		s := &cloud.Script{App: a.id, ID: r.ID, Name: r.Name, Kind: r.Kind, Access: r.Access, Version: int(r.Version), Language: r.Language,
			Build: r.BuildID, Handlers: r.Handlers, Env: a.env, Limits: cloud.Limits{Timeout: d.o.cfg.DefaultTimeout, MemoryMiB: d.o.cfg.DefaultMemory}}
		if r.TimeoutMs != nil {
			s.Limits.Timeout = time.Duration(*r.TimeoutMs) * time.Millisecond
		}
		if r.MemoryMib != nil {
			s.Limits.MemoryMiB = int(*r.MemoryMib)
		}
		a.scripts[s.Name], a.byID[s.ID] = s, s
	}
	return nil
}

func loadTriggers(ctx context.Context, q *db.Queries, a *appDefs) error {
	rows, err := q.DefinedTriggers(ctx, int64(a.id))
	if err != nil {
		return err
	}
	for _, r := range rows {
		t := &cloud.Trigger{App: a.id, ID: r.ID, Kind: r.Kind, Script: r.ScriptID, Enabled: r.Enabled, Collection: r.Collection, Ops: r.Ops,
			Schedule: r.Schedule, Timezone: r.Timezone, CatchUp: r.CatchUp, Overlap: r.Overlap, CronJitter: time.Duration(r.JitterMs) * time.Millisecond,
			Registrant: r.RegisteredName, Retry: cloud.Retry{MaxAttempts: int(r.MaxAttempts), Backoff: r.Backoff,
				Base: time.Duration(r.BaseMs) * time.Millisecond, Max: time.Duration(r.MaxMs) * time.Millisecond, Jitter: r.Jitter}}
		if r.SourceFilter != nil {
			t.Source = *r.SourceFilter
		}
		if r.TriggerFilter != nil {
			t.Trigger = *r.TriggerFilter
		}
		if r.ScriptFilter != nil {
			t.FailedScript = *r.ScriptFilter
		}
		t.Refusal = refusal(&r)
		a.triggers[t.ID] = t
	}
	return nil
}

// refusal says why a trigger's registrant may not run anything, "" when they may.
func refusal(r *db.DefinedTriggersRow) string {
	switch {
	case r.Username == "":
		return fmt.Sprintf("the trigger's registrant %q was deleted", r.RegisteredName)
	case !r.UserActive:
		return fmt.Sprintf("the trigger's registrant %q is deactivated", r.Username)
	case r.UserRole == auth.RoleOwner || r.UserRole == auth.RoleAdmin:
		return ""
	case !auth.AtLeast(r.MemberRole, auth.AppEditor):
		return fmt.Sprintf("the trigger's registrant %q is no longer an editor of the app", r.Username)
	default:
		return ""
	}
}

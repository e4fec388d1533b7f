package manager

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"picloud/db"
	"picloud/internal/cloud"
)

var slugPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// reservedSlugs would read as something else in a path or a host.
var reservedSlugs = []string{"admin", "api", "f", "static", "healthz", "readyz", "version", "metrics", "new", "picloud", "www"}

// CreateApp makes an app.
func (m *Manager) CreateApp(ctx context.Context, actor Actor, slug, name, description string) (*App, error) {
	switch {
	case !slugPattern.MatchString(slug):
		return nil, invalid("the slug %q must match %s", cloud.Shorten(slug), slugPattern)
	case slices.Contains(reservedSlugs, slug):
		return nil, invalid("the slug %q is reserved", slug)
	}
	if name == "" {
		name = slug
	}
	if err := errors.Join(checkText("name", name, 200), checkText("description", description, 2000)); err != nil {
		return nil, firstError(err)
	}
	var app App
	err := m.cfg.DB.Tx(ctx, func(q *db.Queries) error {
		var err error
		if app, err = q.InsertApp(ctx, slug, name, description); err != nil {
			if errors.Is(db.Translate(err), db.ErrDuplicate) {
				return cloud.Errorf(cloud.CodeConflict, "an app with the slug %q exists", slug)
			}
			return err
		}
		if err := m.audit(ctx, q, change{actor: actor, app: &app, action: "app.create", target: slug}); err != nil {
			return err
		}
		return q.NotifyDefinitions(ctx, "0")
	})
	if err != nil {
		return nil, explain(err)
	}
	m.cfg.Changed(ctx, 0)
	return &app, nil
}

// App finds an app by its slug.
func (m *Manager) App(ctx context.Context, slug string) (*App, error) {
	if !slugPattern.MatchString(slug) {
		return nil, notFound("app")
	}
	a, err := m.cfg.DB.Queries().AppBySlug(ctx, slug)
	if err != nil {
		return nil, found(err, "app")
	}
	return &a, nil
}

// Apps lists apps by slug; userID 0 lists all, else those the user is a member of.
func (m *Manager) Apps(ctx context.Context, userID int64, after string, limit int) ([]App, error) {
	list, err := m.cfg.DB.Queries().ListApps(ctx, after, userID, int32(limit))
	return list, explain(db.Translate(err))
}

// AppChange is what a PATCH of an app may set; nil keeps.
type AppChange struct {
	Name        *string   `json:"name,omitempty"`
	Description *string   `json:"description,omitempty"`
	Hosts       *[]string `json:"hosts,omitempty"`
}

var hostPattern = regexp.MustCompile(`^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// maxHosts bounds the hosts of one app.
const maxHosts = 100

// UpdateApp changes an app's texts and hosts.
func (m *Manager) UpdateApp(ctx context.Context, actor Actor, app *App, c AppChange) (*App, error) {
	next := *app
	if c.Name != nil {
		next.Name = *c.Name
	}
	if c.Description != nil {
		next.Description = *c.Description
	}
	if next.Name == "" {
		return nil, invalid("name must not be empty")
	}
	if err := errors.Join(checkText("name", next.Name, 200), checkText("description", next.Description, 2000)); err != nil {
		return nil, firstError(err)
	}
	if c.Hosts != nil {
		if !actor.Admin {
			return nil, cloud.Errorf(cloud.CodeForbidden, "only an instance admin gives hosts to an app")
		}
		if len(*c.Hosts) > maxHosts {
			return nil, invalid("an app can hold %d hosts", maxHosts)
		}
		for k, h := range *c.Hosts {
			h = strings.ToLower(h)
			(*c.Hosts)[k] = h
			if len(h) > 253 || !hostPattern.MatchString(h) || h == cloud.HostAny {
				return nil, invalid("%q is not a host name, nor *. and one", cloud.Shorten(h))
			}
		}
	}
	err := m.apply(ctx, change{actor: actor, app: app, action: "app.update", target: app.Slug, detail: c}, func(q *db.Queries) error {
		if err := q.UpdateApp(ctx, next.Name, next.Description, app.ID); err != nil {
			return err
		}
		if c.Hosts == nil {
			return nil
		}
		return m.setHosts(ctx, q, app, *c.Hosts)
	})
	if err != nil {
		return nil, err
	}
	return &next, nil
}

func (m *Manager) setHosts(ctx context.Context, q *db.Queries, app *App, hosts []string) error {
	if err := q.LockRoutes(ctx); err != nil {
		return err
	}
	routes, err := q.ListRoutes(ctx, app.ID, db.UUID{}, everything)
	if err != nil {
		return err
	}
	for _, r := range routes {
		if r.Host != cloud.HostAny && !slices.Contains(hosts, r.Host) {
			return cloud.Errorf(cloud.CodeConflict, "the route %s %s uses the host %s: delete it first", r.Method, r.Path, r.Host)
		}
	}
	if err := q.DeleteAppHosts(ctx, app.ID); err != nil {
		return err
	}
	slices.Sort(hosts)
	for _, h := range slices.Compact(hosts) {
		if err := q.InsertAppHost(ctx, h, app.ID); err != nil {
			if errors.Is(db.Translate(err), db.ErrDuplicate) {
				return cloud.Errorf(cloud.CodeConflict, "another app holds the host %s", h)
			}
			return err
		}
	}
	return nil
}

// Definitions counts what the whole installation holds.
type Definitions = db.CountDefinitionsRow

// CountDefinitions counts apps, scripts and triggers.
func (m *Manager) CountDefinitions(ctx context.Context) (Definitions, error) {
	n, err := m.cfg.DB.Queries().CountDefinitions(ctx)
	return n, explain(db.Translate(err))
}

// Hosts lists an app's hosts.
func (m *Manager) Hosts(ctx context.Context, app *App) ([]string, error) {
	h, err := m.cfg.DB.Queries().AppHosts(ctx, app.ID)
	return h, explain(db.Translate(err))
}

// DeleteApp removes an app with everything in it. Without force an app that has scripts stays (409).
func (m *Manager) DeleteApp(ctx context.Context, actor Actor, app *App, force bool) error {
	err := m.cfg.DB.Tx(ctx, func(q *db.Queries) error {
		if err := q.LockApp(ctx, int32(app.ID)); err != nil {
			return err
		}
		n, err := q.CountScripts(ctx, app.ID)
		if err != nil {
			return err
		}
		if n > 0 && !force {
			return cloud.Errorf(cloud.CodeConflict, "the app has %d scripts: delete them first, or use ?force=true", n)
		}
		discarded, err := q.DiscardOutbox(ctx, app.ID)
		if err != nil {
			return err
		}
		sums, err := ledgerSums(ctx, q, app.ID)
		if err != nil {
			return err
		}
		sums["discarded"] += discarded
		if err := q.DeleteAppRows(ctx, app.ID); err != nil {
			return err
		}
		if err := q.DeleteLedgerOfApp(ctx, app.ID); err != nil {
			return err
		}
		if err := m.audit(ctx, q, change{actor: actor, app: app, action: "app.delete", target: app.Slug, detail: sums}); err != nil {
			return err
		}
		if err := q.DeleteApp(ctx, app.ID); err != nil {
			return err
		}
		return q.NotifyDefinitions(ctx, "0")
	})
	if err != nil {
		return explain(err)
	}
	m.cfg.Changed(ctx, 0)
	return nil
}

func ledgerSums(ctx context.Context, q *db.Queries, app int64) (map[string]int64, error) {
	rows, err := q.LedgerSums(ctx, app)
	if err != nil {
		return nil, err
	}
	sums := map[string]int64{}
	for _, r := range rows {
		sums[r.What] = r.N
	}
	return sums, nil
}

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

// slugPattern is that of a DNS label that may not begin with a dash.
var slugPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// reservedSlugs would be mistaken for something else in a path or in a host name.
var reservedSlugs = []string{
	"admin", "api", "f", "static", "healthz", "readyz", "version", "metrics", "new", "picloud", "www",
}

// Limits of an app's texts, in bytes.
const (
	maxAppName        = 200
	maxAppDescription = 2000
)

// CreateApp makes an app. An empty name becomes the slug. Errors: invalid, and conflict if the slug is taken.
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
	if err := checkAppTexts(name, description); err != nil {
		return nil, err
	}

	// Not by apply: there is no revision to raise yet, and other processes must reload the list of apps.
	var app App
	err := m.cfg.DB.Tx(ctx, func(q *db.Queries) error {
		var err error
		if app, err = q.InsertApp(ctx, slug, name, description); err != nil {
			if errors.Is(db.Translate(err), db.ErrDuplicate) {
				return cloud.Errorf(cloud.CodeConflict, "an app with the slug %q exists", slug)
			}
			return err
		}

		audit := change{actor: actor, app: &app, action: "app.create", target: slug}
		if err := m.audit(ctx, q, audit); err != nil {
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

// checkAppTexts checks what people read of an app.
func checkAppTexts(name, description string) error {
	return firstError(errors.Join(
		checkText("name", name, maxAppName),
		checkText("description", description, maxAppDescription),
	))
}

// App finds an app by its slug.
func (m *Manager) App(ctx context.Context, slug string) (*App, error) {
	if !slugPattern.MatchString(slug) {
		return nil, notFound("app")
	}

	app, err := m.cfg.DB.Queries().AppBySlug(ctx, slug)
	if err != nil {
		return nil, found(err, "app")
	}

	return &app, nil
}

// Apps lists at most limit apps by slug, those after a slug. userID 0 lists all apps, any other those of
// which the user is a member.
func (m *Manager) Apps(ctx context.Context, userID int64, after string, limit int) ([]App, error) {
	list, err := m.cfg.DB.Queries().ListApps(ctx, after, userID, int32(limit))
	return list, explain(db.Translate(err))
}

// Definitions counts what the whole installation holds.
type Definitions = db.CountDefinitionsRow

// CountDefinitions counts apps, scripts and triggers.
func (m *Manager) CountDefinitions(ctx context.Context) (Definitions, error) {
	counts, err := m.cfg.DB.Queries().CountDefinitions(ctx)
	return counts, explain(db.Translate(err))
}

// AppChange is what a PATCH of an app may set; nil keeps what the app has.
type AppChange struct {
	// Name is what people see; it must not be empty.
	Name        *string `json:"name,omitempty"`
	Description *string `json:"description,omitempty"`
	// Hosts replaces all hosts of the app.
	Hosts *[]string `json:"hosts,omitempty"`
	// Quotas says what the app may use.
	Quotas *QuotaChange `json:"quotas,omitempty"`
}

// UpdateApp changes an app's texts, hosts and quotas. Only an instance admin may change hosts and quotas. The
// hosts in the change are lower-cased in place.
func (m *Manager) UpdateApp(ctx context.Context, actor Actor, app *App, c AppChange) (*App, error) {
	if c.Hosts != nil && !actor.Admin {
		return nil, cloud.Errorf(cloud.CodeForbidden, "only an instance admin gives hosts to an app")
	}
	if err := c.Quotas.check(actor); err != nil {
		return nil, err
	}

	next := *app
	next.Name = or(c.Name, app.Name)
	next.Description = or(c.Description, app.Description)
	if next.Name == "" {
		return nil, invalid("name must not be empty")
	}
	if err := checkAppTexts(next.Name, next.Description); err != nil {
		return nil, err
	}
	if c.Hosts != nil {
		if err := normalizeHosts(*c.Hosts); err != nil {
			return nil, err
		}
	}

	audit := change{actor: actor, app: app, action: "app.update", target: app.Slug, detail: c}
	err := m.apply(ctx, audit, func(q *db.Queries) error {
		if err := q.UpdateApp(ctx, next.Name, next.Description, app.ID); err != nil {
			return err
		}
		if c.Hosts != nil {
			if err := setHosts(ctx, q, app, *c.Hosts); err != nil {
				return err
			}
		}
		if c.Quotas == nil {
			return nil
		}
		return setQuotas(ctx, q, app, c.Quotas)
	})
	if err != nil {
		return nil, err
	}

	return &next, nil
}

// hostPattern matches a host name, or *. and a host name.
var hostPattern = regexp.MustCompile(
	`^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

const (
	// maxHosts bounds the hosts of one app.
	maxHosts = 100
	// maxHostName is the most bytes of a host name (RFC 1035, 2.3.4, without the root's dot).
	maxHostName = 253
)

// normalizeHosts lower-cases the names in place and refuses what is not a host name.
func normalizeHosts(hosts []string) error {
	if len(hosts) > maxHosts {
		return invalid("an app can hold %d hosts", maxHosts)
	}

	for k, host := range hosts {
		host = strings.ToLower(host)
		hosts[k] = host
		if len(host) > maxHostName || !hostPattern.MatchString(host) || host == cloud.HostAny {
			return invalid("%q is not a host name, nor *. and one", cloud.Shorten(host))
		}
	}

	return nil
}

// setHosts replaces an app's hosts. A host that a route still uses cannot be taken away.
func setHosts(ctx context.Context, q *db.Queries, app *App, hosts []string) error {
	// Held against setRoute, which could otherwise use a host that is just being taken away.
	if err := q.LockRoutes(ctx); err != nil {
		return err
	}

	routes, err := q.ListRoutes(ctx, app.ID, db.UUID{}, everything)
	if err != nil {
		return err
	}

	for _, r := range routes {
		if r.Host != cloud.HostAny && !slices.Contains(hosts, r.Host) {
			return cloud.Errorf(cloud.CodeConflict, "the route %s %s uses the host %s: delete it first",
				r.Method, r.Path, r.Host)
		}
	}

	if err := q.DeleteAppHosts(ctx, app.ID); err != nil {
		return err
	}
	slices.Sort(hosts)

	for _, host := range slices.Compact(hosts) {
		if err := q.InsertAppHost(ctx, host, app.ID); err != nil {
			if errors.Is(db.Translate(err), db.ErrDuplicate) {
				return cloud.Errorf(cloud.CodeConflict, "another app holds the host %s", host)
			}
			return err
		}
	}

	return nil
}

// Hosts lists an app's hosts in order.
func (m *Manager) Hosts(ctx context.Context, app *App) ([]string, error) {
	hosts, err := m.cfg.DB.Queries().AppHosts(ctx, app.ID)
	return hosts, explain(db.Translate(err))
}

// DeleteApp removes an app with everything in it. Without force, an app that has scripts is a conflict.
func (m *Manager) DeleteApp(ctx context.Context, actor Actor, app *App, force bool) error {
	err := m.cfg.DB.Tx(ctx, func(q *db.Queries) error {
		// Held against commits, which could otherwise raise events for triggers that are being deleted.
		if err := q.LockApp(ctx, int32(app.ID)); err != nil {
			return err
		}

		scripts, err := q.CountScripts(ctx, app.ID)
		if err != nil {
			return err
		}
		if scripts > 0 && !force {
			return cloud.Errorf(cloud.CodeConflict,
				"the app has %d scripts: delete them first, or use ?force=true", scripts)
		}

		sums, err := discardRows(ctx, q, app.ID)
		if err != nil {
			return err
		}

		audit := change{actor: actor, app: app, action: "app.delete", target: app.Slug, detail: sums}
		if err := m.audit(ctx, q, audit); err != nil {
			return err
		}

		if err := q.DeleteApp(ctx, app.ID); err != nil {
			return err
		}

		// Its dead letters went with it and were counted then: their counts add up to nothing, and the next
		// sweep folds them away. To delete them here would miss what a sweep puts together meanwhile.
		return q.NotifyDefinitions(ctx, "0")
	})
	if err != nil {
		return explain(err)
	}

	m.cfg.Changed(ctx, 0)
	return nil
}

// discardRows deletes the rows of an app that no foreign key takes along. It returns what the app's ledger
// added up to, the events discarded now included: they go to the audit row, because the ledger goes too.
func discardRows(ctx context.Context, q *db.Queries, app int64) (map[string]int64, error) {
	discarded, err := q.DiscardOutbox(ctx, app)
	if err != nil {
		return nil, err
	}

	rows, err := q.LedgerSums(ctx, app)
	if err != nil {
		return nil, err
	}

	sums := map[string]int64{}
	for _, r := range rows {
		sums[r.What] = r.N
	}

	sums["discarded"] += discarded

	if err := q.DeleteAppRows(ctx, app); err != nil {
		return nil, err
	}

	return sums, q.DeleteLedgerOfApp(ctx, app)
}

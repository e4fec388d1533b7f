package commit

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"picloud/db"
	"picloud/internal/catalog"
	"picloud/internal/cloud"
)

// section is what the parts of one kind share in an attempt: what they asked to be locked and read, what was
// found, and the rows they add. It writes all of its kind by one statement.
type section interface {
	// read queues the statements that lock and read what the parts require.
	read(g *Group, p *db.Pipeline)
	// write queues the statements for the rows that the applied parts added.
	write(ctx context.Context, g *Group, q *db.Queries)
}

// newSections lists the sections in the order in which they lock, read and write: a new consequence is a file
// and a line here. Keys are locked before anything else; what a section writes may refer to rows of the
// sections before it. The lock of a quota comes before the keys are read, since a sweep holds it while it
// deletes expired ones.
func newSections() []section {
	return []section{
		&quotaSection{},
		&keySection{},
		&enqueueSection{},
		&rowSection{},
		&deadLetterSection{},
		&slotSection{},
		&idempotencySection{},
		&replySection{},
		&abandonedSection{},
		&recordSection{},
		&auditSection{},
		&ledgerSection{},
	}
}

// settler is a section that has something to tell others once the commit has taken effect.
type settler interface{ settle(g *Group) }

// of finds a section of a group by its type.
func of[S section](g *Group) S {
	for _, s := range g.sections {
		if wanted, ok := s.(S); ok {
			return wanted
		}
	}
	panic("commit: a section is missing in newSections")
}

// Group is the commits of one transaction, and its state: what the database says at the start, changed by
// each commit that is decided to apply. Every attempt has a group of its own.
type Group struct {
	cfg      *Config
	id       cloud.ID // of the transaction, unique in the ledger
	commits  []*Commit
	sections []section

	// now is the database's clock, read after the locks were taken.
	now time.Time
	// apps are the definitions that the parts require, nil for an app that is gone; revisions are those of
	// the database.
	apps      map[cloud.AppID]*catalog.App
	revisions map[cloud.AppID]int64

	// verdicts are those of the commits, in their order.
	verdicts []Verdict
}

func newGroup(cfg *Config, id cloud.ID, commits []*Commit) *Group {
	return &Group{
		cfg:       cfg,
		id:        id,
		commits:   commits,
		sections:  newSections(),
		apps:      map[cloud.AppID]*catalog.App{},
		revisions: map[cloud.AppID]int64{},
	}
}

// requireApp has an app locked against whoever deletes its definitions, which are read.
func (g *Group) requireApp(app cloud.AppID) {
	if _, required := g.apps[app]; !required {
		g.apps[app] = g.cfg.Definitions.App(app)
	}
}

// app gives the definitions of an app that is required, nil if it is gone.
func (g *Group) app(app cloud.AppID) *catalog.App { return g.apps[app] }

var errAppGone = cloud.Errorf(cloud.CodeNotFound, "the app is gone")

// read opens the transaction, takes the locks and reads what the decisions need, in one round trip. It
// reports whether the transaction's id is new; if not, an earlier attempt took effect.
func (g *Group) read(ctx context.Context, conn *pgx.Conn) (isNew bool, err error) {
	for _, x := range g.commits {
		for _, part := range x.Parts {
			part.require(g, x)
		}
	}

	p := db.NewPipeline()
	p.Begin()
	p.Open(g.id, int64(len(g.commits)), func(n bool) { isNew = n })
	g.lock(ctx, p)

	// Clock and definitions are read under the locks: what is decided by them was true when the keys were
	// ours.
	p.Now(func(t time.Time) { g.now = t })
	if apps := g.requiredApps(); len(apps) > 0 {
		p.Revisions(apps, func(app, revision int64) { g.revisions[cloud.AppID(app)] = revision })
	}

	for _, s := range g.sections {
		s.read(g, p)
	}

	err = p.Send(ctx, conn)

	return isNew, err
}

// requiredApps are the apps that the parts require, by id.
func (g *Group) requiredApps() []int64 {
	apps := make([]int64, 0, len(g.apps))
	for app := range g.apps {
		apps = append(apps, int64(app))
	}
	slices.Sort(apps)
	return apps
}

// lock takes the advisory locks of apps, then of keys. A commit with very many keys locks its apps
// exclusively instead, which keeps every other commit of theirs out.
func (g *Group) lock(ctx context.Context, p *db.Pipeline) {
	apps := g.requiredApps()

	ids := make([]int32, len(apps))
	for k, app := range apps {
		ids[k] = int32(app)
	}

	keys := of[*keySection](g)
	if len(keys.order) > maxGroupKeys {
		_ = p.LockApps(ctx, ids)
		return
	}
	if len(ids) > 0 {
		_ = p.LockAppsShared(ctx, ids)
	}
	if len(keys.order) > 0 {
		_ = p.LockKeys(ctx, keys.lockNames())
	}
}

// refreshDefinitions reloads apps whose revision is newer than this node's copy, so that triggers are matched
// as the database had them when the commit began. Old values that newly matching triggers need are read then,
// and the use of what has a quota only now.
func (g *Group) refreshDefinitions(ctx context.Context, conn *pgx.Conn) error {
	stale := false
	for id, have := range g.apps {
		revision, exists := g.revisions[id]
		if !exists { // deleted since it was looked up
			g.apps[id] = nil
			continue
		}
		if have != nil && have.Revision >= revision {
			continue
		}
		fresh, err := g.cfg.Definitions.Reload(ctx, id)
		if err != nil {
			return err
		}
		g.apps[id] = fresh
		stale = true
	}
	if !stale {
		return nil
	}

	p := db.NewPipeline()
	of[*quotaSection](g).read(g, p)
	of[*keySection](g).read(g, p)

	return p.Send(ctx, conn)
}

// decide applies one commit to the group's state if the conditions of all its parts hold.
func (g *Group) decide(x *Commit) {
	var verdict Verdict
	for _, part := range x.Parts {
		verdict = verdict.and(part.decide(g, x))
	}
	g.verdicts = append(g.verdicts, verdict)

	if verdict.kind != verdictApplies {
		return
	}

	for _, part := range x.Parts {
		part.apply(g, x)
	}
}

// write sends everything that was decided, with COMMIT, in one round trip.
func (g *Group) write(ctx context.Context, conn *pgx.Conn) error {
	p := db.NewPipeline()
	for _, s := range g.sections {
		s.write(ctx, g, p.Queries)
	}
	p.Commit()
	return p.Send(ctx, conn)
}

// settle gives every commit its result once the group has taken effect, and tells whoever has to know.
func (g *Group) settle(c *Committer) {
	for k, verdict := range g.verdicts {
		g.commits[k].result = verdict.result()
		if len(verdict.conflicts) > 0 {
			c.conflicts.Add(1)
		}
	}

	for _, s := range g.sections {
		if s, ok := s.(settler); ok {
			s.settle(g)
		}
	}
}

// drop gives back what an attempt had taken that did not take effect. A nil group has taken nothing.
func (g *Group) drop() {
	if g == nil {
		return
	}
	of[*enqueueSection](g).decline(g)
}

package manager

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"slices"

	"picloud/db"
	"picloud/internal/cloud"
)

// ScriptChange is what a PUT of a script may set; nil keeps what the script has, or takes the default.
type ScriptChange struct {
	Source string
	// Language is javascript (the default) or typescript.
	Language *string
	// Kind is endpoint (the default) or module.
	Kind *string
	// Access is public (the default), key or private.
	Access *string
	// TimeoutMS and MemoryMiB limit one run. The default is the platform's.
	TimeoutMS *int32
	MemoryMiB *int32
	// RateLimit says how often the script may be called by HTTP, whatever path is asked for.
	RateLimit Nullable[cloud.RateLimit]
	// IfMatch, if not 0, is the version that must be current; the error is precondition otherwise.
	IfMatch int
	// MustBeNew says that there must be no such script; the error is precondition otherwise.
	MustBeNew bool
	// ClearLimits says that a limit which is nil becomes the platform's default.
	ClearLimits bool
}

// Deployed says what a PUT of a script did.
type Deployed struct {
	Name string `json:"name,omitempty"`
	// Version is the current version afterwards.
	Version int `json:"version,omitempty"`
	// Created says that there was no such script before.
	Created bool `json:"created,omitempty"`
	// Changed says whether a new version was made.
	Changed bool `json:"changed,omitempty"`
	// Warning says what will go wrong although the script compiles.
	Warning string `json:"warning,omitempty"`
	// RateLimit is the one that was set, if the deploy set any.
	RateLimit Nullable[cloud.RateLimit] `json:"rate_limit,omitzero"`
}

// PutScript deploys a script: it compiles the source, makes a version unless the source is the current one,
// and rebuilds the scripts that import it. If anything does not compile, nothing changes. It waits for the
// other deploys of the app and, while maxDeploys apps deploy, for one of these; all in all it takes
// maxDeployTime (code timeout).
func (m *Manager) PutScript(
	ctx context.Context, actor Actor, app *App, name string, c ScriptChange,
) (*Deployed, error) {
	if err := m.checkScript(name, &c); err != nil {
		return nil, err
	}

	out := &Deployed{Name: name, RateLimit: c.RateLimit}
	audit := change{actor: actor, app: app, action: "script.deploy", target: name, detail: out}
	err := m.deployInTurn(ctx, audit, func(ctx context.Context, q *db.Queries) error {
		// Bundles contain the app's modules, so two deploys of an app must not interleave.
		if err := q.LockScriptsOfApp(ctx, int32(app.ID)); err != nil {
			return err
		}

		old, err := q.ScriptByName(ctx, app.ID, name)
		if err = db.Translate(err); err != nil && !errors.Is(err, db.ErrNotFound) {
			return err
		}

		isNew := err != nil

		d := &deploy{m: m, q: q, app: app, actor: actor, change: &c, out: out}
		if err := d.mayReceiveSecrets(ctx); err != nil {
			return err
		}
		if isNew {
			return d.create(ctx)
		}

		return d.update(ctx, &old)
	})
	if err != nil {
		return nil, err
	}

	return out, nil
}

// deployInTurn applies a change of an app's scripts when it is its turn. The time of a deploy bounds f, but
// not the commit, which then has happened or not.
func (m *Manager) deployInTurn(
	ctx context.Context, audit change, f func(ctx context.Context, q *db.Queries) error,
) error {
	deadline, leave, err := m.deploys.enter(ctx, audit.app.ID)
	if err != nil {
		return err
	}
	defer leave()

	err = m.apply(ctx, audit, func(q *db.Queries) error { return f(deadline, q) })
	if err != nil && errors.Is(context.Cause(deadline), errDeployTime) {
		return explainDeployTime(errDeployTime)
	}
	return err
}

// deploy is one PUT, or one rollback, inside its transaction, which holds the lock of the app's scripts.
type deploy struct {
	m     *Manager
	q     *db.Queries
	app   *App
	actor Actor
	// change is what a PUT asks for, nil for a rollback.
	change *ScriptChange
	// kind is what the script is after the change.
	kind string
	// out is what the caller and the audit row get; the deploy fills it in.
	out *Deployed
}

// create makes the script with its first version.
func (d *deploy) create(ctx context.Context) error {
	if d.change.IfMatch != 0 {
		return cloud.Errorf(cloud.CodePrecondition,
			"the script does not exist, so its version is not %d", d.change.IfMatch)
	}

	if err := d.mayAddScript(ctx); err != nil {
		return err
	}

	d.out.Created = true
	d.out.Changed = true
	d.out.Version = 1

	var rateLimit string
	setRateLimit(&rateLimit, d.change.RateLimit)

	id := d.m.cfg.IDs.New()
	d.kind = or(d.change.Kind, cloud.KindEndpoint)
	language := or(d.change.Language, defaultLanguage)
	source := cloud.Source{Name: d.out.Name, Language: language, Source: d.change.Source}
	built, err := d.compile(ctx, source, nil)
	if err != nil {
		return err
	}

	err = d.q.InsertScript(ctx, db.InsertScriptParams{
		AppID:     d.app.ID,
		ID:        id,
		Name:      d.out.Name,
		Kind:      d.kind,
		Access:    or(d.change.Access, cloud.AccessPublic),
		TimeoutMs: d.change.TimeoutMS,
		MemoryMib: d.change.MemoryMiB,
		RateLimit: rateLimit,
	})
	if err != nil {
		return err
	}

	return d.insertVersion(ctx, id, language, built)
}

// update changes the script's settings, and adds a version if the source or its language differ from the
// current ones.
func (d *deploy) update(ctx context.Context, old *db.ScriptByNameRow) error {
	if d.change.MustBeNew || d.change.IfMatch != 0 && d.change.IfMatch != int(old.Version) {
		return cloud.Errorf(cloud.CodePrecondition,
			"the current version is %d, not the one that was read: read it and try again", old.Version)
	}

	d.out.Version = int(old.Version)
	kind := or(d.change.Kind, old.Kind)
	d.kind = kind
	language := or(d.change.Language, old.Language)
	if kind != old.Kind {
		if err := d.mayChangeKind(ctx, old, kind); err != nil {
			return err
		}
	}

	sum := sha256.Sum256([]byte(d.change.Source))

	d.out.Changed = !bytes.Equal(sum[:], old.SourceSha256) || language != old.Language
	switch {
	case d.out.Changed:
		if err := d.addVersion(ctx, old, language); err != nil {
			return err
		}
	case old.HandlersError != "":
		if err := d.retryBuild(ctx, old); err != nil {
			return err
		}
	}

	timeout := old.TimeoutMs
	if d.change.TimeoutMS != nil || d.change.ClearLimits {
		timeout = d.change.TimeoutMS
	}

	memory := old.MemoryMib
	if d.change.MemoryMiB != nil || d.change.ClearLimits {
		memory = d.change.MemoryMiB
	}

	setRateLimit(&old.RateLimit, d.change.RateLimit)

	err := d.q.UpdateScript(ctx, db.UpdateScriptParams{
		AppID:     d.app.ID,
		ID:        old.ID,
		RateLimit: old.RateLimit,
		Kind:      kind,
		Access:    or(d.change.Access, old.Access),
		TimeoutMs: timeout,
		MemoryMib: memory,
		Version:   int32(d.out.Version),
	})
	if err != nil {
		return err
	}

	// A module's code is part of every bundle that imports it.
	if d.out.Changed && old.Kind == cloud.KindModule && kind == cloud.KindModule {
		return d.rebuildImporters(ctx, old.Name, cloud.Module{Language: language, Source: d.change.Source})
	}

	return nil
}

// addVersion compiles the new source and stores it under the number after the last, which is not always the
// current one: a rollback makes an older version current.
func (d *deploy) addVersion(ctx context.Context, old *db.ScriptByNameRow, language string) error {
	last, err := d.q.LastVersion(ctx, d.app.ID, old.ID)
	if err != nil {
		return err
	}

	d.out.Version = int(last) + 1

	source := cloud.Source{Name: old.Name, Language: language, Source: d.change.Source}
	built, err := d.compile(ctx, source, nil)
	if err != nil {
		return err
	}

	return d.insertVersion(ctx, old.ID, language, built)
}

// retryBuild builds the current version again, since evaluating it failed the last time: the machine may have
// been busy then, or a variable missing that there is now.
func (d *deploy) retryBuild(ctx context.Context, old *db.ScriptByNameRow) error {
	source := cloud.Source{Name: old.Name, Language: old.Language, Source: old.Source}
	built, err := d.compile(ctx, source, nil)
	if err != nil {
		return err
	}

	d.warn(built.bundle)
	return d.rebuildVersion(ctx, old.ID, old.Version, built)
}

// mayChangeKind refuses a change that would leave somebody with a script that can no longer be imported, or
// called.
func (d *deploy) mayChangeKind(ctx context.Context, old *db.ScriptByNameRow, kind string) error {
	if old.Kind == cloud.KindModule {
		return notImported(ctx, d.q, d.app, old.Name)
	}

	triggers, err := d.q.TriggersOfScript(ctx, d.app.ID, old.ID)
	if err != nil {
		return err
	}

	routes, err := d.q.ListRoutes(ctx, d.app.ID, db.UUID{}, everything)
	if err != nil {
		return err
	}

	hasRoute := slices.ContainsFunc(routes, func(r db.ListRoutesRow) bool { return r.ScriptID == old.ID })
	if len(triggers) > 0 || hasRoute {
		return cloud.Errorf(cloud.CodeConflict,
			"the script has triggers or routes: it cannot become a %s while they exist", kind)
	}

	return nil
}

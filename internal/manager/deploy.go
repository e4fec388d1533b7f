package manager

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"picloud/db"
	"picloud/internal/cloud"
)

var scriptName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

// MaxSource is the most bytes of a script's source.
const MaxSource = 1 << 20

// minMemoryMiB is the least in which the engine and a small script live.
const minMemoryMiB = 16

// ScriptChange is what a PUT of a script may set; nil keeps what the script has, or takes the default.
type ScriptChange struct {
	Source    string
	Language  *string
	Kind      *string
	Access    *string
	TimeoutMS *int32
	MemoryMiB *int32
	// IfMatch, if not 0, is the version that must be current (412 otherwise); MustBeNew: there must be no such script.
	IfMatch   int
	MustBeNew bool
	// ClearLimits: a limit that is nil becomes the platform's default.
	ClearLimits bool
}

// Deployed is what a PUT of a script did.
type Deployed struct {
	Name    string `json:"name,omitempty"`
	Version int    `json:"version,omitempty"`
	Created bool   `json:"created,omitempty"`
	// Changed says whether a new version was made.
	Changed bool `json:"changed,omitempty"`
	// Warning says what will go wrong although the script compiles.
	Warning string `json:"warning,omitempty"`
}

// PutScript deploys a script: compiles it, makes a version unless the source is the current one, and rebuilds what imports
// it. Nothing changes when anything does not compile.
func (m *Manager) PutScript(ctx context.Context, actor Actor, app *App, name string, c ScriptChange) (*Deployed, error) {
	if err := m.checkScript(name, &c); err != nil {
		return nil, err
	}
	select {
	case m.deploys <- struct{}{}:
		defer func() { <-m.deploys }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	out := &Deployed{Name: name}
	audit := change{actor: actor, app: app, action: "script.deploy", target: name, detail: out}
	err := m.apply(ctx, audit, func(q *db.Queries) error {
		if err := q.LockScriptsOfApp(ctx, int32(app.ID)); err != nil {
			return err
		}
		old, err := q.ScriptByName(ctx, app.ID, name)
		if err = db.Translate(err); err != nil && !errors.Is(err, db.ErrNotFound) {
			return err
		}
		d := &deploy{m: m, q: q, app: app, actor: actor, c: &c, out: out}
		if err != nil {
			return d.create(ctx)
		}
		return d.update(ctx, &old)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// CheckScriptName says what is wrong with a name.
func CheckScriptName(name string) error {
	if !scriptName.MatchString(name) {
		return invalid("the script name %q must match %s", cloud.Shorten(name), scriptName)
	}
	return nil
}

func (m *Manager) checkScript(name string, c *ScriptChange) error {
	if err := CheckScriptName(name); err != nil {
		return err
	}
	if len(c.Source) > MaxSource {
		return cloud.Errorf(cloud.CodeTooLarge, "the source has %d bytes; at most %d are allowed: minify the bundle, or move parts of it into module scripts", len(c.Source), MaxSource)
	}
	if !utf8.ValidString(c.Source) || strings.ContainsRune(c.Source, 0) {
		return invalid("the source must be valid UTF-8 without NUL")
	}
	oneOf := func(what string, v *string, allowed ...string) error {
		if v != nil && !slices.Contains(allowed, *v) {
			return invalid("%s must be one of %s", what, strings.Join(allowed, ", "))
		}
		return nil
	}
	err := errors.Join(oneOf("language", c.Language, "javascript", "typescript"), oneOf("kind", c.Kind, cloud.KindEndpoint, cloud.KindModule),
		oneOf("access", c.Access, cloud.AccessPublic, cloud.AccessKey, cloud.AccessPrivate))
	if err != nil {
		return firstError(err)
	}
	if t := c.TimeoutMS; t != nil && (*t < 10 || time.Duration(*t)*time.Millisecond > m.cfg.MaxTimeout) {
		return invalid("timeout_ms must be from 10 to %d", m.cfg.MaxTimeout.Milliseconds())
	}
	if v := c.MemoryMiB; v != nil && (*v < minMemoryMiB || int(*v) > m.cfg.MaxMemoryMiB) {
		return invalid("memory_mib must be from %d to %d", minMemoryMiB, m.cfg.MaxMemoryMiB)
	}
	return nil
}

// deploy is one PUT in its transaction.
type deploy struct {
	m     *Manager
	q     *db.Queries
	app   *App
	actor Actor
	c     *ScriptChange
	out   *Deployed
}

func (d *deploy) create(ctx context.Context) error {
	if d.c.IfMatch != 0 {
		return cloud.Errorf(cloud.CodePrecondition, "the script does not exist, so its version is not %d", d.c.IfMatch)
	}
	d.out.Created, d.out.Changed, d.out.Version = true, true, 1
	kind := or(d.c.Kind, cloud.KindEndpoint)
	id := d.m.cfg.IDs.New()
	language := or(d.c.Language, "javascript")
	build, bundle, err := d.compile(ctx, d.out.Name, language, d.c.Source, nil)
	if err != nil {
		return err
	}
	err = d.q.InsertScript(ctx, db.InsertScriptParams{AppID: d.app.ID, ID: id, Name: d.out.Name, Kind: kind,
		Access: or(d.c.Access, cloud.AccessPublic), TimeoutMs: d.c.TimeoutMS, MemoryMib: d.c.MemoryMiB})
	if err != nil {
		return err
	}
	return d.insertVersion(ctx, id, 1, language, build, bundle)
}

func (d *deploy) update(ctx context.Context, old *db.ScriptByNameRow) error {
	if d.c.MustBeNew || d.c.IfMatch != 0 && d.c.IfMatch != int(old.Version) {
		return cloud.Errorf(cloud.CodePrecondition, "the current version is %d, not the one that was read: read it and try again", old.Version)
	}
	d.out.Version = int(old.Version)
	kind, language := or(d.c.Kind, old.Kind), or(d.c.Language, old.Language)
	if kind != old.Kind {
		if err := d.mayChangeKind(ctx, old, kind); err != nil {
			return err
		}
	}
	sum := sha256.Sum256([]byte(d.c.Source))
	d.out.Changed = !bytes.Equal(sum[:], old.SourceSha256) || language != old.Language
	if d.out.Changed {
		last, err := d.q.LastVersion(ctx, d.app.ID, old.ID)
		if err != nil {
			return err
		}
		d.out.Version = int(last) + 1
		build, bundle, err := d.compile(ctx, old.Name, language, d.c.Source, nil)
		if err != nil {
			return err
		}
		if err := d.insertVersion(ctx, cloud.ID(old.ID), last+1, language, build, bundle); err != nil {
			return err
		}
	}
	timeout, memory := old.TimeoutMs, old.MemoryMib
	if d.c.TimeoutMS != nil || d.c.ClearLimits {
		timeout = d.c.TimeoutMS
	}
	if d.c.MemoryMiB != nil || d.c.ClearLimits {
		memory = d.c.MemoryMiB
	}
	err := d.q.UpdateScript(ctx, db.UpdateScriptParams{AppID: d.app.ID, ID: old.ID, Kind: kind, Access: or(d.c.Access, old.Access),
		TimeoutMs: timeout, MemoryMib: memory, Version: int32(d.out.Version)})
	if err != nil {
		return err
	}
	if d.out.Changed && old.Kind == cloud.KindModule && kind == cloud.KindModule {
		return d.rebuildImporters(ctx, old.Name, cloud.Module{Language: language, Source: d.c.Source})
	}
	return nil
}

func (d *deploy) mayChangeKind(ctx context.Context, old *db.ScriptByNameRow, kind string) error {
	if old.Kind == cloud.KindModule {
		return d.m.notImported(ctx, d.q, d.app, old.Name)
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
		return cloud.Errorf(cloud.CodeConflict, "the script has triggers or routes: it cannot become a %s while they exist", kind)
	}
	return nil
}

func (d *deploy) insertVersion(ctx context.Context, script cloud.ID, version int32, language string, build cloud.ID, b *cloud.Bundle) error {
	sum := sha256.Sum256([]byte(d.c.Source))
	d.out.Warning = b.HandlersError
	return d.q.InsertVersion(ctx, db.InsertVersionParams{AppID: d.app.ID, ScriptID: script, Version: version, Language: language,
		Source: d.c.Source, SourceSha256: sum[:], BuildID: build, Code: b.Code, Imports: notNil(b.Imports), Handlers: notNil(b.Handlers),
		HandlersError: b.HandlersError, CreatedBy: d.actor.Username})
}

// compile bundles a source with the app's modules, one of which may be replaced by what is being deployed.
func (d *deploy) compile(ctx context.Context, name, language, source string, replaced map[string]cloud.Module) (cloud.ID, *cloud.Bundle, error) {
	rows, err := d.q.ModulesOfApp(ctx, d.app.ID)
	if err != nil {
		return cloud.ID{}, nil, err
	}
	modules := map[string]cloud.Module{}
	for _, r := range rows {
		modules[r.Name] = cloud.Module{Language: r.Language, Source: r.Source}
	}
	for n, mod := range replaced {
		modules[n] = mod
	}
	if mod, isModule := modules[name]; isModule { // its own cycle imports what is being deployed
		mod.Language, mod.Source = language, source
		modules[name] = mod
	}
	build := d.m.cfg.IDs.New()
	b, err := d.m.cfg.Compiler.Compile(ctx, cloud.AppID(d.app.ID), build, &cloud.Source{Name: name, Language: language, Source: source, Modules: modules,
		Env: d.m.cfg.Env(cloud.AppID(d.app.ID))})
	return build, b, err
}

// rebuildImporters gives everything that contains the module a new build of its current version.
func (d *deploy) rebuildImporters(ctx context.Context, module string, mod cloud.Module) error {
	importers, err := d.q.ImportersOf(ctx, d.app.ID, module)
	if err != nil {
		return err
	}
	for _, s := range importers {
		if s.Name == module {
			continue
		}
		build, b, err := d.compile(ctx, s.Name, s.Language, s.Source, map[string]cloud.Module{module: mod})
		if err != nil {
			var ce *cloud.Error
			if errors.As(err, &ce) && ce.Code == cloud.CodeInvalid {
				return invalidImporter(s.Name, ce)
			}
			return err
		}
		err = d.q.RebuildVersion(ctx, db.RebuildVersionParams{AppID: d.app.ID, ScriptID: s.ID, Version: s.Version, BuildID: build,
			Code: b.Code, Imports: notNil(b.Imports), Handlers: notNil(b.Handlers), HandlersError: b.HandlersError})
		if err != nil {
			return err
		}
	}
	return nil
}

func invalidImporter(name string, ce *cloud.Error) error {
	e := cloud.Errorf(cloud.CodeInvalid, "the script %q imports this module and would no longer build: %s", name, ce.Message)
	e.Details = ce.Details
	return e.With("importer", name)
}

// Rollback makes an older version current. It is built anew, with the modules as they are now.
func (m *Manager) Rollback(ctx context.Context, actor Actor, app *App, name string, version int) (*Deployed, error) {
	out := &Deployed{Name: name, Version: version}
	audit := change{actor: actor, app: app, action: "script.rollback", target: name, detail: out}
	err := m.apply(ctx, audit, func(q *db.Queries) error {
		if err := q.LockScriptsOfApp(ctx, int32(app.ID)); err != nil {
			return err
		}
		s, err := q.ScriptByName(ctx, app.ID, name)
		if err != nil {
			return found(err, "script")
		}
		v, err := q.VersionOfScript(ctx, app.ID, s.ID, int32(version))
		if err != nil {
			return found(err, "version")
		}
		d := &deploy{m: m, q: q, app: app, actor: actor, out: out}
		build, b, err := d.compile(ctx, s.Name, v.Language, v.Source, nil)
		if err != nil {
			return err
		}
		err = q.RebuildVersion(ctx, db.RebuildVersionParams{AppID: app.ID, ScriptID: s.ID, Version: v.Version, BuildID: build, Code: b.Code,
			Imports: notNil(b.Imports), Handlers: notNil(b.Handlers), HandlersError: b.HandlersError})
		if err != nil {
			return err
		}
		err = q.UpdateScript(ctx, db.UpdateScriptParams{AppID: app.ID, ID: s.ID, Kind: s.Kind, Access: s.Access, TimeoutMs: s.TimeoutMs,
			MemoryMib: s.MemoryMib, Version: v.Version})
		if err != nil {
			return err
		}
		if s.Kind == cloud.KindModule {
			return d.rebuildImporters(ctx, s.Name, cloud.Module{Language: v.Language, Source: v.Source})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

package manager

import (
	"context"
	"crypto/sha256"
	"errors"

	"picloud/db"
	"picloud/internal/cloud"
)

// build is a compiled version.
type build struct {
	// id names the build for the data plane, which caches code by it.
	id     cloud.ID
	bundle *cloud.Bundle
}

// warn says what will go wrong with a build: that it could not be evaluated, or that it has nothing to call.
// A module need not have anything.
func (d *deploy) warn(b *cloud.Bundle) {
	d.out.Warning = b.HandlersError
	if d.out.Warning == "" && d.kind != cloud.KindModule {
		d.out.Warning = b.Hint
	}
}

// insertVersion stores the change's source and its build as version out.Version.
func (d *deploy) insertVersion(ctx context.Context, script cloud.ID, language string, built build) error {
	sum := sha256.Sum256([]byte(d.change.Source))
	d.warn(built.bundle)
	return d.q.InsertVersion(ctx, db.InsertVersionParams{
		AppID:         d.app.ID,
		ScriptID:      script,
		Version:       int32(d.out.Version),
		Language:      language,
		Source:        d.change.Source,
		SourceSha256:  sum[:],
		BuildID:       built.id,
		Code:          built.bundle.Code,
		Imports:       notNil(built.bundle.Imports),
		Handlers:      notNil(built.bundle.Handlers),
		HandlersError: built.bundle.HandlersError,
		CreatedBy:     d.actor.Username,
	})
}

// rebuildVersion replaces the build of a version that exists.
func (d *deploy) rebuildVersion(ctx context.Context, script db.UUID, version int32, built build) error {
	return d.q.RebuildVersion(ctx, db.RebuildVersionParams{
		AppID:         d.app.ID,
		ScriptID:      script,
		Version:       version,
		BuildID:       built.id,
		Code:          built.bundle.Code,
		Imports:       notNil(built.bundle.Imports),
		Handlers:      notNil(built.bundle.Handlers),
		HandlersError: built.bundle.HandlersError,
	})
}

// compile bundles a source with the app's modules. replaced holds modules whose source in the database is
// not the one to use, by name: the module that is being deployed.
func (d *deploy) compile(
	ctx context.Context, source cloud.Source, replaced map[string]cloud.Module,
) (build, error) {
	rows, err := d.q.ModulesOfApp(ctx, d.app.ID)
	if err != nil {
		return build{}, err
	}

	modules := map[string]cloud.Module{}
	for _, r := range rows {
		modules[r.Name] = cloud.Module{Language: r.Language, Source: r.Source}
	}

	for name, module := range replaced {
		modules[name] = module
	}

	// A module that imports itself by way of others must meet its new source there, not the one of the
	// database.
	if _, isModule := modules[source.Name]; isModule {
		modules[source.Name] = cloud.Module{Language: source.Language, Source: source.Source}
	}

	app := cloud.AppID(d.app.ID)
	source.Modules = modules
	source.Env = d.m.cfg.Env(app, source.Name)
	id := d.m.cfg.IDs.New()
	bundle, err := d.m.cfg.Compiler.Compile(ctx, app, id, &source)
	if err != nil {
		return build{}, err
	}

	// The module was evaluated with the app's secrets, and what it threw is shown to viewers.
	if source.Env != nil {
		bundle.HandlersError = source.Env.Mask.Text(bundle.HandlersError)
	}
	return build{id: id, bundle: bundle}, nil
}

// rebuildImporters gives every script whose bundle contains the module a new build of its current version.
func (d *deploy) rebuildImporters(ctx context.Context, name string, module cloud.Module) error {
	importers, err := d.q.ImportersOf(ctx, d.app.ID, name)
	if err != nil {
		return err
	}

	for _, s := range importers {
		if s.Name == name {
			continue
		}

		source := cloud.Source{Name: s.Name, Language: s.Language, Source: s.Source}
		built, err := d.compile(ctx, source, map[string]cloud.Module{name: module})
		if err != nil {
			var ce *cloud.Error
			if errors.As(err, &ce) && ce.Code == cloud.CodeInvalid {
				return invalidImporter(s.Name, ce)
			}
			return err
		}
		if err := d.rebuildVersion(ctx, s.ID, s.Version, built); err != nil {
			return err
		}
	}

	return nil
}

// invalidImporter says that another script than the deployed one no longer builds. It keeps the place of
// the mistake.
func invalidImporter(name string, ce *cloud.Error) error {
	e := cloud.Errorf(cloud.CodeInvalid,
		"the script %q imports this module and would no longer build: %s", name, ce.Message)
	e.Details = ce.Details
	return e.With("importer", name)
}

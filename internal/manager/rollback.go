package manager

import (
	"context"

	"picloud/db"
	"picloud/internal/cloud"
)

// Rollback makes an older version current. The version is built anew, with the modules as they are now.
// Errors: not-found, for the script or the version, and those of a deploy.
func (m *Manager) Rollback(
	ctx context.Context, actor Actor, app *App, name string, version int,
) (*Deployed, error) {
	if !scriptName.MatchString(name) {
		return nil, notFound("script")
	}

	out := &Deployed{Name: name, Version: version}
	audit := change{actor: actor, app: app, action: "script.rollback", target: name, detail: out}
	err := m.deployInTurn(ctx, audit, func(ctx context.Context, q *db.Queries) error {
		if err := q.LockScriptsOfApp(ctx, int32(app.ID)); err != nil {
			return err
		}

		d := &deploy{m: m, q: q, app: app, actor: actor, out: out}
		if err := d.mayReceiveSecrets(ctx); err != nil {
			return err
		}

		script, err := q.ScriptByName(ctx, app.ID, name)
		if err != nil {
			return found(err, "script")
		}

		old, err := q.VersionOfScript(ctx, app.ID, script.ID, int32(version))
		if err != nil {
			return found(err, "version")
		}

		return d.rollback(ctx, &script, &old)
	})
	if err != nil {
		return nil, err
	}

	return out, nil
}

// rollback builds an old version anew and makes it current. The script's settings stay as they are.
func (d *deploy) rollback(ctx context.Context, script *Script, old *db.ScriptVersion) error {
	source := cloud.Source{Name: script.Name, Language: old.Language, Source: old.Source}
	built, err := d.compile(ctx, source, nil)
	if err != nil {
		return err
	}
	if err := d.rebuildVersion(ctx, script.ID, old.Version, built); err != nil {
		return err
	}

	err = d.q.UpdateScript(ctx, db.UpdateScriptParams{
		AppID:     d.app.ID,
		ID:        script.ID,
		Kind:      script.Kind,
		Access:    script.Access,
		TimeoutMs: script.TimeoutMs,
		MemoryMib: script.MemoryMib,
		RateLimit: script.RateLimit,
		Version:   old.Version,
	})
	if err != nil {
		return err
	}
	if script.Kind == cloud.KindModule {
		return d.rebuildImporters(ctx, script.Name, cloud.Module{Language: old.Language, Source: old.Source})
	}

	return nil
}

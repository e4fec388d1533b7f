package manager

import (
	"context"

	"picloud/db"
	"picloud/internal/cloud"
)

// Script is a script with its current version.
type Script = db.ScriptByNameRow

// Script finds a script by name.
func (m *Manager) Script(ctx context.Context, app *App, name string) (*Script, error) {
	if !scriptName.MatchString(name) {
		return nil, notFound("script")
	}

	script, err := m.cfg.DB.Queries().ScriptByName(ctx, app.ID, name)
	if err != nil {
		return nil, found(err, "script")
	}

	return &script, nil
}

// Scripts lists at most limit of an app's scripts by name, those after a name.
func (m *Manager) Scripts(
	ctx context.Context, app *App, after string, limit int,
) ([]db.ListScriptsRow, error) {
	list, err := m.cfg.DB.Queries().ListScripts(ctx, app.ID, after, int32(limit))
	return list, explain(db.Translate(err))
}

// EndpointNames lists at most limit names of an app's endpoint scripts, in order.
func (m *Manager) EndpointNames(ctx context.Context, app *App, limit int) ([]string, error) {
	names, err := m.cfg.DB.Queries().EndpointNames(ctx, app.ID, int32(limit))
	return names, explain(db.Translate(err))
}

// Versions lists at most limit of a script's versions, newest first, those below the number before.
func (m *Manager) Versions(
	ctx context.Context, app *App, s *Script, before int32, limit int,
) ([]db.ListVersionsRow, error) {
	list, err := m.cfg.DB.Queries().ListVersions(ctx, db.ListVersionsParams{
		AppID:    app.ID,
		ScriptID: s.ID,
		Before:   before,
		Max:      int32(limit),
	})
	return list, explain(db.Translate(err))
}

// Version returns one version with its source.
func (m *Manager) Version(ctx context.Context, app *App, s *Script, version int) (*db.ScriptVersion, error) {
	row, err := m.cfg.DB.Queries().VersionOfScript(ctx, app.ID, s.ID, int32(version))
	if err != nil {
		return nil, found(err, "version")
	}
	return &row, nil
}

// notImported refuses (conflict) when another script imports the module.
func notImported(ctx context.Context, q *db.Queries, app *App, name string) error {
	importers, err := q.ImportersOf(ctx, app.ID, name)
	if err != nil {
		return err
	}

	for _, s := range importers {
		if s.Name != name {
			return cloud.Errorf(cloud.CodeConflict, "the module is imported by %q", s.Name)
		}
	}

	return nil
}

// DeleteScript removes a script with its routes and triggers. Events that wait for it are a conflict; with
// force they become dead letters. A module that is imported cannot be removed.
func (m *Manager) DeleteScript(ctx context.Context, actor Actor, app *App, name string, force bool) error {
	audit := change{actor: actor, app: app, action: "script.delete", target: name}
	return m.apply(ctx, audit, func(q *db.Queries) error {
		// Against deploys, which could start to import it, and against commits, which could raise events
		// for it.
		if err := q.LockScriptsOfApp(ctx, int32(app.ID)); err != nil {
			return err
		}
		if err := q.LockApp(ctx, int32(app.ID)); err != nil {
			return err
		}

		script, err := q.ScriptByName(ctx, app.ID, name)
		if err != nil {
			return found(err, "script")
		}
		if err := notImported(ctx, q, app, name); err != nil {
			return err
		}

		waiting, err := q.WaitingOfScript(ctx, app.ID, script.ID)
		if err != nil {
			return err
		}

		rows := make([]db.UUID, len(waiting))
		for k, row := range waiting {
			rows[k] = row.ID
		}

		err = m.bury(ctx, q, burial{
			app: app, rows: rows, script: name, reason: "script deleted", force: force,
		})
		if err != nil {
			return err
		}

		return q.DeleteScript(ctx, app.ID, script.ID)
	})
}

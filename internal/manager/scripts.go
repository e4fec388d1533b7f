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
	s, err := m.cfg.DB.Queries().ScriptByName(ctx, app.ID, name)
	if err != nil {
		return nil, found(err, "script")
	}
	return &s, nil
}

// Scripts lists an app's scripts by name.
func (m *Manager) Scripts(ctx context.Context, app *App, after string, limit int) ([]db.ListScriptsRow, error) {
	list, err := m.cfg.DB.Queries().ListScripts(ctx, app.ID, after, int32(limit))
	return list, explain(db.Translate(err))
}

// EndpointNames lists the names of an app's endpoint scripts.
func (m *Manager) EndpointNames(ctx context.Context, app *App, limit int) ([]string, error) {
	names, err := m.cfg.DB.Queries().EndpointNames(ctx, app.ID, int32(limit))
	return names, explain(db.Translate(err))
}

// Versions lists a script's versions, newest first, below a number.
func (m *Manager) Versions(ctx context.Context, app *App, s *Script, before int32, limit int) ([]db.ListVersionsRow, error) {
	list, err := m.cfg.DB.Queries().ListVersions(ctx, db.ListVersionsParams{AppID: app.ID, ScriptID: s.ID, Before: before, Max: int32(limit)})
	return list, explain(db.Translate(err))
}

// Version is one version with its source.
func (m *Manager) Version(ctx context.Context, app *App, s *Script, version int) (*db.ScriptVersion, error) {
	v, err := m.cfg.DB.Queries().VersionOfScript(ctx, app.ID, s.ID, int32(version))
	if err != nil {
		return nil, found(err, "version")
	}
	return &v, nil
}

func (m *Manager) notImported(ctx context.Context, q *db.Queries, app *App, name string) error {
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

// DeleteScript removes a script with its routes and triggers. Waiting rows make it a 409, unless forced: then they become
// dead letters.
func (m *Manager) DeleteScript(ctx context.Context, actor Actor, app *App, name string, force bool) error {
	return m.apply(ctx, change{actor: actor, app: app, action: "script.delete", target: name}, func(q *db.Queries) error {
		if err := q.LockScriptsOfApp(ctx, int32(app.ID)); err != nil {
			return err
		}
		if err := q.LockApp(ctx, int32(app.ID)); err != nil {
			return err
		}
		s, err := q.ScriptByName(ctx, app.ID, name)
		if err != nil {
			return found(err, "script")
		}
		if err := m.notImported(ctx, q, app, name); err != nil {
			return err
		}
		waiting, err := q.WaitingOfScript(ctx, app.ID, s.ID)
		if err != nil {
			return err
		}
		ids := make([]db.UUID, len(waiting))
		for k, w := range waiting {
			ids[k] = w.ID
		}
		if err := m.bury(ctx, q, app, ids, name, "script deleted", force); err != nil {
			return err
		}
		return q.DeleteScript(ctx, app.ID, s.ID)
	})
}

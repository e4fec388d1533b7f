package manager

import (
	"context"
	"errors"
	"slices"

	"picloud/db"
	"picloud/internal/cloud"
)

// maxSecretScripts is how many scripts a secret may name.
const maxSecretScripts = 100

// checkSecretScripts gives the names of the scripts that shall receive a secret, each once and in order.
// There need not be such scripts yet. nil is every script.
func checkSecretScripts(names []string) ([]string, error) {
	if names == nil {
		return nil, nil
	}
	if len(names) == 0 || len(names) > maxSecretScripts {
		return nil, invalid("scripts must name 1 to %d scripts; leave it out for every script of the app",
			maxSecretScripts)
	}

	for _, name := range names {
		if err := CheckScriptName(name); err != nil {
			return nil, err
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(names))), nil
}

// MayDeploy refuses (forbidden) an actor who may not deploy under a name, and (invalid) what is no name of a
// script. It is asked before what is deployed is looked at, so that who may not deploy learns no more than
// that; PutScript asks again, under the lock.
func (m *Manager) MayDeploy(ctx context.Context, actor Actor, app *App, name string) error {
	if err := CheckScriptName(name); err != nil {
		return err
	}

	d := &deploy{m: m, q: m.cfg.DB.Queries(), app: app, actor: actor, out: &Deployed{Name: name}}
	return explain(db.Translate(d.mayReceiveSecrets(ctx)))
}

// mayReceiveSecrets refuses (forbidden) to deploy code that would receive a secret which is for some scripts
// alone, unless the actor may set secrets. Otherwise whoever may deploy could read the secret, by deploying
// under a name that it names, or a module that such a script imports.
func (d *deploy) mayReceiveSecrets(ctx context.Context) error {
	if d.actor.SetsSecrets {
		return nil
	}

	importers, err := d.q.ImportersOf(ctx, d.app.ID, d.out.Name)
	if err != nil {
		return err
	}

	names := []string{d.out.Name}
	for _, s := range importers {
		names = append(names, s.Name)
	}

	secret, err := d.q.SecretForScripts(ctx, d.app.ID, names)
	switch err = db.Translate(err); {
	case errors.Is(err, db.ErrNotFound):
		return nil
	case err != nil:
		return err
	default:
		return cloud.Errorf(cloud.CodeForbidden, "the secret %s is for the script %q alone: that script and "+
			"the modules it imports are deployed by admins of the app (keys need the scope secrets:write)",
			secret.Name, secret.Script)
	}
}

package manager

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// Limits of an app's variables and secrets, which have one budget together.
const (
	maxVariables = 200
	// maxVariable is the most bytes of one value.
	maxVariable = 64 << 10
	// maxVariableBytes is the most sealed bytes of all values together: every sandbox process of the app
	// gets them.
	maxVariableBytes = 256 << 10
)

// variablePattern is that of names which a program can write as env.NAME.
var variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// Variable is a variable with its value, or a secret without.
type Variable struct {
	Name string
	// Value is empty for secrets.
	Value string
	// Scripts are the names of those that receive a secret; nil is every script.
	Scripts []string
	// UpdatedBy is the name of who set the value last.
	UpdatedBy string
	UpdatedAt time.Time
}

// Variables lists at most limit variables by name, or secrets without their values; those after a name.
func (m *Manager) Variables(
	ctx context.Context, app *App, secret bool, after string, limit int,
) ([]Variable, error) {
	rows, err := m.cfg.DB.Queries().ListVariables(ctx, db.ListVariablesParams{
		AppID:  app.ID,
		Secret: secret,
		After:  after,
		Max:    int32(limit),
	})
	if err != nil {
		return nil, explain(db.Translate(err))
	}

	list := make([]Variable, len(rows))

	// A secret is never opened here, so that no bug of a caller can show it.
	for k, r := range rows {
		list[k] = Variable{
			Name:      r.Name,
			Scripts:   r.Scripts,
			UpdatedBy: r.UpdatedBy,
			UpdatedAt: r.UpdatedAt,
		}
		if secret {
			continue
		}

		ref := cloud.VariableRef{App: cloud.AppID(app.ID), Name: r.Name}
		if list[k].Value, err = m.cfg.Sealer.Open(ref, r.KeyID, r.Sealed); err != nil {
			return nil, fmt.Errorf("open variable %s: %w", r.Name, err)
		}
	}

	return list, nil
}

// SetVariable sets a variable or a secret, which every script receives. A name is one of the two: while it is
// a variable it cannot become a secret, nor the reverse (conflict). The audit row has the name and never the
// value.
func (m *Manager) SetVariable(
	ctx context.Context, actor Actor, app *App, name, value string, secret bool,
) error {
	return m.setVariable(ctx, actor, app, value, db.PutVariableParams{Name: name, Secret: secret})
}

// SetSecret sets a secret that the scripts of some names receive alone, at most 100; nil is every script.
// Whoever deploys under such a name from now on must be one who may set secrets.
func (m *Manager) SetSecret(
	ctx context.Context, actor Actor, app *App, name, value string, scripts []string,
) error {
	scripts, err := checkSecretScripts(scripts)
	if err != nil {
		return err
	}
	return m.setVariable(ctx, actor, app, value,
		db.PutVariableParams{Name: name, Secret: true, Scripts: scripts})
}

// setVariable sets what row has of a variable; it seals the value and fills in the rest.
func (m *Manager) setVariable(
	ctx context.Context, actor Actor, app *App, value string, row db.PutVariableParams,
) error {
	name := row.Name
	secret := row.Secret
	if !variablePattern.MatchString(name) {
		return invalid("the name %q must match %s", cloud.Shorten(name), variablePattern)
	}
	if err := checkText("the value", value, maxVariable); err != nil {
		return err
	}

	ref := cloud.VariableRef{App: cloud.AppID(app.ID), Name: name, Secret: secret}
	audit := change{actor: actor, app: app, action: kindOf(secret) + ".set", target: name}
	if row.Scripts != nil {
		audit.detail = map[string][]string{"scripts": row.Scripts}
	}
	return m.apply(ctx, audit, func(q *db.Queries) error {
		// One at a time in an app, because the limits are those of all values together.
		if err := q.LockScriptsOfApp(ctx, int32(app.ID)); err != nil {
			return err
		}

		have, err := q.VariableByName(ctx, app.ID, name)
		switch err = db.Translate(err); {
		case err == nil && have.Secret != secret:
			return cloud.Errorf(cloud.CodeConflict, "%s is a %s: delete it first", name, kindOf(have.Secret))
		case err != nil && !errors.Is(err, db.ErrNotFound):
			return err
		}

		// Values are measured sealed, as they are stored: the others cannot be opened just to be counted.
		row.Sealed = m.cfg.Sealer.Seal(ref, value)

		others, err := q.MeasureVariables(ctx, app.ID, name)
		switch {
		case err != nil:
			return err
		case others.N >= maxVariables:
			return invalid("an app can have %d variables and secrets", maxVariables)
		case others.Bytes+int64(len(row.Sealed)) > maxVariableBytes:
			return invalid("the variables and secrets of an app can have %d bytes together", maxVariableBytes)
		}

		row.AppID = app.ID
		row.KeyID = m.cfg.Sealer.KeyID()
		row.UpdatedBy = actor.Username
		if err := q.PutVariable(ctx, row); err != nil {
			return err
		}
		return m.checkKey(ctx, q)
	})
}

// checkKey refuses what this process has just sealed if another key has been made the installation's since
// the process started: no key would open all values any more. A rotation that goes on at the same time has
// ended before: it holds the lock that the write waited for.
func (m *Manager) checkKey(ctx context.Context, q *db.Queries) error {
	otherwise, err := q.SealedOtherwise(ctx, m.cfg.Sealer.KeyID())
	if err == nil && otherwise {
		err = cloud.Errorf(cloud.CodeConflict, "the installation's values are sealed under another master "+
			"key than this node has: start the node again with the present key")
	}
	return err
}

// kindOf is the word for it in messages and in the audit trail.
func kindOf(secret bool) string {
	if secret {
		return "secret"
	}
	return "variable"
}

// DeleteVariable deletes a variable or a secret.
func (m *Manager) DeleteVariable(ctx context.Context, actor Actor, app *App, name string, secret bool) error {
	name = storable(name)
	audit := change{actor: actor, app: app, action: kindOf(secret) + ".delete", target: name}
	return m.apply(ctx, audit, func(q *db.Queries) error {
		deleted, err := q.DeleteVariable(ctx, app.ID, name, secret)
		if err == nil && deleted == 0 {
			return notFound(kindOf(secret))
		}
		return err
	})
}

// CheckKeys returns an error if a value in the database is sealed under another master key than the present
// one. A process that went on would find out when a script needs the value.
func (m *Manager) CheckKeys(ctx context.Context) error {
	keys, err := m.cfg.DB.Queries().KeysOfVariables(ctx)
	if err != nil {
		return fmt.Errorf("read key ids: %w", db.Translate(err))
	}

	current := m.cfg.Sealer.KeyID()
	for _, key := range keys {
		if key.KeyID != current {
			return fmt.Errorf("%d variables and secrets in the database are sealed under the master key %s, "+
				"but this one is %s: set PICLOUD_SECRET_KEY to the key they were made with, or restore "+
				"secret.key from the backup (a rotation that was cut off left it as secret.key.new)",
				key.N, key.KeyID, current)
		}
	}

	return nil
}

// Reseal seals all values of the installation with the next key, in one transaction. It calls before right
// before the commit: if that returns an error, nothing changes. It returns the number of values.
func (m *Manager) Reseal(ctx context.Context, next Sealer, before func() error) (n int, err error) {
	err = m.cfg.DB.Tx(ctx, func(q *db.Queries) error {
		if err := q.StopVariableWrites(ctx); err != nil {
			return err
		}
		rows, err := q.LockVariables(ctx)
		if err != nil {
			return err
		}

		for _, r := range rows {
			if err := m.reseal(ctx, q, next, r); err != nil {
				return err
			}
		}

		n = len(rows)

		// Every process reads the environments again.
		if err := q.BumpAllApps(ctx); err != nil {
			return err
		}

		audit := change{
			actor:  Actor{Username: "system"},
			action: "key.rotate",
			detail: map[string]int{"values": n},
		}
		if err := m.audit(ctx, q, audit); err != nil {
			return err
		}

		return before()
	})
	return n, err
}

// reseal opens one value with the present key and stores it sealed with the next.
func (m *Manager) reseal(ctx context.Context, q *db.Queries, next Sealer, r db.LockVariablesRow) error {
	ref := cloud.VariableRef{App: cloud.AppID(r.AppID), Name: r.Name, Secret: r.Secret}
	value, err := m.cfg.Sealer.Open(ref, r.KeyID, r.Sealed)
	if err != nil {
		return fmt.Errorf("open %s %s of app %d: %w", kindOf(r.Secret), r.Name, r.AppID, err)
	}

	return q.ResealVariable(ctx, db.ResealVariableParams{
		Sealed: next.Seal(ref, value),
		KeyID:  next.KeyID(),
		AppID:  r.AppID,
		Name:   r.Name,
	})
}

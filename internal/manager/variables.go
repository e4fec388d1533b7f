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

// Limits of an app's variables and secrets.
const (
	maxVariables     = 200
	maxVariable      = 64 << 10  // bytes of one value
	maxVariableBytes = 256 << 10 // of all of an app's: every sandbox process is sent them
)

var variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// Variable is a variable with its value, or a secret without.
type Variable struct {
	Name, Value, UpdatedBy string
	UpdatedAt              time.Time
}

// Variables lists variables, or secrets without their values, by name.
func (m *Manager) Variables(ctx context.Context, app *App, secret bool, after string, limit int) ([]Variable, error) {
	rows, err := m.cfg.DB.Queries().ListVariables(ctx, db.ListVariablesParams{AppID: app.ID, Secret: secret, After: after, Max: int32(limit)})
	if err != nil {
		return nil, explain(db.Translate(err))
	}
	list := make([]Variable, len(rows))
	for k, r := range rows {
		list[k] = Variable{Name: r.Name, UpdatedBy: r.UpdatedBy, UpdatedAt: r.UpdatedAt}
		if secret {
			continue
		}
		v := cloud.VariableRef{App: cloud.AppID(app.ID), Name: r.Name}
		if list[k].Value, err = m.cfg.Sealer.Open(v, r.KeyID, r.Sealed); err != nil {
			return nil, fmt.Errorf("open variable %s: %w", r.Name, err)
		}
	}
	return list, nil
}

// SetVariable sets a variable or secret. A name is either for as long as it is there.
func (m *Manager) SetVariable(ctx context.Context, actor Actor, app *App, name, value string, secret bool) error {
	if !variablePattern.MatchString(name) {
		return invalid("the name %q must match %s", cloud.Shorten(name), variablePattern)
	}
	if err := checkText("the value", value, maxVariable); err != nil {
		return err
	}
	v := cloud.VariableRef{App: cloud.AppID(app.ID), Name: name, Secret: secret}
	audit := change{actor: actor, app: app, action: kindOf(secret) + ".set", target: name}
	return m.apply(ctx, audit, func(q *db.Queries) error {
		if err := q.LockScriptsOfApp(ctx, int32(app.ID)); err != nil { // the limits below hold for all together
			return err
		}
		have, err := q.VariableByName(ctx, app.ID, name)
		switch err = db.Translate(err); {
		case err == nil && have.Secret != secret:
			return cloud.Errorf(cloud.CodeConflict, "%s is a %s: delete it first", name, kindOf(have.Secret))
		case err != nil && !errors.Is(err, db.ErrNotFound):
			return err
		}
		sealed := m.cfg.Sealer.Seal(v, value)
		others, err := q.MeasureVariables(ctx, app.ID, name)
		switch {
		case err != nil:
			return err
		case others.N >= maxVariables:
			return invalid("an app can have %d variables and secrets", maxVariables)
		case others.Bytes+int64(len(sealed)) > maxVariableBytes:
			return invalid("the variables and secrets of an app can have %d bytes together", maxVariableBytes)
		}
		return q.PutVariable(ctx, db.PutVariableParams{AppID: app.ID, Name: name, Secret: secret, Sealed: sealed, KeyID: m.cfg.Sealer.KeyID(), UpdatedBy: actor.Username})
	})
}

func kindOf(secret bool) string {
	if secret {
		return "secret"
	}
	return "variable"
}

// DeleteVariable deletes a variable or secret.
func (m *Manager) DeleteVariable(ctx context.Context, actor Actor, app *App, name string, secret bool) error {
	audit := change{actor: actor, app: app, action: kindOf(secret) + ".delete", target: storable(name)}
	return m.apply(ctx, audit, func(q *db.Queries) error {
		n, err := q.DeleteVariable(ctx, app.ID, storable(name), secret)
		if err == nil && n == 0 {
			return notFound(kindOf(secret))
		}
		return err
	})
}

// CheckKeys refuses to go on when something in the database is sealed under another master key.
func (m *Manager) CheckKeys(ctx context.Context) error {
	keys, err := m.cfg.DB.Queries().KeysOfVariables(ctx)
	if err != nil {
		return fmt.Errorf("read key ids: %w", db.Translate(err))
	}
	for _, k := range keys {
		if k.KeyID != m.cfg.Sealer.KeyID() {
			return fmt.Errorf("%d variables and secrets in the database are sealed under the master key %s, but this one is %s: "+
				"set PICLOUD_SECRET_KEY to the key they were made with, or restore secret.key from the backup (a rotation that was cut off left it as secret.key.new)", k.N, k.KeyID, m.cfg.Sealer.KeyID())
		}
	}
	return nil
}

// Reseal seals everything anew for another key, in one transaction; before is called when all is ready, and what it
// returns decides. It gives the number of values.
func (m *Manager) Reseal(ctx context.Context, next Sealer, before func() error) (n int, err error) {
	err = m.cfg.DB.Tx(ctx, func(q *db.Queries) error {
		rows, err := q.LockVariables(ctx)
		if err != nil {
			return err
		}
		for _, r := range rows {
			v := cloud.VariableRef{App: cloud.AppID(r.AppID), Name: r.Name, Secret: r.Secret}
			value, err := m.cfg.Sealer.Open(v, r.KeyID, r.Sealed)
			if err != nil {
				return fmt.Errorf("open %s %s of app %d: %w", kindOf(r.Secret), r.Name, r.AppID, err)
			}
			err = q.ResealVariable(ctx, db.ResealVariableParams{Sealed: next.Seal(v, value), KeyID: next.KeyID(), AppID: r.AppID, Name: r.Name})
			if err != nil {
				return err
			}
		}
		n = len(rows)
		if err := q.BumpAllApps(ctx); err != nil {
			return err
		}
		if err := m.audit(ctx, q, change{actor: Actor{Username: "system"}, action: "key.rotate", detail: map[string]int{"values": n}}); err != nil {
			return err
		}
		return before()
	})
	return n, err
}

// Package manager is the control plane: the only writer of definitions - apps, scripts, routes, triggers, users, members,
// keys, sessions - and of the audit trail. Every change is one transaction with its audit row, the new revision of the app
// and the notification by which other processes hear of it. It runs nothing: compiling is lent to it, and the data plane
// reads what it wrote.
package manager

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"picloud/db"
	"picloud/internal/auth"
	"picloud/internal/cloud"
)

// Compiler bundles a script in a sandbox.
type Compiler interface {
	Compile(ctx context.Context, app cloud.AppID, build cloud.ID, src *cloud.Source) (*cloud.Bundle, error)
}

// Sealer keeps values from who reads the database.
type Sealer interface {
	Seal(v cloud.VariableRef, value string) []byte
	Open(v cloud.VariableRef, keyID string, sealed []byte) (string, error)
	KeyID() string
}

// Config is what a Manager needs.
type Config struct {
	DB       *db.DB
	Compiler Compiler
	IDs      *cloud.IDSource
	Sealer   Sealer
	// Env gives an app's present variables and secrets, for evaluating a module that is deployed.
	Env func(app cloud.AppID) *cloud.Env
	// Changed is called after the definitions of an app changed, before the caller hears of it, so that this process
	// answers by the new ones at once. App 0: the list of apps itself.
	Changed func(ctx context.Context, app cloud.AppID)
	// PeopleChanged is called after users, members, sessions or keys changed.
	PeopleChanged func()
	// Passwords hashes and checks passwords. Nil means auth.NewPasswords(auth.DefaultPasswordCost()).
	Passwords *auth.Passwords
	// MaxTimeout and MaxMemoryMiB are the platform's ceilings for a script's limits.
	MaxTimeout   time.Duration
	MaxMemoryMiB int
	// SessionLifetime is how long a session lasts at most.
	SessionLifetime time.Duration
}

// Manager changes definitions. It is safe for concurrent use.
type Manager struct {
	cfg     Config
	deploys chan struct{}
}

// maxDeploys bounds deploys under way: each holds a connection while a child compiles.
const maxDeploys = 2

// New returns a Manager.
func New(cfg Config) *Manager {
	if cfg.Passwords == nil {
		cfg.Passwords = auth.NewPasswords(auth.DefaultPasswordCost())
	}
	return &Manager{cfg: cfg, deploys: make(chan struct{}, maxDeploys)}
}

// Actor is who changes something, for the audit trail.
type Actor struct {
	UserID   int64
	Username string
	// Admin marks an instance admin.
	Admin bool
	// Owner marks an owner.
	Owner bool
}

// App is an app as the API shows it.
type App = db.App

// change is one entry of the audit trail.
type change struct {
	actor  Actor
	app    *App
	action string
	target string
	detail any
	// people: every process must forget what it knows of users, members, sessions and keys.
	people bool
}

// apply runs f with its audit row, the app's new revision and the notifications in one transaction, then refreshes.
func (m *Manager) apply(ctx context.Context, c change, f func(q *db.Queries) error) error {
	err := m.cfg.DB.Tx(ctx, func(q *db.Queries) error {
		if err := f(q); err != nil {
			return err
		}
		if err := m.audit(ctx, q, c); err != nil {
			return err
		}
		if c.people {
			if err := q.NotifyPrincipals(ctx); err != nil {
				return fmt.Errorf("notify: %w", err)
			}
		}
		if c.app == nil {
			return nil
		}
		if err := q.BumpApp(ctx, c.app.ID); err != nil {
			return fmt.Errorf("raise revision: %w", err)
		}
		return q.NotifyDefinitions(ctx, strconv.FormatInt(c.app.ID, 10))
	})
	if err != nil {
		return explain(err)
	}
	if c.people {
		m.cfg.PeopleChanged()
	}
	if c.app != nil {
		m.cfg.Changed(ctx, cloud.AppID(c.app.ID))
	}
	return nil
}

// applyPeople is apply for changes of people.
func (m *Manager) applyPeople(ctx context.Context, c change, f func(q *db.Queries) error) error {
	c.people = true
	return m.apply(ctx, c, f)
}

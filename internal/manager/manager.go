// Package manager is the control plane: the only writer of definitions (apps, scripts, routes, triggers,
// variables, users, members, API keys, sessions) and of the audit trail. Each change is one transaction,
// which also writes the audit row, raises the app's revision and notifies the other processes.
//
// It runs no scripts and knows no HTTP: bundling is done by the Compiler it is given, and the data plane
// (orchestrator) reads what it wrote.
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

// Compiler bundles a script in a sandbox. An error of code invalid means that the script is wrong, any
// other that the platform failed.
type Compiler interface {
	Compile(ctx context.Context, app cloud.AppID, build cloud.ID, src *cloud.Source) (*cloud.Bundle, error)
}

// Sealer encrypts variables and secrets, so that reading the database does not reveal them.
type Sealer interface {
	// Seal encrypts a value. The result is bound to the reference: it opens under the same app, name and
	// kind only.
	Seal(v cloud.VariableRef, value string) []byte
	// Open decrypts what Seal returned. keyID is the id of the key it was sealed with.
	Open(v cloud.VariableRef, keyID string, sealed []byte) (string, error)
	// KeyID identifies the master key. It is stored beside each value.
	KeyID() string
}

// Config is what a Manager needs. All fields but Passwords are required.
type Config struct {
	DB       *db.DB
	Compiler Compiler
	IDs      *cloud.IDSource
	Sealer   Sealer
	// Env returns the current variables and secrets that a script of an app receives. A deployed module is
	// evaluated with them to learn its handlers.
	Env func(app cloud.AppID, script string) *cloud.Env
	// Changed is called after an app's definitions changed and before the caller gets its answer, so that
	// this process uses the new definitions at once. App 0 stands for the list of apps itself.
	Changed func(ctx context.Context, app cloud.AppID)
	// PeopleChanged is called after users, members, sessions or keys changed.
	PeopleChanged func()
	// Passwords hashes and checks passwords. Nil means auth.NewPasswords(auth.DefaultPasswordCost()).
	Passwords *auth.Passwords
	// MaxTimeout and MaxMemoryMiB are the platform's ceilings for a script's own limits.
	MaxTimeout   time.Duration
	MaxMemoryMiB int
	// SessionLifetime is the longest that a session lasts, however often it is used.
	SessionLifetime time.Duration
}

// Manager changes definitions. It is safe for concurrent use.
type Manager struct {
	cfg     Config
	deploys *deployQueue
}

// New returns a Manager.
func New(cfg Config) *Manager {
	if cfg.Passwords == nil {
		cfg.Passwords = auth.NewPasswords(auth.DefaultPasswordCost())
	}
	return &Manager{cfg: cfg, deploys: newDeployQueue()}
}

// Actor is who makes a change: its name goes to the audit trail, its flags decide what it may do.
type Actor struct {
	UserID   int64
	Username string
	// Admin marks an instance admin.
	Admin bool
	// Owner marks an owner of the installation, not an API key of one.
	Owner bool
	// SetsSecrets marks who may set the secrets of the app that is changed. It counts for deploys.
	SetsSecrets bool
}

// line is where the actor waits for a password to be hashed (auth.Passwords). No client has such a name.
func (a Actor) line() string { return "user " + a.Username }

// App is an app as the API shows it.
type App = db.App

// change describes one change for its audit row and its notifications.
type change struct {
	actor Actor
	// app is the app whose definitions change, nil if none does. Its revision is raised.
	app    *App
	action string
	target string
	// detail is stored as JSON. It is encoded after the change was made, so the change may still fill it in.
	detail any
	// people says that users, members, sessions or keys change: every process drops what it cached about
	// them.
	people bool
}

// apply makes a change in one transaction with its audit row, the app's new revision and the notifications.
// After the commit it refreshes this process. Errors are translated by explain.
func (m *Manager) apply(ctx context.Context, c change, f func(q *db.Queries) error) error {
	err := m.cfg.DB.Tx(ctx, func(q *db.Queries) error {
		if err := f(q); err != nil {
			return err
		}
		if err := m.audit(ctx, q, c); err != nil {
			return err
		}
		return announce(ctx, q, c)
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

// announce raises the app's revision and queues the notifications, which PostgreSQL sends with the commit.
func announce(ctx context.Context, q *db.Queries, c change) error {
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
}

// applyPeople is apply for changes of users, members, sessions and keys.
func (m *Manager) applyPeople(ctx context.Context, c change, f func(q *db.Queries) error) error {
	c.people = true
	return m.apply(ctx, c, f)
}

package manager

import (
	"context"
	"errors"

	"picloud/db"
	"picloud/internal/auth"
	"picloud/internal/cloud"
)

// DefaultApp is the app that a new installation has.
const DefaultApp = "default"

// FirstStart makes the first owner and the default app of an empty database. It returns the password if it made one up.
func (m *Manager) FirstStart(ctx context.Context, username, password string) (made string, err error) {
	n, err := m.cfg.DB.Queries().CountUsers(ctx)
	if err != nil || n > 0 {
		return "", db.Translate(err)
	}
	if username == "" {
		username = "admin"
	}
	if password == "" {
		password = auth.NewToken("")[:20]
		made = password
	}
	hash, err := m.cfg.Passwords.Hash(password)
	if err != nil {
		return "", err
	}
	if !usernamePattern.MatchString(username) {
		return "", invalid("the username %q must match %s", cloud.Shorten(username), usernamePattern)
	}
	err = m.cfg.DB.Tx(ctx, func(q *db.Queries) error {
		if _, err := q.InsertUser(ctx, db.InsertUserParams{Username: username, PasswordHash: hash, Role: auth.RoleOwner}); err != nil {
			return err
		}
		_, err := q.InsertApp(ctx, DefaultApp, "Default", "")
		return err
	})
	if errors.Is(err, db.ErrDuplicate) {
		return "", nil // another node was first
	}
	return made, err
}

package manager

import (
	"context"
	"errors"

	"picloud/db"
	"picloud/internal/auth"
)

// DefaultApp is the slug of the app that a new installation has.
const DefaultApp = "default"

// firstUsername is the first owner's name if the configuration gives none.
const firstUsername = "admin"

// FirstStart makes the first owner and the default app of an empty database, and does nothing to any other.
// An empty username becomes "admin", an empty password a random one, which is returned.
func (m *Manager) FirstStart(ctx context.Context, username, password string) (generated string, err error) {
	users, err := m.cfg.DB.Queries().CountUsers(ctx)
	if err != nil || users > 0 {
		return "", db.Translate(err)
	}

	if username == "" {
		username = firstUsername
	}
	if password == "" {
		password = randomPassword()
		generated = password
	}

	if err := checkUsername(username); err != nil {
		return "", err
	}
	hash, err := m.cfg.Passwords.Hash(ctx, "", username, password)
	if err != nil {
		return "", err
	}

	owner := db.InsertUserParams{Username: username, PasswordHash: hash, Role: auth.RoleOwner}
	err = m.cfg.DB.Tx(ctx, func(q *db.Queries) error {
		if _, err := q.InsertUser(ctx, owner); err != nil {
			return err
		}
		_, err := q.InsertApp(ctx, DefaultApp, "Default", "")
		return err
	})
	// Nodes that start together all try: the unique name lets the first win, and its password is the one
	// that counts.
	if errors.Is(err, db.ErrDuplicate) {
		return "", nil
	}

	return generated, err
}

// randomPassword makes a password of 120 random bits.
func randomPassword() string { return auth.NewToken("")[:20] }

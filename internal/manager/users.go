package manager

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"picloud/db"
	"picloud/internal/auth"
	"picloud/internal/cloud"
)

// User is a person with an account.
type User = db.User

var usernamePattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._@-]{0,62}$`)

// UserChange is what a user can be given; nil keeps, or takes the default.
type UserChange struct {
	Role     *string
	Active   *bool
	Password *string
	Email    *string
}

func (m *Manager) checkUser(actor Actor, c UserChange) error {
	if c.Role != nil && !slices.Contains([]string{auth.RoleOwner, auth.RoleAdmin, auth.RoleMember}, *c.Role) {
		return invalid("role must be owner, admin or member")
	}
	if c.Role != nil && *c.Role == auth.RoleOwner && !actor.Owner {
		return cloud.Errorf(cloud.CodeForbidden, "only owners make owners")
	}
	if c.Email != nil && *c.Email != "" {
		if err := checkText("email", *c.Email, 254); err != nil || !strings.Contains(*c.Email, "@") {
			return invalid("email must be an address")
		}
	}
	return nil
}

// CreateUser makes an account.
func (m *Manager) CreateUser(ctx context.Context, actor Actor, username, password string, c UserChange) (*User, error) {
	if !usernamePattern.MatchString(username) {
		return nil, invalid("the username %q must match %s", cloud.Shorten(username), usernamePattern)
	}
	if err := m.checkUser(actor, c); err != nil {
		return nil, err
	}
	hash, err := m.cfg.Passwords.Hash(password)
	if err != nil {
		return nil, err
	}
	var u User
	audit := change{actor: actor, action: "user.create", target: username, detail: map[string]string{"role": or(c.Role, auth.RoleMember)}}
	err = m.applyPeople(ctx, audit, func(q *db.Queries) error {
		u, err = q.InsertUser(ctx, db.InsertUserParams{Username: username, PasswordHash: hash, Role: or(c.Role, auth.RoleMember), Email: c.Email})
		if errors.Is(db.Translate(err), db.ErrDuplicate) {
			return cloud.Errorf(cloud.CodeConflict, "the username %q is taken", username)
		}
		return err
	})
	return &u, err
}

// UpdateUser changes an account. A new password and a deactivation end the user's sessions.
func (m *Manager) UpdateUser(ctx context.Context, actor Actor, username string, c UserChange) (*User, error) {
	if err := m.checkUser(actor, c); err != nil {
		return nil, err
	}
	hash := ""
	if c.Password != nil {
		var err error
		if hash, err = m.cfg.Passwords.Hash(*c.Password); err != nil {
			return nil, err
		}
	}
	var u User
	var apps []int64
	detail := map[string]any{"role": c.Role, "active": c.Active, "password": c.Password != nil}
	err := m.applyPeople(ctx, change{actor: actor, action: "user.update", target: username, detail: detail}, func(q *db.Queries) error {
		owners, err := q.LockOwners(ctx)
		if err != nil {
			return err
		}
		if u, err = q.UserByName(ctx, username); err != nil {
			return found(err, "user")
		}
		if u.Role == auth.RoleOwner && !actor.Owner {
			return cloud.Errorf(cloud.CodeForbidden, "only owners change owners")
		}
		staysOwner := or(c.Role, u.Role) == auth.RoleOwner && or(c.Active, u.Active)
		if slices.Contains(owners, u.ID) && len(owners) == 1 && !staysOwner {
			return cloud.Errorf(cloud.CodeConflict, "the last owner must stay: make another owner first")
		}
		u.Role, u.Active = or(c.Role, u.Role), or(c.Active, u.Active)
		if c.Email != nil {
			u.Email = c.Email
		}
		if err := q.UpdateUser(ctx, db.UpdateUserParams{ID: u.ID, Role: u.Role, Active: u.Active, Email: u.Email}); err != nil {
			return err
		}
		if hash != "" {
			if err := q.SetPassword(ctx, hash, u.ID); err != nil {
				return err
			}
		}
		if hash != "" || !u.Active {
			if err := q.DeleteSessionsOfUser(ctx, u.ID); err != nil {
				return err
			}
		}
		apps, err = m.bumpAppsOf(ctx, q, u.ID)
		return err
	})
	m.refresh(ctx, apps)
	return &u, err
}

// bumpAppsOf raises the revision of the apps in which the user registered triggers.
func (m *Manager) bumpAppsOf(ctx context.Context, q *db.Queries, user int64) ([]int64, error) {
	apps, err := q.BumpAppsOfUser(ctx, &user)
	if err != nil {
		return nil, err
	}
	for _, a := range apps {
		if err := q.NotifyDefinitions(ctx, strconv.FormatInt(a, 10)); err != nil {
			return nil, err
		}
	}
	return apps, nil
}

func (m *Manager) refresh(ctx context.Context, apps []int64) {
	for _, a := range apps {
		m.cfg.Changed(ctx, cloud.AppID(a))
	}
}

// DeleteUser removes an account with its sessions and keys. Its triggers stay, disabled and visible.
func (m *Manager) DeleteUser(ctx context.Context, actor Actor, username string) error {
	var apps []int64
	err := m.applyPeople(ctx, change{actor: actor, action: "user.delete", target: username}, func(q *db.Queries) error {
		owners, err := q.LockOwners(ctx)
		if err != nil {
			return err
		}
		u, err := q.UserByName(ctx, username)
		if err != nil {
			return found(err, "user")
		}
		if u.Role == auth.RoleOwner && !actor.Owner {
			return cloud.Errorf(cloud.CodeForbidden, "only owners remove owners")
		}
		if slices.Contains(owners, u.ID) && len(owners) == 1 {
			return cloud.Errorf(cloud.CodeConflict, "the last owner must stay: make another owner first")
		}
		if apps, err = m.bumpAppsOf(ctx, q, u.ID); err != nil {
			return err
		}
		if err := q.DisableTriggersOfUser(ctx, &u.ID); err != nil {
			return err
		}
		return q.DeleteUser(ctx, u.ID)
	})
	m.refresh(ctx, apps)
	return err
}

// Users lists accounts by name.
func (m *Manager) Users(ctx context.Context, after string, limit int) ([]User, error) {
	list, err := m.cfg.DB.Queries().ListUsers(ctx, after, int32(limit))
	return list, explain(db.Translate(err))
}

// User finds a user.
func (m *Manager) User(ctx context.Context, username string) (*User, error) {
	u, err := m.cfg.DB.Queries().UserByName(ctx, storable(username))
	if err != nil {
		return nil, found(err, "user")
	}
	return &u, nil
}

// ResetPassword sets a new random password and makes the account active; for the machine's owner at a shell.
func (m *Manager) ResetPassword(ctx context.Context, username string) (string, error) {
	password := auth.NewToken("")[:20]
	active := true
	_, err := m.UpdateUser(ctx, Actor{Username: "reset-password", Admin: true, Owner: true}, username,
		UserChange{Password: &password, Active: &active})
	return password, err
}

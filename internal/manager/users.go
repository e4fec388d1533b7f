package manager

import (
	"context"
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

var (
	// usernamePattern allows addresses as names.
	usernamePattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._@-]{0,62}$`)
	instanceRoles   = []string{auth.RoleOwner, auth.RoleAdmin, auth.RoleMember}
)

// anonymous is the actor of what nobody did who is known, such as a failed login.
const anonymous = "anonymous"

// reserved are the names that the audit trail and ctx.principal use for others than users. No user gets one,
// whatever the case.
var reserved = []string{anonymous, "system", "reset-password", "registrant", "picloud"}

// maxEmail is the most bytes of an address (RFC 5321, 4.5.3.1.3, without the angle brackets).
const maxEmail = 254

// UserChange is what a user can be given; nil keeps what the user has, or takes the default.
type UserChange struct {
	// Role is owner, admin or member (the default).
	Role *string
	// Active says whether the user can log in and use keys; a new user can.
	Active *bool
	// Password is the new password, for changes of an account that exists.
	Password *string
	// Email is an address, or empty for none.
	Email *string
	// RevokeKeys ends the API keys of an account that exists.
	RevokeKeys bool
}

// checkUsername refuses what cannot be a new user's name.
func checkUsername(username string) error {
	if !usernamePattern.MatchString(username) {
		return invalid("the username %q must match %s", cloud.Shorten(username), usernamePattern)
	}
	if slices.Contains(reserved, strings.ToLower(username)) {
		return invalid("the username %q is reserved: PiCloud uses it for what no user did", username)
	}
	return nil
}

// checkUser checks a change, and whether the actor may make it, as far as this does not depend on the user.
func checkUser(actor Actor, c UserChange) error {
	if c.Role != nil && *c.Role == auth.RoleOwner && !actor.Owner {
		return cloud.Errorf(cloud.CodeForbidden, "only owners make owners, and not with an API key")
	}
	if c.Role != nil && !slices.Contains(instanceRoles, *c.Role) {
		return invalid("role must be owner, admin or member")
	}
	if c.Email != nil && *c.Email != "" {
		if err := checkText("email", *c.Email, maxEmail); err != nil || !strings.Contains(*c.Email, "@") {
			return invalid("email must be an address")
		}
	}

	return nil
}

// CreateUser makes an account; the role is member if the change gives none. Only owners make owners.
func (m *Manager) CreateUser(
	ctx context.Context, actor Actor, username, password string, c UserChange,
) (*User, error) {
	if err := checkUsername(username); err != nil {
		return nil, err
	}
	if err := checkUser(actor, c); err != nil {
		return nil, err
	}

	hash, err := m.cfg.Passwords.Hash(ctx, actor.line(), username, password)
	if err != nil {
		return nil, err
	}

	role := or(c.Role, auth.RoleMember)
	row := db.InsertUserParams{Username: username, PasswordHash: hash, Role: role, Email: c.Email}
	audit := change{
		actor: actor, action: "user.create", target: username, detail: map[string]string{"role": role},
	}

	var user User
	err = m.applyPeople(ctx, audit, func(q *db.Queries) error {
		// Two names that differ by case wait for each other here, since no constraint keeps them apart.
		if _, err := q.LockOwners(ctx); err != nil {
			return err
		}

		taken, err := q.UsernameTaken(ctx, username)
		if err != nil {
			return err
		}
		if taken {
			return cloud.Errorf(cloud.CodeConflict,
				"the username %q is taken, perhaps in another case", username)
		}

		user, err = q.InsertUser(ctx, row)
		return err
	})

	return &user, err
}

// UpdateUser changes an account. A new password and a deactivation end the user's sessions; API keys stay
// unless RevokeKeys is set. Only owners change owners, and the last active owner stays one. Whoever changes
// their own password must have proven the present one (CheckPassword).
func (m *Manager) UpdateUser(ctx context.Context, actor Actor, username string, c UserChange) (*User, error) {
	if err := checkUser(actor, c); err != nil {
		return nil, err
	}

	// Hashing takes long on purpose, so it is done before the transaction.
	hash := ""
	if c.Password != nil {
		var err error
		if hash, err = m.cfg.Passwords.Hash(ctx, actor.line(), username, *c.Password); err != nil {
			return nil, err
		}
	}

	audit := change{
		actor:  actor,
		action: "user.update",
		target: username,
		detail: map[string]any{
			"role": c.Role, "active": c.Active, "password": c.Password != nil, "revoke_keys": c.RevokeKeys,
		},
	}

	var user User
	var apps []int64
	err := m.applyPeople(ctx, audit, func(q *db.Queries) error {
		// First of all, and in one order: two changes of owners wait for each other here.
		owners, err := q.LockOwners(ctx)
		if err != nil {
			return err
		}
		if user, err = q.UserByName(ctx, username); err != nil {
			return found(err, "user")
		}
		if user.Role == auth.RoleOwner && !actor.Owner {
			return cloud.Errorf(cloud.CodeForbidden, "only owners change owners")
		}

		staysOwner := or(c.Role, user.Role) == auth.RoleOwner && or(c.Active, user.Active)
		if isLastOwner(owners, user.ID) && !staysOwner {
			return errLastOwner
		}

		user.Role = or(c.Role, user.Role)
		user.Active = or(c.Active, user.Active)
		if c.Email != nil {
			user.Email = c.Email
		}
		if err := writeUser(ctx, q, &user, hash); err != nil {
			return err
		}
		if c.RevokeKeys {
			if _, err := q.DeleteAPIKeysOfUser(ctx, user.ID); err != nil {
				return err
			}
		}

		apps, err = bumpAppsOf(ctx, q, user.ID)
		return err
	})

	m.refresh(ctx, apps)
	return &user, err
}

// writeUser stores an account, and its password unless hash is empty. It ends the sessions that must not go
// on.
func writeUser(ctx context.Context, q *db.Queries, user *User, hash string) error {
	err := q.UpdateUser(ctx, db.UpdateUserParams{
		ID:     user.ID,
		Role:   user.Role,
		Active: user.Active,
		Email:  user.Email,
	})
	if err != nil {
		return err
	}
	if hash != "" {
		if err := q.SetPassword(ctx, hash, user.ID); err != nil {
			return err
		}
	}
	if hash != "" || !user.Active {
		return q.DeleteSessionsOfUser(ctx, user.ID)
	}

	return nil
}

var errLastOwner = cloud.Errorf(cloud.CodeConflict, "the last owner must stay: make another owner first")

// isLastOwner reports whether a user is the only active owner. owners must be locked (LockOwners), or two
// owners could remove each other.
func isLastOwner(owners []int64, user int64) bool {
	return len(owners) == 1 && owners[0] == user
}

// bumpAppsOf raises the revision of the apps in which the user registered triggers: what these may do
// depends on the user. It returns their ids.
func bumpAppsOf(ctx context.Context, q *db.Queries, user int64) ([]int64, error) {
	apps, err := q.BumpAppsOfUser(ctx, &user)
	if err != nil {
		return nil, err
	}

	for _, app := range apps {
		if err := q.NotifyDefinitions(ctx, strconv.FormatInt(app, 10)); err != nil {
			return nil, err
		}
	}

	return apps, nil
}

// refresh makes this process use the new definitions of apps at once. Others are notified.
func (m *Manager) refresh(ctx context.Context, apps []int64) {
	for _, app := range apps {
		m.cfg.Changed(ctx, cloud.AppID(app))
	}
}

// DeleteUser removes an account with its sessions and keys. Triggers that the user registered stay,
// disabled and visible. The last owner stays.
func (m *Manager) DeleteUser(ctx context.Context, actor Actor, username string) error {
	var apps []int64
	audit := change{actor: actor, action: "user.delete", target: username}
	err := m.applyPeople(ctx, audit, func(q *db.Queries) error {
		owners, err := q.LockOwners(ctx)
		if err != nil {
			return err
		}

		user, err := q.UserByName(ctx, username)
		if err != nil {
			return found(err, "user")
		}
		if user.Role == auth.RoleOwner && !actor.Owner {
			return cloud.Errorf(cloud.CodeForbidden, "only owners remove owners")
		}
		if isLastOwner(owners, user.ID) {
			return errLastOwner
		}

		// Before the triggers lose their registrant, by whom their apps are found.
		if apps, err = bumpAppsOf(ctx, q, user.ID); err != nil {
			return err
		}
		if err := q.DisableTriggersOfUser(ctx, &user.ID); err != nil {
			return err
		}

		return q.DeleteUser(ctx, user.ID)
	})

	m.refresh(ctx, apps)
	return err
}

// Users lists at most limit accounts by name, those after a name.
func (m *Manager) Users(ctx context.Context, after string, limit int) ([]User, error) {
	list, err := m.cfg.DB.Queries().ListUsers(ctx, after, int32(limit))
	return list, explain(db.Translate(err))
}

// User finds a user by name.
func (m *Manager) User(ctx context.Context, username string) (*User, error) {
	user, err := m.cfg.DB.Queries().UserByName(ctx, storable(username))
	if err != nil {
		return nil, found(err, "user")
	}
	return &user, nil
}

// ResetPassword sets a random password, which it returns, and makes the account active. It is for whoever
// has a shell on the machine, so it asks for no permission.
func (m *Manager) ResetPassword(ctx context.Context, username string, revokeKeys bool) (string, error) {
	password := randomPassword()
	active := true
	actor := Actor{Username: "reset-password", Admin: true, Owner: true}
	_, err := m.UpdateUser(ctx, actor, username, UserChange{
		Password: &password, Active: &active, RevokeKeys: revokeKeys,
	})
	return password, err
}

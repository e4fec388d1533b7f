package manager

import (
	"context"
	"errors"
	"slices"
	"strings"

	"picloud/db"
	"picloud/internal/auth"
	"picloud/internal/cloud"
)

var appRoles = []string{auth.AppAdmin, auth.AppEditor, auth.AppViewer}

// SetMember gives a user a role in an app. With create the user must not be a member yet (conflict),
// without it the user must be one (not-found).
func (m *Manager) SetMember(
	ctx context.Context, actor Actor, app *App, username, role string, create bool,
) error {
	if !slices.Contains(appRoles, role) {
		return invalid("role must be one of %s", strings.Join(appRoles, ", "))
	}

	audit := change{
		actor:  actor,
		app:    app,
		action: "member.set",
		target: username,
		detail: map[string]string{"role": role},
	}

	return m.applyPeople(ctx, audit, func(q *db.Queries) error {
		user, err := q.UserByName(ctx, username)
		if err != nil {
			err = found(err, "user")
			// The path of a creation exists; it is the body that names nobody.
			if create && cloud.CodeOf(err) == cloud.CodeNotFound {
				return invalid("there is no user %q", cloud.Shorten(username))
			}
			return err
		}

		if create {
			err := q.InsertMember(ctx, app.ID, user.ID, role)
			if errors.Is(db.Translate(err), db.ErrDuplicate) {
				return cloud.Errorf(cloud.CodeConflict, "%q is a member already", username)
			}
			return err
		}

		updated, err := q.UpdateMember(ctx, role, app.ID, user.ID)
		if err == nil && updated == 0 {
			return notFound("member")
		}

		return err
	})
}

// RemoveMember takes a user out of an app.
func (m *Manager) RemoveMember(ctx context.Context, actor Actor, app *App, username string) error {
	audit := change{actor: actor, app: app, action: "member.remove", target: username}
	return m.applyPeople(ctx, audit, func(q *db.Queries) error {
		user, err := q.UserByName(ctx, username)
		if err != nil {
			return found(err, "member")
		}

		deleted, err := q.DeleteMember(ctx, app.ID, user.ID)
		if err == nil && deleted == 0 {
			return notFound("member")
		}

		return err
	})
}

// Member is a member of an app.
type Member = db.ListMembersRow

// Members lists at most limit of an app's members by name, those after a name.
func (m *Manager) Members(ctx context.Context, app *App, after string, limit int) ([]Member, error) {
	list, err := m.cfg.DB.Queries().ListMembers(ctx, app.ID, after, int32(limit))
	return list, explain(db.Translate(err))
}

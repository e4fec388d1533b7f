package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/manager"
)

type userItem struct {
	Username  string    `json:"username"`
	Role      string    `json:"role" enum:"owner,admin,member"`
	Email     *string   `json:"email"`
	Active    bool      `json:"active"`
	CreatedAt time.Time `json:"created_at"`
}

type userOutput struct{ Body userItem }

func showUser(u *manager.User) userItem {
	return userItem{
		Username:  u.Username,
		Role:      u.Role,
		Email:     u.Email,
		Active:    u.Active,
		CreatedAt: utc(u.CreatedAt),
	}
}

type createUser struct {
	Body struct {
		Username string  `json:"username"`
		Password string  `json:"password"`
		Role     *string `json:"role,omitempty" doc:"owner, admin or member (default)"`
		Email    *string `json:"email,omitempty"`
	}
}

// UserPath is the input of an operation on one user.
type UserPath struct {
	Username string `path:"username"`
}

type patchUser struct {
	UserPath
	Body struct {
		Role     *string `json:"role,omitempty"`
		Active   *bool   `json:"active,omitempty"`
		Password *string `json:"password,omitempty" doc:"ends every session of the user"`
		Email    *string `json:"email,omitempty"`
		Current  string  `json:"current_password,omitempty" maxLength:"1000" doc:"needed to change your own password"`
		Revoke   bool    `json:"revoke_keys,omitempty" doc:"end the user's API keys, which else go on"`
	}
}

func (s *Server) usersAPI() {
	const scope = "users:admin"
	op(s,
		s.adminOnly(scope, operation("list-users", http.MethodGet, "/users", "Users by name", "people")),
		s.listUsers)
	op(s,
		s.adminOnly(scope, operation("create-user", http.MethodPost, "/users", "Create a user", "people")),
		s.createUser)
	op(s,
		s.guarded(operation("update-user", http.MethodPatch, "/users/{username}",
			"Change a user; people change their own password here too", "people"), mayTouchUser),
		s.updateUser)
	op(s,
		s.adminOnly(scope, operation("delete-user", http.MethodDelete, "/users/{username}",
			"Delete a user; their triggers stay, disabled", "people")),
		s.deleteUser)
}

// mayTouchUser lets admins change anybody, and people themselves. What of themselves is for updateUser.
func mayTouchUser(ctx huma.Context, p *auth.Principal) error {
	name, err := edge.Unescape(ctx.Param("username"))
	if err == nil && name == p.Username && !p.Key {
		return nil
	}
	return edge.InstanceAdmin(p, "users:admin")
}

func (s *Server) listUsers(ctx context.Context, _ *auth.Principal, in *PageQuery) (*page[userItem], error) {
	after, err := s.OpenCursor("users", in.Cursor)
	if err != nil {
		return nil, err
	}

	rows, err := s.Manager.Users(ctx, after, in.Limit+1)
	if err != nil {
		return nil, err
	}

	rows, next := edge.Cut(s.Edge, "users", rows, in.Limit,
		func(u *manager.User) string { return u.Username })
	return pageOf(rows, next, showUser), nil
}

func (s *Server) createUser(ctx context.Context, p *auth.Principal, in *createUser) (*userOutput, error) {
	u, err := s.Manager.CreateUser(ctx, edge.Actor(p), in.Body.Username, in.Body.Password,
		manager.UserChange{Role: in.Body.Role, Email: in.Body.Email})
	if err != nil {
		return nil, err
	}
	return &userOutput{showUser(u)}, nil
}

// deleteUser deletes a user. Triggers of the user stay, disabled.
func (s *Server) deleteUser(ctx context.Context, p *auth.Principal, in *UserPath) (*none, error) {
	name, err := edge.Unescape(in.Username)
	if err != nil {
		return nil, err
	}
	return nil, s.Manager.DeleteUser(ctx, edge.Actor(p), name)
}

// updateUser changes a user. People may change their own password and address; role and state are an admin's
// to change.
func (s *Server) updateUser(ctx context.Context, p *auth.Principal, in *patchUser) (*userOutput, error) {
	name, err := edge.Unescape(in.Username)
	if err != nil {
		return nil, err
	}

	b := &in.Body
	own := name == p.Username && !p.Key && b.Role == nil && b.Active == nil
	if err := edge.InstanceAdmin(p, "users:admin"); err != nil && !own {
		return nil, err
	}

	u, err := s.UpdateUser(ctx, p, edge.UserUpdate{
		Username: name,
		Current:  b.Current,
		From:     clientOf(ctx),
		UserChange: manager.UserChange{
			Role:       b.Role,
			Active:     b.Active,
			Password:   b.Password,
			Email:      b.Email,
			RevokeKeys: b.Revoke,
		},
	})
	if err != nil {
		return nil, err
	}
	return &userOutput{showUser(u)}, nil
}

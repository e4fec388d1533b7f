package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"picloud/db"
	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
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
	return userItem{u.Username, u.Role, u.Email, u.Active, utc(u.CreatedAt)}
}

type createUser struct {
	Body struct {
		Username string  `json:"username"`
		Password string  `json:"password"`
		Role     *string `json:"role,omitempty" doc:"owner, admin or member (default)"`
		Email    *string `json:"email,omitempty"`
	}
}

type UserPath struct {
	Username string `path:"username"`
}

type patchUser struct {
	UserPath
	Body struct {
		Role     *string `json:"role,omitempty"`
		Active   *bool   `json:"active,omitempty"`
		Password *string `json:"password,omitempty"`
		Email    *string `json:"email,omitempty"`
	}
}

func (s *Server) usersAPI() {
	admin := func(p *auth.Principal) error { return edge.InstanceAdmin(p, "users:admin") }
	op(s, operation("list-users", http.MethodGet, "/users", "Users by name", "people"),
		func(ctx context.Context, p *auth.Principal, in *PageQuery) (*page[userItem], error) {
			if err := admin(p); err != nil {
				return nil, err
			}
			after, err := s.OpenCursor("users", in.Cursor)
			if err != nil {
				return nil, err
			}
			rows, err := s.Manager.Users(ctx, after, in.Limit+1)
			if err != nil {
				return nil, err
			}
			rows, next := edge.Cut(s.Edge, "users", rows, in.Limit, func(u *manager.User) string { return u.Username })
			return pageOf(rows, next, showUser), nil
		})
	op(s, operation("create-user", http.MethodPost, "/users", "Create a user", "people"),
		func(ctx context.Context, p *auth.Principal, in *createUser) (*userOutput, error) {
			if err := admin(p); err != nil {
				return nil, err
			}
			u, err := s.Manager.CreateUser(ctx, edge.Actor(p), in.Body.Username, in.Body.Password, manager.UserChange{Role: in.Body.Role, Email: in.Body.Email})
			if err != nil {
				return nil, err
			}
			return &userOutput{showUser(u)}, nil
		})
	op(s, operation("update-user", http.MethodPatch, "/users/{username}", "Change a user; people change their own password here too", "people"), s.updateUser)
	op(s, operation("delete-user", http.MethodDelete, "/users/{username}", "Delete a user; their triggers stay, disabled", "people"),
		func(ctx context.Context, p *auth.Principal, in *UserPath) (*none, error) {
			if err := admin(p); err != nil {
				return nil, err
			}
			name, err := edge.Unescape(in.Username)
			if err != nil {
				return nil, err
			}
			return nil, s.Manager.DeleteUser(ctx, edge.Actor(p), name)
		})
}

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
	u, err := s.Manager.UpdateUser(ctx, edge.Actor(p), name, manager.UserChange{Role: b.Role, Active: b.Active, Password: b.Password, Email: b.Email})
	if err != nil {
		return nil, err
	}
	return &userOutput{showUser(u)}, nil
}

type memberItem struct {
	Username string `json:"username"`
	Role     string `json:"role" enum:"admin,editor,viewer"`
	Active   bool   `json:"active"`
}

type memberOutput struct{ Body memberItem }

type addMember struct {
	AppPath
	Body struct {
		Username string `json:"username"`
		Role     string `json:"role" doc:"admin, editor or viewer"`
	}
}

type MemberPath struct {
	AppPath
	Username string `path:"username"`
}

type patchMember struct {
	MemberPath
	Body struct {
		Role string `json:"role"`
	}
}

func (s *Server) membersAPI() {
	const path = "/apps/{app}/members"
	appOp(s, operation("list-members", http.MethodGet, path, "Members of an app", "people"), auth.ReadMembers,
		func(ctx context.Context, c *edge.AppCaller, in *listInput) (*page[memberItem], error) {
			list := edge.ListName(c, "members")
			after, err := s.OpenCursor(list, in.Cursor)
			if err != nil {
				return nil, err
			}
			rows, err := s.Manager.Members(ctx, c.App, after, in.Limit+1)
			if err != nil {
				return nil, err
			}
			rows, next := edge.Cut(s.Edge, list, rows, in.Limit, func(m *db.ListMembersRow) string { return m.Username })
			return pageOf(rows, next, func(m *db.ListMembersRow) memberItem { return memberItem{m.Username, m.Role, m.Active} }), nil
		})
	set := func(ctx context.Context, c *edge.AppCaller, username, role string, create bool) (*memberOutput, error) {
		if err := s.Manager.SetMember(ctx, edge.Actor(c.Principal), c.App, username, role, create); err != nil {
			return nil, err
		}
		return &memberOutput{memberItem{username, role, true}}, nil
	}
	appOp(s, operation("add-member", http.MethodPost, path, "Add a member", "people"), auth.AdminApp,
		func(ctx context.Context, c *edge.AppCaller, in *addMember) (*memberOutput, error) {
			return set(ctx, c, in.Body.Username, in.Body.Role, true)
		})
	appOp(s, operation("update-member", http.MethodPatch, path+"/{username}", "Change a member's role", "people"), auth.AdminApp,
		func(ctx context.Context, c *edge.AppCaller, in *patchMember) (*memberOutput, error) {
			name, err := edge.Unescape(in.Username)
			if err != nil {
				return nil, err
			}
			return set(ctx, c, name, in.Body.Role, false)
		})
	appOp(s, operation("remove-member", http.MethodDelete, path+"/{username}", "Remove a member", "people"), auth.AdminApp,
		func(ctx context.Context, c *edge.AppCaller, in *MemberPath) (*none, error) {
			name, err := edge.Unescape(in.Username)
			if err != nil {
				return nil, err
			}
			return nil, s.Manager.RemoveMember(ctx, edge.Actor(c.Principal), c.App, name)
		})
}

type keyItem struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Scopes    []string   `json:"scopes"`
	App       *string    `json:"app"`
	ExpiresAt *time.Time `json:"expires_at"`
	CreatedAt time.Time  `json:"created_at"`
}

type createKey struct {
	Body struct {
		Name      string     `json:"name"`
		Scopes    []string   `json:"scopes"`
		App       string     `json:"app,omitempty" doc:"slug; the key then works in that app alone"`
		ExpiresAt *time.Time `json:"expires_at,omitempty"`
	}
}

type keyOutput struct {
	Body struct {
		ID  string `json:"id"`
		Key string `json:"key" doc:"shown this once"`
	}
}

func (s *Server) keysAPI() {
	op(s, operation("list-api-keys", http.MethodGet, "/api-keys", "My API keys", "people"),
		func(ctx context.Context, p *auth.Principal, in *PageQuery) (*page[keyItem], error) {
			list := "keys\x00" + p.Username
			after, err := s.OpenIDCursor(list, in.Cursor)
			if err != nil {
				return nil, err
			}
			rows, err := s.Manager.Keys(ctx, p.UserID, after, in.Limit+1)
			if err != nil {
				return nil, err
			}
			rows, next := edge.Cut(s.Edge, list, rows, in.Limit, func(k *db.ListAPIKeysRow) string { return cloud.ID(k.ID).String() })
			return pageOf(rows, next, func(k *db.ListAPIKeysRow) keyItem {
				return keyItem{cloud.ID(k.ID).String(), k.Name, k.Scopes, nonEmpty(k.App), utcPtr(k.ExpiresAt), utc(k.CreatedAt)}
			}), nil
		})
	op(s, operation("create-api-key", http.MethodPost, "/api-keys", "Create an API key", "people"), s.createKey)
	op(s, operation("delete-api-key", http.MethodDelete, "/api-keys/{id}", "Revoke an API key", "people"),
		func(ctx context.Context, p *auth.Principal, in *idInput) (*none, error) {
			if p.Key {
				return nil, cloud.Errorf(cloud.CodeForbidden, "this needs a session, not an API key")
			}
			id, err := edge.IDParam(in.ID, "API key")
			if err != nil {
				return nil, err
			}
			return nil, s.Manager.DeleteKey(ctx, p, id)
		})
}

func (s *Server) createKey(ctx context.Context, p *auth.Principal, in *createKey) (*keyOutput, error) {
	k := manager.NewKey{Name: in.Body.Name, Scopes: in.Body.Scopes, ExpiresAt: in.Body.ExpiresAt}
	var err error
	if k.App, err = s.KeyApp(ctx, p, in.Body.App); err != nil {
		return nil, err
	}
	id, key, err := s.Manager.CreateKey(ctx, p, k)
	if err != nil {
		return nil, err
	}
	out := &keyOutput{}
	out.Body.ID, out.Body.Key = id.String(), key
	return out, nil
}

type auditItem struct {
	ID     string          `json:"id"`
	At     time.Time       `json:"at"`
	Actor  string          `json:"actor"`
	App    *string         `json:"app"`
	Action string          `json:"action"`
	Target string          `json:"target"`
	Detail json.RawMessage `json:"detail"`
}

// AuditQuery is a page of the audit trail, of one actor or action if they are given.
type AuditQuery struct {
	PageQuery
	Actor  string `query:"actor"`
	Action string `query:"action"`
}

type listAppAudit struct {
	AppPath
	AuditQuery
}

func (s *Server) auditAPI() {
	op(s, operation("list-audit", http.MethodGet, "/audit", "The audit trail, newest first", "people"),
		func(ctx context.Context, p *auth.Principal, in *AuditQuery) (*page[auditItem], error) {
			if err := edge.InstanceAdmin(p, "audit:read"); err != nil {
				return nil, err
			}
			return s.audit(ctx, 0, "audit", in)
		})
	appOp(s, operation("list-app-audit", http.MethodGet, "/apps/{app}/audit", "The app's audit trail, newest first", "people"), auth.ReadAudit,
		func(ctx context.Context, c *edge.AppCaller, in *listAppAudit) (*page[auditItem], error) {
			return s.audit(ctx, c.ID(), edge.ListName(c, "audit"), &in.AuditQuery)
		})
}

func (s *Server) audit(ctx context.Context, app cloud.AppID, list string, in *AuditQuery) (*page[auditItem], error) {
	list += "\x00" + in.Actor + "\x00" + in.Action
	before, err := s.OpenIDCursor(list, in.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Manager.Audit(ctx, manager.AuditFilter{App: app, Actor: in.Actor, Action: in.Action}, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	rows, next := edge.Cut(s.Edge, list, rows, in.Limit, func(a *db.Audit) string { return cloud.ID(a.ID).String() })
	return pageOf(rows, next, func(a *db.Audit) auditItem {
		return auditItem{cloud.ID(a.ID).String(), utc(a.At), a.Actor, a.App, a.Action, a.Target, json.RawMessage(a.Detail)}
	}), nil
}

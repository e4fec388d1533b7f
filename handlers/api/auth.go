package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"picloud/db"
	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
)

// loginInput also has the browser's name, by which people recognise their sessions.
type loginInput struct {
	UserAgent string `header:"User-Agent"`
	Body      struct {
		Username string `json:"username" maxLength:"200"`
		Password string `json:"password" maxLength:"1000"`
	}
}

type loginOutput struct {
	Body struct {
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expires_at"`
	}
}

// meOutput is the caller; scopes are those of a key.
type meOutput struct {
	Body struct {
		Username string   `json:"username"`
		Role     string   `json:"role"`
		Kind     string   `json:"kind" enum:"user,key"`
		Scopes   []string `json:"scopes,omitempty"`
	}
}

// sessionItem is a session; current is the one that asks.
type sessionItem struct {
	ID         string    `json:"id"`
	UserAgent  string    `json:"user_agent"`
	CreatedAt  time.Time `json:"created_at"`
	LastSeenAt time.Time `json:"last_seen_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	Current    bool      `json:"current"`
}

func (s *Server) authAPI() {
	login := status(operation("login", http.MethodPost, "/auth/login", "Log in with username and password",
		"auth"), http.StatusOK)
	login.Security = []map[string][]string{} // none
	huma.Register(s.api, login, s.login)

	op(s,
		status(operation("logout", http.MethodPost, "/auth/logout",
			"End this session", "auth"), http.StatusNoContent),
		s.logout)
	op(s, operation("me", http.MethodGet, "/auth/me", "Who am I", "auth"), s.me)
	op(s,
		s.guarded(operation("list-sessions", http.MethodGet, "/auth/sessions",
			"My sessions", "auth"), sessionOnly),
		s.listSessions)
	op(s,
		s.guarded(operation("end-sessions", http.MethodDelete, "/auth/sessions",
			"End all my sessions", "auth"), sessionOnly),
		s.endSessions)
	op(s,
		s.guarded(operation("end-session", http.MethodDelete, "/auth/sessions/{id}",
			"End one of my sessions", "auth"), sessionOnly),
		s.endSession)
}

// logout ends the caller's session; a key has none.
func (s *Server) logout(ctx context.Context, p *auth.Principal, _ *struct{}) (*none, error) {
	if p.Key {
		return nil, cloud.Errorf(cloud.CodeInvalid,
			"an API key has no session to end; revoke it with DELETE /api/v1/api-keys/{id}")
	}
	return nil, s.Manager.EndSession(ctx, p, p.Session)
}

func (s *Server) me(_ context.Context, p *auth.Principal, _ *struct{}) (*meOutput, error) {
	out := &meOutput{}
	out.Body.Username = p.Username
	out.Body.Role = p.Role
	out.Body.Kind = "user"
	if p.Key {
		out.Body.Kind = "key"
		out.Body.Scopes = p.Scopes
	}
	return out, nil
}

func (s *Server) endSessions(ctx context.Context, p *auth.Principal, _ *struct{}) (*none, error) {
	return nil, s.Manager.EndSessions(ctx, p)
}

// endSession ends one of the caller's own sessions.
func (s *Server) endSession(ctx context.Context, p *auth.Principal, in *idInput) (*none, error) {
	id, err := edge.IDParam(in.ID, "session")
	if err != nil {
		return nil, err
	}
	return nil, s.Manager.EndSession(ctx, p, id)
}

// sessionOnly keeps API keys away from the user's sessions and keys: no scope gives that.
func sessionOnly(_ huma.Context, p *auth.Principal) error {
	if p.Key {
		return cloud.Errorf(cloud.CodeForbidden, "this needs a session, not an API key")
	}
	return nil
}

// login checks a password. Who failed too often is told by Retry-After when to come again.
func (s *Server) login(ctx context.Context, in *loginInput) (*loginOutput, error) {
	token, expires, err := s.Login(ctx, manager.Attempt{
		Username:  in.Body.Username,
		Password:  in.Body.Password,
		Address:   clientOf(ctx),
		UserAgent: in.UserAgent,
	})
	if err != nil {
		return nil, s.ProblemOf(err)
	}

	out := &loginOutput{}
	out.Body.Token = token
	out.Body.ExpiresAt = utc(expires)
	return out, nil
}

// listSessions lists the caller's own sessions.
func (s *Server) listSessions(
	ctx context.Context, p *auth.Principal, in *PageQuery,
) (*page[sessionItem], error) {
	list := "sessions\x00" + p.Username
	after, err := s.OpenIDCursor(list, in.Cursor)
	if err != nil {
		return nil, err
	}

	rows, err := s.Manager.Sessions(ctx, p.UserID, after, in.Limit+1)
	if err != nil {
		return nil, err
	}

	rows, next := edge.Cut(s.Edge, list, rows, in.Limit,
		func(r *db.ListSessionsRow) string { return cloud.ID(r.ID).String() })
	return pageOf(rows, next, func(r *db.ListSessionsRow) sessionItem {
		return sessionItem{
			ID:         cloud.ID(r.ID).String(),
			UserAgent:  r.UserAgent,
			CreatedAt:  utc(r.CreatedAt),
			LastSeenAt: utc(r.LastSeenAt),
			ExpiresAt:  utc(r.ExpiresAt),
			Current:    cloud.ID(r.ID) == p.Session,
		}
	}), nil
}

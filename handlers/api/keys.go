package api

import (
	"context"
	"net/http"
	"time"

	"picloud/db"
	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
)

// keyItem is an API key, which is shown once, when it is made.
type keyItem struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Scopes    []string   `json:"scopes"`
	App       *string    `json:"app"`
	ExpiresAt *time.Time `json:"expires_at"`
	CreatedAt time.Time  `json:"created_at"`
	// LastUsedAt is null for a key that no request has carried yet.
	LastUsedAt *time.Time `json:"last_used_at" doc:"to the minute"`
}

type createKey struct {
	Body struct {
		Name      string     `json:"name"`
		Scopes    []string   `json:"scopes"`
		App       string     `json:"app,omitempty" doc:"slug; the key then works in that app alone"`
		ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"without it the key never expires"`
	}
}

type keyOutput struct {
	Body struct {
		ID  string `json:"id"`
		Key string `json:"key" doc:"shown this once"`
	}
}

func (s *Server) keysAPI() {
	op(s,
		s.guarded(operation("list-api-keys", http.MethodGet, "/api-keys",
			"My API keys; for sessions, not for keys", "people"), sessionOnly),
		s.listKeys)
	op(s,
		s.guarded(operation("create-api-key", http.MethodPost, "/api-keys",
			"Create an API key; for sessions, not for keys", "people"), sessionOnly),
		s.createKey)
	op(s,
		s.guarded(operation("delete-api-key", http.MethodDelete, "/api-keys/{id}",
			"Revoke an API key", "people"), sessionOnly),
		s.deleteKey)
}

// listKeys lists the caller's own keys: names and scopes, not the keys themselves.
func (s *Server) listKeys(ctx context.Context, p *auth.Principal, in *PageQuery) (*page[keyItem], error) {
	list := "keys\x00" + p.Username
	after, err := s.OpenIDCursor(list, in.Cursor)
	if err != nil {
		return nil, err
	}

	rows, err := s.Manager.Keys(ctx, p.UserID, after, in.Limit+1)
	if err != nil {
		return nil, err
	}

	rows, next := edge.Cut(s.Edge, list, rows, in.Limit,
		func(k *db.ListAPIKeysRow) string { return cloud.ID(k.ID).String() })
	return pageOf(rows, next, func(k *db.ListAPIKeysRow) keyItem {
		return keyItem{
			ID:         cloud.ID(k.ID).String(),
			Name:       k.Name,
			Scopes:     k.Scopes,
			App:        nonEmpty(k.App),
			ExpiresAt:  utcPtr(k.ExpiresAt),
			CreatedAt:  utc(k.CreatedAt),
			LastUsedAt: utcPtr(k.LastUsedAt),
		}
	}), nil
}

func (s *Server) deleteKey(ctx context.Context, p *auth.Principal, in *idInput) (*none, error) {
	id, err := edge.IDParam(in.ID, "API key")
	if err != nil {
		return nil, err
	}
	return nil, s.Manager.DeleteKey(ctx, p, id)
}

// createKey makes a key. The answer is the only place where it is ever shown.
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
	out.Body.ID = id.String()
	out.Body.Key = key
	return out, nil
}

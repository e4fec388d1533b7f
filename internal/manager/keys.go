package manager

import (
	"context"
	"slices"
	"strings"
	"time"

	"picloud/db"
	"picloud/internal/auth"
	"picloud/internal/cloud"
)

// NewKey is what an API key is made of.
type NewKey struct {
	Name      string
	Scopes    []string
	App       *App
	ExpiresAt *time.Time
}

// maxKeys bounds the keys of one user.
const maxKeys = 1000

// CreateKey makes an API key and returns it; it is never shown again. A key that makes keys gives no more than it has.
func (m *Manager) CreateKey(ctx context.Context, p *auth.Principal, k NewKey) (id cloud.ID, key string, err error) {
	if k.Name == "" {
		return id, "", invalid("a key needs a name")
	}
	if err := checkText("name", k.Name, 200); err != nil {
		return id, "", err
	}
	if len(k.Scopes) == 0 {
		return id, "", invalid("a key needs scopes: %s", strings.Join(auth.Scopes, ", "))
	}
	for _, s := range k.Scopes {
		if !slices.Contains(auth.Scopes, s) {
			return id, "", invalid("unknown scope %q: %s", cloud.Shorten(s), strings.Join(auth.Scopes, ", "))
		}
		if !p.HasScope(s) {
			return id, "", cloud.Errorf(cloud.CodeForbidden, "this API key lacks the scope %s, so it cannot give it", s)
		}
	}
	if k.ExpiresAt != nil && !k.ExpiresAt.After(time.Now()) {
		return id, "", invalid("expires_at must be in the future")
	}
	arg := db.InsertAPIKeyParams{ID: m.cfg.IDs.New(), UserID: p.UserID, Name: k.Name, Scopes: k.Scopes, ExpiresAt: k.ExpiresAt}
	if k.App != nil {
		arg.AppID = &k.App.ID
	}
	if p.KeyApp != 0 && (k.App == nil || cloud.AppID(k.App.ID) != p.KeyApp) {
		return id, "", cloud.Errorf(cloud.CodeForbidden, "this API key works in one app, so it makes keys for that app alone")
	}
	key = auth.NewToken(auth.KeyPrefix)
	arg.KeyHash = auth.HashToken(key)
	audit := change{actor: Actor{UserID: p.UserID, Username: p.Username}, action: "key.create", target: k.Name,
		detail: map[string]any{"id": cloud.ID(arg.ID).String(), "scopes": k.Scopes}}
	err = m.cfg.DB.Tx(ctx, func(q *db.Queries) error {
		list, err := q.ListAPIKeys(ctx, p.UserID, db.UUID{}, maxKeys)
		if err != nil {
			return err
		}
		if len(list) >= maxKeys {
			return invalid("a user can have %d keys", maxKeys)
		}
		if _, err := q.InsertAPIKey(ctx, arg); err != nil {
			return err
		}
		return m.audit(ctx, q, audit)
	})
	return arg.ID, key, explain(err)
}

// DeleteKey revokes one of a user's keys.
func (m *Manager) DeleteKey(ctx context.Context, p *auth.Principal, id cloud.ID) error {
	audit := change{actor: Actor{UserID: p.UserID, Username: p.Username}, action: "key.delete", target: id.String()}
	return m.applyPeople(ctx, audit, func(q *db.Queries) error {
		n, err := q.DeleteAPIKey(ctx, p.UserID, id)
		if err == nil && n == 0 {
			return notFound("API key")
		}
		return err
	})
}

// Keys lists a user's keys.
func (m *Manager) Keys(ctx context.Context, userID int64, after cloud.ID, limit int) ([]db.ListAPIKeysRow, error) {
	list, err := m.cfg.DB.Queries().ListAPIKeys(ctx, userID, after, int32(limit))
	return list, explain(db.Translate(err))
}

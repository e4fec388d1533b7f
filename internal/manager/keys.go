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

// NewKey describes an API key to be made.
type NewKey struct {
	// Name is for people, and need not be unique.
	Name string
	// Scopes are some of auth.Scopes.
	Scopes []string
	// App restricts the key to one app; nil: it works in all apps of its user.
	App *App
	// ExpiresAt, if set, must be in the future.
	ExpiresAt *time.Time
}

const (
	// maxKeys bounds the keys of one user.
	maxKeys = 1000
	// maxKeyName is the most bytes of a key's name.
	maxKeyName = 200
)

// CreateKey makes an API key for the caller and returns it. Only its hash is stored, so it can never be
// shown again. Error: forbidden for a caller who uses an API key. A key that makes keys would outlive its own
// end and its revocation in them.
func (m *Manager) CreateKey(
	ctx context.Context, p *auth.Principal, k NewKey,
) (id cloud.ID, key string, err error) {
	if err := checkKey(p, k); err != nil {
		return cloud.ID{}, "", err
	}

	key = auth.NewToken(auth.KeyPrefix)
	row := db.InsertAPIKeyParams{
		ID:        m.cfg.IDs.New(),
		UserID:    p.UserID,
		Name:      k.Name,
		KeyHash:   auth.HashToken(key),
		Scopes:    k.Scopes,
		ExpiresAt: k.ExpiresAt,
	}
	if k.App != nil {
		row.AppID = &k.App.ID
	}

	// Not by applyPeople: nobody has cached anything about a key that is new.
	audit := change{
		actor:  Actor{UserID: p.UserID, Username: p.Username},
		action: "key.create",
		target: k.Name,
		detail: map[string]any{"id": cloud.ID(row.ID).String(), "scopes": k.Scopes},
	}

	err = m.cfg.DB.Tx(ctx, func(q *db.Queries) error {
		list, err := q.ListAPIKeys(ctx, p.UserID, db.UUID{}, maxKeys)
		if err != nil {
			return err
		}
		if len(list) >= maxKeys {
			return invalid("a user can have %d keys", maxKeys)
		}
		if _, err := q.InsertAPIKey(ctx, row); err != nil {
			return err
		}

		return m.audit(ctx, q, audit)
	})

	return row.ID, key, explain(err)
}

// checkKey refuses a key that is described badly, and any that another key shall make.
func checkKey(p *auth.Principal, k NewKey) error {
	if p.Key {
		return cloud.Errorf(cloud.CodeForbidden, "an API key makes no keys: log in")
	}
	if k.Name == "" {
		return invalid("a key needs a name")
	}
	if err := checkText("name", k.Name, maxKeyName); err != nil {
		return err
	}

	if len(k.Scopes) == 0 {
		return invalid("a key needs scopes: %s", strings.Join(auth.Scopes, ", "))
	}

	for _, scope := range k.Scopes {
		if !slices.Contains(auth.Scopes, scope) {
			return invalid("unknown scope %q: %s", cloud.Shorten(scope), strings.Join(auth.Scopes, ", "))
		}
	}

	if k.ExpiresAt != nil && !k.ExpiresAt.After(time.Now()) {
		return invalid("expires_at must be in the future")
	}

	return nil
}

// DeleteKey revokes one of the caller's keys.
func (m *Manager) DeleteKey(ctx context.Context, p *auth.Principal, id cloud.ID) error {
	actor := Actor{UserID: p.UserID, Username: p.Username}
	audit := change{actor: actor, action: "key.delete", target: id.String()}
	return m.applyPeople(ctx, audit, func(q *db.Queries) error {
		deleted, err := q.DeleteAPIKey(ctx, p.UserID, id)
		if err == nil && deleted == 0 {
			return notFound("API key")
		}
		return err
	})
}

// Keys lists at most limit of a user's keys by id, those after an id.
func (m *Manager) Keys(
	ctx context.Context, userID int64, after cloud.ID, limit int,
) ([]db.ListAPIKeysRow, error) {
	list, err := m.cfg.DB.Queries().ListAPIKeys(ctx, userID, after, int32(limit))
	return list, explain(db.Translate(err))
}

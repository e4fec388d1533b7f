package manager

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"picloud/db"
	"picloud/internal/auth"
	"picloud/internal/cloud"
)

// errLogin is the same for every reason, so that nobody learns which users exist.
var errLogin = cloud.Errorf(cloud.CodeUnauthorized, "the username or the password is wrong")

// Login checks a password and makes a session. The answer takes as long for unknown users.
func (m *Manager) Login(ctx context.Context, username, password, userAgent string) (token string, expires time.Time, err error) {
	u, err := m.cfg.DB.Queries().UserByName(ctx, strings.ToValidUTF8(strings.ReplaceAll(username, "\x00", ""), ""))
	if err = db.Translate(err); err != nil && !errors.Is(err, db.ErrNotFound) {
		return "", time.Time{}, explain(err)
	}
	if !auth.CheckPassword(password, u.PasswordHash) || !u.Active {
		return "", time.Time{}, errLogin
	}
	token = auth.NewToken(auth.SessionPrefix)
	if len(userAgent) > 300 {
		userAgent = userAgent[:300]
	}
	s, err := m.cfg.DB.Queries().InsertSession(ctx, db.InsertSessionParams{ID: m.cfg.IDs.New(), UserID: u.ID, TokenHash: auth.HashToken(token),
		UserAgent: strings.ToValidUTF8(strings.ReplaceAll(userAgent, "\x00", ""), "\uFFFD"), LifetimeUs: m.cfg.SessionLifetime.Microseconds()})
	if err != nil {
		return "", time.Time{}, explain(db.Translate(err))
	}
	return token, s.ExpiresAt, nil
}

// EndSession ends one of a user's own sessions.
func (m *Manager) EndSession(ctx context.Context, userID int64, id cloud.ID) error {
	n, err := m.cfg.DB.Queries().DeleteSession(ctx, userID, id)
	if err != nil {
		return explain(db.Translate(err))
	}
	if n == 0 {
		return notFound("session")
	}
	return m.forget(ctx)
}

// EndSessions ends all of a user's sessions.
func (m *Manager) EndSessions(ctx context.Context, userID int64) error {
	if err := m.cfg.DB.Queries().DeleteSessionsOfUser(ctx, userID); err != nil {
		return explain(db.Translate(err))
	}
	return m.forget(ctx)
}

// forget makes every process look credentials up again.
func (m *Manager) forget(ctx context.Context) error {
	m.cfg.PeopleChanged()
	return explain(db.Translate(m.cfg.DB.Queries().NotifyPrincipals(ctx)))
}

// Sessions lists a user's sessions.
func (m *Manager) Sessions(ctx context.Context, userID int64, after cloud.ID, limit int) ([]db.ListSessionsRow, error) {
	list, err := m.cfg.DB.Queries().ListSessions(ctx, userID, after, int32(limit))
	return list, explain(db.Translate(err))
}

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

// AuditFilter selects entries of the audit trail; zero fields select everything.
type AuditFilter struct {
	App           cloud.AppID
	Actor, Action string
}

// Audit lists the audit trail, newest first.
func (m *Manager) Audit(ctx context.Context, f AuditFilter, before cloud.ID, limit int) ([]db.Audit, error) {
	list, err := m.cfg.DB.Queries().ListAudit(ctx, db.ListAuditParams{AppID: int64(f.App), Actor: storable(f.Actor), Action: storable(f.Action),
		Before: before, Max: int32(limit)})
	return list, explain(db.Translate(err))
}

// storable makes what somebody asks for a text that PostgreSQL takes: with a NUL or invalid UTF-8 it names nothing anyway.
func storable(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}

// CheckPassword reports whether a password is the user's. It takes as long for unknown users.
func (m *Manager) CheckPassword(ctx context.Context, username, password string) (bool, error) {
	u, err := m.cfg.DB.Queries().UserByName(ctx, storable(username))
	if err = db.Translate(err); err != nil && !errors.Is(err, db.ErrNotFound) {
		return false, explain(err)
	}
	return auth.CheckPassword(password, u.PasswordHash) && u.Active, nil
}

// NeverUsed reports whether nobody has logged in to this installation yet.
func (m *Manager) NeverUsed(ctx context.Context) (bool, error) {
	used, err := m.cfg.DB.Queries().AnySession(ctx)
	return !used, explain(db.Translate(err))
}

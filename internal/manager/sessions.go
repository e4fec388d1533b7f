package manager

import (
	"context"
	"errors"
	"strings"
	"time"

	"picloud/db"
	"picloud/internal/auth"
	"picloud/internal/cloud"
)

// errLogin is the same for every reason, so that a guesser does not learn which users exist.
var errLogin = cloud.Errorf(cloud.CodeUnauthorized, "the username or the password is wrong")

// maxUserAgent is the most bytes of a User-Agent that are kept.
const maxUserAgent = 300

// Login checks a password and makes a session. It returns the session's token, which is stored as a hash
// only, and when the session ends at the latest. The answer takes as long for a user who does not exist.
func (m *Manager) Login(
	ctx context.Context, username, password, userAgent string,
) (token string, expires time.Time, err error) {
	username = strings.ToValidUTF8(strings.ReplaceAll(username, "\x00", ""), "")
	user, err := m.cfg.DB.Queries().UserByName(ctx, username)
	if err = db.Translate(err); err != nil && !errors.Is(err, db.ErrNotFound) {
		return "", time.Time{}, explain(err)
	}
	if !m.cfg.Passwords.Check(password, user.PasswordHash) || !user.Active {
		return "", time.Time{}, errLogin
	}

	if len(userAgent) > maxUserAgent {
		userAgent = userAgent[:maxUserAgent]
	}

	userAgent = strings.ToValidUTF8(strings.ReplaceAll(userAgent, "\x00", ""), "\uFFFD")
	token = auth.NewToken(auth.SessionPrefix)
	session, err := m.cfg.DB.Queries().InsertSession(ctx, db.InsertSessionParams{
		ID:         m.cfg.IDs.New(),
		UserID:     user.ID,
		TokenHash:  auth.HashToken(token),
		UserAgent:  userAgent,
		LifetimeUs: m.cfg.SessionLifetime.Microseconds(),
	})
	if err != nil {
		return "", time.Time{}, explain(db.Translate(err))
	}

	return token, session.ExpiresAt, nil
}

// CheckPassword reports whether a password is the user's. It takes as long for a user who does not exist.
func (m *Manager) CheckPassword(ctx context.Context, username, password string) (bool, error) {
	user, err := m.cfg.DB.Queries().UserByName(ctx, storable(username))
	if err = db.Translate(err); err != nil && !errors.Is(err, db.ErrNotFound) {
		return false, explain(err)
	}
	return m.cfg.Passwords.Check(password, user.PasswordHash) && user.Active, nil
}

// EndSession ends one of a user's own sessions.
func (m *Manager) EndSession(ctx context.Context, userID int64, id cloud.ID) error {
	deleted, err := m.cfg.DB.Queries().DeleteSession(ctx, userID, id)
	if err != nil {
		return explain(db.Translate(err))
	}
	if deleted == 0 {
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

// forget makes every process drop the credentials it cached.
func (m *Manager) forget(ctx context.Context) error {
	m.cfg.PeopleChanged()
	return explain(db.Translate(m.cfg.DB.Queries().NotifyPrincipals(ctx)))
}

// Sessions lists at most limit of a user's live sessions by id, those after an id.
func (m *Manager) Sessions(
	ctx context.Context, userID int64, after cloud.ID, limit int,
) ([]db.ListSessionsRow, error) {
	list, err := m.cfg.DB.Queries().ListSessions(ctx, userID, after, int32(limit))
	return list, explain(db.Translate(err))
}

// NeverUsed reports whether nobody has logged in to this installation yet.
func (m *Manager) NeverUsed(ctx context.Context) (bool, error) {
	used, err := m.cfg.DB.Queries().AnySession(ctx)
	return !used, explain(db.Translate(err))
}

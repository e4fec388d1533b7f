package manager

import (
	"context"
	"errors"
	"net/netip"
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

// Attempt is somebody who says to be a user, and the password to prove it.
type Attempt struct {
	Username, Password string
	// Address is where the attempt comes from.
	Address netip.Addr
	// UserAgent is what the browser or program says it is, by which people recognise their sessions.
	UserAgent string
}

// Login checks a password and makes a session. It returns the session's token, which is stored as a hash
// only, and when the session ends at the latest. The answer takes as long for a user who does not exist.
// Errors: unauthorized, whose attempt the audit trail has; too-many-requests, and the password was not
// looked at.
func (m *Manager) Login(ctx context.Context, a Attempt) (token string, expires time.Time, err error) {
	user, ok, err := m.tryPassword(ctx, a)
	if err != nil {
		return "", time.Time{}, err
	}
	if !ok {
		failed := change{actor: Actor{Username: anonymous}, action: "login.failed", target: user.Username}
		return "", time.Time{}, m.refuseAttempt(ctx, a, failed)
	}

	token = auth.NewToken(auth.SessionPrefix)
	row := db.InsertSessionParams{
		ID:         m.cfg.IDs.New(),
		UserID:     user.ID,
		TokenHash:  auth.HashToken(token),
		UserAgent:  a.agent(),
		LifetimeUs: m.cfg.SessionLifetime.Microseconds(),
	}

	// Nobody has cached anything about a session that is new, so no process is notified.
	login := change{
		actor:  Actor{UserID: user.ID, Username: user.Username},
		action: "login",
		target: user.Username,
		detail: map[string]string{"session": cloud.ID(row.ID).String(), "address": a.Address.String()},
	}

	err = m.apply(ctx, login, func(q *db.Queries) error {
		session, err := q.InsertSession(ctx, row)
		expires = session.ExpiresAt
		return err
	})
	if err != nil {
		return "", time.Time{}, err
	}
	return token, expires, nil
}

// CheckPassword lets a user who is logged in prove to be that user. Errors are those of Login.
func (m *Manager) CheckPassword(ctx context.Context, a Attempt) error {
	user, ok, err := m.tryPassword(ctx, a)
	if err != nil || ok {
		return err
	}

	actor := Actor{UserID: user.ID, Username: user.Username}
	failed := change{actor: actor, action: "password.failed", target: user.Username}
	return m.refuseAttempt(ctx, a, failed)
}

// tryPassword reports whether an attempt proves an active user, and finds that user, the zero User if the
// name is nobody's.
func (m *Manager) tryPassword(ctx context.Context, a Attempt) (user User, ok bool, err error) {
	user, err = m.cfg.DB.Queries().UserByName(ctx, storable(a.Username))
	if err = db.Translate(err); err != nil && !errors.Is(err, db.ErrNotFound) {
		return User{}, false, explain(err)
	}

	ok, err = m.cfg.Passwords.Check(ctx, auth.ClientOf(a.Address), a.Password, user.PasswordHash)
	return user, ok && user.Active, err
}

// refuseAttempt writes the audit row of a wrong password and returns the answer to it. The row has no name
// that is nobody's: people type passwords into the wrong field.
func (m *Manager) refuseAttempt(ctx context.Context, a Attempt, failed change) error {
	failed.detail = map[string]string{"address": a.Address.String()}
	if err := m.apply(ctx, failed, func(*db.Queries) error { return nil }); err != nil {
		return err
	}
	return errLogin
}

// agent is the User-Agent in a form that PostgreSQL takes, and not more of it than maxUserAgent.
func (a Attempt) agent() string {
	agent := a.UserAgent[:min(len(a.UserAgent), maxUserAgent)]
	return strings.ToValidUTF8(strings.ReplaceAll(agent, "\x00", ""), "\uFFFD")
}

// EndSession ends one of a user's own sessions: the one that asks, which is a logout, or another.
func (m *Manager) EndSession(ctx context.Context, p *auth.Principal, id cloud.ID) error {
	action := "session.end"
	if id == p.Session {
		action = "logout"
	}

	audit := change{
		actor:  Actor{UserID: p.UserID, Username: p.Username},
		action: action,
		target: p.Username,
		detail: map[string]string{"session": id.String()},
	}
	return m.applyPeople(ctx, audit, func(q *db.Queries) error {
		deleted, err := q.DeleteSession(ctx, p.UserID, id)
		if err == nil && deleted == 0 {
			return notFound("session")
		}
		return err
	})
}

// EndSessions ends all of a user's sessions.
func (m *Manager) EndSessions(ctx context.Context, p *auth.Principal) error {
	actor := Actor{UserID: p.UserID, Username: p.Username}
	audit := change{actor: actor, action: "session.end-all", target: p.Username}
	return m.applyPeople(ctx, audit, func(q *db.Queries) error {
		return q.DeleteSessionsOfUser(ctx, p.UserID)
	})
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

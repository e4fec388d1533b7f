package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// SessionIdle is how long a session may go unused.
const (
	SessionIdle = 7 * 24 * time.Hour
	// touchEvery bounds how often a session's last use is written.
	touchEvery = time.Minute
)

var (
	errBadToken = cloud.Errorf(cloud.CodeUnauthorized, "the credential is unknown, expired or revoked: log in again or use another API key")
	errNoDB     = cloud.Errorf(cloud.CodeUnavailable, "the credential cannot be checked now; try again")
)

// Authenticator checks tokens and remembers the answers until something about people changes.
type Authenticator struct {
	db *db.DB

	mu     sync.Mutex
	cached map[[32]byte]entry
	roles  map[roleKey]string
	// trusted is false while changes made by other processes cannot be heard.
	trusted bool
	gen     int
}

type roleKey struct {
	user int64
	app  cloud.AppID
}

type entry struct {
	p       *Principal
	expires time.Time
	touched time.Time
}

// maxCached bounds the memory that tokens can take.
const maxCached = 10_000

// NewAuthenticator returns an Authenticator that remembers nothing until Trust(true).
func NewAuthenticator(d *db.DB) *Authenticator {
	return &Authenticator{db: d, cached: map[[32]byte]entry{}, roles: map[roleKey]string{}}
}

// Trust says whether changes of people are heard; Flush forgets everything.
func (a *Authenticator) Trust(heard bool) {
	a.mu.Lock()
	a.trusted = heard
	a.mu.Unlock()
	a.Flush()
}

// Flush forgets every answer.
func (a *Authenticator) Flush() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cached, a.roles = map[[32]byte]entry{}, map[roleKey]string{}
	a.gen++
}

// Authenticate checks a token. Errors: unauthorized for a token that is not good, unavailable when nobody can tell.
func (a *Authenticator) Authenticate(ctx context.Context, token string) (*Principal, error) {
	if len(token) > 200 || !strings.HasPrefix(token, KeyPrefix) && !strings.HasPrefix(token, SessionPrefix) {
		return nil, errBadToken
	}
	hash := [32]byte(HashToken(token))
	now := time.Now()
	a.mu.Lock()
	e, ok := a.cached[hash]
	gen := a.gen
	if ok && now.Before(e.expires) && now.Sub(e.touched) < touchEvery {
		a.mu.Unlock()
		return e.p, nil
	}
	a.mu.Unlock()
	e, err := a.lookup(ctx, token, hash[:], now)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	if a.trusted && gen == a.gen && len(a.cached) < maxCached {
		a.cached[hash] = e
	}
	a.mu.Unlock()
	return e.p, nil
}

func (a *Authenticator) lookup(ctx context.Context, token string, hash []byte, now time.Time) (entry, error) {
	if strings.HasPrefix(token, KeyPrefix) {
		k, err := a.db.Queries().APIKeyByHash(ctx, hash)
		if err != nil {
			return entry{}, authError("look up API key", err)
		}
		if k.Expired || !k.Active {
			return entry{}, errBadToken
		}
		e := entry{p: &Principal{UserID: k.UserID, Username: k.Username, Role: k.Role, Key: true, Scopes: k.Scopes},
			expires: now.Add(24 * time.Hour), touched: now}
		if k.AppID != nil {
			e.p.KeyApp = cloud.AppID(*k.AppID)
		}
		if k.ExpiresAt != nil {
			e.expires = *k.ExpiresAt
		}
		return e, nil
	}
	s, err := a.db.Queries().SessionByToken(ctx, hash, SessionIdle.Microseconds())
	if err != nil {
		return entry{}, authError("look up session", err)
	}
	if !s.Active {
		return entry{}, errBadToken
	}
	if now.Sub(s.LastSeenAt) > touchEvery {
		if err := a.db.Queries().TouchSession(ctx, s.ID); err != nil {
			return entry{}, authError("touch session", err)
		}
	}
	return entry{p: &Principal{UserID: s.UserID, Username: s.Username, Role: s.Role, Session: cloud.ID(s.ID)},
		expires: s.ExpiresAt, touched: now}, nil
}

func authError(doing string, err error) error {
	if errors.Is(db.Translate(err), db.ErrNotFound) {
		return errBadToken
	}
	return errNoDB.Because(fmt.Errorf("%s: %w", doing, err))
}

// AppRole is the principal's role in an app: admin for instance admins, "" for none.
func (a *Authenticator) AppRole(ctx context.Context, p *Principal, app cloud.AppID) (string, error) {
	if p.IsAdmin() {
		return AppAdmin, nil
	}
	key := roleKey{p.UserID, app}
	a.mu.Lock()
	role, ok := a.roles[key]
	gen := a.gen
	a.mu.Unlock()
	if ok {
		return role, nil
	}
	role, err := a.db.Queries().MemberRole(ctx, int64(app), p.UserID)
	if err = db.Translate(err); err != nil && !errors.Is(err, db.ErrNotFound) {
		return "", errNoDB.Because(fmt.Errorf("look up role: %w", err))
	}
	a.mu.Lock()
	if a.trusted && gen == a.gen && len(a.roles) < maxCached {
		a.roles[key] = role
	}
	a.mu.Unlock()
	return role, nil
}

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

const (
	// SessionIdle is how long a session may go unused before it ends.
	SessionIdle = 7 * 24 * time.Hour
	// touchEvery bounds how often the time of a session's or key's last use is written, and so for how long
	// a token is served from the cache.
	touchEvery = time.Minute
	// maxCached bounds the memory of each cache: tokens, and roles.
	maxCached = 10_000
	// maxToken is the most bytes of a token; PiCloud's own have 47.
	maxToken = 200
	// keyCached is how long a key that never expires is cached at most. touchEvery ends that earlier.
	keyCached = 24 * time.Hour
)

var (
	errBadToken = cloud.Errorf(cloud.CodeUnauthorized,
		"the credential is unknown, expired or revoked: log in again or use another API key")
	errNoDB = cloud.Errorf(cloud.CodeUnavailable, "the credential cannot be checked now; try again")
)

// Authenticator checks tokens and caches the answers until something about people changes. It is safe for
// concurrent use.
type Authenticator struct {
	db *db.DB

	// mu guards everything below. It is never held during a query, and no other lock is taken under it.
	mu sync.Mutex
	// cached has the answers by the token's hash.
	cached map[[32]byte]entry
	// roles has the roles in apps of users who are no instance admins, "" for none.
	roles map[roleKey]string
	// trusted says that changes made by other processes are notified. Nothing is cached while they are not.
	trusted bool
	// gen counts flushes. An answer that was looked up before a flush is not cached after it.
	gen int
	// flushedC is closed by the next flush.
	flushedC chan struct{}
}

type roleKey struct {
	user int64
	app  cloud.AppID
}

// entry is a cached answer.
type entry struct {
	p *Principal
	// expires is when the credential itself ends.
	expires time.Time
	// touched is when it was looked up.
	touched time.Time
}

// NewAuthenticator returns an Authenticator that caches nothing until Trust(true).
func NewAuthenticator(d *db.DB) *Authenticator {
	return &Authenticator{
		db:       d,
		cached:   map[[32]byte]entry{},
		roles:    map[roleKey]string{},
		flushedC: make(chan struct{}),
	}
}

// Trust says whether notifications of changes of people arrive, on each of which the owner calls Flush.
func (a *Authenticator) Trust(notified bool) {
	a.mu.Lock()
	a.trusted = notified
	a.mu.Unlock()
	a.Flush()
}

// Flush drops all cached answers.
func (a *Authenticator) Flush() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cached = map[[32]byte]entry{}
	a.roles = map[roleKey]string{}
	a.gen++
	close(a.flushedC)
	a.flushedC = make(chan struct{})
}

// Flushed is closed by the next Flush: what was answered before may not hold any more. Whoever lets somebody
// do something for long takes it before the question, and asks again when it is closed.
func (a *Authenticator) Flushed() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.flushedC
}

// Authenticate finds the principal of a token. Errors: unauthorized for a token that is not valid,
// unavailable when the database does not answer.
func (a *Authenticator) Authenticate(ctx context.Context, token string) (*Principal, error) {
	if len(token) > maxToken || !IsOwnToken(token) {
		return nil, errBadToken
	}

	hash := [32]byte(HashToken(token))
	now := time.Now()
	a.mu.Lock()
	known, ok := a.cached[hash]
	gen := a.gen
	a.mu.Unlock()
	if ok && now.Before(known.expires) && now.Sub(known.touched) < touchEvery {
		return known.p, nil
	}

	found, err := a.lookup(ctx, token, hash[:], now)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.trusted && gen == a.gen && len(a.cached) < maxCached {
		a.cached[hash] = found
	}

	return found.p, nil
}

// lookup asks the database.
func (a *Authenticator) lookup(ctx context.Context, token string, hash []byte, now time.Time) (entry, error) {
	if strings.HasPrefix(token, KeyPrefix) {
		return a.lookupKey(ctx, hash, now)
	}
	return a.lookupSession(ctx, hash, now)
}

func (a *Authenticator) lookupKey(ctx context.Context, hash []byte, now time.Time) (entry, error) {
	key, err := a.db.Queries().APIKeyByHash(ctx, touchEvery.Microseconds(), hash)
	if err != nil {
		return entry{}, authError("look up API key", err)
	}
	if key.Expired || !key.Active {
		return entry{}, errBadToken
	}

	if key.Touch {
		if err := a.db.Queries().TouchAPIKey(ctx, key.ID, touchEvery.Microseconds()); err != nil {
			return entry{}, authError("touch API key", err)
		}
	}

	p := &Principal{UserID: key.UserID, Username: key.Username, Role: key.Role, Key: true, Scopes: key.Scopes}
	if key.AppID != nil {
		p.KeyApp = cloud.AppID(*key.AppID)
	}

	expires := now.Add(keyCached)
	if key.ExpiresAt != nil {
		expires = *key.ExpiresAt
		p.Expires = expires
	}

	return entry{p: p, expires: expires, touched: now}, nil
}

func (a *Authenticator) lookupSession(ctx context.Context, hash []byte, now time.Time) (entry, error) {
	session, err := a.db.Queries().SessionByToken(
		ctx, touchEvery.Microseconds(), hash, SessionIdle.Microseconds(),
	)
	if err != nil {
		return entry{}, authError("look up session", err)
	}
	if !session.Active {
		return entry{}, errBadToken
	}

	if session.Touch {
		if err := a.db.Queries().TouchSession(ctx, session.ID); err != nil {
			return entry{}, authError("touch session", err)
		}
	}

	p := &Principal{
		UserID:   session.UserID,
		Username: session.Username,
		Role:     session.Role,
		Session:  cloud.ID(session.ID),
		Expires:  session.ExpiresAt,
	}

	return entry{p: p, expires: session.ExpiresAt, touched: now}, nil
}

func authError(doing string, err error) error {
	if db.IsNotFound(err) {
		return errBadToken
	}
	return errNoDB.Because(fmt.Errorf("%s: %w", doing, err))
}

// AppRole returns the principal's role in an app: admin for instance admins, "" for users who are no
// members. Error: unavailable when the database does not answer.
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
	defer a.mu.Unlock()
	if a.trusted && gen == a.gen && len(a.roles) < maxCached {
		a.roles[key] = role
	}

	return role, nil
}

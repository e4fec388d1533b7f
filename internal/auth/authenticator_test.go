package auth

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/testkit"
)

// TestMain starts one PostgreSQL for the package, and looks for goroutines that the tests leave behind.
func TestMain(m *testing.M) { os.Exit(testkit.MainWithoutLeaks(m)) }

// fixture is an Authenticator that trusts its cache, with a member of an app.
type fixture struct {
	*Authenticator
	ids  cloud.IDSource
	user db.User
	app  db.App
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	ctx := t.Context()
	database := testkit.Open(t).DB
	f := &fixture{Authenticator: NewAuthenticator(database)}
	q := database.Queries()
	var err error
	f.user, err = q.InsertUser(ctx, db.InsertUserParams{Username: "ann", PasswordHash: "-", Role: RoleMember})
	if err != nil {
		t.Fatal(err)
	}
	if f.app, err = q.InsertApp(ctx, "a", "A", ""); err != nil {
		t.Fatal(err)
	}
	if err := q.InsertMember(ctx, f.app.ID, f.user.ID, AppEditor); err != nil {
		t.Fatal(err)
	}
	f.Trust(true)
	return f
}

// session makes a session that lasts so long, and returns its token.
func (f *fixture) session(t *testing.T, lifetime time.Duration) string {
	t.Helper()
	token := NewToken(SessionPrefix)
	_, err := f.db.Queries().InsertSession(t.Context(), db.InsertSessionParams{
		ID:         f.ids.New(),
		UserID:     f.user.ID,
		TokenHash:  HashToken(token),
		LifetimeUs: lifetime.Microseconds(),
	})
	if err != nil {
		t.Fatal(err)
	}

	return token
}

// key makes an API key and returns it.
func (f *fixture) key(t *testing.T, app *int64, expires *time.Time) string {
	t.Helper()
	key := NewToken(KeyPrefix)
	_, err := f.db.Queries().InsertAPIKey(t.Context(), db.InsertAPIKeyParams{
		ID:        f.ids.New(),
		UserID:    f.user.ID,
		Name:      "k",
		KeyHash:   HashToken(key),
		Scopes:    []string{"kv:read"},
		AppID:     app,
		ExpiresAt: expires,
	})
	if err != nil {
		t.Fatal(err)
	}

	return key
}

func (f *fixture) exec(t *testing.T, sql string) {
	t.Helper()
	if _, err := f.db.General.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// A token has the rights of its user, and a key's scopes and app limit them.
func TestAuthenticate(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	session, err := f.Authenticate(t.Context(), f.session(t, time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if session.UserID != f.user.ID || session.Username != "ann" || session.Role != RoleMember ||
		session.Key ||
		session.Session.IsZero() {
		t.Errorf("the session's principal is %+v", session)
	}

	future := time.Now().Add(time.Hour)
	for _, c := range []struct {
		name string
		key  string
		app  cloud.AppID
	}{
		{"key for all apps", f.key(t, nil, nil), 0},
		{"key for one app", f.key(t, &f.app.ID, &future), cloud.AppID(f.app.ID)},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := f.Authenticate(t.Context(), c.key)
			if err != nil {
				t.Fatal(err)
			}
			if p.Username != "ann" || !p.Key || p.KeyApp != c.app || !p.Session.IsZero() ||
				!p.HasScope("kv:read") {
				t.Errorf("the principal is %+v", p)
			}
		})
	}
}

func TestAuthenticateRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	past := time.Now().Add(-time.Second)
	idle := f.session(t, time.Hour)
	f.exec(t, "UPDATE sessions SET last_seen_at = clock_timestamp() - interval '8 days'")

	for _, c := range []struct{ name, token string }{
		{"empty", ""},
		{"no prefix", "abc"},
		{"unknown session", NewToken(SessionPrefix)},
		{"unknown key", NewToken(KeyPrefix)},
		{"long", KeyPrefix + strings.Repeat("x", 200)},
		{"session that ended", f.session(t, -time.Second)},
		{"session that was not used for a week", idle},
		{"key that expired", f.key(t, nil, &past)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if p, err := f.Authenticate(t.Context(), c.token); cloud.CodeOf(err) != cloud.CodeUnauthorized {
				t.Errorf("got %+v, %v", p, err)
			}
		})
	}

	session, key := f.session(t, time.Hour), f.key(t, nil, nil)
	f.exec(t, "UPDATE users SET active = false")

	for name, token := range map[string]string{"session": session, "key": key} {
		if _, err := f.Authenticate(t.Context(), token); cloud.CodeOf(err) != cloud.CodeUnauthorized {
			t.Errorf("the %s of an inactive user: %v", name, err)
		}
	}
}

// Answers are cached until something about people changes, and only while such changes are notified.
func TestAuthenticatorCaches(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	token := f.session(t, time.Hour)
	var member *Principal
	role := func() string {
		t.Helper()
		p, err := f.Authenticate(ctx, token)
		if err != nil {
			t.Fatal(err)
		}

		member = &Principal{UserID: p.UserID, Role: RoleMember}
		appRole, err := f.AppRole(ctx, member, cloud.AppID(f.app.ID))
		if err != nil {
			t.Fatal(err)
		}

		return p.Role + " " + appRole
	}

	promote := func(instance, app string) {
		t.Helper()
		f.exec(t, fmt.Sprintf("UPDATE users SET role = '%s'; UPDATE members SET role = '%s'", instance, app))
	}

	if got := role(); got != "member editor" {
		t.Errorf("at first: %s", got)
	}
	promote(RoleAdmin, AppAdmin)
	if got := role(); got != "member editor" {
		t.Errorf("from the cache: %s", got)
	}
	f.Flush()
	if got := role(); got != "admin admin" {
		t.Errorf("after a change was notified: %s", got)
	}

	f.Trust(false)
	if got := role(); got != "admin admin" {
		t.Errorf("without notifications: %s", got)
	}
	promote(RoleMember, AppViewer)
	if got := role(); got != "member viewer" {
		t.Errorf("an answer was cached that nobody can revoke: %s", got)
	}
}

// An answer that was looked up before a change is not cached after it.
func TestLookupDuringFlush(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	token := f.session(t, time.Hour)

	// The lookup waits for the lock on the user's table, and the change is notified meanwhile.
	tx, err := f.db.General.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, "LOCK TABLE users IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}

	ended := make(chan error, 1)
	go func() {
		_, err := f.Authenticate(ctx, token)
		ended <- err
	}()

	for waiting := 0; waiting == 0 && len(ended) == 0; {
		err := f.db.Scripts.QueryRow(ctx, `SELECT count(*) FROM pg_locks
			WHERE NOT granted AND relation = 'users'::regclass`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
	}

	f.Flush()
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}

	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.cached) > 0 {
		t.Error("an answer of before the change was cached")
	}
}

// Whoever waits for changes hears of each one, and of none before it.
func TestFlushed(t *testing.T) {
	t.Parallel()
	a := NewAuthenticator(nil)

	first := a.Flushed()
	select {
	case <-first:
		t.Fatal("closed before a flush")
	default:
	}

	a.Flush()
	<-first

	second := a.Flushed()
	select {
	case <-second:
		t.Fatal("closed by the flush before it")
	default:
	}
	a.Trust(true)
	<-second
}

// A session that is used stays, and its last use is written once a minute at most.
func TestSessionIsTouched(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	token := f.session(t, 24*time.Hour)
	idle := func() time.Duration {
		t.Helper()
		var seen time.Time
		err := f.db.General.QueryRow(ctx, "SELECT last_seen_at FROM sessions").Scan(&seen)
		if err != nil {
			t.Fatal(err)
		}
		return time.Since(seen)
	}

	for _, c := range []struct {
		before  string
		touched bool
	}{{"30 seconds", false}, {"2 minutes", true}, {"6 days", true}} {
		f.Flush()
		f.exec(t,
			fmt.Sprintf("UPDATE sessions SET last_seen_at = clock_timestamp() - interval '%s'", c.before))
		before := idle()
		if _, err := f.Authenticate(ctx, token); err != nil {
			t.Fatal(err)
		}
		if got := idle() < before-time.Second; got != c.touched {
			t.Errorf("%s after the last use it is written: %v", c.before, got)
		}
	}
}

// The last use of a key is written, once a minute at most; until the first there is none.
func TestKeyIsTouched(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	key := f.key(t, nil, nil)
	used := func() *time.Time {
		t.Helper()
		var at *time.Time
		if err := f.db.General.QueryRow(ctx, "SELECT last_used_at FROM api_keys").Scan(&at); err != nil {
			t.Fatal(err)
		}
		return at
	}

	if at := used(); at != nil {
		t.Errorf("a new key was used %s", at)
	}

	for _, c := range []struct {
		name, before string
		touched      bool
	}{
		{"never before", "NULL", true},
		{"30 seconds before", "clock_timestamp() - interval '30 seconds'", false},
		{"2 minutes before", "clock_timestamp() - interval '2 minutes'", true},
	} {
		f.Flush()
		f.exec(t, "UPDATE api_keys SET last_used_at = "+c.before)
		before := used()
		if _, err := f.Authenticate(ctx, key); err != nil {
			t.Fatal(err)
		}

		after := used()
		if after == nil || (before == nil || after.After(*before)) != c.touched {
			t.Errorf("%s: %v, then %v", c.name, before, after)
		}
	}
}

// An instance admin is admin in every app; who is no member has no role.
func TestAppRole(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	app := cloud.AppID(f.app.ID)

	for _, c := range []struct {
		name string
		p    Principal
		app  cloud.AppID
		want string
	}{
		{"member", Principal{UserID: f.user.ID, Role: RoleMember}, app, AppEditor},
		{"stranger", Principal{UserID: 99, Role: RoleMember}, app, ""},
		{"other app", Principal{UserID: f.user.ID, Role: RoleMember}, 99, ""},
		{"instance admin", Principal{UserID: 99, Role: RoleAdmin}, app, AppAdmin},
		{"owner", Principal{UserID: 99, Role: RoleOwner}, 99, AppAdmin},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()

			for range 2 { // from the database, and from the cache
				if got, err := f.AppRole(t.Context(), &c.p, c.app); err != nil || got != c.want {
					t.Errorf("got %q, want %q: %v", got, c.want, err)
				}
			}
		})
	}
}

// Without a database nobody is turned away as a stranger: the caller may try again.
func TestAuthenticateWithoutDatabase(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	known := f.session(t, time.Hour)
	if _, err := f.Authenticate(ctx, known); err != nil {
		t.Fatal(err)
	}
	f.db.Close()

	for _, token := range []string{NewToken(SessionPrefix), NewToken(KeyPrefix)} {
		if _, err := f.Authenticate(ctx, token); cloud.CodeOf(err) != cloud.CodeUnavailable {
			t.Errorf("got %v", err)
		}
	}

	if _, err := f.Authenticate(ctx, known); err != nil {
		t.Errorf("a token that is cached: %v", err)
	}

	p := &Principal{UserID: f.user.ID, Role: RoleMember}
	if _, err := f.AppRole(ctx, p, cloud.AppID(f.app.ID)); cloud.CodeOf(err) != cloud.CodeUnavailable {
		t.Errorf("got %v", err)
	}
}

package manager_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
)

// Every reason for which a login fails has the same answer.
func TestLogin(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.newUser(t, "ann", auth.RoleMember)
	f.newUser(t, "idle", auth.RoleMember)
	if _, err := f.UpdateUser(ctx, f.owner, "idle", manager.UserChange{Active: new(false)}); err != nil {
		t.Fatal(err)
	}

	const good = "a good password"

	for _, c := range []struct {
		name, username, password string
		ok                       bool
	}{
		{"right", "ann", good, true},
		{"NUL in the name", "a\x00nn", good, false},
		{"wrong password", "ann", "a bad password", false},
		{"no password", "ann", "", false},
		{"long password", "ann", strings.Repeat("x", 10_000), false},
		{"unknown user", "nobody", good, false},
		{"unknown user without password", "nobody", "", false},
		{"inactive user", "idle", good, false},
		{"invalid UTF-8", "\xff", good, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			token, expires, err := f.Login(ctx, attempt(c.username, c.password))
			if !c.ok {
				wantError(t, err, cloud.CodeUnauthorized, "the username or the password is wrong")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(token, auth.SessionPrefix) || !expires.After(time.Now()) {
				t.Errorf("the token is %s until %s", token, expires)
			}
		})
	}
}

// attempt is one from an address that is nobody's.
func attempt(username, password string) manager.Attempt {
	return manager.Attempt{
		Username: username, Password: password, Address: netip.MustParseAddr("192.0.2.1"), UserAgent: "test",
	}
}

// principal is a user who is logged in.
func principal(user manager.Actor) *auth.Principal {
	return &auth.Principal{UserID: user.UserID, Username: user.Username}
}

// onlySession is the one session of the owner.
func (f *fixture) onlySession(t *testing.T) cloud.ID {
	t.Helper()
	sessions, err := f.Sessions(t.Context(), f.owner.UserID, cloud.ID{}, 10)
	if err != nil || len(sessions) != 1 {
		t.Fatalf("sessions %v: %v", sessions, err)
	}
	return sessions[0].ID
}

// Who logged in is in the audit trail, and who could not, with the address. A name that is nobody's is not:
// it may be a password in the wrong field.
func TestLoginIsAudited(t *testing.T) {
	t.Parallel()
	f := newFixture(t)

	for _, c := range []struct{ name, username, password, action, actor, target string }{
		{"login", ownerName, ownerPassword, "login", ownerName, ownerName},
		{"wrong password", ownerName, "wrong", "login.failed", "anonymous", ownerName},
		{"unknown user", "hush-hush", "wrong", "login.failed", "anonymous", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := f.Login(t.Context(), attempt(c.username, c.password))
			if (err == nil) != (c.action == "login") {
				t.Fatal(err)
			}

			row := f.lastAudit(t, nil)
			if row.Action != c.action || row.Actor != c.actor || row.Target != c.target {
				t.Errorf("the audit row is %+v", row)
			}
			if !strings.Contains(row.Detail, `"address":"192.0.2.1"`) || strings.Contains(row.Detail, c.password) {
				t.Errorf("the detail is %s", row.Detail)
			}
		})
	}
}

// A login that cannot be audited makes no session.
func TestNoLoginWithoutAudit(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if _, err := f.db.General.Exec(t.Context(), "ALTER TABLE audit RENAME TO gone"); err != nil {
		t.Fatal(err)
	}

	if _, _, err := f.Login(t.Context(), attempt(ownerName, ownerPassword)); err == nil {
		t.Error("logged in without an audit row")
	}
	sessions, err := f.Sessions(t.Context(), f.owner.UserID, cloud.ID{}, 10)
	if err != nil || len(sessions) > 0 {
		t.Errorf("sessions %v: %v", sessions, err)
	}
}

// What a browser says it is is stored in a form that PostgreSQL takes, and not more of it than 300 bytes.
func TestSessions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	ann := principal(f.newUser(t, "ann", auth.RoleMember))
	bob := principal(f.newUser(t, "bob", auth.RoleMember))
	unused, err := f.NeverUsed(ctx)
	if err != nil || unused {
		t.Errorf("never used after an audited change: %v %v", unused, err)
	}

	for _, agent := range []string{"plain", "a\x00b\xff", strings.Repeat("ä", 151)} {
		a := attempt("ann", "a good password")
		a.UserAgent = agent
		if _, _, err := f.Login(ctx, a); err != nil {
			t.Fatal(err)
		}
	}

	sessions, err := f.Sessions(ctx, ann.UserID, cloud.ID{}, 10)
	if err != nil || len(sessions) != 3 {
		t.Fatalf("sessions %v: %v", sessions, err)
	}

	for k, want := range []string{"plain", "ab\uFFFD", strings.Repeat("ä", 150)} {
		if sessions[k].UserAgent != want {
			t.Errorf("the user agent is %q, want %q", sessions[k].UserAgent, want)
		}
	}

	// Nobody ends a session of somebody else.
	first := cloud.ID(sessions[0].ID)
	wantError(t, f.EndSession(ctx, bob, first), cloud.CodeNotFound, "no such session")
	f.takeCallbacks()
	if err := f.EndSession(ctx, ann, first); err != nil {
		t.Fatal(err)
	}
	if _, people := f.takeCallbacks(); people != 1 {
		t.Error("the end of a session was not announced")
	}

	left, err := f.Sessions(ctx, ann.UserID, sessions[1].ID, 10)
	if err != nil || len(left) != 1 || left[0].ID != sessions[2].ID {
		t.Errorf("sessions after the second: %v %v", left, err)
	}

	if err := f.EndSessions(ctx, ann); err != nil {
		t.Fatal(err)
	}
	if left, err = f.Sessions(ctx, ann.UserID, cloud.ID{}, 10); err != nil || len(left) > 0 {
		t.Errorf("sessions %v: %v", left, err)
	}
}

// A stranger who guesses has not used the installation.
func TestNeverUsed(t *testing.T) {
	t.Parallel()

	f := newFixture(t)
	if _, _, err := f.Login(t.Context(), attempt(ownerName, "wrong")); err == nil {
		t.Fatal("a wrong password is right")
	}

	for _, want := range []bool{true, false} {
		if unused, err := f.NeverUsed(t.Context()); err != nil || unused != want {
			t.Errorf("never used: %v, want %v: %v", unused, want, err)
		}
		if _, _, err := f.Login(t.Context(), attempt(ownerName, ownerPassword)); err != nil {
			t.Fatal(err)
		}
	}
}

// A key gives no more than its user asked for, and no key makes keys.
func TestCreateKey(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	user := &auth.Principal{UserID: f.owner.UserID, Username: ownerName, Role: auth.RoleOwner}
	key := &auth.Principal{UserID: f.owner.UserID, Username: ownerName, Key: true,
		Scopes: auth.Scopes}

	scopes := []string{"kv:read"}
	future := time.Now().Add(time.Hour)
	past := time.Now().Add(-time.Second)

	for _, c := range []struct {
		name string
		by   *auth.Principal
		key  manager.NewKey
		code cloud.Code
		text string
	}{
		{"plain", user, manager.NewKey{Name: "k", Scopes: auth.Scopes}, "", ""},
		{
			"for an app, for an hour", user,
			manager.NewKey{Name: "k", Scopes: scopes, App: f.app, ExpiresAt: &future}, "", "",
		},
		{"no name", user, manager.NewKey{Scopes: scopes}, cloud.CodeInvalid, "a key needs a name"},
		{
			"long name", user, manager.NewKey{Name: strings.Repeat("k", 201), Scopes: scopes},
			cloud.CodeInvalid, "name must be valid UTF-8",
		},
		{"no scopes", user, manager.NewKey{Name: "k"}, cloud.CodeInvalid, "a key needs scopes: apps:admin"},
		{
			"bad scope", user, manager.NewKey{Name: "k", Scopes: []string{"kv"}}, cloud.CodeInvalid,
			`unknown scope "kv"`,
		},
		{
			"expired", user, manager.NewKey{Name: "k", Scopes: scopes, ExpiresAt: &past},
			cloud.CodeInvalid, "expires_at must be in the future",
		},
		{
			"by a key", key, manager.NewKey{Name: "k", Scopes: scopes, ExpiresAt: &future},
			cloud.CodeForbidden, "an API key makes no keys: log in",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			id, key, err := f.CreateKey(t.Context(), c.by, c.key)
			check(t, err, c.code, c.text)
			if err != nil {
				return
			}

			row, err := f.db.Queries().APIKeyByHash(t.Context(), 0, auth.HashToken(key))
			if err != nil || row.ID != id ||
				strings.Join(row.Scopes, " ") != strings.Join(c.key.Scopes, " ") {
				t.Errorf("stored %+v: %v", row, err)
			}
			if (row.AppID != nil) != (c.key.App != nil) ||
				(row.ExpiresAt != nil) != (c.key.ExpiresAt != nil) {
				t.Errorf("stored %+v", row)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	ann := f.newUser(t, "ann", auth.RoleMember)
	owner := &auth.Principal{UserID: f.owner.UserID, Username: ownerName}
	hers := &auth.Principal{UserID: ann.UserID, Username: "ann"}

	var ids []cloud.ID
	for k := range 3 {
		key := manager.NewKey{Name: fmt.Sprint("k", k), Scopes: []string{"kv:read"}, App: f.app}
		id, _, err := f.CreateKey(ctx, hers, key)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}

	list, err := f.Keys(ctx, ann.UserID, ids[0], 1)
	if err != nil || len(list) != 1 || list[0].Name != "k1" || list[0].App != f.app.Slug {
		t.Errorf("the key after the first is %+v: %v", list, err)
	}

	wantError(t, f.DeleteKey(ctx, owner, ids[0]), cloud.CodeNotFound, "no such API key")
	if err := f.DeleteKey(ctx, hers, ids[0]); err != nil {
		t.Fatal(err)
	}
	wantError(t, f.DeleteKey(ctx, hers, ids[0]), cloud.CodeNotFound, "no such API key")
}

func TestKeyLimit(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := &auth.Principal{UserID: f.owner.UserID, Username: ownerName}
	_, err := f.db.General.Exec(t.Context(), `INSERT INTO api_keys (id, user_id, name, key_hash, scopes)
		SELECT gen_random_uuid(), $1, 'k', decode(md5(n::text), 'hex'),
			'{}' FROM generate_series(1, 1000) n`, p.UserID)
	if err != nil {
		t.Fatal(err)
	}

	_, _, err = f.CreateKey(t.Context(), p, manager.NewKey{Name: "k", Scopes: []string{"kv:read"}})
	wantError(t, err, cloud.CodeInvalid, "a user can have 1000 keys")
}

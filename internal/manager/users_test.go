package manager_test

import (
	"strings"
	"testing"

	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
)

// The first start makes an owner and an app, once.
func TestFirstStart(t *testing.T) {
	t.Parallel()

	t.Run("defaults", func(t *testing.T) {
		t.Parallel()
		f := emptyFixture(t)
		ctx := t.Context()
		password, err := f.FirstStart(ctx, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if err := f.CheckPassword(ctx, attempt("admin", password)); err != nil {
			t.Errorf("the password %q that was made up is not admin's: %v", password, err)
		}
		if user, err := f.User(ctx, "admin"); err != nil || user.Role != auth.RoleOwner {
			t.Errorf("the first user is %+v: %v", user, err)
		}
		if app, err := f.App(ctx, manager.DefaultApp); err != nil || app.Name != "Default" {
			t.Errorf("the first app is %+v: %v", app, err)
		}

		if again, err := f.FirstStart(ctx, "eve", "another password"); err != nil || again != "" {
			t.Errorf("the second start made %q: %v", again, err)
		}

		_, err = f.User(ctx, "eve")
		wantError(t, err, cloud.CodeNotFound, "no such user")
	})

	t.Run("refuses", func(t *testing.T) {
		t.Parallel()
		f := emptyFixture(t)
		_, err := f.FirstStart(t.Context(), "a b", "a good password")
		wantError(t, err, cloud.CodeInvalid, `the username "a b" must match`)
		_, err = f.FirstStart(t.Context(), "ann", "short")
		wantError(t, err, cloud.CodeInvalid, "a password has 8 to 200 bytes")
		_, err = f.FirstStart(t.Context(), "system", "a good password")
		wantError(t, err, cloud.CodeInvalid, "is reserved")
	})

	t.Run("two nodes at once", func(t *testing.T) {
		t.Parallel()
		f := emptyFixture(t)
		ctx := t.Context()

		made := make(chan string, 2)
		for range cap(made) {
			go func() {
				password, err := f.FirstStart(ctx, "ann", "")
				if err != nil {
					t.Error(err)
				}
				made <- password
			}()
		}

		working := 0
		for range cap(made) {
			err := f.CheckPassword(ctx, attempt("ann", <-made))
			if err == nil {
				working++
			} else if cloud.CodeOf(err) != cloud.CodeUnauthorized {
				t.Error(err)
			}
		}

		if working != 1 {
			t.Errorf("%d of the passwords work", working)
		}
	})
}

func TestCreateUser(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	admin := f.newUser(t, "admin", auth.RoleAdmin)
	const good = "a good password"

	for _, c := range []struct {
		name     string
		actor    manager.Actor
		username string
		password string
		change   manager.UserChange
		code     cloud.Code
		text     string
	}{
		{"member", admin, "Ann.Lee@x", good, manager.UserChange{}, "", ""},
		{"admin", admin, "bob", good, manager.UserChange{Role: new("admin"), Email: new("b@x.test")}, "", ""},
		{"owner", f.owner, "cal", good, manager.UserChange{Role: new("owner")}, "", ""},
		{
			"owner by an admin", admin, "dan", good, manager.UserChange{Role: new("owner")},
			cloud.CodeForbidden, "only owners make owners",
		},
		{
			"role", admin, "dan", good, manager.UserChange{Role: new("king")}, cloud.CodeInvalid,
			"role must be owner, admin or member",
		},
		{
			"name", admin, ".dan", good, manager.UserChange{}, cloud.CodeInvalid,
			`the username ".dan" must match`,
		},
		{
			"long name", admin, strings.Repeat("d", 64), good, manager.UserChange{}, cloud.CodeInvalid,
			"must match",
		},
		{
			"taken", admin, "root", good, manager.UserChange{}, cloud.CodeConflict,
			`the username "root" is taken`,
		},
		{
			"taken in another case", admin, "Root", good, manager.UserChange{}, cloud.CodeConflict,
			`the username "Root" is taken, perhaps in another case`,
		},
		{"reserved", admin, "system", good, manager.UserChange{}, cloud.CodeInvalid, "is reserved"},
		{"reserved, in capitals", admin, "System", good, manager.UserChange{}, cloud.CodeInvalid, "is reserved"},
		{"reset-password", f.owner, "reset-password", good, manager.UserChange{}, cloud.CodeInvalid, "is reserved"},
		{"registrant", f.owner, "registrant", good, manager.UserChange{}, cloud.CodeInvalid, "is reserved"},
		{"anonymous", f.owner, "anonymous", good, manager.UserChange{}, cloud.CodeInvalid, "is reserved"},
		{
			"short password", admin, "dan", "1234567", manager.UserChange{}, cloud.CodeInvalid,
			"a password has 8 to 200 bytes",
		},
		{
			"guessable password", admin, "dan", "password", manager.UserChange{}, cloud.CodeInvalid,
			"among the first that a guesser tries",
		},
		{
			"name as password", admin, "dan.lee@x", "Dan.Lee@x", manager.UserChange{}, cloud.CodeInvalid,
			"among the first that a guesser tries",
		},
		{
			"email", admin, "dan", good, manager.UserChange{Email: new("dan")}, cloud.CodeInvalid,
			"email must be an address",
		},
		{
			"long email", admin, "dan", good, manager.UserChange{Email: new("@" + strings.Repeat("x", 254))},
			cloud.CodeInvalid, "email must be an address",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := f.CreateUser(t.Context(), c.actor, c.username, c.password, c.change)
			check(t, err, c.code, c.text)
			if err != nil {
				return
			}

			user, err := f.User(t.Context(), c.username)
			if err != nil {
				t.Fatal(err)
			}

			role := auth.RoleMember
			if c.change.Role != nil {
				role = *c.change.Role
			}
			if user.Role != role || !user.Active {
				t.Errorf("the user is %+v", user)
			}
			if err := f.CheckPassword(t.Context(), attempt(c.username, c.password)); err != nil {
				t.Errorf("the password does not work: %v", err)
			}
		})
	}
}

// Only owners touch owners.
func TestOwnersAreProtected(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	admin := f.newUser(t, "admin", auth.RoleAdmin)
	f.newUser(t, "second", auth.RoleOwner)
	f.newUser(t, "ann", auth.RoleMember)

	_, err := f.UpdateUser(ctx, admin, "second", manager.UserChange{Active: new(false)})
	wantError(t, err, cloud.CodeForbidden, "only owners change owners")
	_, err = f.UpdateUser(ctx, admin, "ann", manager.UserChange{Role: new("owner")})
	wantError(t, err, cloud.CodeForbidden, "only owners make owners")
	wantError(t, f.DeleteUser(ctx, admin, "second"), cloud.CodeForbidden, "only owners remove owners")

	if _, err := f.UpdateUser(ctx, admin, "ann", manager.UserChange{Role: new("admin")}); err != nil {
		t.Errorf("an admin changes a member: %v", err)
	}
	if err := f.DeleteUser(ctx, f.owner, "second"); err != nil {
		t.Errorf("an owner removes an owner: %v", err)
	}
}

// The last active owner stays one, whatever is tried; an inactive owner does not count.
func TestLastOwner(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.newUser(t, "idle", auth.RoleOwner)
	if _, err := f.UpdateUser(ctx, f.owner, "idle", manager.UserChange{Active: new(false)}); err != nil {
		t.Fatal(err)
	}

	const text = "the last owner must stay: make another owner first"

	for _, c := range []struct {
		name   string
		change func() error
	}{
		{"demote", func() error {
			_, err := f.UpdateUser(ctx, f.owner, ownerName, manager.UserChange{Role: new("admin")})
			return err
		}},
		{"deactivate", func() error {
			_, err := f.UpdateUser(ctx, f.owner, ownerName, manager.UserChange{Active: new(false)})
			return err
		}},
		{"delete", func() error { return f.DeleteUser(ctx, f.owner, ownerName) }},
	} {
		t.Run(c.name, func(t *testing.T) { wantError(t, c.change(), cloud.CodeConflict, text) })
	}

	change := manager.UserChange{Email: new("r@x.test")}
	if _, err := f.UpdateUser(ctx, f.owner, ownerName, change); err != nil {
		t.Errorf("a change that keeps the owner: %v", err)
	}
	if _, err := f.UpdateUser(ctx, f.owner, "idle", manager.UserChange{Active: new(true)}); err != nil {
		t.Fatal(err)
	}
	if err := f.DeleteUser(ctx, f.owner, ownerName); err != nil {
		t.Errorf("one of two owners: %v", err)
	}
}

// Two owners who remove each other at once: one of them stays.
func TestOwnersRemoveEachOther(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	second := f.newUser(t, "second", auth.RoleOwner)

	ended := make(chan error, 2)
	go func() { ended <- f.DeleteUser(ctx, f.owner, "second") }()
	go func() { ended <- f.DeleteUser(ctx, second, ownerName) }()

	removed := 0
	for range cap(ended) {
		if err := <-ended; err == nil {
			removed++
		} else {
			wantError(t, err, cloud.CodeConflict, "the last owner must stay")
		}
	}

	if removed != 1 {
		t.Errorf("%d owners were removed", removed)
	}
}

// What a user may do decides what the user's triggers may do, so their apps learn of a change.
func TestUserChangesReachTriggers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.deploy(t, f.app, "s", "export kv")
	ann := f.newUser(t, "ann", auth.RoleMember)
	trigger, err := f.CreateTrigger(ctx, ann, f.app, kvTrigger())
	if err != nil {
		t.Fatal(err)
	}

	revision := func() int64 {
		t.Helper()
		app, err := f.App(ctx, f.app.Slug)
		if err != nil {
			t.Fatal(err)
		}
		return app.Revision
	}

	before := revision()
	f.takeCallbacks()

	if _, err := f.UpdateUser(ctx, f.owner, "ann", manager.UserChange{Active: new(false)}); err != nil {
		t.Fatal(err)
	}

	apps, people := f.takeCallbacks()
	if len(apps) != 1 || apps[0] != cloud.AppID(f.app.ID) || people != 1 || revision() != before+1 {
		t.Errorf("changed: apps %v, people %d, revision %d after %d", apps, people, revision(), before)
	}

	if err := f.DeleteUser(ctx, f.owner, "ann"); err != nil {
		t.Fatal(err)
	}
	if revision() != before+2 {
		t.Errorf("revision %d after %d", revision(), before)
	}

	got, err := f.Trigger(ctx, f.app, trigger.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got.Enabled || got.RegisteredBy != nil || got.RegisteredName != "ann" {
		t.Errorf("the trigger is enabled %v, of %v, %s", got.Enabled, got.RegisteredBy, got.RegisteredName)
	}
}

// A new password and a deactivation end the user's sessions, other changes do not.
func TestUserChangesEndSessions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const password = "a good password"

	for _, c := range []struct {
		name   string
		change manager.UserChange
		ends   bool
	}{
		{"role", manager.UserChange{Role: new("admin")}, false},
		{"email", manager.UserChange{Email: new("a@x.test")}, false},
		{"password", manager.UserChange{Password: new("another password")}, true},
		{"deactivation", manager.UserChange{Active: new(false)}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			user := f.newUser(t, c.name, auth.RoleMember)
			if _, _, err := f.Login(ctx, attempt(c.name, password)); err != nil {
				t.Fatal(err)
			}
			if _, err := f.UpdateUser(ctx, f.owner, c.name, c.change); err != nil {
				t.Fatal(err)
			}

			sessions, err := f.Sessions(ctx, user.UserID, cloud.ID{}, 10)
			if err != nil || (len(sessions) == 0) != c.ends {
				t.Errorf("sessions %v: %v", sessions, err)
			}
		})
	}
}

// Two names that differ by case and are made at once: one of them is taken.
func TestUsernamesAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()

	ended := make(chan error, 2)
	for _, name := range []string{"ann", "Ann"} {
		go func() {
			_, err := f.CreateUser(ctx, f.owner, name, "a good password", manager.UserChange{})
			ended <- err
		}()
	}

	made := 0
	for range cap(ended) {
		if err := <-ended; err == nil {
			made++
		} else {
			wantError(t, err, cloud.CodeConflict, "is taken")
		}
	}
	if made != 1 {
		t.Errorf("%d of the names were made", made)
	}
}

// API keys outlive a new password unless their end is asked for.
func TestKeysAtAPasswordChange(t *testing.T) {
	t.Parallel()
	f := newFixture(t)

	for _, c := range []struct {
		name   string
		revoke bool
	}{{"stay", false}, {"go", true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			user := f.newUser(t, c.name, auth.RoleMember)
			p := &auth.Principal{UserID: user.UserID, Username: user.Username, Role: auth.RoleMember}
			_, _, err := f.CreateKey(ctx, p, manager.NewKey{Name: "k", Scopes: []string{"kv:read"}})
			if err != nil {
				t.Fatal(err)
			}

			change := manager.UserChange{Password: new("another password"), RevokeKeys: c.revoke}
			if _, err := f.UpdateUser(ctx, f.owner, c.name, change); err != nil {
				t.Fatal(err)
			}
			keys, err := f.Keys(ctx, user.UserID, cloud.ID{}, 10)
			if err != nil || (len(keys) == 0) != c.revoke {
				t.Errorf("keys %v: %v", keys, err)
			}
		})
	}
}

// Whoever has a shell on the machine gets back into an account, an inactive one too.
func TestResetPassword(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.newUser(t, "ann", auth.RoleMember)
	if _, err := f.UpdateUser(ctx, f.owner, "ann", manager.UserChange{Active: new(false)}); err != nil {
		t.Fatal(err)
	}

	password, err := f.ResetPassword(ctx, "ann", false)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.CheckPassword(ctx, attempt("ann", password)); err != nil {
		t.Errorf("the new password does not work: %v", err)
	}
	if entry := f.lastAudit(t, nil); entry.Actor != "reset-password" || entry.Action != "user.update" {
		t.Errorf("the audit row is %+v", entry)
	}

	_, err = f.ResetPassword(ctx, "nobody", false)
	wantError(t, err, cloud.CodeNotFound, "no such user")
}

func TestMembers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.newUser(t, "ann", auth.RoleMember)
	f.newUser(t, "bob", auth.RoleMember)

	for _, c := range []struct {
		name, username, role string
		create               bool
		code                 cloud.Code
		text                 string
	}{
		{"change before", "ann", auth.AppViewer, false, cloud.CodeNotFound, "no such member"},
		{"add", "ann", auth.AppViewer, true, "", ""},
		{"add again", "ann", auth.AppEditor, true, cloud.CodeConflict, `"ann" is a member already`},
		{"change", "ann", auth.AppAdmin, false, "", ""},
		{"role", "ann", "king", false, cloud.CodeInvalid, "role must be one of admin, editor, viewer"},
		{"add nobody", "nobody", auth.AppViewer, true, cloud.CodeInvalid, `there is no user "nobody"`},
		{"change nobody", "nobody", auth.AppViewer, false, cloud.CodeNotFound, "no such user"},
		{"add another", "bob", auth.AppViewer, true, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			check(t, f.SetMember(ctx, f.owner, f.app, c.username, c.role, c.create), c.code, c.text)
		})
	}

	list, err := f.Members(ctx, f.app, "", 10)
	want := manager.Member{Username: "ann", Role: auth.AppAdmin, Active: true}
	if err != nil || len(list) != 2 || list[0] != want {
		t.Errorf("the members are %+v: %v", list, err)
	}
	if list, err = f.Members(ctx, f.app, "ann", 10); err != nil || len(list) != 1 ||
		list[0].Username != "bob" {
		t.Errorf("the members after ann are %+v: %v", list, err)
	}

	if err := f.RemoveMember(ctx, f.owner, f.app, "ann"); err != nil {
		t.Fatal(err)
	}
	wantError(t, f.RemoveMember(ctx, f.owner, f.app, "ann"), cloud.CodeNotFound, "no such member")
	wantError(t, f.RemoveMember(ctx, f.owner, f.app, "nobody"), cloud.CodeNotFound, "no such member")
}

func TestUsers(t *testing.T) {
	t.Parallel()

	f := newFixture(t)
	for _, name := range []string{"bob", "ann"} {
		f.newUser(t, name, auth.RoleMember)
	}

	list, err := f.Users(t.Context(), "ann", 1)
	if err != nil || len(list) != 1 || list[0].Username != "bob" {
		t.Errorf("the user after ann is %+v: %v", list, err)
	}

	_, err = f.User(t.Context(), "a\x00\xff")
	wantError(t, err, cloud.CodeNotFound, "no such user")
}

package manager_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"picloud/db"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
)

// Every change of a definition leaves one audit row and a new revision of its app, and notifies this
// process and the others. A change that is refused leaves nothing.
func TestChangesAreAudited(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	app := f.newApp(t)
	f.deploy(t, app, "old", "export fetch kv")
	f.deploy(t, app, "old", "export kv")
	f.newUser(t, "ann", auth.RoleMember)
	conn, err := f.db.Listen(ctx, "picloud_definitions", "picloud_principals")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()

	p := &auth.Principal{UserID: f.owner.UserID, Username: ownerName, Role: auth.RoleOwner}
	var routeID, triggerID, keyID cloud.ID

	hosts := []string{"changes.test"}
	for _, c := range []struct {
		action string
		change func() (target string, err error)
		// app says that the app's definitions changed, people that the people did.
		app, people bool
	}{
		{"script.deploy", func() (string, error) {
			_, err := f.PutScript(ctx, f.owner, app, "s", manager.ScriptChange{Source: "export kv"})
			return "s", err
		}, true, false},
		{"script.rollback", func() (string, error) {
			_, err := f.Rollback(ctx, f.owner, app, "old", 1)
			return "old", err
		}, true, false},
		{"app.update", func() (string, error) {
			_, err := f.UpdateApp(ctx, f.owner, app, manager.AppChange{Hosts: &hosts})
			return app.Slug, err
		}, true, false},
		{"route.create", func() (string, error) {
			route, err := f.CreateRoute(ctx, f.owner, app, manager.RouteChange{
				Script: new("old"), Host: &hosts[0], Path: new("/x"),
			})
			routeID = route.ID
			return routeID.String(), err
		}, true, false},
		{"route.update", func() (string, error) {
			_, err := f.UpdateRoute(ctx, f.owner, app, routeID, manager.RouteChange{Path: new("/y")})
			return routeID.String(), err
		}, true, false},
		{"route.delete", func() (string, error) {
			return routeID.String(), f.DeleteRoute(ctx, f.owner, app, routeID)
		}, true, false},
		{"trigger.create", func() (string, error) {
			trigger, err := f.CreateTrigger(ctx, f.owner, app, kvTrigger())
			triggerID = trigger.ID
			return triggerID.String(), err
		}, true, false},
		{"trigger.update", func() (string, error) {
			change := manager.TriggerChange{Enabled: new(false)}
			_, err := f.UpdateTrigger(ctx, f.owner, app, triggerID, change)
			return triggerID.String(), err
		}, true, false},
		{"trigger.delete", func() (string, error) {
			return triggerID.String(), f.DeleteTrigger(ctx, f.owner, app, triggerID, false)
		}, true, false},
		{"script.delete", func() (string, error) {
			return "old", f.DeleteScript(ctx, f.owner, app, "old", false)
		}, true, false},
		{"variable.set", func() (string, error) {
			return "V", f.SetVariable(ctx, f.owner, app, "V", "value", false)
		}, true, false},
		{"secret.set", func() (string, error) {
			return "S", f.SetVariable(ctx, f.owner, app, "S", "value", true)
		}, true, false},
		{"variable.delete", func() (string, error) {
			return "V", f.DeleteVariable(ctx, f.owner, app, "V", false)
		}, true, false},
		{"secret.delete", func() (string, error) {
			return "S", f.DeleteVariable(ctx, f.owner, app, "S", true)
		}, true, false},
		{"member.set", func() (string, error) {
			return "ann", f.SetMember(ctx, f.owner, app, "ann", auth.AppViewer, true)
		}, true, true},
		{"member.remove", func() (string, error) {
			return "ann", f.RemoveMember(ctx, f.owner, app, "ann")
		}, true, true},
		{"user.create", func() (string, error) {
			_, err := f.CreateUser(ctx, f.owner, "bob", "a good password", manager.UserChange{})
			return "bob", err
		}, false, true},
		{"user.update", func() (string, error) {
			_, err := f.UpdateUser(ctx, f.owner, "bob", manager.UserChange{Role: new("admin")})
			return "bob", err
		}, false, true},
		{
			"user.delete", func() (string, error) { return "bob", f.DeleteUser(ctx, f.owner, "bob") },
			false, true,
		},
		{"key.create", func() (string, error) {
			id, _, err := f.CreateKey(ctx, p, manager.NewKey{Name: "ci", Scopes: []string{"kv:read"}})
			keyID = id
			return "ci", err
		}, false, false},
		{
			"key.delete", func() (string, error) { return keyID.String(), f.DeleteKey(ctx, p, keyID) },
			false, true,
		},
		{"login", func() (string, error) {
			_, _, err := f.Login(ctx, attempt(ownerName, ownerPassword))
			return ownerName, err
		}, false, false},
		{"logout", func() (string, error) {
			p.Session = f.onlySession(t)
			return ownerName, f.EndSession(ctx, p, p.Session)
		}, false, true},
		{"session.end", func() (string, error) {
			if _, _, err := f.Login(ctx, attempt(ownerName, ownerPassword)); err != nil {
				return "", err
			}
			return ownerName, f.EndSession(ctx, p, f.onlySession(t))
		}, false, true},
		{"session.end-all", func() (string, error) { return ownerName, f.EndSessions(ctx, p) }, false, true},
		{"password.failed", func() (string, error) {
			if err := f.CheckPassword(ctx, attempt(ownerName, "wrong")); cloud.CodeOf(err) != cloud.CodeUnauthorized {
				return "", err
			}
			return ownerName, nil
		}, false, false},
	} {
		t.Run(c.action, func(t *testing.T) {
			before, err := f.App(ctx, app.Slug)
			if err != nil {
				t.Fatal(err)
			}
			f.takeCallbacks()

			target, err := c.change()
			if err != nil {
				t.Fatal(err)
			}

			entry := f.lastAudit(t, nil)
			if entry.Actor != ownerName || entry.Action != c.action || entry.Target != target {
				t.Errorf("the audit row is %s %s %s, want the target %s", entry.Actor, entry.Action,
					entry.Target, target)
			}
			if c.app && (entry.AppID == nil || *entry.AppID != app.ID || *entry.App != app.Slug) {
				t.Errorf("the audit row is of the app %v", entry.App)
			}
			if !json.Valid([]byte(entry.Detail)) {
				t.Errorf("the audit's detail is %s", entry.Detail)
			}

			after, err := f.App(ctx, app.Slug)
			if err != nil {
				t.Fatal(err)
			}
			if raised := after.Revision - before.Revision; (raised == 1) != c.app || raised > 1 {
				t.Errorf("the revision was raised by %d", raised)
			}

			var wantApps []cloud.AppID
			var wantNotified []string
			if c.people {
				wantNotified = append(wantNotified, "picloud_principals:")
			}
			if c.app {
				wantApps = []cloud.AppID{cloud.AppID(app.ID)}
				wantNotified = append(wantNotified, fmt.Sprintf("picloud_definitions:%d", app.ID))
			}

			apps, people := f.takeCallbacks()
			if !slices.Equal(apps, wantApps) || (people == 1) != c.people {
				t.Errorf("called back for the apps %v, and %d times for people", apps, people)
			}

			for _, want := range wantNotified {
				got, err := conn.WaitForNotification(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if got.Channel+":"+got.Payload != want {
					t.Errorf("notified %s:%s, want %s", got.Channel, got.Payload, want)
				}
			}
		})
	}
}

// Values of variables, passwords and keys never reach the audit trail.
func TestAuditKeepsNoSecrets(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	p := &auth.Principal{UserID: f.owner.UserID, Username: ownerName}
	if err := f.SetVariable(ctx, f.owner, f.app, "S", "hush-hush", true); err != nil {
		t.Fatal(err)
	}
	f.newUser(t, "ann", auth.RoleMember)
	change := manager.UserChange{Password: new("hush-hush")}
	if _, err := f.UpdateUser(ctx, f.owner, "ann", change); err != nil {
		t.Fatal(err)
	}

	_, key, err := f.CreateKey(ctx, p, manager.NewKey{Name: "k", Scopes: []string{"kv:read"}})
	if err != nil {
		t.Fatal(err)
	}

	var found int
	err = f.db.General.QueryRow(ctx, `SELECT count(*) FROM audit a
		WHERE a::text LIKE '%hush-hush%' OR strpos(a::text, $1) > 0`, key).Scan(&found)
	if err != nil || found > 0 {
		t.Errorf("%d rows have a secret: %v", found, err)
	}
}

// A change whose audit row cannot be written does not happen.
func TestNoChangeWithoutAudit(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	_, err := f.db.General.Exec(ctx, `ALTER TABLE audit ADD CONSTRAINT none CHECK (false) NOT VALID`)
	if err != nil {
		t.Fatal(err)
	}
	f.takeCallbacks()

	if err := f.SetVariable(ctx, f.owner, f.app, "V", "1", false); err == nil {
		t.Error("a variable was set")
	}
	if _, err := f.CreateApp(ctx, f.owner, "shop", "", ""); err == nil {
		t.Error("an app was made")
	}
	if list, err := f.Variables(ctx, f.app, false, "", 10); err != nil || len(list) > 0 {
		t.Errorf("variables %v: %v", list, err)
	}

	_, err = f.App(ctx, "shop")
	wantError(t, err, cloud.CodeNotFound, "no such app")
	if apps, people := f.takeCallbacks(); len(apps) > 0 || people > 0 {
		t.Errorf("called back for %v, %d", apps, people)
	}
}

// record writes an entry of the audit trail as the commit of an operator's action does.
func (f *fixture) record(t *testing.T, actor manager.Actor, app *manager.App, action, target string) {
	t.Helper()

	row := db.InsertAuditParams{ID: f.ids.New(), Actor: actor.Username, Action: action, Target: target, Detail: "{}"}
	if app != nil {
		row.AppID = &app.ID
		row.App = &app.Slug
	}
	if err := f.db.Queries().InsertAudit(t.Context(), row); err != nil {
		t.Fatal(err)
	}
}

// The trail is read newest first, page by page, by app, actor and action.
func TestAuditFilters(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	ann := manager.Actor{UserID: 7, Username: "ann"}

	app := f.newApp(t)
	f.record(t, f.owner, f.app, "dead-letter.replay", "one")
	f.record(t, ann, app, "dead-letter.replay", "two")
	f.record(t, ann, nil, "doctor.run", "three")

	for _, c := range []struct {
		name   string
		filter manager.AuditFilter
		want   []string
	}{
		{"all", manager.AuditFilter{}, []string{"three", "two", "one", app.Slug}},
		{"app", manager.AuditFilter{App: cloud.AppID(app.ID)}, []string{"two", app.Slug}},
		{"actor", manager.AuditFilter{Actor: "ann"}, []string{"three", "two"}},
		{"action", manager.AuditFilter{Action: "dead-letter.replay"}, []string{"two", "one"}},
		{"both", manager.AuditFilter{Actor: "ann", Action: "dead-letter.replay"}, []string{"two"}},
		{"NUL", manager.AuditFilter{Actor: "ann\x00"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string

			var before cloud.ID
			for { // pages of one
				list, err := f.Audit(ctx, c.filter, before, 1)
				if err != nil {
					t.Fatal(err)
				}
				if len(list) == 0 {
					break
				}

				got = append(got, list[0].Target)
				before = list[0].ID
			}

			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// A database that is away is reported as such, by changes and by lists.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.db.Close()

	_, err := f.Apps(ctx, 0, "", 10)
	wantError(t, err, cloud.CodeUnavailable, "the database does not answer; try again")
	err = f.SetVariable(ctx, f.owner, f.app, "V", "1", false)
	wantError(t, err, cloud.CodeUnavailable, "the database does not answer; try again")
	_, _, err = f.Login(ctx, attempt(ownerName, ownerPassword))
	wantError(t, err, cloud.CodeUnavailable, "the database does not answer; try again")
	if _, err := f.Scripts(ctx, f.app, "", 10); db.Translate(err) == nil {
		t.Error("a list of scripts came from nowhere")
	}
}

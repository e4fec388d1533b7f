package manager_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"picloud/db"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
)

func TestCreateApp(t *testing.T) {
	t.Parallel()
	f := newFixture(t)

	for _, c := range []struct {
		name, slug, title, description string
		code                           cloud.Code
		text                           string
	}{
		{"plain", "shop-2", "Shop", "sells", "", ""},
		{"no name", "nameless", "", "", "", ""},
		{"empty slug", "", "", "", cloud.CodeInvalid, "must match"},
		{"capitals", "Shop", "", "", cloud.CodeInvalid, `the slug "Shop" must match`},
		{"dash first", "-shop", "", "", cloud.CodeInvalid, "must match"},
		{"long slug", strings.Repeat("a", 64), "", "", cloud.CodeInvalid, "must match"},
		{"reserved", "healthz", "", "", cloud.CodeInvalid, `the slug "healthz" is reserved`},
		{"taken", "default", "", "", cloud.CodeConflict, `an app with the slug "default" exists`},
		{"long name", "a", strings.Repeat("n", 201), "", cloud.CodeInvalid, "name must be valid UTF-8"},
		{"NUL in the name", "a", "\x00", "", cloud.CodeInvalid, "name must be valid UTF-8"},
		{
			"long description", "a", "", strings.Repeat("d", 2001), cloud.CodeInvalid,
			"description must be valid UTF-8",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			app, err := f.CreateApp(t.Context(), f.owner, c.slug, c.title, c.description)
			check(t, err, c.code, c.text)
			if err != nil {
				return
			}

			stored, err := f.App(t.Context(), c.slug)
			if err != nil || *stored != *app {
				t.Errorf("stored %+v, answered %+v: %v", stored, app, err)
			}

			title := c.title
			if title == "" {
				title = c.slug
			}
			if app.Name != title || app.Description != c.description {
				t.Errorf("the app is %+v", app)
			}
		})
	}
}

func TestUpdateApp(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	member := f.newUser(t, "ann", auth.RoleMember)

	many := make([]string, 101)
	for k := range many {
		many[k] = fmt.Sprintf("h%d.test", k)
	}

	for _, c := range []struct {
		name   string
		actor  manager.Actor
		change manager.AppChange
		code   cloud.Code
		text   string
	}{
		{"nothing", member, manager.AppChange{}, "", ""},
		{"texts", member, manager.AppChange{Name: new("n"), Description: new("d")}, "", ""},
		{"empty name", member, manager.AppChange{Name: new("")}, cloud.CodeInvalid, "name must not be empty"},
		{
			"long name", member, manager.AppChange{Name: new(strings.Repeat("n", 201))},
			cloud.CodeInvalid, "name must be valid UTF-8",
		}, {
			"hosts by a member", member, manager.AppChange{Hosts: &[]string{"a.test"}},
			cloud.CodeForbidden, "only an instance admin gives hosts to an app",
		},
		{"hosts", f.owner, manager.AppChange{Hosts: &[]string{"hosts.test", "*.hosts.test"}}, "", ""},
		{
			"many hosts", f.owner, manager.AppChange{Hosts: &many}, cloud.CodeInvalid,
			"an app can hold 100 hosts",
		},
		{
			"host any", f.owner, manager.AppChange{Hosts: &[]string{"any"}},
			cloud.CodeInvalid, `"any" is not a host name, nor *. and one`,
		},
		{
			"bad host", f.owner, manager.AppChange{Hosts: &[]string{"a_b"}}, cloud.CodeInvalid,
			"is not a host name",
		},
		{
			"port", f.owner, manager.AppChange{Hosts: &[]string{"a.test:80"}}, cloud.CodeInvalid,
			"is not a host name",
		},
		{
			"inner star", f.owner, manager.AppChange{Hosts: &[]string{"a.*.test"}}, cloud.CodeInvalid,
			"is not a host name",
		},
		{
			"long host", f.owner, manager.AppChange{Hosts: &[]string{strings.Repeat("a.", 127) + "test"}},
			cloud.CodeInvalid, "is not a host name",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			app := f.newApp(t)
			got, err := f.UpdateApp(t.Context(), c.actor, app, c.change)
			check(t, err, c.code, c.text)

			stored, lookup := f.App(t.Context(), app.Slug)
			if lookup != nil {
				t.Fatal(lookup)
			}
			if err != nil {
				if stored.Name != app.Name || stored.Revision != app.Revision {
					t.Errorf("a change that was refused left %+v", stored)
				}
				return
			}
			if stored.Name != got.Name || stored.Description != got.Description {
				t.Errorf("stored %+v, answered %+v", stored, got)
			}
			if c.change.Description != nil && stored.Description != *c.change.Description {
				t.Errorf("the description is %q", stored.Description)
			}
		})
	}
}

// A host belongs to one app, is stored once in small letters, and stays while a route uses it.
func TestHosts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	app := f.newApp(t)
	other := f.newApp(t)
	setHosts := func(app *manager.App, hosts ...string) error {
		_, err := f.UpdateApp(ctx, f.owner, app, manager.AppChange{Hosts: &hosts})
		return err
	}

	if err := setHosts(app, "B.test", "a.test", "b.TEST"); err != nil {
		t.Fatal(err)
	}
	if hosts, err := f.Hosts(ctx, app); err != nil || !slices.Equal(hosts, []string{"a.test", "b.test"}) {
		t.Errorf("the hosts are %v: %v", hosts, err)
	}
	wantError(t, setHosts(other, "a.test"), cloud.CodeConflict, "another app holds the host a.test")

	f.deploy(t, app, "s", "export fetch")
	f.route(t, app, manager.RouteChange{Script: new("s"), Host: new("a.test"), Path: new("/x")})
	wantError(t, setHosts(app, "b.test"), cloud.CodeConflict,
		"the route ANY /x uses the host a.test: delete it first")
	if err := setHosts(app, "a.test"); err != nil {
		t.Fatal(err)
	}
	if err := setHosts(other, "b.test"); err != nil {
		t.Errorf("a host that was given back: %v", err)
	}
}

// An app with scripts goes only if that was asked for, and then with everything: the audit row keeps the
// figures.
func TestDeleteApp(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()

	empty := f.newApp(t)
	if err := f.DeleteApp(ctx, f.owner, empty, false); err != nil {
		t.Errorf("an empty app: %v", err)
	}

	app := f.newApp(t)
	f.deploy(t, app, "s", "export kv")
	trigger := f.trigger(t, app,
		manager.TriggerChange{Kind: new("kv"), Script: new("s"), Collection: new("c")})
	f.enqueue(t, trigger)
	if err := f.SetVariable(ctx, f.owner, app, "V", "1", false); err != nil {
		t.Fatal(err)
	}
	wantError(t, f.DeleteApp(ctx, f.owner, app, false), cloud.CodeConflict,
		"the app has 1 scripts: delete them first, or use ?force=true")

	f.takeCallbacks()
	if err := f.DeleteApp(ctx, f.owner, app, true); err != nil {
		t.Fatal(err)
	}

	_, err := f.App(ctx, app.Slug)
	wantError(t, err, cloud.CodeNotFound, "no such app")
	if apps, _ := f.takeCallbacks(); !slices.Equal(apps, []cloud.AppID{0}) {
		t.Errorf("changed apps: %v", apps)
	}

	entry := f.lastAudit(t, nil)
	var detail map[string]int64
	if err := json.Unmarshal([]byte(entry.Detail), &detail); err != nil || detail["discarded"] != 1 {
		t.Errorf("the audit's detail is %s", entry.Detail)
	}
	if entry.Action != "app.delete" || entry.Target != app.Slug || *entry.App != app.Slug {
		t.Errorf("the audit row is %+v", entry)
	}

	counts, err := f.CountDefinitions(ctx)
	if err != nil || counts != (manager.Definitions{Apps: 1}) {
		t.Errorf("the installation has %+v: %v", counts, err)
	}
}

// Members see their apps, and a list goes on after the last slug that was seen.
func TestApps(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	ann := f.newUser(t, "ann", auth.RoleMember)
	hers := f.newApp(t)
	f.newApp(t)
	if err := f.SetMember(ctx, f.owner, hers, "ann", auth.AppViewer, true); err != nil {
		t.Fatal(err)
	}

	slugs := func(userID int64, after string, limit int) string {
		t.Helper()
		list, err := f.Apps(ctx, userID, after, limit)
		if err != nil {
			t.Fatal(err)
		}

		var names []string
		for _, app := range list {
			names = append(names, app.Slug)
		}

		return strings.Join(names, " ")
	}

	for _, c := range []struct{ got, want string }{
		{slugs(0, "", 10), "app-1 app-2 default"},
		{slugs(0, "app-1", 1), "app-2"},
		{slugs(ann.UserID, "", 10), hers.Slug},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}

	_, err := f.App(ctx, "no app\x00")
	wantError(t, err, cloud.CodeNotFound, "no such app")
}

// Of an app that had dead letters no count is left, also when a sweep puts its counts together meanwhile.
func TestDeletedAppHasNoLetterCounts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)

	_, err := f.db.General.Exec(t.Context(), `INSERT INTO dead_letters (app_id, id, outbox_id, source, op, script_id, script,
			payload, reason, error, attempts, depth, root_id, error_group)
		SELECT $1, gen_random_uuid(), gen_random_uuid(), 'kv', '', gen_random_uuid(), x.script, '', '', '', 1, 0,
			gen_random_uuid(), 'E' FROM (VALUES ('a'), ('a'), ('b')) x (script)`, f.app.ID)
	if err != nil {
		t.Fatal(err)
	}

	sweep, err := f.db.General.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.New(sweep).FoldLetterCounts(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := f.DeleteApp(t.Context(), f.owner, f.app, true); err != nil {
		t.Fatal(err)
	}
	if err := sweep.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}

	for groups := int64(1); groups > 0; {
		if groups, err = f.db.Queries().FoldLetterCounts(t.Context()); err != nil {
			t.Fatal(err)
		}
	}

	var left int
	err = f.db.General.QueryRow(t.Context(), "SELECT count(*) FROM dead_letter_counts").Scan(&left)
	if err != nil || left > 0 {
		t.Errorf("%d counts are left: %v", left, err)
	}
}

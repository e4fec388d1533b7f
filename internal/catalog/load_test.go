package catalog_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"picloud/db"
	"picloud/internal/catalog"
	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/internal/services/secrets"
	"picloud/internal/testkit/testcloud"
)

// defaults are the limits of a script that sets none.
var defaults = cloud.Limits{Timeout: 7 * time.Second, MemoryMiB: 32}

// fixture is a catalog of its own on the database that a manager writes.
type fixture struct {
	*testcloud.Cloud
	catalog *catalog.Catalog
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	c := testcloud.New(t)
	box, err := secrets.NewBox(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{Cloud: c, catalog: catalog.New(catalog.Config{
		DB:            c.DB,
		Decrypter:     box,
		Log:           slog.New(slog.DiscardHandler),
		DefaultLimits: defaults,
	})}
}

// load brings the catalog up to date and gives the default app.
func (f *fixture) load(t *testing.T) *catalog.App {
	t.Helper()
	if err := f.catalog.LoadAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f.catalog.App(f.AppID())
}

func ok(*testcloud.Run) cloud.Outcome { return cloud.Outcome{Status: cloud.Succeeded} }

func ptr[T any](v T) *T { return &v }

// What the manager wrote is what the catalog has: scripts with their limits, triggers, schedules, variables
// and routes.
func TestLoad(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Deploy("plain", ok)
	f.Deploy("limited", ok)
	limits := manager.ScriptChange{Source: "// limited", TimeoutMS: ptr(int32(100)),
		MemoryMiB: ptr(int32(20))}
	if _, err := f.Manager.PutScript(t.Context(), f.Owner, f.App, "limited", limits); err != nil {
		t.Fatal(err)
	}
	kv := f.OnKV("orders:*", "plain", 3)
	cron := f.Trigger(manager.TriggerChange{
		Kind:     ptr(cloud.SourceCron),
		Script:   ptr("plain"),
		Schedule: ptr("30 2 * * *"),
		Timezone: ptr("Europe/Berlin"),
		JitterMS: ptr(int32(1500)),
	})

	letters := f.Trigger(manager.TriggerChange{
		Kind:         ptr(cloud.SourceDeadLetter),
		Script:       ptr("plain"),
		Source:       ptr("kv"),
		Trigger:      ptr(kv.String()),
		FailedScript: ptr("limited"),
	})
	for name, secret := range map[string]bool{"PLAIN": false, "SECRET": true, "SHORT": true} {
		value := "value-of-" + name
		if name == "SHORT" {
			value = "1234567"
		}
		if err := f.Manager.SetVariable(t.Context(), f.Owner, f.App, name, value, secret); err != nil {
			t.Fatal(err)
		}
	}
	route := manager.RouteChange{Script: ptr("plain"), Method: ptr("GET"), Path: ptr("/orders/:id")}
	if _, err := f.Manager.CreateRoute(t.Context(), f.Owner, f.App, route); err != nil {
		t.Fatal(err)
	}

	app := f.load(t)
	if app.Slug != testcloud.Slug || app.Revision != f.Count("SELECT revision FROM apps") ||
		len(app.Scripts) != 2 || len(app.Triggers) != 3 {
		t.Fatalf("app %+v", app)
	}
	plain, limited := app.Scripts["plain"], app.Scripts["limited"]
	if plain.Limits != defaults || plain.Version != 1 || plain.Kind != cloud.KindEndpoint ||
		app.Script(plain.ID) != plain || plain.Env != app.Env {
		t.Errorf("script %+v", plain)
	}
	if limited.Limits != (cloud.Limits{Timeout: 100 * time.Millisecond, MemoryMiB: 20}) ||
		limited.Version != 2 || !limited.HasHandler("kv") {
		t.Errorf("script %+v", limited)
	}
	if tr := app.Triggers[kv]; tr.Collection != "orders:*" || tr.Retry.MaxAttempts != 3 ||
		tr.Script != plain.ID || tr.Registrant != "owner" || tr.Refusal != "" {
		t.Errorf("trigger %+v", tr)
	}
	if tr := app.Triggers[cron]; tr.CronJitter != 1500*time.Millisecond || tr.CatchUp != cloud.CatchUpOne ||
		app.Schedules[cron] == nil || len(app.Schedules) != 1 {
		t.Errorf("trigger %+v", tr)
	}
	if tr := app.Triggers[letters]; tr.Source != "kv" || tr.Trigger != kv || tr.FailedScript != limited.ID {
		t.Errorf("trigger %+v", tr)
	}
	if app.Env.Values["SECRET"] != "value-of-SECRET" || app.Env.Values["PLAIN"] != "value-of-PLAIN" ||
		app.Env.ID.IsZero() {
		t.Errorf("env %+v", app.Env)
	}
	// A variable is shown, and so is a secret which is as short as a word.
	if got := app.MaskText("value-of-SECRET value-of-PLAIN 1234567"); got != "*** value-of-PLAIN 1234567" {
		t.Errorf("masked: %s", got)
	}
	if target, matched, err := f.catalog.MatchRoute("GET", "test", "/orders/7"); err != nil ||
		target.Script != plain || matched.Name != "plain" {
		t.Errorf("route %+v, %v", matched, err)
	}
}

// Equal variables make an equal environment, whose runtimes can be shared; other ones do not.
func TestEnvID(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	set := func(name, value string) cloud.ID {
		if err := f.Manager.SetVariable(t.Context(), f.Owner, f.App, name, value, false); err != nil {
			t.Fatal(err)
		}
		return f.load(t).Env.ID
	}
	if id := f.load(t).Env.ID; !id.IsZero() {
		t.Errorf("no variables have the id %s", id)
	}
	one, other, back := set("A", "1"), set("A", "2"), set("A", "1")
	if one.IsZero() || one == other || one != back {
		t.Errorf("ids %s, %s, %s", one, other, back)
	}
	if f.catalog.EnvOf(f.AppID(), "s").ID != back || f.catalog.EnvOf(99, "s") != nil {
		t.Errorf("env %+v", f.catalog.EnvOf(f.AppID(), "s"))
	}
}

// LoadAll loads what is newer, new or gone, and leaves alone what is as it was.
func TestLoadAll(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first := f.load(t)
	if again := f.load(t); again != first {
		t.Error("an app was loaded that did not change")
	}
	other, err := f.Manager.CreateApp(t.Context(), f.Owner, "other", "", "")
	if err != nil {
		t.Fatal(err)
	}
	f.Deploy("hello", ok)
	if next := f.load(t); next == first || next.Scripts["hello"] == nil ||
		f.catalog.App(cloud.AppID(other.ID)) == nil {
		t.Errorf("app %+v", next)
	}
	if err := f.Manager.DeleteApp(t.Context(), f.Owner, other, true); err != nil {
		t.Fatal(err)
	}
	f.load(t)
	if f.catalog.App(cloud.AppID(other.ID)) != nil {
		t.Error("an app that was deleted is there")
	}
}

// AtLeast asks the database only if this copy is older than what is wanted.
func TestAtLeast(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first := f.load(t)
	f.Exec("UPDATE apps SET revision = revision + 1")

	if got, err := f.catalog.AtLeast(t.Context(), f.AppID(), first.Revision); err != nil || got != first {
		t.Errorf("what is known: %+v, %v", got, err)
	}
	if got, err := f.catalog.AtLeast(t.Context(), f.AppID(), first.Revision+1); err != nil ||
		got.Revision != first.Revision+1 {
		t.Errorf("what is newer: %+v, %v", got, err)
	}
	if f.catalog.App(f.AppID()).Revision != first.Revision+1 {
		t.Error("what was loaded is not kept")
	}
	f.Exec("DELETE FROM apps")
	if got, err := f.catalog.AtLeast(t.Context(), f.AppID(), first.Revision+2); err != nil || got != nil ||
		f.catalog.App(f.AppID()) != nil {
		t.Errorf("what is gone: %+v, %v", got, err)
	}
}

// Subscribers are told after each refresh, of one app or of all, and see what it loaded.
func TestSubscribe(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var seen []int64
	f.catalog.Subscribe(func() { seen = append(seen, f.catalog.App(f.AppID()).Revision) })
	f.load(t)
	if len(seen) > 0 {
		t.Error("they are told of a load that is no refresh")
	}

	var want []int64
	for _, app := range []cloud.AppID{f.AppID(), 0} {
		f.Exec("UPDATE apps SET revision = revision + 1")
		want = append(want, f.Count("SELECT revision FROM apps"))
		f.catalog.Refresh(t.Context(), app)
	}
	if !slices.Equal(seen, want) {
		t.Errorf("they saw %v, want %v", seen, want)
	}
}

// A refresh that fails leaves what was known; the subscribers look all the same.
func TestRefreshThatFails(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first := f.load(t)
	told := 0
	f.catalog.Subscribe(func() { told++ })
	f.Exec("UPDATE apps SET revision = revision + 1")
	f.Exec("ALTER TABLE triggers RENAME TO elsewhere")
	f.catalog.Refresh(t.Context(), f.AppID())
	f.catalog.Refresh(t.Context(), 0)
	if f.catalog.App(f.AppID()) != first || told != 2 {
		t.Errorf("app %+v, told %d times", f.catalog.App(f.AppID()), told)
	}
	f.Exec("ALTER TABLE elsewhere RENAME TO triggers")
}

// A schedule that this version cannot read is missing, and keeps nothing else from being loaded.
func TestScheduleThatCannotBeRead(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Deploy("plain", ok)
	cron := manager.TriggerChange{Kind: ptr(cloud.SourceCron), Script: ptr("plain"),
		Schedule: ptr("30 2 * * *")}
	bad, good := f.Trigger(cron), f.Trigger(cron)
	f.Exec("UPDATE triggers SET timezone = 'Nowhere/Else' WHERE id = $1", bad[:])

	app := f.load(t)
	if app.Triggers[bad] == nil || app.Schedules[bad] != nil || app.Schedules[good] == nil {
		t.Errorf("schedules %v", app.Schedules)
	}
}

// Whether a trigger's registrant may still run something: admins everywhere, members as editors of the app.
func TestRefusal(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Deploy("plain", ok)
	trigger := f.OnKV("in", "plain", 1)

	for k, c := range []struct {
		role   string
		active bool
		member string
		want   string
	}{
		{"owner", true, "", ""},
		{"admin", true, "", ""},
		{"admin", false, "", "is deactivated"},
		{"member", true, "admin", ""},
		{"member", true, "editor", ""},
		{"member", true, "viewer", "is no longer an editor of the app"},
		{"member", true, "", "is no longer an editor of the app"},
		{"member", false, "editor", "is deactivated"},
	} {
		name := fmt.Sprint("user", k)
		user, err := f.DB.Queries().InsertUser(t.Context(),
			db.InsertUserParams{Username: name, PasswordHash: "none", Role: c.role})
		if err != nil {
			t.Fatal(err)
		}
		f.Exec("UPDATE users SET active = $1 WHERE id = $2", c.active, user.ID)
		if c.member != "" {
			f.Exec("INSERT INTO members (app_id, user_id, role) VALUES ($1, $2, $3)", f.App.ID, user.ID,
				c.member)
		}
		f.Exec("UPDATE triggers SET registered_by = $1, registered_name = $2", user.ID, name)
		f.Exec("UPDATE apps SET revision = revision + 1")

		got := f.load(t).Triggers[trigger].Refusal
		if (got == "") != (c.want == "") || !strings.HasSuffix(got, c.want) ||
			got != "" && !strings.Contains(got, name) {
			t.Errorf("%+v: %q", c, got)
		}
	}

	f.Exec("UPDATE triggers SET registered_by = NULL")
	f.Exec("UPDATE apps SET revision = revision + 1")
	if got := f.load(t).Triggers[trigger].Refusal; !strings.HasSuffix(got, "was deleted") {
		t.Errorf("of a user who was deleted: %q", got)
	}
}

package manager_test

import (
	"strings"
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/manager"
)

// A rollback makes an old source current, built with the modules of today. The next deploy takes a number
// of its own.
func TestRollback(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	f.deployModule(t, f.app, "lib", "one")
	f.deploy(t, f.app, "s", "import lib\nexport fetch")
	first := f.script(t, f.app, "s")
	f.deploy(t, f.app, "s", "export fetch kv")
	f.deployModule(t, f.app, "lib", "two")

	got, err := f.Rollback(t.Context(), f.owner, f.app, "s", 1)
	if err != nil {
		t.Fatal(err)
	}
	if want := (manager.Deployed{Name: "s", Version: 1}); *got != want {
		t.Errorf("got %+v, want %+v", *got, want)
	}

	now := f.script(t, f.app, "s")
	if now.Version != 1 || now.Source != first.Source || now.BuildID == first.BuildID {
		t.Errorf("current is version %d, build %x, source %q", now.Version, now.BuildID, now.Source)
	}
	if code := f.code(t, f.app, now); !strings.Contains(code, "two") {
		t.Errorf("the bundle is %s", code)
	}
	if next := f.deploy(t, f.app, "s", "export scheduled"); next.Version != 3 {
		t.Errorf("the next version is %d", next.Version)
	}
}

// A rollback of a module reaches the scripts that import it.
func TestRollbackOfModule(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	f.deployModule(t, f.app, "lib", "one")
	f.deploy(t, f.app, "caller", "import lib\nexport fetch")
	f.deployModule(t, f.app, "lib", "two")

	if _, err := f.Rollback(t.Context(), f.owner, f.app, "lib", 1); err != nil {
		t.Fatal(err)
	}
	if code := f.code(t, f.app, f.script(t, f.app, "caller")); !strings.Contains(code, "one") {
		t.Errorf("the importer's bundle is %s", code)
	}
}

func TestRollbackRefuses(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	f.deployModule(t, f.app, "lib", "one")
	f.deploy(t, f.app, "s", "import lib")
	f.deploy(t, f.app, "s", "export fetch")
	if err := f.DeleteScript(t.Context(), f.owner, f.app, "lib", false); err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		name, script string
		version      int
		code         cloud.Code
		text         string
	}{
		{"no script", "nobody", 1, cloud.CodeNotFound, "no such script"},
		{"no version", "s", 3, cloud.CodeNotFound, "no such version"},
		{"module that is gone", "s", 1, cloud.CodeInvalid, `no module "lib"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := f.Rollback(t.Context(), f.owner, f.app, c.script, c.version)
			wantError(t, err, c.code, c.text)
			if now := f.script(t, f.app, "s"); now.Version != 2 {
				t.Errorf("version %d is current", now.Version)
			}
		})
	}
}

// A script goes with its routes and triggers; what others still need keeps it.
func TestDeleteScript(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	ctx := t.Context()

	t.Run("with routes and triggers", func(t *testing.T) {
		t.Parallel()
		app := f.newApp(t)
		f.deploy(t, app, "s", "export fetch kv")
		f.route(t, app, manager.RouteChange{Script: new("s"), Path: new("/" + app.Slug)})
		f.trigger(t, app, manager.TriggerChange{Kind: new("kv"), Script: new("s"), Collection: new("c")})

		if err := f.DeleteScript(ctx, f.owner, app, "s", false); err != nil {
			t.Fatal(err)
		}

		routes, err := f.Routes(ctx, app, cloud.ID{}, 10)
		if err != nil || len(routes) > 0 {
			t.Errorf("routes %v: %v", routes, err)
		}

		triggers, err := f.Triggers(ctx, app, cloud.ID{}, 10)
		if err != nil || len(triggers) > 0 {
			t.Errorf("triggers %v: %v", triggers, err)
		}
	})

	t.Run("imported", func(t *testing.T) {
		t.Parallel()
		app := f.newApp(t)
		f.deployModule(t, app, "lib", "one")
		f.deploy(t, app, "caller", "import lib")

		err := f.DeleteScript(ctx, f.owner, app, "lib", true)
		wantError(t, err, cloud.CodeConflict, `the module is imported by "caller"`)
	})

	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		wantError(t, f.DeleteScript(ctx, f.owner, f.app, "nobody", false), cloud.CodeNotFound,
			"no such script")
	})
}

// Events that wait for what is being deleted are kept as dead letters, and only if that was asked for.
func TestDeleteWithWaitingEvents(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	ctx := t.Context()

	for _, c := range []struct {
		what   string
		remove func(app *manager.App, trigger *manager.Trigger, force bool) error
	}{
		{"script", func(app *manager.App, _ *manager.Trigger, force bool) error {
			return f.DeleteScript(ctx, f.owner, app, "s", force)
		}},
		{"trigger", func(app *manager.App, trigger *manager.Trigger, force bool) error {
			return f.DeleteTrigger(ctx, f.owner, app, trigger.ID, force)
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			app := f.newApp(t)
			f.deploy(t, app, "s", "export kv")
			trigger := f.trigger(t, app, manager.TriggerChange{
				Kind: new("kv"), Script: new("s"), Collection: new("c"),
			})

			waiting := f.enqueue(t, trigger)
			f.enqueue(t, trigger)

			wantError(t, c.remove(app, trigger, false), cloud.CodeConflict,
				"2 events wait for it: let them finish, or use ?force=true to make them dead letters")
			if letters := f.deadLetters(t, app); len(letters) > 0 {
				t.Fatalf("%d dead letters", len(letters))
			}

			if err := c.remove(app, trigger, true); err != nil {
				t.Fatal(err)
			}

			letters := f.deadLetters(t, app)
			if len(letters) != 2 {
				t.Fatalf("%d dead letters", len(letters))
			}

			last := letters[1]
			if cloud.ID(last.OutboxID) != waiting || last.Reason != c.what+" deleted" || last.Script != "s" {
				t.Errorf("the dead letter is of %x, reason %q, script %q", last.OutboxID, last.Reason,
					last.Script)
			}
			if last.Payload != `{"n":1}` {
				t.Errorf("the payload is %s", last.Payload)
			}

			counts, err := f.db.Queries().CountOutboxOfApps(ctx, 10, []int64{app.ID})
			if err != nil || counts[0].Waiting+counts[0].Running > 0 {
				t.Errorf("the outbox has %v: %v", counts, err)
			}

			sums, err := f.db.Queries().LedgerSums(ctx, app.ID)
			if err != nil || len(sums) != 1 || sums[0].What != "dead_lettered" || sums[0].N != 2 {
				t.Errorf("the ledger has %v: %v", sums, err)
			}
		})
	}
}

// Lists come in pages: what follows the last one seen, at most so many.
func TestScriptLists(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)

	ctx := t.Context()
	for _, name := range []string{"c", "a", "b"} {
		f.deploy(t, f.app, name, "export fetch")
	}
	f.deployModule(t, f.app, "lib", "one")
	f.deploy(t, f.app, "a", "export kv")
	f.deploy(t, f.app, "a", "export scheduled")

	scripts, err := f.Scripts(ctx, f.app, "a", 2)
	if err != nil || len(scripts) != 2 || scripts[0].Name != "b" || scripts[1].Name != "c" {
		t.Errorf("scripts after a: %v %v", scripts, err)
	}

	names, err := f.EndpointNames(ctx, f.app, 10)
	if err != nil || strings.Join(names, " ") != "a b c" {
		t.Errorf("endpoints: %v %v", names, err)
	}

	script := f.script(t, f.app, "a")
	versions, err := f.Versions(ctx, f.app, script, 3, 10)
	if err != nil || len(versions) != 2 || versions[0].Version != 2 || versions[0].CreatedBy != ownerName {
		t.Errorf("versions below 3: %+v %v", versions, err)
	}

	version, err := f.Version(ctx, f.app, script, 2)
	if err != nil || version.Source != "export kv" {
		t.Errorf("version 2: %+v %v", version, err)
	}

	_, err = f.Version(ctx, f.app, script, 4)
	wantError(t, err, cloud.CodeNotFound, "no such version")
	_, err = f.Script(ctx, f.app, "No-Name\x00")
	wantError(t, err, cloud.CodeNotFound, "no such script")
}

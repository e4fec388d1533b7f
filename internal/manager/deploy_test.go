package manager_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/manager"
)

// A PUT makes a script or a version of it, and says which of the two it did.
func TestDeploy(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	const first = "export fetch"

	for _, c := range []struct {
		name   string
		before *manager.ScriptChange
		change manager.ScriptChange
		want   manager.Deployed
	}{
		{
			"new", nil, manager.ScriptChange{Source: first},
			manager.Deployed{Version: 1, Created: true, Changed: true},
		}, {
			"same source", &manager.ScriptChange{Source: first}, manager.ScriptChange{Source: first},
			manager.Deployed{Version: 1},
		}, {
			"other source", &manager.ScriptChange{Source: first}, manager.ScriptChange{Source: "export kv"},
			manager.Deployed{Version: 2, Changed: true},
		}, {
			"other language", &manager.ScriptChange{Source: first},
			manager.ScriptChange{Source: first, Language: new("typescript")},
			manager.Deployed{Version: 2, Changed: true},
		}, {
			"unknown handlers", nil, manager.ScriptChange{Source: "throw no network here"},
			manager.Deployed{Version: 1, Created: true, Changed: true, Warning: "no network here"},
		}, {
			"a secret that is thrown", nil, manager.ScriptChange{Source: "throw no network at s3cret-token"},
			manager.Deployed{Version: 1, Created: true, Changed: true, Warning: "no network at ***"},
		}, {
			"no handlers", nil, manager.ScriptChange{Source: "hint write one"},
			manager.Deployed{Version: 1, Created: true, Changed: true, Warning: "write one"},
		}, {
			"a module without handlers", nil, manager.ScriptChange{Source: "hint write one", Kind: new("module")},
			manager.Deployed{Version: 1, Created: true, Changed: true},
		}, {
			"a module becomes an endpoint", &manager.ScriptChange{Source: first},
			manager.ScriptChange{Source: "hint write one", Kind: new("endpoint")},
			manager.Deployed{Version: 2, Changed: true, Warning: "write one"},
		}, {
			"if it is new", nil, manager.ScriptChange{Source: first, MustBeNew: true},
			manager.Deployed{Version: 1, Created: true, Changed: true},
		}, {
			"if the version matches", &manager.ScriptChange{Source: first},
			manager.ScriptChange{Source: "export kv", IfMatch: 1},
			manager.Deployed{Version: 2, Changed: true},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			app := f.newApp(t)
			if c.before != nil {
				f.deploy(t, app, "hello", c.before.Source)
			}

			got, err := f.PutScript(t.Context(), f.owner, app, "hello", c.change)
			if err != nil {
				t.Fatal(err)
			}

			c.want.Name = "hello"
			if *got != c.want {
				t.Errorf("got %+v, want %+v", *got, c.want)
			}

			script := f.script(t, app, "hello")
			if int(script.Version) != c.want.Version || script.Source != c.change.Source {
				t.Errorf("version %d with source %q is current", script.Version, script.Source)
			}
		})
	}
}

// A source that could not be evaluated is evaluated again when it is deployed again, and the warning stays
// while that is so. One that could be is not compiled a second time.
func TestDeployEvaluatesAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t) // whose compiler nobody else uses

	for name, c := range map[string]struct {
		source   string
		warnings []string
		compiled int
	}{
		"recovers": {"stumble too slow, once\nexport fetch", []string{"too slow, once", "", ""}, 2},
		"does not": {"throw always bad", []string{"always bad", "always bad", "always bad"}, 3},
		"need not": {"export fetch deployed thrice", []string{"", "", ""}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			app := f.newApp(t)
			for n, warning := range c.warnings {
				change := manager.ScriptChange{Source: c.source}
				got, err := f.PutScript(t.Context(), f.owner, app, "s", change)
				if err != nil {
					t.Fatal(err)
				}
				if got.Warning != warning || got.Version != 1 || got.Changed != (n == 0) {
					t.Errorf("PUT %d: %+v, want the warning %q", n+1, *got, warning)
				}
			}

			last := c.warnings[len(c.warnings)-1]
			if s := f.script(t, app, "s"); s.HandlersError != last || (len(s.Handlers) > 0) != (last == "") {
				t.Errorf("handlers %v, error %q", s.Handlers, s.HandlersError)
			}
			if n := f.compiler.times(c.source); n != c.compiled {
				t.Errorf("it was compiled %d times, want %d", n, c.compiled)
			}
		})
	}
}

// Whatever is wrong with a PUT is refused before anything is stored.
func TestDeployRefuses(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	const source = "export fetch"

	for _, c := range []struct {
		name   string
		script string
		change manager.ScriptChange
		code   cloud.Code
		text   string
	}{
		{
			"name", "Hello", manager.ScriptChange{Source: source}, cloud.CodeInvalid,
			`the script name "Hello" must match`,
		},
		{"long name", strings.Repeat("a", 64), manager.ScriptChange{}, cloud.CodeInvalid, "must match"},
		{
			"size", "s", manager.ScriptChange{Source: strings.Repeat("x", manager.MaxSource+1)},
			cloud.CodeTooLarge, "the source has 1048577 bytes; at most 1048576 are allowed",
		},
		{"NUL", "s", manager.ScriptChange{Source: "a\x00"}, cloud.CodeInvalid, "valid UTF-8 without NUL"},
		{"UTF-8", "s", manager.ScriptChange{Source: "\xff"}, cloud.CodeInvalid, "valid UTF-8 without NUL"},
		{
			"language", "s", manager.ScriptChange{Language: new("cobol")},
			cloud.CodeInvalid, "language must be one of javascript, typescript",
		}, {
			"kind", "s", manager.ScriptChange{Kind: new("job")},
			cloud.CodeInvalid, "kind must be one of endpoint, module",
		}, {
			"access", "s", manager.ScriptChange{Access: new("all")},
			cloud.CodeInvalid, "access must be one of public, key, private",
		}, {
			"short timeout", "s", manager.ScriptChange{TimeoutMS: new(int32(9))},
			cloud.CodeInvalid, "timeout_ms must be from 10 to 60000",
		}, {
			"long timeout", "s", manager.ScriptChange{TimeoutMS: new(int32(60_001))},
			cloud.CodeInvalid, "timeout_ms must be from 10 to 60000",
		}, {
			"little memory", "s", manager.ScriptChange{MemoryMiB: new(int32(15))},
			cloud.CodeInvalid, "memory_mib must be from 16 to 256",
		}, {
			"much memory", "s", manager.ScriptChange{MemoryMiB: new(int32(257))},
			cloud.CodeInvalid, "memory_mib must be from 16 to 256",
		},
		{"syntax", "s", manager.ScriptChange{Source: "syntax error"}, cloud.CodeInvalid, "syntax error"},
		{"import", "s", manager.ScriptChange{Source: "import lib"}, cloud.CodeInvalid, `no module "lib"`},
		{
			"version of a script that is not there", "s", manager.ScriptChange{Source: source, IfMatch: 3},
			cloud.CodePrecondition, "the script does not exist, so its version is not 3",
		}, {
			"not new", "taken", manager.ScriptChange{Source: source, MustBeNew: true},
			cloud.CodePrecondition, "the current version is 1, not the one that was read",
		}, {
			"other version", "taken", manager.ScriptChange{Source: source, IfMatch: 2},
			cloud.CodePrecondition, "the current version is 1, not the one that was read",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			app := f.newApp(t)
			if c.script == "taken" {
				f.deploy(t, app, "taken", "export fetch scheduled")
			}

			audit := f.lastAudit(t, app)

			_, err := f.PutScript(t.Context(), f.owner, app, c.script, c.change)
			wantError(t, err, c.code, c.text)

			if now := f.lastAudit(t, app); now.ID != audit.ID {
				t.Errorf("the audit trail has %s %s", now.Action, now.Target)
			}

			scripts, err := f.Scripts(t.Context(), app, "", 10)
			if err != nil {
				t.Fatal(err)
			}
			if len(scripts) > 1 || len(scripts) == 1 &&
				(scripts[0].Name != "taken" || scripts[0].Version != 1) {
				t.Errorf("the app has the scripts %+v", scripts)
			}
		})
	}
}

// A failure of the sandbox is not the author's mistake. Its text goes to the log, and never to the caller.
func TestDeployWithoutSandbox(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)

	_, err := f.PutScript(t.Context(), f.owner, f.app, "s", manager.ScriptChange{Source: "crash"})
	if !errors.Is(err, errSandbox) || cloud.CodeOf(err) == cloud.CodeInvalid {
		t.Errorf("got %v", err)
	}

	var ce *cloud.Error
	if errors.As(err, &ce) && strings.Contains(ce.Message, errSandbox.Error()) {
		t.Errorf("the caller is shown %q", ce.Message)
	}

	_, err = f.Script(t.Context(), f.app, "s")
	wantError(t, err, cloud.CodeNotFound, "no such script")
}

// What a change leaves out is kept, and a new script gets the defaults. Limits can be taken away.
func TestDeployKeepsSettings(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	ctx := t.Context()
	put := func(change manager.ScriptChange) *manager.Script {
		t.Helper()
		change.Source = "export fetch"
		if _, err := f.PutScript(ctx, f.owner, f.app, "s", change); err != nil {
			t.Fatal(err)
		}
		return f.script(t, f.app, "s")
	}

	fresh := put(manager.ScriptChange{})
	if fresh.Kind != cloud.KindEndpoint || fresh.Access != cloud.AccessPublic ||
		fresh.Language != "javascript" {
		t.Errorf("a new script is %s, %s, %s", fresh.Kind, fresh.Access, fresh.Language)
	}
	if fresh.TimeoutMs != nil || fresh.MemoryMib != nil {
		t.Errorf("a new script has the limits %v and %v", fresh.TimeoutMs, fresh.MemoryMib)
	}

	put(manager.ScriptChange{
		Access: new(cloud.AccessKey), TimeoutMS: new(int32(500)), MemoryMiB: new(int32(32)),
	})

	kept := put(manager.ScriptChange{})
	if kept.Access != cloud.AccessKey || *kept.TimeoutMs != 500 || *kept.MemoryMib != 32 {
		t.Errorf("an empty change left %s, %v, %v", kept.Access, kept.TimeoutMs, kept.MemoryMib)
	}

	cleared := put(manager.ScriptChange{ClearLimits: true, MemoryMiB: new(int32(64))})
	if cleared.TimeoutMs != nil || *cleared.MemoryMib != 64 {
		t.Errorf("cleared limits are %v and %v", cleared.TimeoutMs, cleared.MemoryMib)
	}
}

// The compiler gets the app's modules, by name, and the app's variables.
func TestCompilerGetsModulesAndEnv(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	other := f.newApp(t)
	f.deployModule(t, other, "foreign", "of another app")
	f.deployModule(t, f.app, "lib", "library")
	f.deploy(t, f.app, "caller", "export fetch")
	f.deploy(t, f.app, "s", "import lib\nexport fetch")

	got := f.compiler.last()
	want := map[string]cloud.Module{"lib": {Language: "javascript", Source: "library"}}
	if !reflect.DeepEqual(got.Modules, want) {
		t.Errorf("the modules are %v", got.Modules)
	}
	if !reflect.DeepEqual(got.Env, envOf(cloud.AppID(f.app.ID))) {
		t.Errorf("the environment is %+v", got.Env)
	}
	if script := f.script(t, f.app, "s"); !reflect.DeepEqual(script.Imports, []string{"lib"}) {
		t.Errorf("the imports are %v", script.Imports)
	}
}

// A module that imports itself by way of another meets the source that is being deployed, not its old one.
func TestModuleInACircle(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	f.deployModule(t, f.app, "a", "old")
	f.deployModule(t, f.app, "b", "import a")
	f.deployModule(t, f.app, "a", "import b\nnew")

	script := f.script(t, f.app, "a")
	code := f.code(t, f.app, script)
	if strings.Contains(code, "old") || strings.Count(code, "new") != 2 {
		t.Errorf("the bundle is %s", code)
	}
}

// code returns the code of a script's current build.
func (f *fixture) code(t *testing.T, app *manager.App, script *manager.Script) string {
	t.Helper()
	code, err := f.db.Queries().CodeOfBuild(t.Context(), app.ID, script.BuildID)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// A module's new version reaches every script that imports it, as a new build of the same version.
func TestModuleRebuildsImporters(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	f.deployModule(t, f.app, "lib", "one")
	f.deploy(t, f.app, "caller", "import lib\nexport fetch")
	f.deploy(t, f.app, "bystander", "export fetch")
	before := f.script(t, f.app, "caller")
	bystander := f.script(t, f.app, "bystander")

	f.deployModule(t, f.app, "lib", "two")

	after := f.script(t, f.app, "caller")
	if after.Version != 1 || after.BuildID == before.BuildID {
		t.Errorf("version %d, build %x before and %x after", after.Version, before.BuildID, after.BuildID)
	}
	if code := f.code(t, f.app, after); !strings.Contains(code, "two") || strings.Contains(code, "one") {
		t.Errorf("the bundle is %s", code)
	}
	if now := f.script(t, f.app, "bystander"); now.BuildID != bystander.BuildID {
		t.Error("a script that does not import the module was rebuilt")
	}
}

// A module that would break a script that imports it is refused as a whole. The error names the script and
// the place.
func TestModuleBreaksImporter(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	f.deployModule(t, f.app, "lib", "one")
	f.deploy(t, f.app, "caller", "import lib\nexport fetch")
	lib := f.script(t, f.app, "lib")
	caller := f.script(t, f.app, "caller")

	change := manager.ScriptChange{Source: "only alone"}
	_, err := f.PutScript(t.Context(), f.owner, f.app, "lib", change)
	wantError(t, err, cloud.CodeInvalid,
		`the script "caller" imports this module and would no longer build: only alone`)
	var ce *cloud.Error
	if errors.As(err, &ce); ce.Details["importer"] != "caller" || ce.Details["line"] != 1 {
		t.Errorf("the details are %v", ce.Details)
	}

	if now := f.script(t, f.app, "lib"); now.Version != lib.Version || now.Source != "one" {
		t.Errorf("the module has version %d: %s", now.Version, now.Source)
	}
	if now := f.script(t, f.app, "caller"); now.BuildID != caller.BuildID {
		t.Error("the importer was rebuilt")
	}
}

// A script cannot change its kind while others depend on what it is.
func TestChangeOfKind(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)

	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, app *manager.App)
		kind    string
		code    cloud.Code
		text    string
	}{
		{
			"imported module",
			func(t *testing.T, app *manager.App) {
				f.deployModule(t, app, "s", "export fetch")
				f.deploy(t, app, "caller", "import s")
			},
			cloud.KindEndpoint, cloud.CodeConflict, `the module is imported by "caller"`,
		}, {
			"endpoint with a route",
			func(t *testing.T, app *manager.App) {
				f.deploy(t, app, "s", "export fetch")
				f.route(t, app, manager.RouteChange{Script: new("s"), Path: new("/" + app.Slug)})
			},
			cloud.KindModule, cloud.CodeConflict,
			"the script has triggers or routes: it cannot become a module",
		}, {
			"endpoint with a trigger",
			func(t *testing.T, app *manager.App) {
				f.deploy(t, app, "s", "export kv")
				f.trigger(t, app,
					manager.TriggerChange{Kind: new("kv"), Script: new("s"), Collection: new("c")})
			},
			cloud.KindModule, cloud.CodeConflict,
			"the script has triggers or routes: it cannot become a module",
		}, {
			"free module",
			func(t *testing.T, app *manager.App) { f.deployModule(t, app, "s", "export fetch") },
			cloud.KindEndpoint, "", "",
		}, {
			"free endpoint",
			func(t *testing.T, app *manager.App) { f.deploy(t, app, "s", "export fetch") },
			cloud.KindModule, "", "",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			app := f.newApp(t)
			c.prepare(t, app)

			change := manager.ScriptChange{Source: "export fetch", Kind: &c.kind}
			_, err := f.PutScript(t.Context(), f.owner, app, "s", change)
			check(t, err, c.code, c.text)

			changed := f.script(t, app, "s").Kind == c.kind
			if changed != (c.code == "") {
				t.Errorf("changed: %v", changed)
			}
		})
	}
}

// route makes a route as an instance admin.
func (f *fixture) route(t *testing.T, app *manager.App, change manager.RouteChange) *manager.Route {
	t.Helper()
	route, err := f.CreateRoute(t.Context(), f.owner, app, change)
	if err != nil {
		t.Fatalf("create route: %v", err)
	}
	return route
}

// Two deploys run at once, a third one waits, and gives up when its caller does.
func TestDeploysAreBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.compiler.waiting = make(chan struct{})
	f.compiler.release = make(chan struct{})

	ctx := t.Context()

	ended := make(chan error, 2)
	for range 2 {
		app := f.newApp(t)
		go func() {
			_, err := f.PutScript(ctx, f.owner, app, "slow", manager.ScriptChange{Source: "wait"})
			ended <- err
		}()
	}

	<-f.compiler.waiting
	<-f.compiler.waiting

	gone := errors.New("the caller is gone")
	cancelled, cancel := context.WithCancelCause(ctx)
	cancel(gone)
	_, err := f.PutScript(cancelled, f.owner, f.app, "third", manager.ScriptChange{Source: "export fetch"})
	if !errors.Is(err, gone) {
		t.Errorf("the third deploy ended with %v", err)
	}

	close(f.compiler.release)

	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}

	f.deploy(t, f.app, "third", "export fetch")
}

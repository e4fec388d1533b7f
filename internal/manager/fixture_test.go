package manager_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"picloud/db"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/internal/testkit"
)

// TestMain starts one PostgreSQL for the package, and looks for goroutines that the tests leave behind.
func TestMain(m *testing.M) {
	os.Exit(testkit.MainWithoutLeaks(m, func() {
		if shared.f != nil {
			shared.f.db.Close()
		}
	}))
}

// fixture is a manager with a database of its own, a first owner and the default app. Subtests that run in
// parallel share one and make an app each.
type fixture struct {
	*manager.Manager
	db       *db.DB
	ids      *cloud.IDSource
	compiler *fakeCompiler
	sealer   *fakeSealer
	// owner is the first owner, who may do everything.
	owner manager.Actor
	// app is the default app.
	app *manager.App

	// slugs numbers the apps of the database.
	slugs *atomic.Int64

	// mu guards what the manager's callbacks record.
	mu     sync.Mutex
	apps   []cloud.AppID
	people int
}

// The first owner's credentials.
const (
	ownerName     = "root"
	ownerPassword = "correct horse"
)

// cheapPasswords makes hashes in well under a millisecond.
func cheapPasswords() *auth.Passwords {
	return auth.NewPasswords(auth.PasswordCost{MemoryKiB: 64, Iterations: 1})
}

// shared is the fixture of the tests that need no database of their own.
var shared struct {
	once sync.Once
	f    *fixture
}

// outliving is a test whose cleanups are left out: what it makes lasts until PostgreSQL is stopped.
type outliving struct{ testing.TB }

func (outliving) Cleanup(func()) {}

// sharedFixture is a fixture with an app of its own in a database that it shares with other tests. It is
// for tests of what belongs to an app. They must not look at accounts, hosts, routes of host any, callbacks
// or the whole audit trail.
func sharedFixture(t *testing.T) *fixture {
	t.Helper()
	shared.once.Do(func() {
		f := newManager(testkit.Open(outliving{t}).DB)
		f.firstStart(t)
		shared.f = f
	})
	if shared.f == nil {
		t.Fatal("the shared fixture could not be made")
	}

	f := &fixture{
		Manager:  shared.f.Manager,
		db:       shared.f.db,
		ids:      shared.f.ids,
		compiler: shared.f.compiler,
		sealer:   shared.f.sealer,
		owner:    shared.f.owner,
		slugs:    shared.f.slugs,
	}

	f.app = f.newApp(t)
	return f
}

// emptyFixture is a fixture of a database in which nobody has an account yet.
func emptyFixture(t *testing.T) *fixture {
	t.Helper()
	return newManager(testkit.Open(t).DB)
}

// newManager makes a manager of a database.
func newManager(database *db.DB) *fixture {
	f := &fixture{
		db:       database,
		ids:      &cloud.IDSource{},
		compiler: &fakeCompiler{},
		sealer:   &fakeSealer{key: "k1"},
		slugs:    &atomic.Int64{},
	}

	f.Manager = manager.New(manager.Config{
		DB:              database,
		Compiler:        f.compiler,
		IDs:             f.ids,
		Sealer:          f.sealer,
		Env:             func(app cloud.AppID, _ string) *cloud.Env { return envOf(app) },
		Changed:         f.changed,
		PeopleChanged:   f.peopleChanged,
		Passwords:       cheapPasswords(),
		MaxTimeout:      time.Minute,
		MaxMemoryMiB:    256,
		SessionLifetime: time.Hour,
	})

	return f
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := emptyFixture(t)
	f.firstStart(t)
	return f
}

// firstStart makes the first owner and the default app.
func (f *fixture) firstStart(t *testing.T) {
	t.Helper()
	if _, err := f.FirstStart(t.Context(), ownerName, ownerPassword); err != nil {
		t.Fatal(err)
	}

	owner, err := f.User(t.Context(), ownerName)
	if err != nil {
		t.Fatal(err)
	}

	f.owner = manager.Actor{UserID: owner.ID, Username: owner.Username, Admin: true, Owner: true}
	if f.app, err = f.App(t.Context(), manager.DefaultApp); err != nil {
		t.Fatal(err)
	}
}

func envOf(app cloud.AppID) *cloud.Env {
	return &cloud.Env{
		Values: map[string]string{"APP": fmt.Sprint(app), "TOKEN": "s3cret-token"},
		Mask:   cloud.NewMask([]string{"s3cret-token"}),
	}
}

func (f *fixture) changed(_ context.Context, app cloud.AppID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.apps = append(f.apps, app)
}

func (f *fixture) peopleChanged() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.people++
}

// takeCallbacks returns what the manager's callbacks recorded since the last call.
func (f *fixture) takeCallbacks() (apps []cloud.AppID, people int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	apps, f.apps = f.apps, nil
	people, f.people = f.people, 0
	return apps, people
}

// newApp makes an app for a test that shares the fixture with others.
func (f *fixture) newApp(t *testing.T) *manager.App {
	t.Helper()
	app, err := f.CreateApp(t.Context(), f.owner, fmt.Sprintf("app-%d", f.slugs.Add(1)), "", "")
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// deploy puts a script that the fake compiler understands.
func (f *fixture) deploy(t *testing.T, app *manager.App, name, source string) *manager.Deployed {
	t.Helper()
	deployed, err := f.PutScript(t.Context(), f.owner, app, name, manager.ScriptChange{Source: source})
	if err != nil {
		t.Fatalf("deploy %s: %v", name, err)
	}
	return deployed
}

func (f *fixture) deployModule(t *testing.T, app *manager.App, name, source string) *manager.Deployed {
	t.Helper()
	change := manager.ScriptChange{Source: source, Kind: new(cloud.KindModule)}
	deployed, err := f.PutScript(t.Context(), f.owner, app, name, change)
	if err != nil {
		t.Fatalf("deploy module %s: %v", name, err)
	}
	return deployed
}

func (f *fixture) script(t *testing.T, app *manager.App, name string) *manager.Script {
	t.Helper()
	script, err := f.Script(t.Context(), app, name)
	if err != nil {
		t.Fatalf("script %s: %v", name, err)
	}
	return script
}

// newUser makes an account and returns it as an actor.
func (f *fixture) newUser(t *testing.T, name, role string) manager.Actor {
	t.Helper()
	user, err := f.CreateUser(t.Context(), f.owner, name, "a good password", manager.UserChange{Role: &role})
	if err != nil {
		t.Fatal(err)
	}
	admin := role == auth.RoleAdmin || role == auth.RoleOwner
	return manager.Actor{UserID: user.ID, Username: name, Admin: admin, Owner: role == auth.RoleOwner}
}

// trigger makes a trigger.
func (f *fixture) trigger(t *testing.T, app *manager.App, change manager.TriggerChange) *manager.Trigger {
	t.Helper()
	trigger, err := f.CreateTrigger(t.Context(), f.owner, app, change)
	if err != nil {
		t.Fatalf("create trigger: %v", err)
	}
	return trigger
}

// enqueue puts an event into the outbox that waits for the trigger, as a commit would, and returns its id.
func (f *fixture) enqueue(t *testing.T, trigger *manager.Trigger) cloud.ID {
	t.Helper()
	id := f.ids.New()
	one := []string{""}
	none := []db.UUID{{}}
	err := f.db.Queries().InsertOutbox(t.Context(), db.InsertOutboxParams{
		Node:            "node",
		Apps:            []int64{trigger.AppID},
		Ids:             []db.UUID{id},
		Sources:         []string{trigger.Kind},
		Ops:             one,
		Triggers:        []db.UUID{trigger.ID},
		Scripts:         []db.UUID{trigger.ScriptID},
		Payloads:        []string{`{"n":1}`},
		PayloadIds:      none,
		ReplyTos:        none,
		ReplyNodes:      one,
		Origins:         one,
		RunsAs:          one,
		Parents:         none,
		Roots:           []db.UUID{id},
		Depths:          []int32{1},
		DeadLetters:     none,
		IdempotencyKeys: one,
		Executions:      []db.UUID{f.ids.New()},
		AttemptLimits:   []int32{5},
		Backoffs:        []string{"constant"},
		BaseDelaysMs:    []int32{1},
		MaxDelaysMs:     []int32{1},
		Jitters:         []float64{0},
		Tokens:          none,
	})
	if err != nil {
		t.Fatalf("enqueue: %v", err)
	}

	return id
}

// deadLetters lists an app's dead letters.
func (f *fixture) deadLetters(t *testing.T, app *manager.App) []db.DeadLetter {
	t.Helper()
	list, err := f.db.Queries().ListDeadLetters(t.Context(), db.ListDeadLettersParams{
		AppID: app.ID, State: "all", MaxBytes: 1 << 20, Max: 100,
		ToTime: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}

	return list
}

// lastAudit returns the newest entry of an app's audit trail, or of the installation's if app is nil.
func (f *fixture) lastAudit(t *testing.T, app *manager.App) db.Audit {
	t.Helper()
	var filter manager.AuditFilter
	if app != nil {
		filter.App = cloud.AppID(app.ID)
	}

	list, err := f.Audit(t.Context(), filter, cloud.ID{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("the audit trail is empty")
	}

	return list[0]
}

// wantError checks the code of an error and a part of its safe message.
func wantError(t *testing.T, err error, code cloud.Code, text string) {
	t.Helper()
	var ce *cloud.Error
	if !errors.As(err, &ce) {
		t.Fatalf("got the error %v, want one with code %s and %q", err, code, text)
	}
	if ce.Code != code || !strings.Contains(ce.Message, text) {
		t.Fatalf("got %s: %q, want %s: %q", ce.Code, ce.Message, code, text)
	}
}

// check checks the result of a case: an error with the code and the text, or none if the code is empty.
func check(t *testing.T, err error, code cloud.Code, text string) {
	t.Helper()
	if code != "" {
		wantError(t, err, code, text)
		return
	}
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

// fakeCompiler reads a source of one instruction a line instead of JavaScript:
//
//	export fetch kv     the script has these handlers
//	import name         the bundle contains the module name
//	throw text          the handlers are unknown because of text
//	hint text           it has no handlers, and an author can do this about it
//	stumble text        the same, the first time that this source is compiled
//	syntax error        it does not compile
//	only alone          it does not compile inside of another bundle
//	crash               the sandbox fails
//	wait                it compiles when release is closed
type fakeCompiler struct {
	// waiting gets a value when a compilation begins to wait, release ends all waits. Both are set before
	// use.
	waiting chan struct{}
	release chan struct{}

	// mu guards seen: what was compiled, in order.
	mu   sync.Mutex
	seen []cloud.Source
}

func (c *fakeCompiler) Compile(
	_ context.Context, _ cloud.AppID, _ cloud.ID, src *cloud.Source,
) (*cloud.Bundle, error) {
	c.mu.Lock()
	c.seen = append(c.seen, *src)
	c.mu.Unlock()

	bundle := &cloud.Bundle{}
	return bundle, c.bundle(bundle, src.Source, src.Modules, 0)
}

// times is how often a source was compiled.
func (c *fakeCompiler) times(source string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()

	for k := range c.seen {
		if c.seen[k].Source == source {
			n++
		}
	}
	return n
}

func (c *fakeCompiler) bundle(
	out *cloud.Bundle, source string, modules map[string]cloud.Module, depth int,
) error {
	out.Code += "[" + source + "]"
	for n, line := range strings.Split(source, "\n") {
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "hint":
			out.Hint = rest
		case "export":
			if depth == 0 {
				out.Handlers = append(out.Handlers, strings.Fields(rest)...)
			}
		case "import":
			module, ok := modules[rest]
			if !ok {
				return cloud.Errorf(cloud.CodeInvalid, "no module %q", rest).With("line", n+1)
			}

			out.Imports = append(out.Imports, rest)
			if depth < 2 { // modules may import each other
				if err := c.bundle(out, module.Source, modules, depth+1); err != nil {
					return err
				}
			}
		case "throw":
			out.HandlersError = rest
		case "stumble":
			if c.times(source) == 1 {
				out.HandlersError = rest
			}
		case "syntax":
			return cloud.Errorf(cloud.CodeInvalid, "syntax error").With("line", n+1)
		case "crash":
			return errSandbox
		case "only":
			if depth > 0 {
				return cloud.Errorf(cloud.CodeInvalid, "only alone").With("line", n+1)
			}
		case "wait":
			c.waiting <- struct{}{}
			<-c.release
		}
	}

	return nil
}

// errSandbox is what a compilation that crashes ends with.
var errSandbox = errors.New("the sandbox died")

// last returns what was compiled last.
func (c *fakeCompiler) last() cloud.Source {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[len(c.seen)-1]
}

// fakeSealer seals by writing key, app, name and kind in front of the value.
type fakeSealer struct{ key string }

func (s *fakeSealer) prefix(v cloud.VariableRef, key string) string {
	return fmt.Sprintf("%s/%d/%s/%v:", key, v.App, v.Name, v.Secret)
}

func (s *fakeSealer) Seal(v cloud.VariableRef, value string) []byte {
	return []byte(s.prefix(v, s.key) + value)
}

func (s *fakeSealer) Open(v cloud.VariableRef, keyID string, sealed []byte) (string, error) {
	value, ok := strings.CutPrefix(string(sealed), s.prefix(v, keyID))
	if !ok || keyID != s.key {
		return "", fmt.Errorf("%q does not open as %v", sealed, v)
	}
	return value, nil
}

func (s *fakeSealer) KeyID() string { return s.key }

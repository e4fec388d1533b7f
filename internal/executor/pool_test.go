package executor_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/executor"
	"picloud/internal/testkit"
)

// fixture is a pool whose builds are in a map.
type fixture struct {
	t    testing.TB
	pool *executor.Pool
	ids  cloud.IDSource

	mu    sync.Mutex
	codes map[cloud.ID]string
}

func newFixture(t testing.TB) *fixture {
	f := &fixture{t: t, codes: map[cloud.ID]string{}}
	f.startPool(executor.Users{UID: 65534, GID: 65534})
	return f
}

// startPool gives the fixture a pool whose children become users.
func (f *fixture) startPool(users executor.Users) {
	if os.Geteuid() != 0 {
		users = executor.Users{}
	}
	f.pool = executor.New(executor.Config{
		Launcher: &executor.Launcher{
			Command: []string{testkit.Binary(f.t), "sandbox"},
			Users:   users,
		},
		MemoryMiB: 128,
		MaxBody:   10 << 20,
		Log:       slog.New(slog.DiscardHandler),
		Code: func(_ context.Context, _ cloud.AppID, build cloud.ID) (string, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.codes[build], nil
		},
	})
	f.t.Cleanup(f.pool.Close)
}

// deploy compiles a script, which has two seconds for a run.
func (f *fixture) deploy(app cloud.AppID, source string) *cloud.Script {
	f.t.Helper()
	build := f.ids.New()
	src := &cloud.Source{Name: "main", Language: "javascript", Source: source}
	bundle, err := f.pool.Compile(f.t.Context(), app, build, src)
	if err != nil {
		f.t.Fatalf("compile: %v", err)
	}

	f.mu.Lock()
	f.codes[build] = bundle.Code
	f.mu.Unlock()
	return &cloud.Script{
		App:      app,
		ID:       f.ids.New(),
		Name:     "main",
		Build:    build,
		Handlers: bundle.Handlers,
		Limits:   cloud.Limits{Timeout: 2 * time.Second},
	}
}

type noCalls struct{}

func (noCalls) Responded() {}

func (noCalls) Call(context.Context, uint64, cloud.HostCall) (cloud.HostReply, error) {
	return cloud.HostReply{Found: true, Value: "1"}, nil
}

// start starts a run of the fetch handler.
func (f *fixture) start(s *cloud.Script, body string) *executor.Run {
	run, err := f.pool.Run(context.Background(), &cloud.RunSpec{
		Execution: f.ids.New(),
		Root:      f.ids.New(),
		App:       s.App,
		Script:    s,
		Handler:   "fetch",
		Request:   &cloud.Request{Method: "POST", URL: "http://x.test/f/a/b?q=1", Body: []byte(body)},
		Deadline:  time.Now().Add(s.Limits.Timeout),
		Calls:     noCalls{},
	})
	if err != nil {
		f.t.Errorf("run: %v", err)
		return nil
	}
	return run
}

// call makes a run and commits it.
func (f *fixture) call(s *cloud.Script, body string) cloud.Outcome {
	f.t.Helper()
	run := f.start(s, body)
	outcome := run.Outcome()
	run.Release(true)
	return outcome
}

// A script is compiled and answers, again and again.
func TestHello(t *testing.T) {
	t.Parallel()
	f := newFixture(t)

	s := f.deploy(1, `export default { async fetch(request) {
		return Response.json({hello: await request.text(), q: new URL(request.url).searchParams.get("q")});
	} }`)
	for range 3 {
		o := f.call(s, "world")
		if o.Status != cloud.Succeeded || string(o.Response.Body) != `{"hello":"world","q":"1"}` {
			t.Fatalf("outcome %+v", o)
		}
	}
}

// Time limits of killers. A run's time includes the start of its child, which takes seconds on a loaded
// machine: a case that is not about time must not end by it.
const (
	byClock  = 500 * time.Millisecond // nothing else ends it
	byEither = 2 * time.Second        // it computes until its memory or its time is over
	notTimed = 30 * time.Second
)

// killers are scripts that try to take more than their share: what they do, and how they may end.
var killers = map[string]struct {
	code    string
	timeout time.Duration
	want    []cloud.Status
}{
	"repeat":     {`'x'.repeat(2**40)`, notTimed, statuses(cloud.OutOfMemory, cloud.Failed)},
	"padStart":   {`''.padStart(2**33,'ab')`, notTimed, statuses(cloud.OutOfMemory)},
	"deep json":  {`JSON.parse('['.repeat(2.5e6))`, notTimed, statuses(cloud.Failed)},
	"fill":       {`new Array(3e7).fill(0)`, byEither, statuses(cloud.OutOfMemory, cloud.TimedOut)},
	"double":     {`let s = 'x'; for(;;) s += s`, notTimed, statuses(cloud.OutOfMemory, cloud.Failed)},
	"big buffer": {`new Uint8Array(4e9)`, notTimed, statuses(cloud.OutOfMemory, cloud.Failed)},
	"bigint":     {`return String(2n**100000000n)`, byEither, statuses(cloud.TimedOut, cloud.OutOfMemory)},
	"loop":       {`for(;;);`, byClock, statuses(cloud.TimedOut)},
	"sort": {
		`const a = []; for (let i = 0; i < 1e6; i++) a.push(Math.random());
			for(;;) a.sort(() => Math.random() - .5)`,
		byEither, statuses(cloud.TimedOut, cloud.OutOfMemory),
	},
	"recursion": {`function f() { return f() } f()`, notTimed, statuses(cloud.Failed)},
	"native recursion": {
		`function f() { return [1].map(f) } f()`,
		byEither, statuses(cloud.Failed, cloud.OutOfMemory, cloud.TimedOut),
	},
	"deep stringify": {
		`let a = []; for (let i = 0; i < 3e6; i++) a = [a]; JSON.stringify(a)`,
		byEither, statuses(cloud.OutOfMemory, cloud.TimedOut, cloud.Failed),
	},
	"eval parens": {
		`new Function('('.repeat(300000) + ')'.repeat(300000))`,
		notTimed, statuses(cloud.OutOfMemory, cloud.Failed),
	},
	"eval nots":          {`new Function('!'.repeat(2e6) + '1')`, notTimed, statuses(cloud.OutOfMemory, cloud.Failed)},
	"regex":              {`/^(?=(a+)+$)(a+)+$/.test('a'.repeat(40) + 'b')`, byClock, statuses(cloud.TimedOut)},
	"regex alternatives": {`/^(?:(a|aa)+)+$/.exec('a'.repeat(60) + '!')`, byClock, statuses(cloud.TimedOut)},
	"regex replace":      {`'a'.repeat(3e5).replace(/a*b|c/g, '')`, byClock, statuses(cloud.TimedOut)},
	"regex memory": {
		`/^(?:(.)|(.)\n)*$/.exec('a'.repeat(5e6))`,
		notTimed, statuses(cloud.Failed, cloud.OutOfMemory),
	},
	"microtasks": {
		`const f = () => Promise.resolve().then(f); await f()`,
		byEither, statuses(cloud.TimedOut, cloud.OutOfMemory),
	},
	"toString":  {`throw { toString() { for(;;); } }`, byClock, statuses(cloud.TimedOut, cloud.Failed)},
	"toJSON":    {`return { toJSON() { for(;;); } }`, byClock, statuses(cloud.TimedOut)},
	"never":     {`await new Promise(() => {})`, notTimed, statuses(cloud.Failed)},
	"huge body": {`return 'x'.repeat(11 * 1024 * 1024)`, notTimed, statuses(cloud.OutOfMemory)},
}

func statuses(s ...cloud.Status) []cloud.Status { return s }

// Killers end their own run with an outcome that names the limit, and nobody else notices.
func TestKillers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes ten seconds: its scripts compute until they are stopped")
	}
	f := newFixture(t)
	good := f.deploy(1000, `export default () => ({ok: true})`)
	good.Limits.Timeout = notTimed

	stopCh := make(chan struct{})
	var neighbour sync.WaitGroup
	answered := 0
	neighbour.Go(func() {
		pause := time.NewTicker(5 * time.Millisecond) // leaves the killers their CPU
		defer pause.Stop()

		for {
			if o := f.call(good, ""); o.Status != cloud.Succeeded {
				t.Errorf("another app's endpoint suffered: %+v", o.Error)
				return
			}
			answered++

			select {
			case <-stopCh:
				return
			case <-pause.C:
			}
		}
	})

	t.Run("all", func(t *testing.T) {
		lastApp := cloud.AppID(0)
		for name, k := range killers {
			lastApp++
			app := lastApp // each has a child of its own
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := f.deploy(app, `export default { async fetch(request) { `+k.code+` } }`)
				s.Limits.Timeout = k.timeout
				o := f.call(s, "")
				if !slices.Contains(k.want, o.Status) || o.Error.Message == "" {
					t.Errorf("got %s %q %q, want %v", o.Status, o.Error.Name, o.Error.Message, k.want)
				}
				t.Logf("%s: %s: %s", o.Status, o.Error.Name, o.Error.Message)
			})
		}
	})

	close(stopCh)
	neighbour.Wait()
	if answered < len(killers) {
		t.Errorf("another app's endpoint answered %d times beside %d killers", answered, len(killers))
	}
}

// Whoever shares a child with a killer is told so; only the killer is blamed.
func TestCollateral(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	slow := f.deploy(1, `export default { async fetch() {
		await new Promise(r => setTimeout(r, 60000));
		return "late";
	} }`)
	bad := f.deploy(1, `export default { async fetch() {
		await new Promise(r => setTimeout(r, 100));
		''.padStart(2**33,'ab');
	} }`)
	slow.Limits.Timeout = 2 * time.Minute
	bad.Limits.Timeout = notTimed

	var runs []*executor.Run
	for range 3 {
		runs = append(runs, f.start(slow, ""))
	}
	if o := f.call(bad, ""); o.Status != cloud.OutOfMemory {
		t.Errorf("killer: %+v", o)
	}

	for _, run := range runs {
		if o := run.Outcome(); o.Status != cloud.Interrupted || !o.Collateral {
			t.Errorf("neighbour: %+v", o)
		}
	}
}

// Runs that share a process with one that computes do not wait for its end, though a process that has had no
// long run for a while computes on one thread; and the one that computes is ended alone.
func TestLongRunKeepsNobody(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits eleven seconds, until a process has one thread")
	}

	for name, pause := range map[string]time.Duration{
		"on two threads": 0, // after the first call the process has a second thread for ten seconds
		"on one thread":  11 * time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			short := f.deploy(1, `export default () => 1`)
			endless := f.deploy(1, `export default () => { for (;;); }`)
			short.Limits.Timeout = notTimed
			endless.Limits.Timeout = 4 * time.Second // twenty short runs take a while on a loaded machine
			f.call(short, "")
			time.Sleep(pause)
			f.call(short, "")

			run := f.start(endless, "")
			endCh := make(chan cloud.Outcome, 1)
			go func() { endCh <- run.Outcome() }()

			for n := range 20 {
				if o := f.call(short, ""); o.Status != cloud.Succeeded || len(endCh) > 0 {
					t.Fatalf("short run %d beside an endless one: %+v; the other has ended: %t",
						n+1, o, len(endCh) > 0)
				}
			}
			o := <-endCh
			if o.Status != cloud.TimedOut || strings.Contains(o.Error.Message, "ending its process") {
				t.Errorf("the endless run: %+v", o)
			}
		})
	}
}

// What cannot be compiled is refused in the author's terms, with a place; it never takes the compiler of
// others along.
func TestCompileErrors(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	compile := func(app cloud.AppID, lang, src string) error {
		_, err := f.pool.Compile(t.Context(), app, f.ids.New(), &cloud.Source{
			Name:     "main",
			Language: lang,
			Source:   src,
			Modules:  map[string]cloud.Module{"a": {Language: "javascript", Source: "export const x = 1"}},
		})
		return err
	}
	parens := strings.Repeat("(", 300000) + strings.Repeat(")", 300000)
	nots := "export default " + strings.Repeat("!", 900000) + "1"

	lastApp := cloud.AppID(0)
	for name, c := range map[string]struct {
		lang, src, want string
		slow            bool
	}{
		"syntax":      {"javascript", "const x = 1;\nexport default { fetch( { }", "main.js:2", false},
		"parens":      {"javascript", parens, "nests too deeply", true},
		"nots":        {"javascript", nots, "nests too deeply", true},
		"types in js": {"javascript", "const x: number = 1", "main.js:1", false},
		"package":     {"javascript", `import "lodash"`, `cannot import "lodash"`, false},
		"missing":     {"javascript", `import "./nope"`, `no module named "nope"`, false},
		"await":       {"javascript", `await 1; export default {}`, "Top-level await", false},
		"file":        {"javascript", `import "/etc/passwd"`, `cannot import`, false},
		"typescript": {"typescript", `import { x } from "./a";
			const y: number = x;
			export default { fetch: () => y } satisfies object`, "", false},
	} {
		lastApp++
		app := lastApp // each has a compiler of its own
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && c.slow {
				t.Skip("fills the compiler's memory")
			}
			err := compile(app, c.lang, c.src)
			if c.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if cloud.CodeOf(err) != cloud.CodeInvalid || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// An error shows the author's file, line and column.
func TestStack(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	build := f.ids.New()
	source := `
interface A { x: number }

function boom(a: A): never {
  throw new RangeError('no ' + a.x);
}
export default { async fetch() { boom({x: 7}) } }
`
	src := &cloud.Source{Name: "main", Language: "typescript", Source: source}
	bundle, err := f.pool.Compile(t.Context(), 1, build, src)
	if err != nil {
		t.Fatal(err)
	}
	f.codes[build] = bundle.Code

	s := &cloud.Script{App: 1, Name: "main", Build: build, Limits: cloud.Limits{Timeout: notTimed}}
	o := f.call(s, "")
	if o.Error.Name != "RangeError" || o.Error.Message != "no 7" {
		t.Errorf("error %q %q", o.Error.Name, o.Error.Message)
	}
	if !strings.Contains(o.Error.Stack, "at boom (main.ts:5:9)") {
		t.Errorf("stack\n%s", o.Error.Stack)
	}
}

// passed is what a run of TestWhatPassesBetweenRuns sees of the runs before it in its runtime.
type passed struct {
	ID      string // of the runtime
	Map     string
	JSON    int
	Max     int
	Own     bool
	Refused string
}

// A runtime that a run has changed does not serve another: module state may persist, everything else is as it
// was. A runtime is looked at after the answer, without a signal, so another may serve the next run all the same.
func TestWhatPassesBetweenRuns(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.deploy(1, `
		let id;
		export default { async fetch(request) {
			id ??= crypto.randomUUID();
			const seen = { ID: id, Map: typeof [].evil, JSON: JSON.parse("1"), Max: Math.max(1, 2),
				Own: Object.keys(globalThis).includes("leak") };
			const what = await request.text();
			if (what === "add") Array.prototype.evil = () => 1;
			if (what === "replace") Math.max = () => 99;
			if (what === "json") JSON.parse = () => 42;
			if (what === "getter") Object.defineProperty(Array.prototype, "map", {
				get() { for (;;); }, configurable: true });
			if (what === "proto") try { Object.prototype.polluted = 1; } catch (e) { seen.Refused = e.name; }
			if (what === "timer") setTimeout(() => {}, 10000);
			if (what === "throw") throw new Error(id);
			return seen;
		} }`)
	s.Limits.Timeout = notTimed
	call := func(body string) (seen passed) {
		t.Helper()
		o := f.call(s, body)
		if o.Status != cloud.Succeeded {
			return passed{ID: o.Error.Message}
		}
		if err := json.Unmarshal(o.Response.Body, &seen); err != nil {
			t.Fatalf("%s: %s", body, o.Response.Body)
		}
		if want := (passed{ID: seen.ID, Map: "undefined", JSON: 1, Max: 2, Refused: seen.Refused}); seen != want {
			t.Errorf("%s: a run sees %+v", body, seen)
		}
		return seen
	}

	// A runtime that was left as it was serves again.
	for served := map[string]bool{}; ; {
		id := call("").ID
		if served[id] {
			break
		}
		if served[id] = true; len(served) > 1000 {
			t.Fatal("no runtime has served twice")
		}
	}

	for _, what := range []string{"add", "replace", "json", "getter", "timer", "throw"} {
		changed := call(what).ID
		for range 10 {
			if call("").ID == changed {
				t.Errorf("%s: the runtime serves another run", what)
			}
		}
	}
	if refused := call("proto").Refused; refused != "TypeError" {
		t.Errorf("a change of Object.prototype: %q", refused)
	}
	call("")
}

func BenchmarkHello(b *testing.B) {
	f := newFixture(b)
	s := f.deploy(1, `export default { fetch(request) { return Response.json({hello: "world"}) } }`)
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if o := f.call(s, ""); o.Status != cloud.Succeeded {
				b.Fatal(o.Error)
			}
		}
	})
}

// turns records what a run does with its turn. A run that resumes waits for a permission.
type turns struct {
	mayC   chan struct{}
	pauses atomic.Int32
}

func (w *turns) Pause() { w.pauses.Add(1) }

func (w *turns) Resume(ctx context.Context) error {
	select {
	case <-w.mayC:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// A run that waits long for a timer gives its turn back, and computes again only once it has one; one that
// gets none in its time is ended by the clock. A run that waits for the database keeps its turn.
func TestTurns(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const sleep = `const sleep = ms => new Promise(done => setTimeout(done, ms));`

	for _, c := range []struct {
		name, code string
		permitted  bool
		pauses     int32
		status     cloud.Status
	}{
		{"a timer", `await sleep(50)`, true, 1, cloud.Succeeded},
		{"two timers", `await sleep(50); await sleep(50)`, true, 2, cloud.Succeeded},
		{"nothing", ``, false, 0, cloud.Succeeded},
		{"no turn in time", `await sleep(50)`, false, 1, cloud.TimedOut},
		{"the database", `await kv.collection("slow").get("k")`, false, 0, cloud.Succeeded},
		{"a fetch", `await fetch("http://slow.test/")`, true, 1, cloud.Succeeded},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := f.deploy(1, `import { kv } from "picloud"; `+sleep+` export default async () => { `+c.code+`; return "over" }`)
			w := &turns{mayC: make(chan struct{})}
			if c.permitted {
				close(w.mayC)
			}

			run, err := f.pool.Run(t.Context(), &cloud.RunSpec{
				Execution: f.ids.New(),
				Root:      f.ids.New(),
				App:       s.App,
				Script:    s,
				Handler:   "fetch",
				Request:   &cloud.Request{Method: "GET", URL: "http://x.test/"},
				Deadline:  time.Now().Add(2 * time.Second),
				Calls:     slowCalls{},
				Turn:      w,
			})
			if err != nil {
				t.Fatal(err)
			}
			o := run.Outcome()
			run.Release(true)

			if o.Status != c.status || w.pauses.Load() != c.pauses {
				t.Errorf("%s %s after %d pauses, want %s after %d", o.Status, o.Error.Message, w.pauses.Load(), c.status, c.pauses)
			}
			if c.status == cloud.TimedOut && !strings.Contains(o.Error.Message, "its turn among other runs") {
				t.Errorf("the message does not say what it waited for: %s", o.Error.Message)
			}
		})
	}
}

// slowCalls answers every call after a while.
type slowCalls struct{}

func (slowCalls) Responded() {}

func (slowCalls) Call(ctx context.Context, _ uint64, call cloud.HostCall) (cloud.HostReply, error) {
	time.Sleep(100 * time.Millisecond)
	if _, isFetch := call.(cloud.Fetch); isFetch {
		return cloud.HostReply{Response: &cloud.Response{Status: 200}}, nil
	}
	return cloud.HostReply{Found: true, Value: "1"}, nil
}

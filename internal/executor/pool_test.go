package executor_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/executor"
	"picloud/internal/testkit"
)

// rig is a pool whose scripts live in a map.
type rig struct {
	t     testing.TB
	pool  *executor.Pool
	ids   cloud.IDSource
	mu    sync.Mutex
	codes map[cloud.ID]string
}

func newRig(t testing.TB) *rig {
	r := &rig{t: t, codes: map[cloud.ID]string{}}
	r.pool = executor.New(executor.Config{
		Launcher: &executor.Launcher{Command: []string{testkit.Binary(t), "sandbox"}, UID: 65534, GID: 65534}, MemoryMiB: 128, MaxBody: 10 << 20,
		Log: slog.New(slog.DiscardHandler),
		Code: func(_ context.Context, _ cloud.AppID, b cloud.ID) (string, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.codes[b], nil
		},
	})
	t.Cleanup(r.pool.Close)
	return r
}

func (r *rig) deploy(app cloud.AppID, source string) *cloud.Script {
	r.t.Helper()
	build := r.ids.New()
	b, err := r.pool.Compile(r.t.Context(), app, build, &cloud.Source{Name: "main", Language: "javascript", Source: source})
	if err != nil {
		r.t.Fatalf("compile: %v", err)
	}
	r.mu.Lock()
	r.codes[build] = b.Code
	r.mu.Unlock()
	return &cloud.Script{App: app, ID: r.ids.New(), Name: "main", Build: build, Handlers: b.Handlers,
		Limits: cloud.Limits{Timeout: 2 * time.Second}}
}

type noCalls struct{}

func (noCalls) Responded() {}
func (noCalls) Call(context.Context, uint64, cloud.HostOp, cloud.HostArgs) (cloud.HostReply, error) {
	return cloud.HostReply{Found: true, Value: "1"}, nil
}

func (r *rig) start(s *cloud.Script, body string) *executor.Run {
	run, err := r.pool.Run(context.Background(), &cloud.RunSpec{Execution: r.ids.New(), Root: r.ids.New(), App: s.App, Script: s, Handler: "fetch",
		Request:  &cloud.Request{Method: "POST", URL: "http://x.test/f/a/b?q=1", Body: []byte(body)},
		Deadline: time.Now().Add(s.Limits.Timeout), Calls: noCalls{}})
	if err != nil {
		r.t.Errorf("run: %v", err)
		return nil
	}
	return run
}

func (r *rig) call(s *cloud.Script, body string) cloud.Outcome {
	r.t.Helper()
	run := r.start(s, body)
	o := run.Outcome()
	run.Release(true)
	return o
}

func TestHello(t *testing.T) {
	r := newRig(t)
	s := r.deploy(1, `export default { async fetch(request) { return Response.json({hello: await request.text(), q: new URL(request.url).searchParams.get("q")}) } }`)
	for range 3 {
		o := r.call(s, "world")
		if o.Status != cloud.Succeeded || string(o.Response.Body) != `{"hello":"world","q":"1"}` {
			t.Fatalf("outcome %+v", o)
		}
	}
}

// Killers end their own run with an outcome that names the limit, and nobody else notices.
func TestKillers(t *testing.T) {
	r := newRig(t)
	good := r.deploy(2, `export default () => ({ok: true})`)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if o := r.call(good, ""); o.Status != cloud.Succeeded {
				t.Errorf("another app's endpoint suffered: %+v", o.Error)
				return
			}
		}
	})
	killers := map[string]struct {
		code string
		want []cloud.Status
	}{
		"repeat":           {`'x'.repeat(2**40)`, []cloud.Status{cloud.OutOfMemory, cloud.Failed}},
		"padStart":         {`''.padStart(2**33,'ab')`, []cloud.Status{cloud.OutOfMemory}},
		"deep json":        {`JSON.parse('['.repeat(2.5e6))`, []cloud.Status{cloud.Failed}},
		"fill":             {`new Array(3e7).fill(0)`, []cloud.Status{cloud.OutOfMemory, cloud.TimedOut}},
		"double":           {`let s = 'x'; for(;;) s += s`, []cloud.Status{cloud.OutOfMemory, cloud.Failed}},
		"big buffer":       {`new Uint8Array(4e9)`, []cloud.Status{cloud.OutOfMemory, cloud.Failed}},
		"bigint":           {`return String(2n**100000000n)`, []cloud.Status{cloud.TimedOut, cloud.OutOfMemory}},
		"loop":             {`for(;;);`, []cloud.Status{cloud.TimedOut}},
		"sort":             {`const a = []; for (let i = 0; i < 1e6; i++) a.push(Math.random()); for(;;) a.sort(() => Math.random() - .5)`, []cloud.Status{cloud.TimedOut, cloud.OutOfMemory}},
		"recursion":        {`function f() { return f() } f()`, []cloud.Status{cloud.Failed}},
		"native recursion": {`function f() { return [1].map(f) } f()`, []cloud.Status{cloud.Failed, cloud.OutOfMemory, cloud.TimedOut}},
		"deep stringify":   {`let a = []; for (let i = 0; i < 3e6; i++) a = [a]; JSON.stringify(a)`, []cloud.Status{cloud.OutOfMemory, cloud.TimedOut, cloud.Failed}},
		"eval parens":      {`new Function('('.repeat(300000) + ')'.repeat(300000))`, []cloud.Status{cloud.OutOfMemory, cloud.Failed}},
		"eval nots":        {`new Function('!'.repeat(2e6) + '1')`, []cloud.Status{cloud.OutOfMemory, cloud.Failed}},
		"regex":            {`/^(?=(a+)+$)(a+)+$/.test('a'.repeat(40) + 'b')`, []cloud.Status{cloud.TimedOut}},
		"microtasks":       {`const f = () => Promise.resolve().then(f); await f()`, []cloud.Status{cloud.TimedOut, cloud.OutOfMemory}},
		"toString":         {`throw { toString() { for(;;); } }`, []cloud.Status{cloud.TimedOut, cloud.Failed}},
		"toJSON":           {`return { toJSON() { for(;;); } }`, []cloud.Status{cloud.TimedOut}},
		"never":            {`await new Promise(() => {})`, []cloud.Status{cloud.Failed}},
		"huge body":        {`return 'x'.repeat(11 * 1024 * 1024)`, []cloud.Status{cloud.OutOfMemory}},
	}
	for name, k := range killers {
		t.Run(name, func(t *testing.T) {
			s := r.deploy(1, `export default { async fetch(request) { `+k.code+` } }`)
			started := time.Now()
			o := r.call(s, "")
			ok := false
			for _, w := range k.want {
				ok = ok || o.Status == w
			}
			if !ok || o.Error.Message == "" {
				t.Errorf("got %s %q %q after %s, want %v", o.Status, o.Error.Name, o.Error.Message, time.Since(started), k.want)
			}
			t.Logf("%s: %s: %s (%s)", o.Status, o.Error.Name, o.Error.Message, time.Since(started).Round(time.Millisecond))
		})
	}
	close(stop)
	wg.Wait()
}

// Whoever shares a child with a killer is told so; only the killer is blamed.
func TestCollateral(t *testing.T) {
	r := newRig(t)
	slow := r.deploy(1, `export default { async fetch() { await new Promise(r => setTimeout(r, 1500)); return "late" } }`)
	bad := r.deploy(1, `export default { async fetch() { await new Promise(r => setTimeout(r, 100)); ''.padStart(2**33,'ab') } }`)
	var runs []*executor.Run
	for range 3 {
		runs = append(runs, r.start(slow, ""))
	}
	if o := r.call(bad, ""); o.Status != cloud.OutOfMemory {
		t.Errorf("killer: %+v", o)
	}
	for _, run := range runs {
		if o := run.Outcome(); o.Status != cloud.Interrupted || !o.Collateral {
			t.Errorf("neighbour: %+v", o)
		}
	}
}

// What a run has left behind is not lacking to the next one: a process whose memory has grown is replaced,
// one in which much was made but little kept is not.
func TestGrownChild(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.deploy(1, `export default { async fetch(request) {
		const { mib, keep, fail } = await request.json();
		const kept = [];
		for (let i = 0; i < mib; i++) {
			const some = Array.from({ length: 6000 }, (_, k) => ({ k })); // some 3 MiB
			if (keep) kept.push(some);
		}
		if (fail) throw new Error("enough");
		return "done";
	} }`)
	s.Limits = cloud.Limits{Timeout: 30 * time.Second, MemoryMiB: 64}
	for _, c := range []struct {
		body     string
		want     cloud.Status
		replaced bool
	}{
		{`{"mib":1}`, cloud.Succeeded, false},
		{`{"mib":40}`, cloud.Succeeded, false},
		{`{"mib":18,"keep":true}`, cloud.Succeeded, true},
		{`{"mib":18,"keep":true,"fail":true}`, cloud.Failed, true},
		{`{"mib":5,"keep":true}`, cloud.Succeeded, false},
	} {
		if o := r.call(s, c.body); o.Status != c.want {
			t.Errorf("%s: %s %+v", c.body, o.Status, o.Error)
		}
		before := r.pool.Stats().Started
		if o := r.call(s, `{"mib":1}`); o.Status != cloud.Succeeded {
			t.Errorf("after %s: %s %+v", c.body, o.Status, o.Error)
		}
		if replaced := r.pool.Stats().Started > before; replaced != c.replaced {
			t.Errorf("after %s the process was replaced: %t", c.body, replaced)
		}
	}
}

// Runs that share a process with one that computes do not wait for its end, though a process that has had no
// long run for a while computes on one thread; and the one that computes is ended alone.
func TestLongRunKeepsNobody(t *testing.T) {
	t.Parallel() // it mostly waits
	r := newRig(t)
	short := r.deploy(1, `export default () => 1`)
	endless := r.deploy(1, `export default () => { for (;;); }`)
	for _, pause := range []time.Duration{0, 11 * time.Second} { // after the first call the process has a second thread for ten seconds
		r.call(short, "")
		time.Sleep(pause)
		r.call(short, "")
		run := r.start(endless, "")
		endC := make(chan cloud.Outcome, 1)
		go func() { endC <- run.Outcome() }()
		for n := range 20 {
			if o := r.call(short, ""); o.Status != cloud.Succeeded || len(endC) > 0 {
				t.Fatalf("short run %d beside an endless one: %+v; the other has ended: %t", n+1, o, len(endC) > 0)
			}
		}
		if o := <-endC; o.Status != cloud.TimedOut || strings.Contains(o.Error.Message, "ending its process") {
			t.Errorf("the endless run: %+v", o)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	r := newRig(t)
	compile := func(lang, src string) error {
		_, err := r.pool.Compile(t.Context(), 1, r.ids.New(), &cloud.Source{Name: "main", Language: lang, Source: src,
			Modules: map[string]cloud.Module{"a": {Language: "javascript", Source: "export const x = 1"}}})
		return err
	}
	for name, c := range map[string]struct{ lang, src, want string }{
		"syntax":      {"javascript", "const x = 1;\nexport default { fetch( { }", "main.js:2"},
		"parens":      {"javascript", strings.Repeat("(", 300000) + strings.Repeat(")", 300000), "nests too deeply"},
		"nots":        {"javascript", "export default " + strings.Repeat("!", 900000) + "1", "nests too deeply"},
		"types in js": {"javascript", "const x: number = 1", "main.js:1"},
		"package":     {"javascript", `import "lodash"`, `cannot import "lodash"`},
		"missing":     {"javascript", `import "./nope"`, `no module named "nope"`},
		"await":       {"javascript", `await 1; export default {}`, "Top-level await"},
		"file":        {"javascript", `import "/etc/passwd"`, `cannot import`},
	} {
		err := compile(c.lang, c.src)
		if err == nil || cloud.CodeOf(err) != cloud.CodeInvalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	if err := compile("typescript", `import { x } from "./a"; const y: number = x; export default { fetch: () => y } satisfies object`); err != nil {
		t.Errorf("typescript: %v", err)
	}
}

// An error shows the author's file, line and column.
func TestStack(t *testing.T) {
	r := newRig(t)
	build := r.ids.New()
	b, err := r.pool.Compile(t.Context(), 1, build, &cloud.Source{Name: "main", Language: "typescript",
		Source: "interface A { x: number }\n\nfunction boom(a: A): never {\n  throw new RangeError('no ' + a.x);\n}\nexport default { async fetch() { boom({x: 7}) } }\n"})
	if err != nil {
		t.Fatal(err)
	}
	r.codes[build] = b.Code
	o := r.call(&cloud.Script{App: 1, Name: "main", Build: build, Limits: cloud.Limits{Timeout: time.Second}}, "")
	if o.Error.Name != "RangeError" || o.Error.Message != "no 7" || !strings.Contains(o.Error.Stack, "at boom (main.ts:4:9)") {
		t.Errorf("error %q %q\n%s", o.Error.Name, o.Error.Message, o.Error.Stack)
	}
}

func TestWhatPassesBetweenRuns(t *testing.T) {
	r := newRig(t)
	s := r.deploy(1, `
		let module = 0;
		export default { async fetch(request) {
			const seen = { map: typeof [].evil, json: JSON.parse("1"), max: Math.max(1, 2), module: module++, own: Object.keys(globalThis).includes("leak") };
			const what = await request.text();
			if (what === "add") Array.prototype.evil = () => 1;
			if (what === "replace") Math.max = () => 99;
			if (what === "json") JSON.parse = () => 42;
			if (what === "getter") Object.defineProperty(Array.prototype, "map", { get() { for (;;); }, configurable: true });
			if (what === "proto") try { Object.prototype.polluted = 1; } catch (e) { seen.refused = e.name; }
			if (what === "timer") setTimeout(() => {}, 10000);
			if (what === "throw") throw new Error("x");
			return seen;
		} }`)
	first := `{"map":"undefined","json":1,"max":2,"module":0,"own":false}`
	expect := func(body, want string) {
		t.Helper()
		o := r.call(s, body)
		if o.Status != cloud.Succeeded {
			if want != "error" {
				t.Errorf("%s: %+v", body, o.Error)
			}
			return
		}
		if string(o.Response.Body) != want {
			t.Errorf("%s: got %s want %s", body, o.Response.Body, want)
		}
		time.Sleep(20 * time.Millisecond) // the runtime is checked after the answer
	}
	expect("", first)
	expect("", strings.Replace(first, `"module":0`, `"module":1`, 1)) // module state may persist
	for _, what := range []string{"add", "replace", "json", "getter", "timer"} {
		expect(what, strings.Replace(first, `"module":0`, `"module":2`, 1))
		expect("", first)
		expect("", strings.Replace(first, `"module":0`, `"module":1`, 1))
	}
	expect("throw", "error")
	expect("", first)
	expect("proto", strings.Replace(strings.Replace(first, `"module":0`, `"module":1`, 1), "}", `,"refused":"TypeError"}`, 1))
}

func BenchmarkHello(b *testing.B) {
	r := newRig(b)
	s := r.deploy(1, `export default { fetch(request) { return Response.json({hello: "world"}) } }`)
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if o := r.call(s, ""); o.Status != cloud.Succeeded {
				b.Fatal(o.Error)
			}
		}
	})
}

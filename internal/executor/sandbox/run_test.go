package sandbox

import (
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// fixture is a child's server whose parent is the test.
type fixture struct {
	t      *testing.T
	server *server
	frames chan frame // from the child
	// waiting are the frames that came, and that no test took.
	waiting []frame
}

type frame struct {
	kind wire.Kind
	body []byte
}

func newFixture(t *testing.T) *fixture {
	t.Helper()

	parent, child := net.Pipe()
	f := &fixture{t: t, server: newServer(wire.NewWriter(child, 0, maxFrame)), frames: make(chan frame, 100)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)

		r := wire.NewReader(parent, maxFrame)
		for {
			kind, _, body, err := r.Next()
			if err != nil {
				return
			}
			f.frames <- frame{kind, append([]byte(nil), body...)}
		}
	}()
	t.Cleanup(func() {
		_ = child.Close()
		_ = parent.Close()
		<-ended
	})
	return f
}

// aProgram is a program of no child.
func aProgram(code string) *program { return aProgramOf("x", code) }

func aProgramOf(name, code string) *program {
	kept := newKeptRuntimes(func(*program, wire.Loss) {}, func(*program) {})
	return &program{name: name, code: code, kept: kept}
}

// start executes a handler of a script, beside the test. The channel is closed when the run is over and its
// runtime is kept or not.
func (f *fixture) start(source string, msg *wire.RunMsg) (*run, <-chan struct{}) {
	f.t.Helper()

	out := bundle(&wire.CompileMsg{Name: "main", Language: "javascript", Source: source})
	if out.Error != nil {
		f.t.Fatalf("%s: %v", source, out.Error.Message)
	}
	p := &program{name: "main.js", code: out.Code, kept: f.server.kept}
	r := newRun(f.server, 1, msg, p)
	over := make(chan struct{})
	go func() {
		defer close(over)
		r.main(r.id)
	}()
	return r, over
}

// next is the first frame of a kind that was not taken yet. Those of other kinds wait to be asked for.
func (f *fixture) next(kind wire.Kind) []byte {
	f.t.Helper()
	is := func(got frame) bool { return got.kind == kind }

	k := slices.IndexFunc(f.waiting, is)
	for k < 0 {
		select {
		case got := <-f.frames:
			f.waiting = append(f.waiting, got)
			k = slices.IndexFunc(f.waiting, is)
		case <-time.After(20 * time.Second):
			f.t.Fatalf("no frame of kind %v came", kind)
		}
	}

	body := f.waiting[k].body
	f.waiting = slices.Delete(f.waiting, k, k+1)
	return body
}

// done is the outcome of a run.
func (f *fixture) done(kind wire.Kind) *wire.DoneMsg {
	f.t.Helper()
	m, err := wire.DecodeDone(f.next(kind))
	if err != nil {
		f.t.Fatal(err)
	}
	return m
}

func requestMsg() *wire.RunMsg {
	return &wire.RunMsg{
		Handler:     "fetch",
		Request:     &cloud.Request{Method: "GET", URL: "http://x/"},
		MaxBody:     1000,
		MaxLogLines: 10,
		MaxLogBytes: 1000,
	}
}

// What a handler does decides what the caller gets, and whether the runtime serves another run.
func TestRunOutcomes(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name, source string
		status       cloud.Status
		want         string // the body, or the error's name and message
		kept         int    // runtimes
	}{
		{"a value", `export default () => ({a: 1})`, cloud.Succeeded, `{"a":1}`, 1},
		{"a promise", `export default { fetch: async () => { await null; return "x" } }`, cloud.Succeeded, "x", 1},
		{"a timer", `export default () => new Promise((r) => setTimeout(r, 1, "late"))`, cloud.Succeeded, "late", 1},
		{"a timer left behind", `export default () => { setTimeout(() => {}, 1e6); return "x" }`, cloud.Succeeded, "x", 0},
		{"a changed intrinsic", `export default () => { Array.prototype.map = 1; return "x" }`, cloud.Succeeded, "x", 0},
		{"a stream", `export default () => new Response(new Blob(["a", "b"]).stream())`, cloud.Succeeded, "ab", 1},
		{"an error", `export default () => { throw new TypeError("no") }`, cloud.Failed, "TypeError: no", 0},
		{"a rejection", `export default async () => { throw "no" }`, cloud.Failed, "Error: uncaught no", 0},
		{"no handler", `export default { kv() {} }`, cloud.Failed, `no-handler: the script's default export has no handler "fetch"`, 1},
		{"a module that throws", `throw new RangeError("early"); export default () => 1`, cloud.Failed, "RangeError: early", 0},
		{"what the engine cannot do", `export default () => { try { for (const x of { [Symbol.iterator]: () => ({}) }); } catch {} }`, cloud.Failed, "Error: " + engineFailure().Message, 0},
		{"a module with that", `for (const x of { [Symbol.iterator]: () => ({}) }); export default () => 1`, cloud.Failed, "Error: " + engineFailure().Message, 0},
		{"a promise that nothing settles", `export default () => new Promise(() => {})`, cloud.Failed, "Error: " + errNeverSettles.Error(), 0},
		{"a body over the limit", `export default () => "x".repeat(1001)`, cloud.OutOfMemory, "LimitError: the response body has 1001 bytes; at most 1000 are allowed", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()

			f := newFixture(t)
			r, over := f.start(c.source, requestMsg())
			m := f.done(wire.Done)
			got := m.Error.Name + ": " + m.Error.Message
			if m.Response != nil {
				got = string(m.Response.Body)
			}
			if m.Status != c.status || got != c.want {
				t.Errorf("the run is %s with %q, want %s with %q", m.Status, got, c.status, c.want)
			}

			<-over
			if got := len(r.prog.idle); got != c.kept {
				t.Errorf("%d runtimes are kept, want %d", got, c.kept)
			}
		})
	}
}

// A run that is stopped while it waits says what it was waiting for.
func TestInterrupt(t *testing.T) {
	t.Parallel()

	for script, want := range map[string]string{
		`import { kv } from "picloud"; export default () => kv.collection("c").get("k")`:                 "1 host call",
		`export default () => Promise.all([fetch("http://a/"), new Promise((r) => setTimeout(r, 1e6))])`: "1 fetch and 1 timer",
		`export default (r) => new Promise((_, no) => r.signal.addEventListener("abort", no))`:           "a promise that nothing resolves",
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()

			f := newFixture(t)
			r, _ := f.start("console.log('begun');"+script, requestMsg())
			f.next(wire.Log)

			for r.usage.computing(time.Now()) > 0 { // until it waits
				runtime.Gosched()
			}
			r.interrupt()
			m := f.done(wire.Done)
			if m.Status != cloud.TimedOut || m.Waiting != want {
				t.Errorf("the run is %s, waiting for %q, want %q", m.Status, m.Waiting, want)
			}
		})
	}
}

// When the caller is gone the request's signal fires, also when a copy's was asked for, and the run goes on.
func TestCallerGone(t *testing.T) {
	t.Parallel()

	f := newFixture(t)
	r, _ := f.start(`export default (request) => new Promise((resolve) => {
		request.signal.addEventListener("abort", () => resolve("aborted " + copy.aborted));
		const copy = request.clone().signal;
		console.log("waiting");
	})`, requestMsg())
	f.next(wire.Log)
	r.post(event{kind: evAbort})
	if m := f.done(wire.Done); m.Status != cloud.Succeeded || string(m.Response.Body) != "aborted true" {
		t.Errorf("the run is %s %+v", m.Status, m.Response)
	}
}

// A streamed body comes a piece for each that is asked for, with what was given to waitUntil after it.
func TestStreamedBody(t *testing.T) {
	t.Parallel()

	f := newFixture(t)
	msg := requestMsg()
	msg.Stream = true
	r, _ := f.start(`export default (_, env, ctx) => {
		let closed;
		ctx.waitUntil(new Promise((r) => { closed = r; }).then(() => console.log("after")));
		let left = 2;
		return new Response(new ReadableStream({
			pull(c) { left-- ? c.enqueue(new TextEncoder().encode("piece" + left)) : (c.close(), setTimeout(closed, 1)); },
		}));
	}`, msg)
	if m := f.done(wire.Done); !m.Streaming || !m.Pending || len(m.Response.Body) != 0 {
		t.Fatalf("the run's outcome is %+v", m)
	}

	var pieces []string
	for last := false; !last; {
		r.post(event{kind: evPull})
		m, err := wire.DecodeChunk(f.next(wire.Chunk))
		if err != nil {
			t.Fatal(err)
		}
		pieces = append(pieces, string(m.Body))
		last = m.End
	}
	if got := strings.Join(pieces, ","); got != "piece1,piece0," {
		t.Errorf("the pieces are %q", got)
	}
	f.next(wire.Log)
	if m := f.done(wire.After); m.Status != cloud.Succeeded {
		t.Errorf("after the response the run is %s", m.Status)
	}
}

// What nobody handled is logged, unless a listener of the script prevents that.
func TestUnhandledRejections(t *testing.T) {
	t.Parallel()

	f := newFixture(t)
	f.start(`export default () => { Promise.reject(new TypeError("lost")); return "x" }`, requestMsg())
	line, err := wire.DecodeLog(f.next(wire.Log))
	if err != nil || line.Level != "error" || line.Message != "unhandled rejection: TypeError: lost" {
		t.Errorf("logged: %+v %v", line, err)
	}

	f.start(`addEventListener("unhandledrejection", (e) => { e.preventDefault(); console.log("mine") });
		export default () => { Promise.reject(1); return "x" }`, requestMsg())
	f.next(wire.Done)
	line, err = wire.DecodeLog(f.next(wire.Log))
	if err != nil || line.Message != "mine" {
		t.Errorf("logged: %+v %v", line, err)
	}
}

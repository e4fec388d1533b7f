package sdk

import (
	"net"
	"testing"
	"time"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/realm"
	"picloud/internal/executor/sandbox/webapi"
	"picloud/internal/executor/wire"
)

// fixture is a runtime in the middle of a run, and the parent that the run's calls come to.
type fixture struct {
	t    *testing.T
	host *Host
	run  *Run
	sent chan frame
}

// frame is what the parent has received.
type frame struct {
	kind wire.Kind
	body []byte
}

func newFixture(t *testing.T) *fixture {
	t.Helper()

	parent, child := net.Pipe()
	t.Cleanup(func() {
		_ = child.Close()
		_ = parent.Close()
	})
	f := &fixture{t: t, sent: make(chan frame, 100)}
	go func() {
		r := wire.NewReader(parent, 1<<20)
		for {
			kind, _, body, err := r.Next()
			if err != nil {
				close(f.sent)
				return
			}
			f.sent <- frame{kind, append([]byte(nil), body...)}
		}
	}()

	f.host = New(webapi.New(realm.New(1000), webapi.Needs{Events: true, Streams: true}), &cloud.Env{Values: map[string]string{"B": "2", "A": "1"}})
	msg := &wire.RunMsg{
		Request:   &cloud.Request{URL: "http://a/", Params: []cloud.Header{{Name: "id", Value: "7"}}},
		Depth:     2,
		Attempt:   3,
		Principal: cloud.Principal{Username: "ann", Kind: "user"},
		MaxBody:   1 << 20,
	}
	run := NewRun(1, msg, wire.NewWriter(child, 0, 1<<20))
	f.run = &run
	f.host.Enter(f.run)
	_ = f.host.VM.Set("picloud", f.host.Require("picloud"))
	_ = f.host.VM.Set("ctx", f.host.Context(f.run))
	return f
}

// nextRun ends the run, and lets the next one use the runtime.
func (f *fixture) nextRun() {
	f.t.Helper()

	f.host.Enter(nil)
	next := NewRun(f.run.Web.ID+1, f.run.Msg, f.run.Web.Parent)
	f.run = &next
	f.host.Enter(f.run)
}

// eval runs a script, whose value is a promise.
func (f *fixture) eval(script string) *goja.Promise {
	f.t.Helper()
	v, err := f.host.VM.RunString(script)
	if err != nil {
		f.t.Fatalf("%s: %v", script, err)
	}
	p, ok := realm.AsPromise(v)
	if !ok {
		f.t.Fatalf("%s gives %v, no promise", script, v)
	}
	return p
}

// called is the next call that the parent receives.
func (f *fixture) called() wire.CallMsg {
	f.t.Helper()

	select {
	case got := <-f.sent:
		if got.kind != wire.Call {
			f.t.Fatalf("the parent received a frame of kind %v", got.kind)
		}
		m, err := wire.DecodeCall(got.body)
		if err != nil {
			f.t.Fatal(err)
		}
		return m
	case <-time.After(10 * time.Second):
		f.t.Fatal("no call came")
		panic("unreachable")
	}
}

// reply gives the run the answer of a call.
func (f *fixture) reply(m wire.ReplyMsg) {
	f.t.Helper()
	from, to := net.Pipe()
	defer from.Close()
	defer to.Close()
	go func() { _ = wire.NewWriter(to, 0, 1<<20).Send(wire.Reply, 1, m.Encode) }()
	_, _, body, err := wire.NewReader(from, 1<<20).Next()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := f.run.Reply(body); err != nil {
		f.t.Fatal(err)
	}
}

// outcome is what a promise has come to, as JSON or as an error.
func (f *fixture) outcome(p *goja.Promise) string {
	f.t.Helper()

	switch p.State() {
	case goja.PromiseStatePending:
		return "pending"
	case goja.PromiseStateRejected:
		e := f.host.Describe(p.Result(), nil)
		return e.Name + ": " + e.Message
	}
	text, err := f.host.JSON.Encode(p.Result())
	if err != nil {
		f.t.Fatal(err)
	}
	if text == nil {
		return "undefined"
	}
	return string(text)
}

// Each call of the SDK says the same to the parent, and makes the same of its answer.
func TestCalls(t *testing.T) {
	t.Parallel()

	kv := `picloud.kv.collection("c").`
	for _, c := range []struct {
		script string
		call   cloud.HostCall
		reply  cloud.HostReply
		want   string
	}{
		{
			kv + `get("k")`, cloud.KVGet{Collection: "c", Key: "k"},
			cloud.HostReply{Found: true, Value: `{"a":1}`}, `{"a":1}`,
		},
		{
			kv + `get("k", {unchecked: true})`, cloud.KVGet{Collection: "c", Key: "k", Unchecked: true},
			cloud.HostReply{}, "null",
		},
		{
			kv + `getWithMetadata("k")`, cloud.KVGet{Collection: "c", Key: "k"},
			cloud.HostReply{Found: true, Value: "1", Version: 5, Expires: 1000}, `{"value":1,"version":5,"expiresAt":"1970-01-01T00:00:01.000Z"}`,
		},
		{
			kv + `has("k")`, cloud.KVHas{Collection: "c", Key: "k"},
			cloud.HostReply{Found: true}, "true",
		},
		{
			kv + `set("k", [1])`, cloud.KVSet{Collection: "c", Key: "k", Value: "[1]", IfVersion: cloud.AnyVersion},
			cloud.HostReply{}, "undefined",
		},
		{
			kv + `set("k", 1, {ttl: 1.5, ifVersion: 0})`, cloud.KVSet{Collection: "c", Key: "k", Value: "1", TTLMillis: 1500},
			cloud.HostReply{}, "undefined",
		},
		{
			kv + `delete("k")`, cloud.KVDelete{Collection: "c", Key: "k"},
			cloud.HostReply{Found: false}, "false",
		},
		{
			kv + `increment("k")`, cloud.KVIncrement{Collection: "c", Key: "k", By: 1},
			cloud.HostReply{Number: 7}, "7",
		},
		{
			kv + `list({prefix: "p", cursor: "x", limit: 2})`, cloud.KVList{Collection: "c", Prefix: "p", Cursor: "x", Limit: 2},
			cloud.HostReply{JSON: `{"items":[{"key":"p1","expiresAt":1000},{"key":"p2","expiresAt":null}]}`},
			`{"items":[{"key":"p1","expiresAt":"1970-01-01T00:00:01.000Z"},{"key":"p2","expiresAt":null}]}`,
		},
		{
			`picloud.deadLetters.list({script: "s"})`, cloud.DeadLetterList{Script: "s", Limit: 100},
			cloud.HostReply{JSON: `{"items":[{"id":"1","createdAt":"2026-01-02T03:04:05.000Z"}]}`},
			`{"items":[{"id":"1","createdAt":"2026-01-02T03:04:05.000Z"}]}`,
		},
		{
			`picloud.deadLetters.get("1")`, cloud.DeadLetterGet{ID: "1"},
			cloud.HostReply{}, "null",
		},
		{
			`picloud.deadLetters.replay("1", {payload: {a: 1}})`, cloud.DeadLetterReplay{ID: "1", HasPayload: true, Payload: `{"a":1}`},
			cloud.HostReply{Value: "2"}, `"2"`,
		},
		{
			`picloud.deadLetters.resolve("1", "why")`, cloud.DeadLetterResolve{ID: "1", Reason: "why"},
			cloud.HostReply{}, "undefined",
		},
	} {
		t.Run(c.script, func(t *testing.T) {
			t.Parallel()

			f := newFixture(t)
			p := f.eval(c.script)
			call := f.called()
			if call.Call != c.call {
				t.Errorf("the parent is asked %T %+v, want %T %+v", call.Call, call.Call, c.call, c.call)
			}
			if f.run.Calling() != 1 || f.outcome(p) != "pending" {
				t.Errorf("before the answer %d calls are open and the promise is %s", f.run.Calling(), f.outcome(p))
			}

			f.reply(wire.ReplyMsg{N: call.N, Reply: c.reply})
			if got := f.outcome(p); got != c.want {
				t.Errorf("gives %s, want %s", got, c.want)
			}
			if f.run.Calling() != 0 || f.run.Wrote() != wire.Writes(c.call.Op()) {
				t.Errorf("after the answer %d calls are open; wrote: %t", f.run.Calling(), f.run.Wrote())
			}
		})
	}
}

// Wrong arguments reject the promise, and never come to the parent.
func TestArguments(t *testing.T) {
	t.Parallel()

	f := newFixture(t)
	for script, want := range map[string]string{
		`picloud.kv.collection("c").get(1)`:                        "TypeError: a key must be a string",
		`picloud.kv.collection("c").get.call({}, "k")`:             "TypeError: Illegal invocation: this is not a collection",
		`picloud.kv.collection("c").set("k", () => 1)`:             "TypeError: the value has no JSON form",
		`picloud.kv.collection("c").set("k", 1, {ttl: 0})`:         "RangeError: ttl must be from 1 second to 10 years",
		`picloud.kv.collection("c").set("k", 1, {ifVersion: 1.5})`: "TypeError: ifVersion must be 0 or a version that getWithMetadata gave",
		`picloud.kv.collection("c").increment("k", NaN)`:           "TypeError: increment needs a finite number",
		`picloud.kv.collection("c").list({limit: 1001})`:           "RangeError: limit must be from 1 to 1000",
		`picloud.kv.collection("c").update("k")`:                   "TypeError: update needs a function",
		`picloud.deadLetters.list({script: 1})`:                    "TypeError: script must be a string",
		`picloud.deadLetters.get()`:                                "TypeError: an id must be a string",
		`fetch("nothing")`:                                         `TypeError: "nothing" is not a valid URL`,
		`fetch("http://a/", {signal: AbortSignal.abort("gone")})`:  "Error: uncaught gone",
	} {
		if got := f.outcome(f.eval(script)); got != want {
			t.Errorf("%s gives %q, want %q", script, got, want)
		}
	}
	if f.run.Calling() != 0 {
		t.Errorf("%d calls came to the parent", f.run.Calling())
	}
}

// A call that fails rejects its promise with an error of its name, whose stack is that of the call.
func TestFailedCall(t *testing.T) {
	t.Parallel()

	f := newFixture(t)
	p := f.eval(`picloud.kv.collection("c").set("k", 1)`)
	f.reply(wire.ReplyMsg{N: f.called().N, Error: &cloud.HostError{Name: "KvConflictError", Message: "no"}})
	if got := f.outcome(p); got != "KvConflictError: no" {
		t.Errorf("gives %s", got)
	}
	f.reply(wire.ReplyMsg{N: 99}) // an answer that nobody waits for
}

// update reads, calls the function, and writes what it returned; inside of the function there is no other
// update.
func TestUpdate(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		f    string
		call cloud.HostCall
		want string
	}{
		{`(v) => v + 1`, cloud.KVUpdateEnd{Collection: "c", Key: "k", Value: "2"}, "2"},
		{`async (v) => null`, cloud.KVUpdateEnd{Collection: "c", Key: "k", Delete: true}, "null"},
		{`() => {}`, cloud.KVGet{Collection: "c", Key: "k"}, "null"},
	} {
		t.Run(c.f, func(t *testing.T) {
			t.Parallel()

			f := newFixture(t)
			p := f.eval(`picloud.kv.collection("c").update("k", ` + c.f + `)`)
			f.reply(wire.ReplyMsg{N: f.called().N, Reply: cloud.HostReply{Found: true, Value: "1"}})
			end := f.called()
			if end.Call != c.call {
				t.Errorf("the parent is asked %T %+v, want %T %+v", end.Call, end.Call, c.call, c.call)
			}
			f.reply(wire.ReplyMsg{N: end.N})
			if got := f.outcome(p); got != c.want {
				t.Errorf("gives %s, want %s", got, c.want)
			}
		})
	}

	f := newFixture(t)
	p := f.eval(`const c = picloud.kv.collection("c"); c.update("k", () => c.update("j", () => 1))`)
	f.reply(wire.ReplyMsg{N: f.called().N})
	if got := f.outcome(p); got != "TypeError: "+errNestedUpdate.Error() {
		t.Errorf("an update in an update gives %s", got)
	}
}

// fetch sends the request and gives the response; when its signal fires the call is given up and the parent
// told.
func TestFetch(t *testing.T) {
	t.Parallel()

	f := newFixture(t)
	p := f.eval(`fetch("http://a/x", {method: "POST", body: "b", redirect: "manual"}).then((r) => ({s: r.status, u: r.url, r: r.redirected}))`)
	call := f.called()
	sent, ok := call.Call.(cloud.Fetch)
	if !ok {
		t.Fatalf("the parent is asked %T", call.Call)
	}
	req := sent.Request
	if req.Method != "POST" || req.URL != "http://a/x" || string(req.Body) != "b" || sent.Redirect != "manual" {
		t.Errorf("the parent is asked %+v %+v", sent, req)
	}
	if f.run.Fetching() != 1 {
		t.Errorf("%d fetches are open", f.run.Fetching())
	}
	f.reply(wire.ReplyMsg{N: call.N, Reply: cloud.HostReply{Value: "http://a/y", Response: &cloud.Response{Status: 201}}})
	if got := f.outcome(p); got != `{"s":201,"u":"http://a/y","r":true}` {
		t.Errorf("gives %s", got)
	}

	p = f.eval(`const a = new AbortController(); const p = fetch("http://a/", {signal: a.signal}); a.abort(); p`)
	f.called()
	if got := <-f.sent; got.kind != wire.Cancel {
		t.Errorf("after an abort the parent receives a frame of kind %v", got.kind)
	}
	if got := f.outcome(p); got != "AbortError: The operation was aborted." || f.run.Calling() != 0 {
		t.Errorf("gives %s, and %d calls are open", got, f.run.Calling())
	}
}

// What a script keeps from one run to the next does nothing in the name of the later one: it neither reads nor
// ends what that has under the same number.
func TestKeptFromAnotherRun(t *testing.T) {
	t.Parallel()

	const another = " belongs to another request: it cannot be used after the one that made it; keep the data instead, such as a body's text"
	for script, want := range map[string]string{
		`kept.text()`:                  "TypeError: this body" + another,
		`kept.clone().text()`:          "TypeError: this body" + another,
		`kept.body.getReader().read()`: "TypeError: this body" + another,
		`kept.body.cancel()`:           "TypeError: this body" + another,
		`fetch("http://a/", {method: "POST", body: kept.body, duplex: "half"})`: "TypeError: this body" + another,
		`reader.read()`:   "TypeError: this body" + another,
		`reader.cancel()`: "TypeError: this body" + another,
		`later(1)`:        "TypeError: this call" + another,
		`Promise.resolve().then(() => keptCtx.waitUntil(1))`:       "TypeError: this context" + another,
		`Promise.resolve(kept.status)`:                             "200",
		`Promise.resolve(keptCtx.params.id)`:                       `"7"`,
		`Promise.resolve().then(() => controller.abort())`:         "undefined",
		`Promise.resolve().then(() => clearTimeout(keptTimer))`:    "undefined",
		`Promise.resolve().then(() => keptRequest.signal.aborted)`: "false",
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()

			f := newFixture(t)
			fetched := func(script string) {
				t.Helper()
				p := f.eval(script)
				f.reply(wire.ReplyMsg{N: f.called().N, Reply: cloud.HostReply{Response: &cloud.Response{Status: 200}, Partial: true}})
				if got := f.outcome(p); got != "undefined" {
					t.Fatalf("%s gives %s", script, got)
				}
			}

			_ = f.host.VM.Set("keptRequest", f.host.web.IncomingRequest(f.run.Msg.Request))
			fetched(`const controller = new AbortController(); let kept; fetch("http://a/1", {signal: controller.signal}).then((r) => { kept = r })`)
			fetched(`let reader; fetch("http://a/2").then((r) => { reader = r.body.getReader() })`)
			f.eval(`const keptCtx = ctx, keptTimer = setTimeout(() => {}, 1); let later;
				const updated = picloud.kv.collection("c").update("k", () => new Promise((resolve) => { later = (v) => (resolve(v), updated) })); updated`)
			f.reply(wire.ReplyMsg{N: f.called().N})

			f.nextRun()
			_, err := f.host.VM.RunString(`setTimeout(() => {}, 1)`)
			if err != nil {
				t.Fatal(err)
			}
			fetched(`let mine; fetch("http://b/1").then((r) => { mine = r })`)

			if got := f.outcome(f.eval(script)); got != want {
				t.Errorf("gives %s, want %s", got, want)
			}
			f.run.Web.CallerGone()
			if err := f.host.web.AbortSignal(&f.run.Web); err != nil {
				t.Fatal(err)
			}
			if v, _ := f.host.VM.RunString(`keptRequest.signal.aborted`); v.ToBoolean() {
				t.Error("the request of an ended run is aborted when another's caller goes")
			}
			if f.run.Web.Timers.Len() != 1 || f.run.Calling() != 0 || len(f.run.Waits) != 0 {
				t.Errorf("the run has %d timers, %d calls and waits for %d promises; want 1, 0 and 0", f.run.Web.Timers.Len(), f.run.Calling(), len(f.run.Waits))
			}

			select {
			case got := <-f.sent:
				t.Errorf("the parent receives a frame of kind %v", got.kind)
			default:
			}
		})
	}
}

// What handlers get beside their event: the environment, which nobody can change, and the context of their
// run.
func TestEnvAndContext(t *testing.T) {
	t.Parallel()

	f := newFixture(t)
	for script, want := range map[string]string{
		`Object.keys(picloud.env).join() + picloud.env.A + Object.isFrozen(picloud.env)`: "A,B1true",
		`ctx.params.id + ctx.depth + ctx.attempt`:                                        "723",
		`ctx.executionId`: "00000000-0000-0000-0000-000000000000",
		`ctx.principal.username + ctx.principal.kind`:         "annuser",
		`ctx.params === ctx.params`:                           "true",
		`Object.keys(picloud).join()`:                         "kv,log,deadLetters,env,KvError,KvConflictError,LimitError,FetchError,DeadLetterError",
		`Object.keys(Object.getPrototypeOf(ctx)).join()`:      "params,executionId,rootExecutionId,depth,attempt,idempotencyKey,principal,waitUntil,passThroughOnException",
		`ctx.waitUntil(Promise.resolve(1)); ctx.waitUntil(2)`: "undefined",
	} {
		v, err := f.host.VM.RunString(script)
		if err != nil || v.String() != want {
			t.Errorf("%s gives %v %v, want %s", script, v, err, want)
		}
	}
	if len(f.run.Waits) != 2 {
		t.Errorf("the run waits for %d promises, want 2", len(f.run.Waits))
	}
}

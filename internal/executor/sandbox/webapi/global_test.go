package webapi

import (
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/realm"
	"picloud/internal/executor/wire"
)

// newGlobal is a global scope with everything loaded, in the middle of a run.
func newGlobal(t *testing.T) (*Global, *Run) {
	t.Helper()

	parent, child := net.Pipe()
	go func() { _, _ = io.Copy(io.Discard, parent) }()
	t.Cleanup(func() {
		_ = child.Close()
		_ = parent.Close()
	})

	needs := Needs{Streams: true, Intl: true, Events: true, MissingECMAScript: true, Subtle: true, URLPattern: true, WebAssembly: true, Clone: true}
	g := New(realm.New(1000), needs)
	r := &Run{Parent: wire.NewWriter(child, 0, 1<<20), MaxBody: 1 << 20, MaxLogLines: 3, MaxLogBytes: 5000}
	r.Request = &cloud.Request{URL: "https://example.com/f/app/script"}
	g.Enter(r)
	return g, r
}

// What scripts ask of the classes, as the standards answer. A case that throws gives the error's name and
// message.
func TestGlobalScope(t *testing.T) {
	t.Parallel()

	for script, want := range map[string]string{
		// Headers
		`new Headers([["A", "1"], ["a", " 2 "]]).get("a")`:                             "1, 2",
		`[...new Headers({b: "1", "set-cookie": "x", A: "2"})].join(";")`:              "a,2;b,1;set-cookie,x",
		`const h = new Headers({a: "1"}); h.append("A", "2"); h.set("a", "3"); [...h]`: "a,3",
		`const d = new Headers({a: "1", b: "2"}); d.delete("A"); d.has("a")`:           "false",
		`new Headers([["a"]])`:            "TypeError: each header must be a [name, value] pair",
		`new Headers({"a b": "1"})`:       `TypeError: "a b" is not a valid header name`,
		`new Headers({a: "1\n2"})`:        "TypeError: a header value must not contain NUL, CR or LF",
		`Headers.prototype.get.call(1)`:   "TypeError: Illegal invocation: this is not a Headers",
		`Object.keys(new Headers()).join`: "function join() { [native code] }",

		// structuredClone
		`const b = new Uint8Array([1, 2]).buffer; const c = structuredClone({ b }, { transfer: [b] }).b; [b.byteLength, ...new Uint8Array(c)]`:        "0,1,2",
		`const e = new ArrayBuffer(1); structuredClone(1, { transfer: [e, e] })`:                                                                      "DataCloneError: Only ArrayBuffers can be transferred, each once.",
		`structuredClone(1, { transfer: [{}] })`:                                                                                                      "DataCloneError: Only ArrayBuffers can be transferred, each once.",
		`structuredClone(1, { transfer: [Object.create(ArrayBuffer.prototype)] })`:                                                                    "DataCloneError: Only ArrayBuffers can be transferred, each once.",
		`const f = new ArrayBuffer(1); structuredClone(f, { transfer: [f] }); structuredClone(f)`:                                                     "DataCloneError: An ArrayBuffer is detached and could not be cloned.",
		`const g = new ArrayBuffer(1); try { structuredClone(() => 1, { transfer: [g] }) } catch {} g.byteLength`:                                     "1",
		`const k = new Uint8Array([1, 2, 3]).subarray(1); const l = structuredClone([k, k.buffer]); [l[0].buffer === l[1], l[0].byteOffset, ...l[0]]`: "true,1,2,3",
		`const m = new ArrayBuffer(3), { port1, port2 } = new MessageChannel(); port1.postMessage(m, [m]); m.byteLength`:                              "0",

		// URLSearchParams
		`new URLSearchParams("?a=1&b=%20+&a=2").toString()`:                                         "a=1&b=++&a=2",
		`const p = new URLSearchParams("a=1&b=2&a=3"); p.set("a", "9"); String(p)`:                  "a=9&b=2",
		`const q = new URLSearchParams("a=1&a=2&b=3"); q.delete("a", "2"); String(q)`:               "a=1&b=3",
		`new URLSearchParams([["a", "1"], ["b", "2"]]).has("b", "2")`:                               "true",
		`new URLSearchParams({a: "é"}).toString()`:                                                  "a=%C3%A9",
		`const u = new URL("http://h/?a=1"); u.searchParams.append("b", "2"); u.href`:               "http://h/?a=1&b=2",
		`const v = new URL("http://h/?a=1"); v.searchParams; v.search = "c=3"; [...v.searchParams]`: "c,3",
		`new URLSearchParams("b=1&a=2&b=0").getAll("b").join()`:                                     "1,0",
		`const s = new URLSearchParams("b=1&a=2&b=0"); s.sort(); s.toString() + s.size`:             "a=2&b=1&b=03",

		// URL
		`new URL("../x?y#z", "http://a:81/b/c").href`: "http://a:81/x?y#z",
		`new URL("data:x").origin`:                    "null",
		`URL.canParse("nothing")`:                     "false",
		`new URL("nothing")`:                          `TypeError: Invalid URL: "nothing"`,

		// Request and Response
		`new Request("http://a/", {method: "post"}).method`:                      "POST",
		`new Request("http://a/", {method: "TRACE"})`:                            "TypeError: the method TRACE is forbidden",
		`new Request("http://a/", {body: "x"})`:                                  "TypeError: a GET request cannot have a body",
		`new Request("http://u:p@a/")`:                                           "TypeError: the URL of a Request must not carry a username or password: send an Authorization header",
		`new Request("http://a/", {redirect: "no"})`:                             `TypeError: redirect is follow, error or manual; it is "no"`,
		`new Response("x").headers.get("content-type")`:                          "text/plain;charset=UTF-8",
		`new Response(new URLSearchParams("a=b")).headers.get("content-type")`:   "application/x-www-form-urlencoded;charset=UTF-8",
		`new Response("x", {status: 204})`:                                       "TypeError: a Response with status 204 cannot have a body",
		`new Response("x", {status: 1})`:                                         "RangeError: the status of a Response must be from 200 to 599",
		`Response.redirect("other", 307).headers.get("location")`:                "https://example.com/f/app/other",
		`Response.redirect("other", 300)`:                                        "RangeError: Response.redirect: the status must be 301, 302, 303, 307 or 308",
		`Response.json({a: 1}).headers.get("content-type")`:                      "application/json",
		`const e = Response.error(); e.type + e.status + e.ok`:                   "error0false",
		`const r = new Response("x"); r.own = 1; Object.keys(r) + r.clone().own`: "ownundefined",

		// texts
		`btoa("é") + atob(" 6Q = = ")`: "6Q==é",
		`btoa("€")`:                    "InvalidCharacterError: btoa: the string has a character outside of Latin1",
		`new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 0xe2, 0x82, 0x41]))`:                                         "\ufffdA",
		`new TextDecoder("utf-8", {fatal: true}).decode(new Uint8Array([0xff]))`:                                                 "TypeError: the encoded data was not valid utf-8",
		`const t = new TextDecoder(); t.decode(new Uint8Array([0xe2, 0x82]), {stream: true}) + t.decode(new Uint8Array([0xac]))`: "€",
		`new TextDecoder("shift_jis").decode(new Uint8Array([0x82, 0xa0]))`:                                                      "あ",
		`new TextDecoder("nothing")`:                                               `RangeError: the encoding label "nothing" is not known`,
		`crypto.getRandomValues(new Uint8Array(4)).length`:                         "4",
		`crypto.getRandomValues([])`:                                               "TypeError: getRandomValues needs a typed array of integers",
		`/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab]/.test(crypto.randomUUID())`: "true",

		// what the engine lacks
		`new RegExp("^\\p{Lu}$", "u").test("É")`: "true",
		`["a💩b".toWellFormed(), "💩".isWellFormed(), "a\ud83d".toWellFormed(), "\udca9".isWellFormed()].join()`: "a💩b,true,a\ufffd,false",
		`["é", "z", "a"].sort(new Intl.Collator("de").compare).join("")`:                                       "aéz",
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()

			g, _ := newGlobal(t)
			v, err := g.VM.RunString("{" + script + "}")
			var got string
			if err != nil {
				e := g.ScriptError(err)
				got = e.Name + ": " + e.Message
			} else {
				got = v.String()
			}
			if got != want {
				t.Errorf("gives %q, want %q", got, want)
			}
		})
	}
}

// A run's lines of log are bounded in number and, but for the beginning of each, in bytes; what was not
// sent is counted.
func TestLogLimits(t *testing.T) {
	t.Parallel()

	g, r := newGlobal(t)
	if _, err := g.VM.RunString(`for (let k = 0; k < 5; k++) console.log("line", k)`); err != nil {
		t.Fatal(err)
	}
	if r.Unlogged() != 2 {
		t.Errorf("%d lines were not sent, want 2", r.Unlogged())
	}
}

// console renders what JSON has no form for, and takes the specifiers of a format.
func TestConsoleLine(t *testing.T) {
	t.Parallel()

	g, _ := newGlobal(t)
	for script, want := range map[string]string{
		`["a", 1, null, {b: [2]}]`: `a 1 null {"b":[2]}`,
		`["%s is %d%%, %i, %f, %o%c!", "x", "7", 1.9, "2.5", {a: 1}, "css", "rest"]`: `x is 7%, 1, 2.5, {"a":1}! rest`,
		`["%d %i", {}, Symbol("x")]`:                             "NaN NaN",
		`["%d %i %f %s %o", 10n, -3n, 10n, 10n, 10n]`:            "10n -3n 10 10n 10n",
		`[10n, Object(10n), new Map([[1n, 2n]]), {a: 1n}]`:       "10n [Object] Map(1) {1n => 2n} [Object]",
		`["%d %i %f", null, true, undefined]`:                    "0 1 NaN",
		`["%d", Object.create(null), "%s", Object.create(null)]`: "NaN %s {}",
		`["100%", 1]`:                      "100% 1",
		`["%x %s"]`:                        "%x %s",
		`[new Map([[1, new Set(["a"])]])]`: "Map(1) {1 => Set(1) {a}}",
		`[new Uint8Array([1, 255])]`:       "[2 bytes: 01ff]",
		`[() => 1, class A {}]`:            "[function] [function]",
		`[new Map([[1, new Map([[1, new Map([[1, new Map([[1, new Map()]])]])]])]])]`: "Map(1) {1 => Map(1) {1 => Map(1) {1 => Map(1) {1 => [Map]}}}}",
	} {
		v, err := g.VM.RunString(script)
		if err != nil {
			t.Fatal(err)
		}
		var args []goja.Value
		g.VM.ForOf(v, func(v goja.Value) bool {
			args = append(args, v)
			return true
		})
		if got := g.line(args); got != want {
			t.Errorf("%s is shown as %q, want %q", script, got, want)
		}
	}
}

// The timer that is due first fires first, those of one time in the order of creation; a signal's timer
// leaves the runtime usable.
func TestTimers(t *testing.T) {
	t.Parallel()

	g, r := newGlobal(t)
	v, err := g.VM.RunString(`
		globalThis.fired = [];
		setTimeout((...a) => fired.push(...a), 20, "late");
		setTimeout(() => fired.push("never"), 1e12);
		const repeated = setInterval(() => { if (fired.push("tick") > 2) clearInterval(repeated) }, 0);
		AbortSignal.timeout(5);
		fired`)
	if err != nil {
		t.Fatal(err)
	}

	for r.Timers.Len() > 1 {
		if err := r.Timers.Fire(r.Timers.Earliest()); err != nil {
			t.Fatal(err)
		}
	}

	if got := v.String(); got != "tick,tick,tick,late" && got != "tick,tick,late,tick" {
		t.Errorf("fired: %s", got)
	}
	if !r.Timers.Left() {
		t.Error("the timer that never fires keeps no runtime from being used again")
	}
}

// Without a run, or while a module is evaluated, nothing that belongs to a run can be had.
func TestInRun(t *testing.T) {
	t.Parallel()

	g, _ := newGlobal(t)
	call := func() string {
		_, err := g.VM.RunString(`setTimeout(() => {}, 0)`)
		if err == nil {
			return ""
		}
		return g.ScriptError(err).Message
	}
	const refused = "setTimeout() is not allowed while the module is evaluated: move the call into a handler"

	if got := call(); got != "" {
		t.Errorf("in a run: %s", got)
	}
	_ = g.Evaluate(func() error {
		if got := call(); got != refused {
			t.Errorf("while a module is evaluated: %q", got)
		}
		return nil
	})
	g.Enter(nil)
	if got := call(); got != refused {
		t.Errorf("without a run: %q", got)
	}
}

// What a handler returns becomes a response; what cannot be one is refused with a sentence for the author.
func TestResponseOf(t *testing.T) {
	t.Parallel()

	g, _ := newGlobal(t)
	for script, want := range map[string]string{
		`undefined`: "204 []",
		`"text"`:    "200 [content-type: text/plain;charset=UTF-8] text",
		`({a: 1})`:  `200 [content-type: application/json] {"a":1}`,
		`new Response("x", {status: 201, headers: {b: "c"}})`: "201 [b: c content-type: text/plain;charset=UTF-8] x",
		`Response.error()`: "TypeError: the handler returned Response.error()",
		`() => 1`:          "TypeError: the handler returned a value that has no JSON form; return a Response, a JSON value, a string or undefined",
		`const r = new Response("x"); r.text(); r`: "TypeError: the returned Response's body has already been read",
	} {
		v, err := g.VM.RunString("{" + script + "}")
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		exc := g.VM.Try(func() {
			r := g.ResponseOf(v)

			var headers []string
			for _, h := range r.Headers {
				headers = append(headers, h.Name+": "+h.Value)
			}
			got = strings.TrimSpace(g.VM.ToValue(r.Status).String() + " [" + strings.Join(headers, " ") + "] " + string(r.Body))
		})
		if exc != nil {
			e := g.ScriptError(exc)
			got = e.Name + ": " + e.Message
		}
		if got != want {
			t.Errorf("%s gives %q, want %q", script, got, want)
		}
	}
}

// A form that is written is read again as it was, whatever is in it.
func TestForm(t *testing.T) {
	t.Parallel()

	list := []cloud.Header{{Name: "a b", Value: "1&2=3"}, {Name: "", Value: "é%"}, {Name: "+", Value: ""}, {Name: "*-._", Value: "\x00"}}
	if got := parseForm(encodeForm(list)); !slices.Equal(got, list) {
		t.Errorf("%q became %q", list, got)
	}
	if got := parseForm("a=%zz&&=b&c"); !slices.Equal(got, []cloud.Header{{Name: "a", Value: "%zz"}, {Value: "b"}, {Name: "c"}}) {
		t.Errorf("a malformed form is %q", got)
	}
}

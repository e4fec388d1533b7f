package webapi

import "testing"

// Instances of the platform's classes are ordinary objects, on which frameworks hang what they want, and its
// classes are classes.
func TestObjectsAreOrdinary(t *testing.T) {
	t.Parallel()

	cases{
		`const K = Symbol(), r = new Request("http://a/"); r[K] = 1; return r[K]`:                                                 "1",
		`const r = new Request("http://a/"); Object.defineProperty(r, "ip", { get: () => 1 }); return r.ip`:                       "1",
		`const u = new URL("http://a"); u.extra = 1; return u.extra + JSON.stringify({ u })`:                                      `1{"u":"http://a/"}`,
		`const h = new Headers(); h.x = 1; return Object.keys(h) + JSON.stringify(h)`:                                             `x{"x":1}`,
		`const p = new URLSearchParams("a=1"); p[Symbol.for("k")] = 2; return p[Symbol.for("k")] + String(p)`:                     "2a=1",
		`const r = new Response("x"), K = Symbol(); r[K] = 3; return r[K] + await r.text()`:                                       "3x",
		`return JSON.stringify([new Request("http://a/"), new Response(), new Headers({ a: "1" })])`:                              "[{},{},{}]",
		`class Mine extends Response { #x = 1; get x() { return this.#x } }; return new Mine("y").x + await new Mine("y").text()`: "1y",

		`URL("http://a")`:      "TypeError: Class constructor URL cannot be invoked without 'new'",
		`Response("x")`:        "TypeError: Class constructor Response cannot be invoked without 'new'",
		`Headers()`:            "TypeError: Class constructor Headers cannot be invoked without 'new'",
		`Request("http://a/")`: "TypeError: Class constructor Request cannot be invoked without 'new'",
		`new AbortSignal()`:    "TypeError: Illegal constructor",
		`new MessagePort()`:    "TypeError: Illegal constructor",
		`AbortController()`:    "TypeError: Class constructor cannot be invoked without 'new'",
		`ReadableStream()`:     "TypeError: Class constructor cannot be invoked without 'new'",
		`return URL.parse("/x", "http://a/")?.href + URL.parse("x")`:                                                "http://a/xnull",
		`const u = new URL("http://a/x?q"); u.searchParams; u.href = "http://b/?r"; return u.href + u.searchParams`: "http://b/?rr=",
		`new URL("http://a/x").href = "nothing"; return 1`:                                                          `TypeError: Invalid URL: "nothing"`,
	}.check(t)
}

// Every class says its name.
func TestClassNames(t *testing.T) {
	t.Parallel()

	cases{
		`const name = (o) => Object.prototype.toString.call(o).slice(8, -1);
		const { readable, writable } = new TransformStream();
		return [
			new AbortController(), new AbortController().signal, new TextEncoder(), new TextDecoder(), new Event("x"), new EventTarget(),
			new CustomEvent("x"), readable, writable, new TransformStream(), new CountQueuingStrategy({ highWaterMark: 1 }), new Blob(), new File([], "n"),
			new FormData(), performance, new MessageChannel(), new MessageChannel().port1, new DOMException(), new URL("http://a"), new Headers(),
			new Request("http://a"), new Response(), new URLSearchParams(), new CompressionStream("gzip"), new TextDecoderStream(), console,
			readable.getReader(), writable.getWriter(),
		].map(name).join()`: "AbortController,AbortSignal,TextEncoder,TextDecoder,Event,EventTarget," +
			"CustomEvent,ReadableStream,WritableStream,TransformStream,CountQueuingStrategy,Blob,File," +
			"FormData,Performance,MessageChannel,MessagePort,DOMException,URL,Headers," +
			"Request,Response,URLSearchParams,CompressionStream,TextDecoderStream,console," +
			"ReadableStreamDefaultReader,WritableStreamDefaultWriter",
	}.check(t)
}

// Iteration sees what a script changes meanwhile.
func TestLiveIteration(t *testing.T) {
	t.Parallel()

	cases{
		`const h = new Headers({ a: "1", b: "2", c: "3" }), seen = []; for (const [k] of h) { seen.push(k); h.delete("b"); } return seen`:                                    "a,c",
		`const p = new URLSearchParams("a=1&b=2&c=3"), seen = []; for (const [k] of p) { seen.push(k); p.delete("a"); } return seen`:                                         "a,c",
		`const f = new FormData(), seen = []; f.append("a", "1"); f.append("b", "2"); for (const [k] of f) { seen.push(k); if (k === "b") f.append("c", "3"); } return seen`: "a,b,c",
		`const p = new URLSearchParams("a=1"), seen = []; p.forEach((v, k) => { seen.push(k); if (seen.length < 3) p.append("n", v); }); return seen`:                        "a,n,n",
		`return Object.prototype.toString.call(new Headers().entries()) + Object.prototype.toString.call(new URLSearchParams().keys())`:                                      "[object Headers Iterator][object URLSearchParams Iterator]",
		`return new Headers({ a: "1" }).entries().next.call({})`:                                                                                                             "TypeError: Illegal invocation: this is not a Headers Iterator",
	}.check(t)
}

// What is no record or list of pairs throws, and what a getter changes meanwhile breaks nothing.
func TestRecords(t *testing.T) {
	t.Parallel()

	cases{
		`return new URLSearchParams({ "\ud800": "x" }).toString()`:                             "%EF%BF%BD=x",
		`const o = { get a() { delete o.b; return "1" }, b: "2" }; return [...new Headers(o)]`: "a,1",
		`return [...new Headers(new Proxy({ a: "1" }, { ownKeys: () => ["a", "b"] }))]`:        "a,1",
		`return new URLSearchParams([["a", "1"], new Set(["b", "2"])]).toString()`:             "a=1&b=2",
		`new URLSearchParams([["a"]])`:                                                         "TypeError: each parameter must be a [name, value] pair",
		`new Headers(null)`:                                                                    "TypeError: headers must be an object, a list of pairs or Headers",
		`new Headers({ x: "日" })`:                                                              "TypeError: a header value must have no character above U+00FF",
		`return new URLSearchParams("a=%FE%FF").get("a")`:                                      "\ufffd\ufffd",
	}.check(t)
}

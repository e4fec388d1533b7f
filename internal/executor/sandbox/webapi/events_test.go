package webapi

import "testing"

// Events and signals by the DOM standard.
func TestEvents(t *testing.T) {
	t.Parallel()

	cases{
		`const c = new AbortController(), seen = []; const s = AbortSignal.any([c.signal]);
		s.addEventListener("abort", () => seen.push("any")); c.signal.addEventListener("abort", () => seen.push("source")); c.abort(); return seen`: "source,any",
		`const c = new AbortController(), s = AbortSignal.any([AbortSignal.any([c.signal])]); c.abort(7); return s.reason`:                                         "7",
		`const c = new AbortController(), seen = []; const s = AbortSignal.any([c.signal]); c.signal.onabort = () => seen.push(s.aborted); c.abort(); return seen`: "true",
		`AbortSignal.any([{}])`:   "TypeError: signal must be an AbortSignal",
		`AbortSignal.timeout(-1)`: "TypeError: AbortSignal.timeout needs milliseconds from 0",
		`const s = AbortSignal.timeout(1); await new Promise((r) => s.onabort = r); return [s.reason.name, s.reason.code]`:                                                                                                         "TimeoutError,23",
		`const t = new EventTarget(), seen = []; t.addEventListener("x", (e) => { seen.push(1); e.stopImmediatePropagation() }); t.addEventListener("x", () => seen.push(2)); t.dispatchEvent(new Event("x")); return seen`:        "1",
		`const t = new EventTarget(), seen = []; t.addEventListener("x", () => seen.push("bubble")); t.addEventListener("x", () => seen.push("capture"), true); t.dispatchEvent(new Event("x")); return seen`:                      "capture,bubble",
		`const t = new EventTarget(); let n = 0; const c = new AbortController(); t.addEventListener("x", () => n++, { signal: c.signal }); t.dispatchEvent(new Event("x")); c.abort(); t.dispatchEvent(new Event("x")); return n`: "1",
		`const t = new EventTarget(), e = new Event("x"); let again; t.addEventListener("x", () => { try { t.dispatchEvent(e) } catch (x) { again = x.name } }); t.dispatchEvent(e); return again`:                                 "InvalidStateError",
		`new EventTarget().dispatchEvent({ type: "x" })`:                                        "TypeError: it is not an Event",
		`new PromiseRejectionEvent("x")`:                                                        "TypeError: a PromiseRejectionEvent needs a promise",
		`return Object.getOwnPropertyDescriptor(new Event("x"), "isTrusted").get !== undefined`: "true",
		`const seen = []; const c = new AbortController(); c.signal.addEventListener("abort", () => seen.push("later")); c.signal.onabort = () => seen.push("handler"); c.abort(); return seen`: "later,handler",

		// What a microtask throws is an uncaught exception and no rejection.
		`let got; addEventListener("error", (e) => { got = e.error; e.preventDefault() }); queueMicrotask(() => { throw 7 }); await null; return got`: "7",
		`let n; queueMicrotask(function () { n = arguments.length }); await null; return n`:                                                           "0",
	}.check(t)
}

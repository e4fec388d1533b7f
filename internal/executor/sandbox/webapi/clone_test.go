package webapi

import "testing"

// structuredClone copies what the HTML standard lists, as it is behind its properties, and nothing else.
func TestStructuredClone(t *testing.T) {
	t.Parallel()

	const no = "DataCloneError: The object could not be cloned."
	cases{
		`structuredClone(new URL("http://a"))`:               no,
		`structuredClone(new Headers())`:                     no,
		`structuredClone({ a: [new Request("http://a/")] })`: no,
		`structuredClone(new Proxy({}, {}))`:                 no,
		`structuredClone(new ReadableStream())`:              no,
		`structuredClone(new AbortController().signal)`:      no,
		`structuredClone(Promise.resolve())`:                 no,
		`structuredClone(new WeakMap())`:                     no,
		`structuredClone(() => 1)`:                           "DataCloneError: A function could not be cloned.",
		`structuredClone(Symbol("x"))`:                       "DataCloneError: Symbol(x) could not be cloned.",
		`structuredClone()`:                                  "TypeError: structuredClone needs a value",
		`try { structuredClone(() => 1) } catch (e) { return [e instanceof DOMException, e.code] }`:                                                                                              "true,25",
		`return [Object(1), Object(true), new String("s"), Object(2n)].map((o) => { const c = structuredClone(o); return [typeof c, c.constructor === o.constructor, c.valueOf()] })`:            "object,true,1,object,true,true,object,true,s,object,true,2",
		`const e = structuredClone(new DOMException("m", "AbortError")); return [e instanceof DOMException, e.name, e.message, e.code]`:                                                          "true,AbortError,m,20",
		`class Mine extends RangeError { name = "RangeError" }; const e = structuredClone(new Mine("m", { cause: { a: 1 } })); return [e.constructor.name, e.message, e.cause.a]`:                "RangeError,m,1",
		`const e = new Error("m"); e.name = "Odd"; return structuredClone(e).name`:                                                                                                               "Error",
		`const a = [1, , 3]; a.x = 4; const c = structuredClone(a); return [c.length, 1 in c, c.x]`:                                                                                              "3,false,4",
		`class Point { constructor() { this.x = 1 } get y() { return 2 } }; const c = structuredClone(new Point()); return [c.constructor === Object, Object.keys(c)]`:                           "true,x",
		`const o = { get a() { return 5 } }; return JSON.stringify(Object.getOwnPropertyDescriptor(structuredClone(o), "a"))`:                                                                    `{"value":5,"writable":true,"enumerable":true,"configurable":true}`,
		`const m = new Map([[{ k: 1 }, new Set([1])]]); m.set("self", m); const c = structuredClone(m); return [c.get("self") === c, [...c.keys()][0].k, [...c.values()][0].has(1)]`:             "true,1,true",
		`const c = structuredClone(new File(["ab"], "n.txt", { type: "text/plain", lastModified: 7 })); return [c instanceof File, c.name, c.type, c.lastModified, await c.text()]`:              "true,n.txt,text/plain,7,ab",
		`const b = new Uint8Array([1, 2]).buffer, v = new Uint8Array(b, 1); const c = structuredClone({ b, v }, { transfer: [b] }); return [b.byteLength, v.length, c.v.buffer === c.b, c.v[0]]`: "0,0,true,2",
		`const d = Object.setPrototypeOf(new Date(5), Object.prototype); return structuredClone(d).getTime()`:                                                                                    "5",
		`return structuredClone(Object.create(null, { a: { value: 1, enumerable: true } })).a`:                                                                                                   "1",
	}.check(t)
}

// DOMException as Web IDL has it.
func TestDOMException(t *testing.T) {
	t.Parallel()

	cases{
		`return [new DOMException("", "NotFoundError").code, DOMException.ABORT_ERR, DOMException.prototype.DATA_CLONE_ERR, DOMException.INUSE_ATTRIBUTE_ERR]`: "8,20,25,10",
		`const e = new DOMException("m"); return [e.name, e.message, e.code, Object.hasOwn(e, "message"), e instanceof Error, String(e)]`:                      "Error,m,0,false,true,Error: m",
		`return Object.keys(DOMException).length + Object.keys(DOMException)[0]`:                                                                               "25INDEX_SIZE_ERR",
		`return new DOMException("m", { name: "TimeoutError", cause: 7 }).cause`:                                                                               "7",
		`DOMException.prototype.code`:                                       "TypeError: it is not a DOMException",
		`return Object.getPrototypeOf(DOMException) === Function.prototype`: "true",
		`return typeof new DOMException("m").stack`:                         "string",
	}.check(t)
}

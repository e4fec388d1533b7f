package sandbox

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dop251/goja"

	"picloud/internal/executor/wire"
)

// answerOf bundles a script, evaluates it and calls its fetch, without a request: it gives the JSON of what that
// returns, or the error.
func answerOf(t *testing.T, source string) string {
	t.Helper()

	out := bundle(&wire.CompileMsg{Name: "main", Language: "typescript", Source: source})
	if out.Error != nil {
		return fmt.Sprintf("%d:%d: %s", out.Error.Line, out.Error.Column, out.Error.Message)
	}

	iso, serr := aProgramOf("main", out.Code).isolate(nil, nil)
	if serr != nil {
		return serr.Name + ": " + serr.Message
	}
	if iso.handlers["fetch"] == nil {
		return "no fetch"
	}

	v, err := iso.handlers["fetch"](iso.self)
	return settledText(iso, v, err)
}

// settledText is the JSON of what a handler returned, or the error.
func settledText(iso *isolate, v goja.Value, err error) string {
	if err == nil {
		if p, ok := v.Export().(*goja.Promise); ok {
			if v = p.Result(); p.State() != goja.PromiseStateFulfilled {
				e := iso.realm.Describe(v, nil)
				return e.Name + ": " + e.Message
			}
		}
	}

	var text []byte
	if err == nil {
		text, err = iso.realm.JSON.Encode(v)
	}
	if err != nil {
		e := iso.realm.ScriptError(err)
		return e.Name + ": " + e.Message
	}
	return string(text)
}

// languageCase is a script, or an expression that its fetch returns, and the JSON of the answer, as Node 24 and ECMA-262
// have it.
type languageCase struct{ expr, source, want string }

func testLanguage(t *testing.T, cases []languageCase) {
	t.Helper()

	for _, c := range cases {
		source := c.source
		if c.expr != "" {
			source = "export default { async fetch() { return " + c.expr + " } }"
		}
		t.Run(c.expr+c.source, func(t *testing.T) {
			t.Parallel()
			if got := answerOf(t, source); got != c.want {
				t.Errorf("gives %s, want %s", got, c.want)
			}
		})
	}
}

// What a trap of a proxy is given is its own.
func TestProxyArguments(t *testing.T) {
	t.Parallel()

	const handler = `apply(t, self, args) { calls.push(args); return t.apply(self, args) }, construct(t, args, n) { calls.push(args); return Reflect.construct(t, args, n) }`

	testLanguage(t, []languageCase{
		{
			source: `const api = new Proxy(() => {}, { apply(t, th, args) { return (async () => { await 0; return args })() } });
				export default { async fetch() { const p = api('user', 7), q = api('post', 8); return [await p, await q] } }`,
			want: `[["user",7],["post",8]]`,
		},
		{
			expr: `(() => { const calls = []; const spy = new Proxy((a, b) => a + b, { ` + handler + ` }); return [spy(1, 2), spy(3, 4), calls] })()`,
			want: `[3,7,[[1,2],[3,4]]]`,
		},
		{
			expr: `(() => { const calls = []; const C = new Proxy(class { constructor(a) { this.a = a } }, { ` + handler + ` }); return [new C(1), new C(2), calls, new C(3) instanceof C] })()`,
			want: `[{"a":1},{"a":2},[[1],[2],[3]],true]`,
		},
		{
			expr: `(() => { const calls = []; const { proxy, revoke } = Proxy.revocable((a) => a, { ` + handler + ` }); proxy(1); proxy(2); revoke(); try { proxy(3) } catch (e) { return [calls, e.name] } })()`,
			want: `[[[1],[2]],"TypeError"]`,
		},
		{
			expr: `(() => { const seen = []; class H { apply(t, self, args) { seen.push(this instanceof H, args); return this.of() } of() { return 7 } get(t, k, r) { seen.push(this instanceof H, r === p); return t[k] } }
				const h = Object.freeze(new H()), p = new Proxy(function f() {}, h); return [p(1), p(2), p.name, seen] })()`,
			want: `[7,7,"f",[true,[1],true,[2],true,true]]`,
		},
		{
			expr: `(() => { const h = {}, p = new Proxy((...a) => a.length, h); const before = p(1, 2); h.apply = (t, s, a) => a; const after = [p(1), p(2)]; delete h.apply; return [before, after, p(1, 2, 3)] })()`,
			want: `[2,[[1],[2]],3]`,
		},
		{
			expr: `(() => { const p = new Proxy(() => 1, { apply: 5 }); try { p() } catch (e) { return e.name } })()`,
			want: `"TypeError"`,
		},
		{
			expr: `(() => { const p = new Proxy(new Proxy((a) => a, { apply: (t, s, a) => [a] }), { apply: Reflect.apply }); return [p(1), p.call(null, 2), Reflect.apply(p, null, [3]), [4].map(p)] })()`,
			want: `[[[1]],[[2]],[[3]],[[[4,0,[4]]]]]`,
		},
		{
			expr: `(() => { const p = new Proxy(() => 1, { apply() { throw new RangeError("mine") } }); try { p() } catch (e) { return [e.name, e.message] } })()`,
			want: `["RangeError","mine"]`,
		},
	})
}

// A proxy of a function or class is on the right of instanceof as what it stands for.
func TestProxyInstanceof(t *testing.T) {
	t.Parallel()

	testLanguage(t, []languageCase{
		{
			expr: `(() => { class A {} class B extends A {} const P = new Proxy(A, {}), Q = new Proxy(B, { get: Reflect.get }); return [new A() instanceof P, new B() instanceof P, new A() instanceof Q, new Q() instanceof A, {} instanceof P, 1 instanceof P, new A() instanceof P.bind()] })()`,
			want: `[true,true,false,true,false,false,true]`,
		},
		{expr: `(() => { try { return {} instanceof new Proxy({}, {}) } catch (e) { return e.name } })()`, want: `"TypeError"`},
		{expr: `(() => { try { return {} instanceof new Proxy(() => 1, {}) } catch (e) { return e.name } })()`, want: `"TypeError"`},
		{expr: `[] instanceof new Proxy(class { static [Symbol.hasInstance](v) { return Array.isArray(v) } }, {})`, want: `true`},
	})
}

// new.target is undefined in what a constructor calls (ECMA-262, 10.2.1).
func TestNewTarget(t *testing.T) {
	t.Parallel()

	testLanguage(t, []languageCase{
		{source: `function C() { if (!new.target) return new C(); this.ok = true } class App { constructor() { this.c = C() } } export default { fetch() { return new App().c.ok } }`, want: `true`},
		{
			source: `class Route { constructor(p) { this.re = RegExp('^' + p + '$') } } export default { fetch() { [...new Map([['a', 1]]).keys()]; const r = new Route('a'); return [r.re instanceof RegExp, typeof r.re.test] } }`,
			want:   `[true,"function"]`,
		},
		{source: `class F { constructor() { this.nf = Intl.NumberFormat('en') } } export default { fetch() { return typeof new F().nf.format } }`, want: `"function"`},
		{
			source: `const seen = []; function F() { seen.push(new.target === undefined, (() => new.target === undefined)()) }
				const o = { m() { seen.push(new.target === undefined); F() }, get g() { return new.target === undefined }, async a() { await 0; return new.target === undefined }, *y() { yield new.target === undefined } };
				class A { #p() { return new.target === undefined } static s() { return new.target === undefined }
					constructor() { F(); o.m(); seen.push(o.g, A.s(), this.#p(), [...o.y()][0]); (() => F())(); this.later = (async () => { await 0; F(); return [new.target === A, await o.a()] })() } }
				export default { async fetch() { const later = await new A().later; return [seen.every(Boolean), seen.length, later] } }`,
			want: `[true,13,[true,true]]`,
		},
		{
			source: `function F(a = new.target) { return { own: new.target === F, param: a === F, arrow: (() => new.target === F)() } }
				class B extends F {} export default { fetch() { return [new F(), F(), F.call({}), Reflect.construct(F, [], B).own, new (F.bind(null))(), [1].map(() => F().own)] } }`,
			want: `[{"own":true,"param":true,"arrow":true},{"own":false,"param":false,"arrow":false},{"own":false,"param":false,"arrow":false},false,{"own":true,"param":true,"arrow":true},[false]]`,
		},
		{
			source: `function Old(x) { if (!(new.target)) return new Old(x); this.x = x } function Child(x) { Old.call(this, x) } class New extends Old { constructor(x) { super(x); this.t = Old(2).x } }
				export default { fetch() { return [new New(1), Old(3), new Old(4), new New(5) instanceof New] } }`,
			want: `[{"x":1,"t":2},{"x":3},{"x":4},true]`,
		},
		{
			source: `class P { constructor() { this.n = new.target.name } } class Q extends P { f = new.target === undefined; static t = new.target === undefined; static { Q.b = new.target === undefined } } function H() { return new.target ? new.target.name : null } class R { constructor() { this.h = H(); this.q = new Q().n } }
				export default { fetch() { return [new Q(), Q.t, Q.b, new R(), new H() instanceof H, [1].map(H)] } }`,
			want: `[{"n":"Q","f":true},true,true,{"h":null,"q":"Q"},true,[null]]`,
		},
		{source: `function F() { function inner() { return new.target } return [new.target === F, inner() === undefined, new inner() === inner] } export default { fetch() { return new F() } }`, want: `[true,true,true]`},
	})
}

// Number gives the nearest number to a BigInt; arrays of BigInts keep the ones that they are given.
func TestBigInts(t *testing.T) {
	t.Parallel()

	testLanguage(t, []languageCase{
		{expr: `[Number(2n**64n), Number(10n**20n), Number(2n**63n), Number(-(2n**63n)), Number(2n**53n + 1n), Number(2n**1024n) === Infinity, Number(-5n), Number(0n)]`, want: `[18446744073709552000,100000000000000000000,9223372036854776000,-9223372036854776000,9007199254740992,true,-5,0]`},
		{expr: `[new Number(2n**64n).valueOf(), Number(Object(10n**20n)), Number({ valueOf: () => 2n**64n }), Number({ valueOf: () => "12" }), Number([7]), Number(new Date(5)), [2n**64n].map(Number)]`, want: `[18446744073709552000,100000000000000000000,18446744073709552000,12,7,5,[18446744073709552000]]`},
		{expr: `[Number(), Number(""), Number(null), Number("x") !== Number("x"), Object.is(Number(-0), -0), Object.is(Number(Object(-0)), -0), Number.isInteger(2)]`, want: `[0,0,0,true,true,true,true]`},
		{expr: `(() => { class M extends Number {}; return [Number("\u00fc"), Number("\u2212 5"), new Number("\u00fc").valueOf(), ["\u00fc", "\u2003 7 \u2003"].map(Number), +new M("\u00fc"), Number(new String("\u00fc"))] })()`, want: `[null,null,null,[null,7],null,null]`},
		{expr: `(() => { class N extends Number {}; const n = new N(2n**64n); return [n instanceof N, +n] })()`, want: `[true,18446744073709552000]`},
		{expr: `(() => { try { Number(Symbol()) } catch (e) { return e.name } })()`, want: `"TypeError"`},
		{expr: `String(new BigInt64Array(1).fill(-5n)[0])`, want: `"-5"`},
		{expr: `[new BigInt64Array(3).fill(-5n, 1, 2), new BigInt64Array(2).fill(2n**63n), new BigUint64Array(1).fill(-1n), new Uint8Array(2).fill(7)].map(String)`, want: `["0,-5,0","-9223372036854775808,-9223372036854775808","18446744073709551615","7,7"]`},
		{expr: `(() => { const a = new BigInt64Array([1n, -5n, 1n]); return [a.includes(-5n), a.indexOf(-5n), a.lastIndexOf(1n), a.lastIndexOf(1n, 1), a.includes(2n**64n - 5n), a.indexOf(1), new BigUint64Array([5n, 2n**64n - 1n]).includes(-1n), new BigUint64Array([5n]).includes(2n**64n + 5n), new BigUint64Array([5n]).indexOf(5n)] })()`, want: `[true,1,2,0,false,-1,false,false,0]`},
		{expr: `(() => { try { new BigInt64Array(1).fill(1) } catch (e) { return e.name } })()`, want: `"TypeError"`},
	})
}

// Iterator helpers read next once, close what they do not finish, and refuse strings (ECMA-262, 27.1).
func TestIteratorHelpers(t *testing.T) {
	t.Parallel()

	const made = `let log = []; const it = (n, extra) => ({ __proto__: Iterator.prototype, k: 0, next() { log.push("next"); return { done: this.k >= n, value: this.k++ } }, return(v) { log.push("return"); return {} }, ...extra }); const name = (f) => { try { return f() } catch (e) { return e.name + (e.message === "mine" ? " mine" : "") } }; `
	testLanguage(t, []languageCase{
		{expr: `Iterator.from({ get next() { let c = 3; return () => ({ done: c-- <= 0 }) } }).toArray().length`, want: `3`},
		{expr: `[...[1, 2, 3, 4].values().map((x, k) => x * k).filter((x) => x % 2 === 0).drop(1).take(1)]`, want: `[2]`},
		{expr: `(() => { ` + made + ` const m = it(3).map((x) => x); m.next(); m.return(); return [log, m.next(), (log = [], it(3).map(String).return()), log] })()`, want: `[["next","return"],{"done":true},{"done":true},["return"]]`},
		{expr: `(() => { ` + made + ` return [name(() => it(1).flatMap(() => "xy").next()), log] })()`, want: `["TypeError",["next","return"]]`},
		{expr: `(() => { ` + made + ` return [name(() => it(1).map(1)), name(() => it(1).take(-1)), name(() => it(1).drop(NaN)), name(() => it(1).take({ valueOf() { throw new Error("mine") } })), log] })()`, want: `["TypeError","RangeError","RangeError","Error mine",["return","return","return","return"]]`},
		{expr: `(() => { ` + made + ` return [name(() => it(3).forEach(() => { throw new Error("mine") })), log, (log = [], it(3).some((x) => x === 1)), log, (log = [], it(3).every((x) => x < 1)), (log = [], it(3).find((x) => x === 2)), log] })()`, want: `["Error mine",["next","return"],true,["next","next","return"],false,2,["next","next","next","return"]]`},
		{expr: `(() => { ` + made + ` const f = it(2).flatMap((x) => it(2)); const first = f.next().value; log = []; f.return(); return [first, log, [...Iterator.from([1, 2]).flatMap((x) => [x, [x]])]] })()`, want: `[0,["return","return"],[1,[1],2,[2]]]`},
		{expr: `(() => { ` + made + ` return [it(3).reduce((a, b) => a + b), it(3).reduce((a, b) => a + b, "s"), name(() => it(0).reduce(() => 1)), it(0).reduce(() => 1, undefined) === undefined, it(2).toArray(), log.length] })()`, want: `[3,"s012","TypeError",true,[0,1],13]`},
		{expr: `(() => { ` + made + ` const h = it(1).map((x) => name(() => h.next())); return [h.next().value, Object.prototype.toString.call(h), "constructor" in Object.getPrototypeOf(h), typeof Iterator.from("ab").next, [...Iterator.from("ab")]] })()`, want: `["TypeError","[object Iterator Helper]",true,"function",["a","b"]]`},
		{expr: `(() => { ` + made + ` class Mine extends Iterator { next() { return { done: true } } } return [new Mine() instanceof Iterator, name(() => new Iterator()), name(() => Iterator()), Iterator.prototype[Symbol.toStringTag], Iterator.prototype.constructor === Iterator, Iterator.prototype.reduce.length, Iterator.from.name, name(() => { Iterator.prototype.constructor = 1 }), (() => { const m = new Mine(); m.constructor = 5; return Object.keys(m) })()] })()`, want: `[true,"TypeError","TypeError","Iterator",true,1,"from","TypeError",["constructor"]]`},
		{expr: `(() => { const w = Iterator.from({ next() { return { done: false, value: 1 } }, return() { return { done: true, value: "closed" } } }); return [w.return(), w.take(2).toArray(), Iterator.from([1].values()) instanceof Iterator] })()`, want: `[{"done":true,"value":"closed"},[1,1],true]`},
		{expr: `(() => { function* g() { try { yield 1; yield 2 } finally { g.closed = true } } const out = [...g().take(1)]; return [out, g.closed, [...g().drop(Infinity)], [...g().take(Infinity)]] })()`, want: `[[1],true,[],[1,2]]`},
		{expr: `(() => { let n = 0; for (const x of [1, 2, 3].values().map((x) => x)) { n += x; if (n > 1) break } return n })()`, want: `3`},
	})
}

// What is newer than ECMAScript 2025 and Node 24 has.
func TestDisposables(t *testing.T) {
	t.Parallel()

	testLanguage(t, []languageCase{
		{expr: `(() => { const e = new SuppressedError(1, 2, "m"), f = SuppressedError(3, 4); return [e.error, e.suppressed, e.message, e.name, e instanceof SuppressedError, e instanceof Error, Object.keys(e), f.error, "message" in f, Object.hasOwn(f, "message"), SuppressedError.length, SuppressedError.name] })()`, want: `[1,2,"m","SuppressedError",true,true,[],3,true,false,3,"SuppressedError"]`},
		{expr: `(() => { const log = []; const s = new DisposableStack(); s.use({ [Symbol.dispose]() { log.push("used") } }); s.adopt(5, (v) => log.push(v)); s.defer(() => log.push("deferred")); const before = s.disposed; const m = s.move(); m.dispose(); m.dispose(); return [before, s.disposed, log, s.use(null) === null] })()`, want: `ReferenceError: the stack is disposed already`},
		{expr: `(() => { const log = []; const s = new DisposableStack(); s.use({ [Symbol.dispose]() { log.push("used") } }); s.use(null); s.adopt(5, (v) => log.push(v)); s.defer(() => log.push("deferred")); const m = s.move(); m.dispose(); m.dispose(); return [s.disposed, m.disposed, log, String(m), m[Symbol.dispose] === m.dispose] })()`, want: `[true,true,["deferred",5,"used"],"[object DisposableStack]",true]`},
		{expr: `(() => { const s = new DisposableStack(); s.defer(() => { throw 1 }); s.defer(() => { throw 2 }); try { s.dispose() } catch (e) { return [e.name, e.error, e.suppressed] } })()`, want: `["SuppressedError",1,2]`},
		{expr: `(() => { const log = []; { using s = new DisposableStack(); s.defer(() => log.push(1)); log.push(0) } return log })()`, want: `[0,1]`},
		{expr: `(async () => { const log = []; { await using s = new AsyncDisposableStack(); s.use({ async [Symbol.asyncDispose]() { await 0; log.push("async") } }); s.use({ [Symbol.dispose]() { log.push("sync") } }); s.adopt(1, async (v) => log.push(v)); log.push("body") } return log })()`, want: `["body",1,"sync","async"]`},
		{expr: `(() => { let closed = false; function* g() { try { yield 1 } finally { closed = true } } { using it = g(); it.next() } return closed })()`, want: `true`},
	})
}

func TestJSONSource(t *testing.T) {
	t.Parallel()

	testLanguage(t, []languageCase{
		{expr: `JSON.parse('{"a":1.0}', (k, v, c) => c?.source ?? v)`, want: `{"a":"1.0"}`},
		{expr: `JSON.parse(' [ 1e2 , "x\\n" , {"n":null , "t" : true, "a":[-0]} , 12345678901234567890 ] ', (k, v, c) => typeof v === "object" && v !== null ? v : c.source)`, want: `["1e2","\"x\\n\"",{"n":"null","t":"true","a":["-0"]},"12345678901234567890"]`},
		{expr: `JSON.parse("12345678901234567890", (k, v, { source }) => typeof v === "number" ? String(BigInt(source)) : v)`, want: `"12345678901234567890"`},
		{expr: `JSON.parse('{"a":1,"a":2,"2":3,"1":4}', (k, v, c) => c.source ?? v)`, want: `{"1":"4","2":"3","a":"2"}`},
		{expr: `(() => { const seen = []; JSON.parse('{"a":1,"b":[2,3],"c":4}', function (k, v, c) { if (k === "a") { this.b = [2, 9]; this.c = 5 } seen.push([k, c.source ?? null]); return v }); return seen })()`, want: `[["a","1"],["0",null],["1",null],["b",null],["c",null],["",null]]`},
		{expr: `[JSON.parse('{"a":1,"b":2}', (k, v) => k === "a" ? undefined : v), JSON.parse("[1,2]", (k, v) => k === "0" ? undefined : v), "source".length]`, want: `[{"b":2},[null,2],6]`},
		{expr: `(() => { try { JSON.parse("{", (k, v, c) => c.source) } catch (e) { return e.name } })()`, want: `"SyntaxError"`},
		{expr: `[JSON.stringify({ n: JSON.rawJSON(1n), s: JSON.rawJSON('"x"'), a: [JSON.rawJSON("1.0")] }), JSON.isRawJSON(JSON.rawJSON("1")), JSON.isRawJSON({ rawJSON: "1" }), Object.isFrozen(JSON.rawJSON("1")), JSON.rawJSON("12").rawJSON, Object.getPrototypeOf(JSON.rawJSON("1"))]`, want: `["{\"n\":1,\"s\":\"x\",\"a\":[1.0]}",true,false,true,"12",null]`},
		{expr: `[JSON.stringify({ a: 10n, b: 2 }, (k, v) => typeof v === "bigint" ? JSON.rawJSON(v) : v), JSON.stringify({ b: JSON.rawJSON(1), a: { b: 3, c: 4 } }, ["a", "b"]), JSON.stringify([JSON.rawJSON(7)], null, 1), JSON.stringify(JSON.rawJSON("5"))]`, want: `["{\"a\":10,\"b\":2}","{\"a\":{\"b\":3},\"b\":1}","[\n 7\n]","5"]`},
		{expr: `["", " 1", "{}", "[1]", "x", "1 2"].map((s) => { try { return JSON.rawJSON(s) } catch (e) { return e.name } })`, want: `["SyntaxError","SyntaxError","SyntaxError","SyntaxError","SyntaxError","SyntaxError"]`},
		{expr: `({ big: JSON.rawJSON("12345678901234567890") })`, want: `{"big":12345678901234567890}`},
		{expr: `[JSON.stringify({ a: undefined, d: new Date(0), b: Object("x") }, null, ""), JSON.stringify(undefined) === undefined, JSON.isRawJSON(1)]`, want: `["{\"d\":\"1970-01-01T00:00:00.000Z\",\"b\":\"x\"}",true,false]`},
	})
}

func TestWeakSymbols(t *testing.T) {
	t.Parallel()

	testLanguage(t, []languageCase{
		{expr: `new WeakMap([[Symbol("x"), 1]]) instanceof WeakMap`, want: `true`},
		{expr: `(() => { const s = Symbol(), o = {}, m = new WeakMap([[s, 1], [o, 2]]), w = new WeakSet([s]); const before = [m.get(s), m.has(s), m.get(o), w.has(s), m.get(Symbol()) === undefined]; return [...before, m.delete(s), m.has(s), m.delete(s), w.delete(s), w.has(s), m.set(s, 3) === m, m.get(s), w.add(Symbol.iterator) === w] })()`, want: `[1,true,2,true,true,true,false,false,true,false,true,3,true]`},
		{expr: `[() => new WeakMap().set(Symbol.for("r"), 1), () => new WeakSet().add(1), () => WeakMap.prototype.get.call(new WeakSet(), Symbol()), () => WeakMap.prototype.set.call({}, Symbol(), 1), () => new WeakRef(Symbol.for("x"))].map((f) => { try { return f() } catch (e) { return e.name } })`, want: `["TypeError","TypeError","TypeError","TypeError","TypeError"]`},
		{expr: `(() => { const s = Symbol("d"); return new WeakRef(s).deref() === s && new WeakMap().has("x") === false })()`, want: `true`},
	})
}

// ECMA-262, Annex B.
func TestAnnexB(t *testing.T) {
	t.Parallel()

	testLanguage(t, []languageCase{
		{expr: `[typeof Date.prototype.getYear, typeof Date.prototype.toGMTString, typeof ({}).__defineGetter__, typeof "".anchor]`, want: `["function","function","function","function"]`},
		{expr: `[new Date(2021, 1, 1).getYear(), new Date(NaN).getYear(), Date.prototype.toGMTString === Date.prototype.toUTCString, new Date(0).toGMTString(), (() => { const d = new Date(2000, 0, 1); d.setYear(95); const a = d.getFullYear(); d.setYear(2010); return [a, d.getFullYear(), d.setYear("x")] })()]`, want: `[121,null,true,"Thu, 01 Jan 1970 00:00:00 GMT",[1995,2010,null]]`},
		{expr: `(() => { const o = { get a() { return 1 } }; o.__defineGetter__("b", () => 2); let seen; o.__defineSetter__("c", (v) => { seen = v }); o.c = 5; return [o.b, seen, Object.keys(o), o.__lookupGetter__("a") === Object.getOwnPropertyDescriptor(o, "a").get, o.__lookupSetter__("a") === undefined, Object.create(o).__lookupGetter__("b")()] })()`, want: `[2,5,["a","b","c"],true,true,2]`},
		{expr: `[() => ({}).__defineGetter__("a", 1), () => Object.prototype.__defineGetter__.call(null, "a", () => 1), () => Object.freeze({}).__defineGetter__("a", () => 1), () => String.prototype.bold.call(null)].map((f) => { try { return f() } catch (e) { return e.name } })`, want: `["TypeError","TypeError","TypeError","TypeError"]`},
		{expr: `["a".anchor('"n"'), "a".big(), "a".blink(), "a".bold(), "a".fixed(), "a".fontcolor("red"), "a".fontsize(7), "a".italics(), "a".link("u"), "a".small(), "a".strike(), "a".sub(), "a".sup()].join("")`, want: `"<a name=\"&quot;n&quot;\">a</a><big>a</big><blink>a</blink><b>a</b><tt>a</tt><font color=\"red\">a</font><font size=\"7\">a</font><i>a</i><a href=\"u\">a</a><small>a</small><strike>a</strike><sub>a</sub><sup>a</sup>"`},
		{expr: `[escape("ä b€"), unescape("%E4%20%u20AC"), "abc".substr(-2, 1), "x".trimLeft === "x".trimStart, ({}).__proto__ === Object.prototype, "__proto__" in {}]`, want: `["%E4%20b%u20AC","ä €","b",true,true,true]`},
		{expr: `[Object.keys(Object.prototype), Object.isExtensible(Object.prototype), Object.prototype.__defineGetter__.length, "".link.name]`, want: `[[],false,2,"link"]`},
	})
}

// A record is read as Web IDL says, whatever it is.
func TestRecords(t *testing.T) {
	t.Parallel()

	testLanguage(t, []languageCase{
		{expr: `new URLSearchParams({"\ud800":"x", b: "\udc00y"}).toString()`, want: `"%EF%BF%BD=x&b=%EF%BF%BDy"`},
		{expr: `new URLSearchParams([["\ud800", "\ud800\udc00"]]).toString()`, want: `"%EF%BF%BD=%F0%90%80%80"`},
		{expr: `(() => { const o = { get a() { delete o.b; return "1" }, b: "2" }; return [...new Headers(o)] })()`, want: `[["a","1"]]`},
		{expr: `(() => { const o = { get a() { delete o.b; return "1" }, b: "2" }; return String(new URLSearchParams(o)) })()`, want: `"a=1"`},
		{expr: `[...new Headers(new Proxy({ b: "1" }, { ownKeys: () => ["a", "b"] }))]`, want: `[["b","1"]]`},
		{expr: `[...new URLSearchParams(new Proxy({ b: "1" }, { ownKeys: () => ["a", "b"] }))]`, want: `[["b","1"]]`},
		{expr: `["h", "p"].map((k) => { try { return k === "h" ? new Headers({ [Symbol("s")]: "1" }) : new URLSearchParams({ [Symbol("s")]: "1" }) } catch (e) { return e.name } })`, want: `["TypeError","TypeError"]`},
		{expr: `[[[["a",,]], [["a"]], [["a", "b", "c"]], ["ab"], [{ length: 2 }], [1], [null]].map((l) => { try { return [...new URLSearchParams(l)] } catch (e) { return e.name } }), [...new URLSearchParams([new Set(["a", "b"]), (function* () { yield 1; yield 2 })()])]]`, want: `[[[["a","undefined"]],"TypeError","TypeError","TypeError","TypeError","TypeError","TypeError"],[["a","b"],["1","2"]]]`},
		{expr: `[["a",,]].concat([[1]]).map((p) => { try { return [...new Headers([p])] } catch (e) { return e.name } })`, want: `[[["a","undefined"]],"TypeError"]`},
		{expr: `[...new Headers(Object.create({ a: "1" }, { b: { value: "2", enumerable: true }, c: { value: "3" } }))]`, want: `[["b","2"]]`},
		{expr: `(() => { try { new Headers({ "\ud800": "1" }) } catch (e) { return e.name } })()`, want: `"TypeError"`},
	})
}

// inspected bundles and evaluates a script, and gives its handlers and the hint.
func inspected(t *testing.T, source string) (handlers []string, hint string) {
	t.Helper()

	out := bundle(&wire.CompileMsg{Name: "main", Language: "javascript", Source: source})
	if out.Error != nil {
		t.Fatal(out.Error.Message)
	}
	iso, serr := aProgramOf("main", out.Code).isolate(nil, nil)
	if serr != nil {
		t.Fatal(serr)
	}

	for _, name := range handlerNames {
		if iso.handlers[name] != nil {
			handlers = append(handlers, name)
		}
	}
	return handlers, iso.hint
}

// A script that nothing calls is told what to write.
func TestNoHandlerHint(t *testing.T) {
	t.Parallel()

	for source, want := range map[string]string{
		"":                                               "the script exports nothing;",
		"const x = 1":                                    "the script exports nothing;",
		"export function GET() {}":                       "the script exports GET by name, and nothing by default;",
		"export const onRequest = 1, a = 2":              "the script exports a, onRequest by name",
		"module.exports = { fetch() {} }":                "the script exports by module.exports, as CommonJS does;",
		"exports.handler = () => 1":                      "the script exports by module.exports",
		"module.exports = () => 1":                       "the script exports by module.exports",
		"export default 5":                               "the default export is 5, which is no handler;",
		"export default { GET() {}, b: 1 }":              "the default export has GET, b, but no handler;",
		"export default {a:1,b:1,c:1,d:1,e:1,f:1}":       "the default export has a, b, c, d, e and 1 more, but no handler;",
		"export default { fetch: 1 }":                    "the default export has fetch, but no handler",
		"export default class { static x() {} }":         "",
		"export default { async fetch() {} }":            "",
		"export default { kv() {} }":                     "",
		"addEventListener('fetch', () => {})":            "",
		"addEventListener('install', () => {}); 'fetch'": "the script exports nothing",
	} {
		handlers, hint := inspected(t, source)
		if want == "" && (hint != "" || len(handlers) == 0) || !strings.HasPrefix(hint, want) || want != "" && !strings.HasSuffix(hint, howToHandle) {
			t.Errorf("%q: %v, %q, want %q", source, handlers, hint, want)
		}
	}
}

// Listeners that are added while the script is evaluated are handlers.
func TestServiceWorkerStyle(t *testing.T) {
	t.Parallel()

	if handlers, _ := inspected(t, "addEventListener('scheduled', () => {}); self.addEventListener('fetch', (e) => e.respondWith(new Response('x')))"); fmt.Sprint(handlers) != "[fetch scheduled]" {
		t.Errorf("the handlers are %v", handlers)
	}
	if handlers, _ := inspected(t, "addEventListener('fetch', () => {}); export default { kv() {} }"); fmt.Sprint(handlers) != "[fetch kv]" {
		t.Errorf("the handlers are %v", handlers)
	}

	for source, want := range map[string]string{
		`addEventListener("fetch", (e) => e.respondWith(e.request))`:                                                                                  `7`,
		`addEventListener("fetch", { handleEvent(e) { e.respondWith(Promise.resolve([e.type, e instanceof FetchEvent, e instanceof Event])) } })`:     `["fetch",true,true]`,
		`addEventListener("fetch", () => {}); addEventListener("fetch", (e) => e.respondWith(2)); addEventListener("fetch", (e) => e.respondWith(3))`: `2`,
		`addEventListener("fetch", (e) => { e.respondWith(1); e.respondWith(2) })`:                                                                    `InvalidStateError: respondWith is called once, before the listener returns.`,
		`addEventListener("fetch", () => {})`:                               `TypeError: no listener of "fetch" has called event.respondWith(response) before it returned`,
		`addEventListener("fetch", () => { throw new RangeError("mine") })`: `RangeError: mine`,
		`addEventListener("fetch", (e) => { e.passThroughOnException(); e.waitUntil(5); e.respondWith(waited) }); globalThis.waited = "w"`: `"w"`,
	} {
		out := bundle(&wire.CompileMsg{Name: "main", Language: "javascript", Source: source})
		iso, serr := aProgramOf("main", out.Code).isolate(nil, nil)
		if serr != nil {
			t.Fatal(serr)
		}

		context := iso.realm.VM.NewObject()
		_ = context.Set("waitUntil", func(goja.FunctionCall) goja.Value { return goja.Undefined() })
		v, err := iso.handlers["fetch"](iso.self, iso.realm.VM.ToValue(7), goja.Undefined(), context)
		if got := settledText(iso, v, err); got != want {
			t.Errorf("%s gives %s, want %s", source, got, want)
		}
	}
}

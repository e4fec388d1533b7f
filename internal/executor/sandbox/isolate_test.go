package sandbox

import (
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/wire"
)

func BenchmarkIsolate(b *testing.B) {
	p := aProgram("(function(exports,require,module){ module.exports = { default: () => 1 } })")
	for b.Loop() {
		if _, err := p.isolate(nil, nil); err != nil {
			b.Fatal(err)
		}
	}
	var m0, m1 runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m0)

	var keep []*isolate
	for range 50 {
		i, _ := p.isolate(nil, nil)
		keep = append(keep, i)
	}
	runtime.GC()
	runtime.ReadMemStats(&m1)
	b.ReportMetric(float64(m1.HeapAlloc-m0.HeapAlloc)/50, "heapB/isolate")
	runtime.KeepAlive(keep)
}

func BenchmarkBareGoja(b *testing.B) {
	for b.Loop() {
		goja.New()
	}
}

func BenchmarkIntact(b *testing.B) {
	p := aProgram("(function(exports,require,module){ module.exports = { default: () => 1 } })")

	i, _ := p.isolate(nil, nil)
	for b.Loop() {
		if !i.realm.Intact() {
			b.Fatal("not intact")
		}
	}
}

// What a run may do without its runtime being thrown away, and what it may not.
func TestIntact(t *testing.T) {
	t.Parallel()

	if !engine.Known() {
		t.Fatal("the engine's tables are not laid out as package engine knows them: adapt it, or every run pays for a new runtime")
	}

	newOne := func() *isolate { // with all that is loaded for code that names it
		i, err := aProgram("(function(exports,require,module){ /* Event, Blob, subtle, URLPattern, Intl, RegExp.$1, WebAssembly, DisposableStack, rawJSON, __defineGetter__, WeakMap, Symbol, BigInt64Array, addEventListener, fetch, Iterator, structuredClone */ module.exports = { default: () => 1 } })").isolate(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	for _, code := range []string{
		"1", "[1,2].map((x) => x).filter(Boolean).join()", "JSON.parse(JSON.stringify({a:[1]}))", "new Map([[1,2]]).get(1); new Set([1])",
		"'abc'.replace(/b/g, 'x').split('').reverse()", "Object.keys(globalThis)", "Object.getOwnPropertyNames(Array.prototype)",
		"new Date().toISOString(); Math.max(1,2); Number('1'); parseInt('2')", "class A extends Map {}; new A()", "globalThis.mine = 1; Object.entries({})",
		"async function f() { await 1 }; f()", "function* g() { yield 1 }; [...g()]", "new Uint8Array(4).fill(1); new DataView(new ArrayBuffer(4))",
		"try { null.x } catch (e) { e.message + e.stack }", "Symbol.iterator in Array.prototype; [...new Map().entries()]", "typeof [].evil; 'x'.padStart(3)",
		"new Proxy({}, {}); Reflect.ownKeys({})", "1n + 2n; BigInt(3)", "new URL('http://a/?b=c').searchParams.get('b'); new Headers([['a','b']])",
		"Promise.all([1]).then(() => 1)", "structuredClone({a: new Date()}); new TextEncoder().encode('x'); crypto.randomUUID()",
		"RegExp.prototype.flags; /x/.flags; 'aXbX'.matchAll(/X/g)", "/(a)/.test('a'); RegExp.$1; RegExp.input = 'x'; [...'ab'.matchAll(/./g)]",
		"class R extends RegExp {}; 'a'.replace(new R('a'), 'b'); RegExp.escape('a'); /a/.hasIndices; new Function('return /a/')().test('a')",
		"new WeakMap(); new WeakSet(); new AbortController().abort()",
		"Error.prototype.toString.call(new TypeError('x')); new RangeError('y')", "Function.prototype.call.bind([].slice)([1])", `(async () => { const seen = { own: Object.keys(globalThis).includes("leak"), max: Math.max(1, 2), json: JSON.parse("1") }; await 1; return seen })()`,
		"new AbortController().signal.addEventListener('abort', () => {}); new EventTarget().dispatchEvent(new CustomEvent('x', { detail: 1 }))",
		"new Blob(['x']).stream().getReader({ mode: 'byob' }); new FormData().append('a', 'b'); new CompressionStream('gzip')",
		"crypto.subtle.digest('SHA-256', new Uint8Array(1)); performance.now(); new URLPattern({ pathname: '/:id' }).exec('http://a/b').pathname.groups.id",
		"(1).toLocaleString('de'); new Intl.DateTimeFormat('en', { timeZone: 'Asia/Tokyo' }).format(0); 'a'.localeCompare('b', 'de'); new Intl.ListFormat('en').format(['a'])",
		"new WebAssembly.Memory({ initial: 1 }).grow(1); WebAssembly.validate(new ArrayBuffer(8)); new WebAssembly.RuntimeError('x')",
		"new TypeError('x'); new Int16Array(2); new SyntaxError('y')", "new Proxy(() => 1, { apply: () => 2 })(); Number(5n); ({}) instanceof new Proxy(Map, {})",
		"[1].values().map(String).toArray(); new DisposableStack().dispose(); JSON.stringify(JSON.rawJSON('1')); new WeakMap([[Symbol(), 1]])", "try { let f; f() } catch {} new BigInt64Array(1).fill(-1n); new Date().getYear()", "for (const x of [1]) x; const [a, ...b] = [1, 2]; ({ ...{ c: 1 } })",
	} {
		i := newOne()
		for round := range 3 {
			if _, err := i.realm.VM.RunString("{" + code + "}"); err != nil {
				t.Fatalf("%s: %v", code, err)
			}
			if !i.realm.Intact() {
				t.Errorf("thrown away without need, round %d: %s", round, code)
			}
		}
	}

	for _, code := range []string{
		"Array.prototype.evil = 1", "Array.prototype.map = () => 1", "delete Array.prototype.map", "Math.max = Math.min", "JSON.parse = () => 1",
		"Object.defineProperty(Array.prototype, 'map', { get() { for (;;); } })", "Object.setPrototypeOf(Array.prototype, null)", "Math = {}",
		"globalThis.Array = class {}", "Object.prototype.toString = () => 'x'", "Array.prototype[Symbol.iterator] = function* () {}", "Promise.prototype.then = 1",
		"Map.prototype.get = Map.prototype.set", "String.prototype.trim = () => ''", "delete Array.prototype.map; Array.prototype.other = 1",
		"Headers.prototype.get = () => 1", "Response.json = () => 1", "URL.prototype.toString = 1", "console.log = () => {}", "Symbol.prototype.x = 1",
		"Object.getPrototypeOf(function* () {}).x = 1", "Object.getPrototypeOf([][Symbol.iterator]()).next = () => ({ done: true })", "Date.now = () => 0",
		"Uint8Array.prototype.x = 1", "Object.getPrototypeOf(Uint8Array).from = 1", "Error.prototype.name = 'x'", "parseInt = Number", "fetch = null", "delete globalThis.Map",
		"RegExp.prototype.exec = () => null", "Function.prototype.apply = 1", "Reflect.get = 1", "Date.prototype[Symbol.toPrimitive] = 1; Array.prototype.x = 1",
		"Object.defineProperty(Map.prototype, 'size', { get: () => 7 })", "Number.prototype.toFixed = String.prototype.trim", "Array.from = Array.of", "setTimeout = 1",
		"EventTarget.prototype.dispatchEvent = 1", "DisposableStack.prototype.use = 1", "Object.getPrototypeOf([].values().map(String)).next = 1", "Date.prototype.getYear = 1", "JSON.rawJSON = 1", "WeakMap.prototype.get = 1",
		"FetchEvent.prototype.respondWith = 1", "Object.prototype.__defineGetter__ = 1", "Iterator.from = 1", "Iterator.prototype.map = 1", "SuppressedError.prototype.name = 1", "Proxy.revocable = 1", "AbortSignal.any = 1", "Event.prototype.x = 1", "DOMException.prototype.x = 1", "TextEncoder.prototype.encode = 1",
		"addEventListener('error', () => {})", "onunhandledrejection = () => {}", "ReadableStream.from = 1", "Blob.prototype.text = 1", "crypto.subtle.constructor.prototype.sign = 1",
		"Crypto.prototype.randomUUID = 1", "CryptoKey.prototype.x = 1", "URLPattern.prototype.exec = 1", "Performance.prototype.now = 1", "MessagePort.prototype.x = 1",
		"Object.freeze(Array.prototype)", "TypeError.prototype.name = 1", "RangeError.prototype.x = 1", "Set.prototype.has = Set.prototype.add",
		"RegExp.prototype.test = 1", "RegExp.escape = 1", "RegExp.prototype[Symbol.match] = 1", "RegExp.x = 1", "delete RegExp.$1", "RegExp.escape.x = 1",
		"Object.defineProperty(RegExp.prototype, 'flags', { get: () => 'g' })", "Object.defineProperty(RegExp, Symbol.species, { get: () => Array })",
		"Object.getPrototypeOf('a'.matchAll(/a/g)).next = 1", "Object.getOwnPropertyDescriptor(RegExp, '$1').get.x = 1", "String.prototype.match = 1",
		"Object.getOwnPropertyDescriptor(RegExp.prototype, 'unicodeSets').get.x = 1", "Object.defineProperty(RegExp, '$1', { get: () => 'x' })",
		"WebAssembly.compile = 1", "WebAssembly.Memory.prototype.grow = 1", "WebAssembly.Module.exports = 1", "WebAssembly.RuntimeError.prototype.x = 1",
		"WebAssembly = {}", "delete WebAssembly.LinkError", "Object.getOwnPropertyDescriptor(WebAssembly.Global.prototype, 'value').set.x = 1",
		"Intl.NumberFormat.prototype.formatToParts = 1", "Intl.Collator = 1", "Intl.DateTimeFormat.supportedLocalesOf = 1", "Intl = {}", "Number.prototype.toLocaleString = 1",
	} {
		i := newOne()
		if _, err := i.realm.VM.RunString(code); err != nil {
			continue // the engine itself refused
		}
		if i.realm.Intact() {
			t.Errorf("kept: %s", code)
		}
	}
}

// reach lists what a script can come to, by properties from the global object, the module "picloud" and the
// prototypes of samples: pairs of a path and an object. It takes nothing that hangs on the engine's own globals.
const reach = `(engineNames, picloud, samples) => {
	const seen = new Set();
	const visit = (list, v, path) => {
		if (v === null || typeof v !== "object" && typeof v !== "function" || seen.has(v)) return;
		seen.add(v);
		list.push([path, v]);
		for (const k of Reflect.ownKeys(v)) {
			if (v === globalThis && engineNames.includes(k)) continue;
			const d = Reflect.getOwnPropertyDescriptor(v, k), at = path + "." + String(k);
			visit(list, d.value, at);
			visit(list, d.get, at + " (get)");
			visit(list, d.set, at + " (set)");
		}
		visit(list, Reflect.getPrototypeOf(v), "prototype of " + path);
	};
	const syntax = [function* () {}, async () => {}, [].values(), new Map().keys(), new Set().keys(), "".matchAll(/a/g)];
	for (const own of [...engineNames.map((k) => globalThis[k]), ...syntax]) if (own !== globalThis) visit([], own, "");
	const ours = [];
	visit(ours, globalThis, "globalThis");
	visit(ours, picloud, "picloud");
	for (const [name, v] of Object.entries(samples)) visit(ours, Reflect.getPrototypeOf(v), "prototype of " + name);
	return ours.filter(([, v]) => v !== globalThis && !Object.isFrozen(v));
}`

// Whatever of ours a script can reach, putting something on it costs the runtime its next run. The objects are
// found by searching, so that those of a later web API or SDK module are tried too.
func TestIntactReaches(t *testing.T) {
	t.Parallel()

	source := `(function (exports, require, module) {
		const picloud = exports.picloud = require("picloud");
		exports.samples = (ctx) => ({ ctx, collection: picloud.kv.collection("c"), headers: new Headers().keys(), form: new FormData().keys(),
			stream: new ReadableStream().values(), helper: [].values().map(String), subtle: crypto.subtle, format: new Intl.NumberFormat("en"), pattern: new URLPattern({}) });
		module.exports = { default: exports };
	})`
	iso, serr := aProgram(source).isolate(nil, nil)
	if serr != nil {
		t.Fatal(serr)
	}

	vm := iso.realm.VM
	exports := iso.self.(*goja.Object)
	samples, _ := goja.AssertFunction(exports.Get("samples"))
	given, err := samples(goja.Undefined(), iso.host.Context(&newRun(&server{}, 1, requestMsg(), nil).Run))
	if err != nil {
		t.Fatal(err)
	}
	search, err := vm.RunString(reach)
	if err != nil {
		t.Fatal(err)
	}

	list, _ := goja.AssertFunction(search)
	engineNames, _ := goja.New().RunString("Object.getOwnPropertyNames(globalThis)")
	found, err := list(goja.Undefined(), vm.ToValue(engineNames.Export()), exports.Get("picloud"), given)
	if err != nil {
		t.Fatal(err)
	}

	paths := map[string]bool{}
	vm.ForOf(found, func(pair goja.Value) bool {
		path := pair.(*goja.Object).Get("0").String()
		o := pair.(*goja.Object).Get("1").(*goja.Object)
		paths[path] = true

		if !iso.realm.Intact() {
			t.Fatalf("not intact before %s was changed", path)
		}
		if err := o.Set("added", 1); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if iso.realm.Intact() {
			t.Errorf("kept, although %s has another property", path)
		}
		if err := o.Delete("added"); err != nil {
			t.Fatalf("%s: %v", path, err)
		}

		return true
	})

	for _, path := range []string{"picloud.kv.collection", "prototype of collection", "picloud.KvError.prototype", "picloud.deadLetters", "prototype of ctx",
		"globalThis.Response.prototype.status (get)", "globalThis.fetch", "prototype of helper", "globalThis.Intl.NumberFormat"} {
		if !paths[path] {
			t.Errorf("%s was not found", path)
		}
	}
	if len(paths) < 300 {
		t.Errorf("%d objects were tried", len(paths))
	}
}

// The module "picloud" is compared like the global object's own, and what a module makes stays its own to change.
func TestIntactSDK(t *testing.T) {
	t.Parallel()

	for change, want := range map[string]bool{
		`picloud.kv.collection = () => 1`:                       false,
		`picloud.log.debug = () => 1`:                           false,
		`picloud.deadLetters.list = () => 1`:                    false,
		`delete picloud.deadLetters.get`:                        false,
		`picloud.KvError.prototype.name = "mine"`:               false,
		`Object.getPrototypeOf(collection).get = () => 1`:       false,
		`Object.getPrototypeOf(collection)[Symbol.iterator]=1`:  false,
		`picloud.kv.collection.call = () => 1`:                  false,
		`delete fetch.name; fetch.call = 1`:                     false,
		`Object.setPrototypeOf(picloud.kv, null)`:               false,
		`picloud.kv.collection("d"); String(fetch); fetch.name`: true,
		`globalThis.cache.k = 1; picloud.kv.mine.k = 1`:         true,
		`structuredClone.prototype; picloud.KvError.prototype`:  true,
	} {
		source := `(function (exports, require, module) {
			const picloud = globalThis.picloud = require("picloud");
			globalThis.collection = picloud.kv.collection("c");
			globalThis.cache = {};
			picloud.kv.mine = {};
		})`
		iso, serr := aProgram(source).isolate(nil, nil)
		if serr != nil {
			t.Fatal(serr)
		}
		if !iso.realm.Intact() {
			t.Fatal("not intact before anything was changed")
		}
		if _, err := iso.realm.VM.RunString(change); err != nil {
			t.Fatalf("%s: %v", change, err)
		}
		if got := iso.realm.Intact(); got != want {
			t.Errorf("after %s the runtime is intact: %t, want %t", change, got, want)
		}
	}
}

// A name that is gone is missed, whichever it was and whatever came instead of it, though only the ends of
// the lists are compared.
func TestIntactNames(t *testing.T) {
	t.Parallel()

	objects := []string{"Array.prototype", "Math", "JSON", "Headers.prototype", "Headers", "Response.prototype", "Response", "URL.prototype", "console", "globalThis", "Map.prototype"}
	changes := map[string]string{
		"deleted":                    `delete o[k]`,
		"replaced by another":        `delete o[k]; o.another = 1`,
		"replaced by an index":       `delete o[k]; o[5] = 1`,
		"by an index, and listed":    `delete o[k]; o[5] = 1; keys(o)`,
		"by two, and listed":         `delete o[k]; o[5] = 1; o[4] = 1; keys(o)`,
		"moved to the end, replaced": `const d = describe(o, k); delete o[k]; o[7] = 1; define(o, k, d); delete o[k]; keys(o)`,
		"made again, with a value":   `delete o[k]; o[k] = "another"`,
	}

	count := 0
	for _, object := range objects {
		probe, err := aProgram("(function(exports,require,module){})").isolate(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		v, jsErr := probe.realm.VM.RunString(`Object.getOwnPropertyNames(` + object + `).filter((n) => Object.getOwnPropertyDescriptor(` + object + `, n).configurable).join()`)
		if jsErr != nil {
			t.Fatal(jsErr)
		}

		names := strings.Split(v.String(), ",")
		for _, at := range []int{0, 1, len(names) / 2, len(names) - 2, len(names) - 1} {
			if at < 0 || at >= len(names) {
				continue
			}

			for what, change := range changes {
				i, err := aProgram("(function(exports,require,module){})").isolate(nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				// Once the object was listed, its ends are known.
				if _, err := i.realm.VM.RunString(`globalThis.mine = 1; Object.getOwnPropertyNames(` + object + `).forEach((n) => Object.getOwnPropertyDescriptor(` + object + `, n))`); err != nil {
					t.Fatal(err)
				}

				for range 2 {
					if !i.realm.Intact() {
						t.Fatalf("%s is not what it was when nothing was changed", object)
					}
				}
				if _, err := i.realm.VM.RunString(`{ const { keys, defineProperty: define, getOwnPropertyDescriptor: describe } = Object, o = ` + object + `, k = "` + names[at] + `"; ` + change + ` }`); err != nil {
					t.Fatalf("%s.%s %s: %v", object, names[at], what, err)
				}
				count++
				if i.realm.Intact() {
					t.Errorf("%s.%s was %s, and the runtime is kept", object, names[at], what)
				}
			}
		}
	}
	if count < 200 {
		t.Errorf("%d changes were tried", count)
	}
}

// BenchmarkRun is what small requests cost in the child, without the socket.
func BenchmarkRun(b *testing.B) {
	list := []byte(`[` + strings.Repeat(`{"n":5,"name":"item","ok":true},{"n":3,"name":"other","ok":false},`, 50) + `null]`)
	for _, bench := range []struct {
		name, source string
		body         []byte
	}{
		{"hello", `export default { fetch: () => Response.json({ hello: "world" }) }`, nil},
		{"headers", `export default { fetch: (r) => ({ x: r.headers.get("host"), y: new URL(r.url).pathname }) }`, nil},
		{"json", `export default { fetch: async (r) => Response.json(await r.json()) }`, list},
		{"sort", `export default { fetch: async (r) => Response.json((await r.json()).slice(0, 100).sort((a, b) => a.n - b.n)) }`, list},
		{"compute", `const fib = (n) => n < 2 ? n : fib(n - 1) + fib(n - 2); export default { fetch: () => Response.json(fib(12)) }`, nil},
	} {
		b.Run(bench.name, func(b *testing.B) {
			a, other := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, other) }()
			s := newServer(wire.NewWriter(a, 0, maxFrame))
			out := bundle(&wire.CompileMsg{Name: "x", Language: "javascript", Source: bench.source})
			p := &program{name: "x", code: out.Code, kept: s.kept}

			msg := &wire.RunMsg{Handler: "fetch", MaxBody: 1 << 20, MaxLogLines: 1, Request: &cloud.Request{Method: "POST", URL: "http://x/f/a/b", Body: bench.body,
				Headers: []cloud.Header{{Name: "Host", Value: "x"}}}}
			for b.Loop() {
				newRun(s, 1, msg, p).execute()
			}
			_ = a.Close()
		})
	}
}

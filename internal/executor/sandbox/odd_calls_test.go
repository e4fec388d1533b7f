package sandbox

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/dop251/goja"
)

// functions lists what a script can call: pairs of a path and a function.
const functions = `(picloud, ctx) => {
	const seen = new Set(), out = [];
	const visit = (v, path) => {
		if (v === null || typeof v !== "object" && typeof v !== "function" || seen.has(v)) return;
		seen.add(v);
		if (typeof v === "function") out.push([path, v]);
		for (const k of Reflect.ownKeys(v)) {
			const d = Reflect.getOwnPropertyDescriptor(v, k), at = path + "." + String(k);
			visit(d.value, at);
			visit(d.get, at + " (get)");
			visit(d.set, at + " (set)");
		}
		visit(Reflect.getPrototypeOf(v), "prototype of " + path);
	};
	for (const [path, v] of Object.entries({
		globalThis, picloud, ctx, generator: (function* () {})(), async: async () => {}, array: [].values(), map: new Map().keys(), set: new Set().keys(), string: ""[Symbol.iterator](),
		matches: "a".matchAll(/a/g), helper: [].values().map(String), collection: picloud.kv.collection("c"), format: new Intl.NumberFormat("en"), subtle: crypto.subtle,
	})) visit(v, path);
	return out;
}`

// oddValues are what built-ins are not made for. An iterator without next is not among them: the engine fails at it,
// whoever iterates.
const oddValues = `(() => {
	const { proxy: revoked, revoke } = Proxy.revocable({}, {});
	revoke();
	return [undefined, null, true, -1, 1.5, NaN, "", "a", Symbol("s"), 10n, {}, [1, "b"], Object.create(null), function () {}, class A {}, new Proxy({}, {}), revoked, /x/g, /(a)|b/y,
		new Date(NaN), new Map([[1, 2]]), new Set([1]), Promise.resolve(), { toString() { throw new Error("mine") } }, { length: -1 }, { exec: () => ({}), flags: "gu" }, { exec: 1 },
		{ exec: () => null, constructor: undefined }, { constructor: { [Symbol.species]: function () { return {} } } }, new Uint8Array(2), new DataView(new ArrayBuffer(2)), new Error("e"),
		Object.create(RegExp.prototype), Object.create(Array.prototype), new Headers(), new Request("http://a/"), new Response("x"), new URL("http://a/"), { [Symbol.iterator]: 1 },
		{ get then() { throw 1 } }, Object.freeze([1]), (function* () { yield 1 })(), { valueOf: () => ({}), toString: () => ({}) }, { [Symbol.toPrimitive]: 1 }, { toString: undefined }];
})()`

// goWords are in no text for a script: of the engine's insides.
var goWords = regexp.MustCompile(`goja|0x[0-9a-f]{4}|runtime error|\.go:|picloud[/:]|%!|reflect:|nil pointer`)

// Whatever a built-in is called on and with, it returns or throws something that a script can catch, and in whose text
// is nothing of the Go program below it. The functions are found by searching.
func TestOddCalls(t *testing.T) {
	t.Parallel()

	source := `(function (exports, require, module) { exports.picloud = require("picloud"); module.exports = { default: exports }; /* Event, Blob, URLPattern, WeakRef, DisposableStack, rawJSON, __defineGetter__, WeakMap, Symbol, BigInt64Array, addEventListener, fetch */ })`
	iso, serr := aProgram(source+"/* subtle, Intl, Iterator */").isolate(nil, nil)
	if serr != nil {
		t.Fatal(serr)
	}

	vm := iso.realm.VM
	run := func(script string) goja.Value {
		t.Helper()
		v, err := vm.RunString(script)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	list := func(v goja.Value) (all []goja.Value) {
		vm.ForOf(v, func(v goja.Value) bool {
			all = append(all, v)
			return true
		})
		return all
	}

	search, _ := goja.AssertFunction(run(functions))
	found, err := search(goja.Undefined(), iso.self.(*goja.Object).Get("picloud"), iso.host.Context(&newRun(&server{}, 1, requestMsg(), nil).Run))
	if err != nil {
		t.Fatal(err)
	}
	construct, _ := goja.AssertFunction(run("Reflect.construct"))
	textOf, _ := goja.AssertFunction(run("((text) => (f) => text.call(f))(Function.prototype.toString)"))
	odd := list(run(oddValues))

	calls := 0
	check := func(path string, call goja.Callable, this goja.Value, args ...goja.Value) {
		defer func() {
			if p := recover(); p != nil {
				t.Errorf("%s: the engine failed: %v", path, p)
			}
		}()

		calls++
		_, err := call(this, args...)
		if err == nil {
			return
		}
		if e := iso.realm.ScriptError(err); goWords.MatchString(e.Name + e.Message + e.Stack) {
			t.Errorf("%s throws %s: %s\n%s", path, e.Name, e.Message, e.Stack)
		}
	}

	for n, pair := range list(found) {
		path := pair.(*goja.Object).Get("0").String()
		f := pair.(*goja.Object).Get("1")
		call, _ := goja.AssertFunction(f)

		text, err := textOf(goja.Undefined(), f)
		isOurs := path != "async" && !strings.HasPrefix(path, "helper.")
		if err != nil || isOurs && !strings.HasSuffix(text.String(), "() { [native code] }") || goWords.MatchString(text.String()) {
			t.Errorf("%s is, as a text: %.200v %v", path, text, err)
		}
		if strings.HasSuffix(path, "etPrototypeOf") || strings.HasSuffix(path, "__proto__ (set)") {
			continue // a circle of prototypes would end the process
		}

		for k, this := range odd {
			a, b := odd[(k*7+n)%len(odd)], odd[(k*5+n/2)%len(odd)]
			check(path, call, this, a, b)
			if k%4 == n%4 {
				check(path, call, this)
				check("new "+path, construct, goja.Undefined(), f, vm.NewArray(a, b))
			}
		}
	}
	if calls < 50_000 {
		t.Errorf("%d calls were tried", calls)
	}
}

// What the engine made of these was a Go panic, a memory address, or a Go name.
func TestTextsOfEngine(t *testing.T) {
	t.Parallel()

	iso, serr := aProgram(`(function (exports, require, module) { /* AbortController, Iterator, subtle */ })`).isolate(nil, nil)
	if serr != nil {
		t.Fatal(serr)
	}

	for script, want := range map[string]string{
		`RegExp.prototype[Symbol.replace].call({}, "a", "b")`:                   "TypeError: Method RegExp.prototype.exec called on incompatible receiver [object Object]",
		`RegExp.prototype[Symbol.split].call([], "a")`:                          "TypeError: Method RegExp.prototype.exec called on incompatible receiver [object Object]",
		`"abc".replace(/b/, "x") + "a,b".split(/,/) + /b/[Symbol.split].length`: "axca,b2",
		`RegExp.prototype[Symbol.split].call(Object.create(null), "a")`:         "TypeError: Cannot convert object to primitive value",
		"`${Object.create(null)}`":                                              "TypeError: Cannot convert object to primitive value",
		`Array.from([1], { [Symbol.toPrimitive]: 1 })`:                          "TypeError: an object is not a function",
		`new Map([[1, 2]]).forEach({})`:                                         "TypeError: object is not a function",
		`new TypeError("50%!s(x", { cause: 7 }).cause`:                          "7",
		`({ toString: undefined }).toLocaleString()`:                            "TypeError: toLocaleString called on incompatible receiver",
		`fetch.name + " " + atob.name + " " + clearTimeout.name`:                "fetch atob clearTimeout",
		`typeof GoError`:  "undefined",
		`fetch`:           "function fetch() { [native code] }",
		`AbortController`: "function AbortController() { [native code] }",
		`structuredClone`: "function structuredClone() { [native code] }",
		`[].values().map`: "function map() { [native code] }",
		`class Mine { own() { return 1 } }; Mine`:                                                               "class Mine { own() { return 1 } }",
		`Object.getOwnPropertyDescriptor(URL.prototype, "href").get`:                                            "function get href() { [native code] }",
		`Object.getOwnPropertyDescriptor(Response.prototype, "status").get`:                                     "function get status() { [native code] }",
		`try { new RegExp("(", "u") } catch (e) { fetch.called = /picloud|native/.test(e.stack) } fetch.called`: "false",
		`try { [1].map(() => atob("?")) } catch (e) { e.stack.replace(/\(\d+\)|\s+/g, " ") }`:                   "InvalidCharacterError: atob: the string is not valid base64 at main.js:1:26  at main.js:1:15  ",
	} {
		v, err := iso.realm.VM.RunScript("main.js", "{"+script+"}")
		got := fmt.Sprint(v)
		if err != nil {
			e := iso.realm.ScriptError(err)
			got = e.Name + ": " + e.Message
		}
		if got != want {
			t.Errorf("%s gives %q, want %q", script, got, want)
		}
	}
}

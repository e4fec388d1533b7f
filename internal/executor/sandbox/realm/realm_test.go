package realm

import (
	"strings"
	"testing"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
)

// newRealm is a realm with the error classes that native code throws.
func newRealm(t *testing.T) *Realm {
	t.Helper()

	r := New(200)
	v, err := r.VM.RunString(`({ KvError: class KvError extends Error { get name() { return "KvError" } }, RangeError })`)
	if err != nil {
		t.Fatal(err)
	}
	r.SetErrors(v.(*goja.Object), nil)
	return r
}

type hidden struct{ secret string }

// A script sees nothing of the Go state behind an object but what the class defines, and nobody else's
// object passes for one.
func TestClass(t *testing.T) {
	t.Parallel()

	r := newRealm(t)
	plain := r.NewClass("Plain", func(goja.ConstructorCall) any { return &hidden{"h"} })
	r.Getter(plain.Proto, "secret", func(this goja.Value) goja.Value {
		return r.VM.ToValue(MustState[hidden](r, this, "Plain").secret)
	})
	r.AbstractClass("Abstract")

	for script, want := range map[string]string{
		`new Plain().secret`:                             "h",
		`Object.keys(new Plain()).join()`:                "",
		`Object.getOwnPropertyNames(new Plain()).join()`: "",
		`Plain.prototype.secret`:                         "TypeError: Illegal invocation: this is not a Plain",
		`Object.create(new Plain()).secret`:              "TypeError: Illegal invocation: this is not a Plain",
		`String(new Plain()) + Plain.name`:               "[object Plain]Plain",
		`class Sub extends Plain {}; new Sub().secret`:   "h",
		`Plain()`:                 "TypeError: Class constructor Plain cannot be invoked without 'new'",
		`Plain.call(new Plain())`: "TypeError: Class constructor Plain cannot be invoked without 'new'",

		// An instance is an ordinary object: what scripts put on it is theirs, and only that is seen.
		`const o = new Plain(); o.a = 1; o.b = 2; delete o.a; Object.keys(o).join() + ("a" in o) + o.secret`:   "bfalseh",
		`const o = new Plain(), k = Symbol(); o[k] = 1; o[k] + String(Object.getOwnPropertySymbols(o).length)`: "11",
		`const o = Object.defineProperty(new Plain(), "ip", {get: () => 7}); o.ip + JSON.stringify(o)`:         "7{}",
		`const o = new Plain(); o.a = {b: 1}; JSON.stringify([o, {o}])`:                                        `[{"a":{"b":1}},{"o":{"a":{"b":1}}}]`,
		`const o = Object.freeze(new Plain()); [Object.isFrozen(o), "a" in o, o.secret]`:                       "true,false,h",
		`class Own extends Plain { #x = 3; get x() { return this.#x } }; new Own().x`:                          "3",
		`Object.prototype.toString.call(new Plain()) + (new Plain() + "")`:                                     "[object Plain][object Plain]",

		// The value inside is none that a script comes to.
		`Number.prototype.valueOf.call(new Plain())`:  "TypeError: Value is not a number: [object Object]",
		`Number.prototype.toFixed.call(new Plain())`:  "TypeError: Value is not a number: [object Object]",
		`Boolean.prototype.valueOf.call(new Plain())`: "TypeError: Method Boolean.prototype.valueOf is called on incompatible receiver",
		`+new Plain()`:                                   "NaN",
		`JSON.stringify(1, null, new Plain())`:           "1",
		`Object.getOwnPropertyNames(new Plain()).length`: "0",
		`new Abstract()`:                                 "TypeError: Illegal constructor",
		`typeof globalThis.Plain + Object.keys(globalThis).includes("Plain")`: "functionfalse",
	} {
		v, err := r.VM.RunString("{" + script + "}")
		var got string
		if err != nil {
			e := r.ScriptError(err)
			got = e.Name + ": " + e.Message
		} else {
			got = v.String()
		}
		if got != want {
			t.Errorf("%s gives %q, want %q", script, got, want)
		}
	}
}

// Whatever a script throws is described, at the place where it was thrown, and nothing of it can make
// describing it fail.
func TestDescribe(t *testing.T) {
	t.Parallel()

	r := newRealm(t)
	for script, want := range map[string]string{
		`throw new RangeError("m")`: "RangeError: m",
		`throw "text"`:              "Error: uncaught text",
		`throw {a: 1}`:              `Error: uncaught {"a":1}`,
		`throw () => 1`:             "Error: uncaught () => 1",
		`throw undefined`:           "Error: uncaught undefined",
		`throw Object.defineProperty(new Error("m"), "name", {get() { throw 1 }})`: "Error: an error that cannot be described: reading it threw again",
		`const f = () => f(); f()`:          "RangeError: Maximum call stack size exceeded",
		`throw new Error("x".repeat(9000))`: "Error: " + strings.Repeat("x", cloud.MaxErrorText) + "...",
	} {
		_, err := r.VM.RunScript("main.js", "{"+script+"}")
		e := r.ScriptError(err)
		if got := e.Name + ": " + e.Message; got != want {
			t.Errorf("%s is described as %q, want %q", script, got, want)
		}
	}

	_, err := r.VM.RunScript("main.js", "function thrower() {\n  throw new Error('m')\n}\nthrower()")
	// Columns are one too high here: those of the engine count from 0 when there is a source map, as all
	// bundles have one.
	if got, want := r.ScriptError(err).Stack, "Error: m\n    at thrower (main.js:2:10)\n    at main.js:4:9"; got != want {
		t.Errorf("the stack is %q, want %q", got, want)
	}
}

// Settled makes one promise, of a value, an error or a promise.
func TestSettled(t *testing.T) {
	t.Parallel()

	r := newRealm(t)
	inner, err := r.Resolve(r.VM.ToValue(1))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Settled(func() goja.Value { return inner }); got != inner {
		t.Error("a promise was put into another")
	}
	value, _ := AsPromise(r.Settled(func() goja.Value { return r.VM.ToValue(2) }))
	if value.State() != goja.PromiseStateFulfilled || value.Result().ToInteger() != 2 {
		t.Errorf("a value is %v %v", value.State(), value.Result())
	}
	thrown, _ := AsPromise(r.Settled(func() goja.Value { panic(r.NewError("NoSuchError", "m")) }))
	if thrown.State() != goja.PromiseStateRejected || r.Describe(thrown.Result(), nil).Name != "KvError" {
		t.Errorf("an error is %v %v", thrown.State(), thrown.Result())
	}
	if rejected := r.TakeRejected(); len(rejected) != 1 || len(r.TakeRejected()) != 0 {
		t.Errorf("%d rejections were not handled, want 1, once", len(rejected))
	}
}

// The bytes of buffers and views are theirs and no others, also when a script lies about where they are.
func TestBytes(t *testing.T) {
	t.Parallel()

	r := newRealm(t)
	for script, want := range map[string]string{
		`new Uint8Array([1, 2, 3]).buffer`:                                    "\x01\x02\x03",
		`new Uint8Array([1, 2, 3]).subarray(1)`:                               "\x02\x03",
		`new DataView(new Uint8Array([1, 2, 3]).buffer, 2)`:                   "\x03",
		`new ArrayBuffer(0)`:                                                  "",
		`Object.defineProperty(new Uint8Array(2), "byteLength", {value: 99})`: "none",
		`Object.defineProperty(new Uint8Array(2), "byteOffset", {value: -1})`: "none",
		`[1, 2]`: "none", `"text"`: "none", `({buffer: new ArrayBuffer(2)})`: "none",
	} {
		v, err := r.VM.RunString(script)
		if err != nil {
			t.Fatalf("%s: %v", script, err)
		}
		raw, ok := r.BytesOf(v)
		got := string(raw)
		if !ok {
			got = "none"
		}
		if got != want {
			t.Errorf("%s has the bytes %q, want %q", script, got, want)
		}
	}
}

// A library that is loaded after the record makes the runtime unfit for another run, one that is loaded
// before does not.
func TestLoadedLate(t *testing.T) {
	t.Parallel()

	r := newRealm(t)
	r.LoadedLate()
	if r.Intact() {
		t.Error("a runtime of which there is no record is intact")
	}
	r.Record()
	if !r.Intact() {
		t.Error("what was loaded before the record counts as late")
	}
	r.LoadedLate()
	if r.Intact() {
		t.Error("what was loaded after the record does not count")
	}
}

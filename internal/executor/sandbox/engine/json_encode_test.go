package engine

import (
	"testing"

	"github.com/dop251/goja"
)

// newRuntime is a runtime in which JSON is ours. It stands in for one of the platform's: its Response and
// Headers are objects of Go, as those of the web APIs are, and nothing can be added to Object.prototype.
func newRuntime() *JSON {
	j := NewJSON(goja.New())
	object := func(v goja.Value) func(goja.ConstructorCall) *goja.Object {
		return func(c goja.ConstructorCall) *goja.Object {
			o := v.(*goja.Object)
			_ = o.SetPrototype(c.This.Prototype())
			return o
		}
	}
	_ = j.vm.Set("Headers", object(j.vm.ToValue(&struct{ list []string }{})))
	_ = j.vm.Set("Response", object(j.vm.NewDynamicObject(dynamic{})))
	if _, err := j.vm.RunString(`Object.preventExtensions(Object.prototype)`); err != nil {
		panic(err)
	}
	return j
}

// dynamic is an object of Go that has no properties.
type dynamic struct{}

func (dynamic) Get(string) goja.Value       { return nil }
func (dynamic) Set(string, goja.Value) bool { return true }
func (dynamic) Has(string) bool             { return false }
func (dynamic) Delete(string) bool          { return true }
func (dynamic) Keys() []string              { return nil }

// What is written from the engine's tables is what the engine itself writes, and whatever a script could
// notice is left to it.
func TestPlainJSON(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		script string
		plain  bool
	}{
		{`({})`, true}, {`[]`, true}, {`[[], {}, [{}]]`, true}, {`"x"`, true}, {`1`, true}, {`null`, true}, {`false`, true},
		{`({a: 1, b: "two", c: [3, 4.5, -0, 1e21, 1e-7, NaN, Infinity, true, null, undefined], d: undefined, e: {f: {}}})`, true},
		{`({"": 1, " ": 2, "a\"b": 3, "\u0000": 4})`, true},
		{`"\u0000\u0001\b\t\n\u000b\f\r\u001f \"\\/\u007f\u2028"`, true},
		{`"é" + "a long string of more than sixteen bytes, ü"`, true}, {`({"é": "𝒳"})`, true},
		{`JSON.parse('{"a":[1,{"b":"c"}],"é":null,"long enough to be imported":"long enough to be imported"}')`, true},
		{`const o = JSON.parse('{"a":1,"b":2,"a":3}'); o`, true}, {`({a: 1, ...{b: 2}})`, true}, {`const a = [1]; a.push(2); a`, true},
		{`Object.create(null)`, true}, {`const s = {x: 1}; [s, s, {s}]`, true}, {`[1, 2, 3].map((x) => ({x}))`, true},
		{`const d = {a: 1, b: 2}; delete d.a; d.a = 3; d`, true},
		{`({b: 1, 2: 2, 1: 1})`, false}, {`({"01": 1, "-1": 2, "1e3": 3})`, false}, {`JSON.parse('{"b":1,"10":2,"9":3}')`, false},
		{`[1, , 3]`, false}, {`new Array(3)`, false}, {`const h = [1, 2]; h.length = 5; h`, false}, {`const n = [1]; n.x = 2; n`, false},
		{`({toJSON() { return 1 }})`, false}, {`({a: {toJSON: 5}})`, false}, {`const j = [1]; j.toJSON = () => 7; j`, false},
		{`({get a() { return 1 }})`, false}, {`Object.defineProperty({b: 1}, "a", {value: 1, enumerable: false})`, false}, {`Object.freeze({a: 1})`, false},
		{`class A { x = 1 }; new A()`, false}, {`Object.create({inherited: 1})`, false}, {`class L extends Array {}; L.of(1, 2)`, false},
		{`new Date(0)`, false}, {`[new Date(0), new Map([[1, 2]]), /x/]`, false}, {`new Proxy({a: 1}, {})`, false}, {`({p: new Proxy([1], {})})`, false},
		{`({f() {}, g: 1})`, false}, {`[Symbol("x"), () => 1]`, false}, {`({[Symbol("x")]: 1, a: 2})`, true}, {`Symbol("x")`, false}, {`(() => 1)`, false},
		{`undefined`, false}, {`[new Number(1), new String("s"), new Boolean(false), Object(1n)]`, false}, {`({a: 1n})`, false},
		{`"\ud800"`, false}, {`({"\udc00": 1})`, false}, {`"\ufffd"`, false}, {`const c = {}; c.c = c; c`, false}, {`const l = []; l.push({l}); l`, false},
		{`let deep = []; for (let k = 0; k < 199; k++) deep = [deep]; deep`, true}, {`let deeper = []; for (let k = 0; k < 300; k++) deeper = {deeper}; deeper`, false},
		{`new Uint8Array([1, 2])`, false}, {`(function () { return arguments })(1, 2)`, false}, {`new Error("x")`, false}, {`Math`, false}, {`globalThis.JSON`, false},
		{`new Response("x")`, false}, {`new Headers({a: "b"})`, false}, {`const w = []; w[100000] = 1; w.length = 3; w`, false},
		{`Array.prototype.toJSON = () => "list"; [1]`, false},
		{`Object.defineProperty(Array.prototype, "toJSON", {get: () => () => 1, configurable: true}); [1]`, false},
		{`Object.setPrototypeOf(Array.prototype, {toJSON: () => 5}); [1]`, false}, {`Array.prototype[1] = 5; [1, , 3]`, false}, {`Array.prototype[1] = 5; [1, 2, 3]`, true},
		{`Object.prototype.x = 5; ({y: 1})`, true}, {`Object.setPrototypeOf([1], null)`, false}, {`Object.setPrototypeOf({toString: 1}, null)`, true},
		{`Object.assign(Object.preventExtensions({a: 1}))`, true}, {`String.prototype.toJSON = () => 1; "x"`, true}, {`Number.prototype.toJSON = () => 1; [1]`, true},
	} {
		j := newRuntime()
		v, err := j.vm.RunString(c.script)
		if err != nil {
			t.Fatalf("%s: %v", c.script, err)
		}
		want, wantErr := j.EncodeByEngine(v)
		got, gotErr := j.Encode(v)
		if _, plain := j.plainJSON(v); plain != c.plain {
			t.Errorf("%s: is plain: %v", c.script, plain)
		}

		switch {
		case wantErr != nil || gotErr != nil:
			if wantErr == nil || gotErr == nil || wantErr.Error() != gotErr.Error() {
				t.Errorf("%s: %v, the engine says %v", c.script, gotErr, wantErr)
			}
		case goja.IsUndefined(want):
			if got != nil {
				t.Errorf("%s gives %s, the engine nothing", c.script, got)
			}
		case string(got) != want.String():
			t.Errorf("%s gives %s, the engine %s", c.script, got, want)
		}
		_ = j.vm.Set("value", v)
		same, err := j.vm.RunString(`JSON.stringify(value)`)
		if wantErr == nil && (err != nil || !same.SameAs(want) && same.String() != want.String()) {
			t.Errorf("JSON.stringify of %s gives %v %v, the engine %s", c.script, same, err, want)
		}
		if wantErr != nil && err == nil {
			t.Errorf("JSON.stringify of %s gives %v, the engine %v", c.script, same, wantErr)
		}
	}
}

// JSON.stringify keeps its other arguments, and what it says of itself.
func TestStringifyArguments(t *testing.T) {
	t.Parallel()

	j := newRuntime()
	for script, want := range map[string]string{
		`JSON.stringify({a: [1], b: 2}, null, 1)`: "{\n \"a\": [\n  1\n ],\n \"b\": 2\n}", `JSON.stringify({a: 1, b: 2}, ["b"])`: `{"b":2}`,
		`JSON.stringify({a: 1}, (k, v) => k ? v + 1 : v)`: `{"a":2}`, `JSON.stringify([1], undefined, "--")`: "[\n--1\n]",
		`String(JSON.stringify())`: "undefined", `JSON.stringify.length + JSON.stringify.name + JSON.parse.length + JSON.parse.name`: "3stringify2parse",
		`try { JSON.stringify({a: 1n}) } catch (e) { e.constructor === TypeError ? "TypeError" : e }`: "TypeError",
		`try { JSON.stringify({get a() { throw 7 }}) } catch (e) { String(e) }`:                       "7",
		`const o = {}; o.o = o; try { JSON.stringify(o) } catch (e) { e.message }`:                    "Converting circular structure to JSON",
	} {
		if v, err := j.vm.RunString(script); err != nil || v.String() != want {
			t.Errorf("%s gives %v %v, want %s", script, v, err, want)
		}
	}
}

// JSON of a thousand small objects, by the engine and by us.
func BenchmarkJSON(b *testing.B) {
	j := newRuntime()
	v, err := j.vm.RunString(`Array.from({length: 1000}, (_, k) => ({id: k, name: "item " + k, price: k / 7, tags: ["a", "b"], nested: {ok: true}}))`)
	if err != nil {
		b.Fatal(err)
	}
	text, err := j.Encode(v)
	if err != nil {
		b.Fatal(err)
	}

	for name, f := range map[string]func() error{
		"stringify/engine": func() error { _, err := j.EncodeByEngine(v); return err },
		"stringify/ours":   func() error { _, err := j.Encode(v); return err },
		"parse/engine":     func() error { _, err := j.parse(goja.Undefined(), j.vm.ToValue(string(text))); return err },
		"parse/ours":       func() error { _, err := j.Decode(string(text)); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()

			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

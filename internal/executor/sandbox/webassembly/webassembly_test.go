package webassembly

import (
	_ "embed"
	"runtime"
	"strings"
	"testing"
	"weak"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
)

// testModules are the modules of testdata, a name and the module in base64 on each line: made of the .wat
// files by wat2wasm of wabt 1.0.39.
//
//go:embed testdata/modules.txt
var testModules string

// prelude gives a script the modules by their names, and instances of them.
const prelude = `
	const bytes = (name) => {
		const text = modules[name];
		const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
		const out = [];
		for (let k = 0; k < text.length; k += 4) {
			const n = [0, 1, 2, 3].reduce((n, j) => n << 6 | Math.max(digits.indexOf(text[k + j]), 0), 0);
			out.push(n >> 16 & 255, n >> 8 & 255, n & 255);
		}
		return new Uint8Array(out.slice(0, out.length - text.split("=").length + 1));
	};
	const load = (name) => new WebAssembly.Module(bytes(name));
	const make = (name, imports) => new WebAssembly.Instance(load(name), imports).exports;
	const thrown = (f) => { try { return f() } catch (e) { return e instanceof Error ? e.name + ": " + e.message : e } };
`

// newAPI is a realm with WebAssembly, and the modules of testdata for its scripts.
func newAPI(t *testing.T) *API {
	t.Helper()

	r := realm.New(1000)
	v, err := r.VM.RunString(`({ KvError: Error, RangeError, TypeError })`)
	if err != nil {
		t.Fatal(err)
	}
	r.SetErrors(v.(*goja.Object), nil)
	a := New(r, func(v goja.Value) goja.Value { return v })
	r.SetGlobal("WebAssembly", a.Object)

	modules := r.VM.NewObject()
	for line := range strings.Lines(testModules) {
		name, encoded, _ := strings.Cut(strings.TrimSpace(line), " ")
		_ = modules.Set(name, encoded)
	}
	r.SetGlobal("modules", modules)
	if _, err := r.VM.RunString(prelude); err != nil {
		t.Fatal(err)
	}
	return a
}

// run gives the text of what a script evaluates to, or throws.
func run(a *API, script string) string {
	v, err := a.r.VM.RunString("{" + script + "}")
	if err != nil {
		e := a.r.ScriptError(err)
		return "thrown " + e.Name + ": " + e.Message
	}
	if p, ok := realm.AsPromise(v); ok {
		a.r.Handled(p)
		if p.State() == goja.PromiseStateRejected {
			e := a.r.Describe(p.Result(), nil)
			return "rejected " + e.Name + ": " + e.Message
		}
		v = p.Result()
	}
	return v.String()
}

// testScripts compares what scripts evaluate to. Each has a realm of its own.
func testScripts(t *testing.T, scripts map[string]string) {
	t.Helper()

	for script, want := range scripts {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			if got := run(newAPI(t), script); got != want {
				t.Errorf("gives %q, want %q", got, want)
			}
		})
	}
}

// Numbers are converted both ways as the standard has it.
func TestNumbers(t *testing.T) {
	t.Parallel()
	testScripts(t, map[string]string{
		`const n = make("numbers"); [2 ** 32 + 5, -1, "7", 1.9, NaN, Infinity, 2 ** 31, 1e300, undefined].map(n.i32)`: "5,-1,7,1,0,0,-2147483648,0,0",
		`const n = make("numbers"); [1n, 2n ** 64n - 1n, -(2n ** 63n), true, "12"].map(n.i64)`:                        "1,-1,-9223372036854775808,1,12",
		`make("numbers").i64(1)`:        "thrown TypeError: Cannot convert 1 to a BigInt",
		`make("numbers").i32(1n)`:       "thrown TypeError: Cannot convert a BigInt value to a number",
		`make("numbers").i32(Symbol())`: "thrown TypeError: Cannot convert a Symbol value to a number",
		`const n = make("numbers"); [n.f32(0.1), n.f32(1e40), n.f64(0.1), n.f64("x"), Object.is(n.f64(-0), -0)]`: "0.10000000149011612,Infinity,0.1,NaN,true",
		`const n = make("numbers"); [n.add(2147483647, 1), n.add(1), n.none(1, 2, 3)]`:                           "-2147483648,1,",
		`const r = make("numbers").swap(1, 2n); [Array.isArray(r), typeof r[0], ...r]`:                           "true,bigint,2,1",
		`make("numbers").vector()`: "thrown TypeError: a function with a v128 cannot be called from JavaScript",
		`const n = make("numbers"), o = {}, s = Symbol(); [o, s, null, undefined, "é", 1.5, 2n, "", false].every((v) => n.any(v) === v)`: "true",
		`make("numbers").i32({ valueOf() { throw "mine" } })`:                                                                            "thrown Error: uncaught mine",
		`const f = make("numbers").add; [f.name, f.length, thrown(() => new f())]`:                                                       "4,2,TypeError: f is not a constructor",
	})
}

// A trap is a RuntimeError, which a script can catch, and leaves the instance usable.
func TestTraps(t *testing.T) {
	t.Parallel()
	testScripts(t, map[string]string{
		`make("traps").unreachable()`: "thrown RuntimeError: unreachable",
		`const x = make("traps"); [thrown(() => x.divide(1, 0)), thrown(() => x.divide(-(2 ** 31), -1)), x.divide(7, 2)].join()`:                                               "RuntimeError: integer divide by zero,RuntimeError: integer overflow,3",
		`const x = make("traps"); [thrown(() => x.truncate(NaN)), thrown(() => x.truncate(1e10))].join()`:                                                                      "RuntimeError: invalid conversion to integer,RuntimeError: integer overflow",
		`const x = make("traps"); [thrown(() => x.load(65533)), thrown(() => x.load(-1)), x.load(65532)].join()`:                                                               "RuntimeError: out of bounds memory access,RuntimeError: out of bounds memory access,0",
		`const x = make("traps"); [0, 1, 9].map((k) => thrown(() => x.indirect(k))).join()`:                                                                                    "RuntimeError: indirect call type mismatch,RuntimeError: invalid table access,RuntimeError: invalid table access",
		`const x = make("traps"); [thrown(() => x.deep(0)), thrown(() => x.deep(0)), x.divide(4, 2)].join()`:                                                                   "RangeError: Maximum call stack size exceeded,RangeError: Maximum call stack size exceeded,2",
		`try { make("traps").unreachable() } catch (e) { [e instanceof WebAssembly.RuntimeError, e instanceof Error, /wazero|wasm stack|0x|\.go/.test(e.stack + e.message)] }`: "true,true,false",
	})
}

// What a function of the script throws comes out of the call as it was; what it returns is converted.
func TestCalls(t *testing.T) {
	t.Parallel()
	const with = `let f, many; const x = make("calls", { script: { f: (n) => f(n), many: () => many() } }); `
	testScripts(t, map[string]string{
		with + `f = (n) => n + 0.7; x.call(1)`: "1",
		with + `const mine = { my: "error" }; f = () => { throw mine }; try { x.call(1) } catch (e) { e === mine }`:                         "true",
		with + `f = () => { throw undefined }; try { x.call(1) } catch (e) { String(e) }`:                                                   "undefined",
		with + `f = () => ({ valueOf() { throw new SyntaxError("late") } }); x.call(1)`:                                                     "thrown SyntaxError: late",
		with + `f = () => Symbol(); x.call(1)`:                                                                                              "thrown TypeError: Cannot convert a Symbol value to a number",
		with + `f = (n) => n ? x.call(n - 1) + 1 : 0; x.call(20)`:                                                                           "20",
		with + `f = (n) => x.call(n); x.call(1)`:                                                                                            "thrown RangeError: Maximum call stack size exceeded",
		with + `f = (n) => n ? thrown(() => x.frames(1500, n - 1)) : "end"; x.frames(1500, 9)`:                                              "0",
		with + `f = (n) => { if (n) return x.call(n - 1); throw new Error("deep") }; thrown(() => x.call(50)) + x.frames(3, 0)`:             "thrown Error: deep",
		with + `many = () => [1.5, 2n]; x.many()`:                                                                                           "1,2",
		with + `many = function* () { yield "3"; yield 4n }; x.many()`:                                                                      "3,4",
		with + `many = () => [1]; x.many()`:                                                                                                 "thrown TypeError: the function must return 2 results, and has returned 1",
		with + `many = () => 5; x.many()`:                                                                                                   "thrown TypeError: object is not iterable",
		with + `many = () => [1, 2]; x.many()`:                                                                                              "thrown TypeError: Cannot convert 2 to a BigInt",
		with + `many = () => ({ *[Symbol.iterator]() { for (;;) yield 1 } }); x.many()`:                                                     "thrown TypeError: the function must return 2 results, and has returned 1001",
		`const x = make("calls", { script: { f: function () { "use strict"; return this === undefined ? 1 : 0 }, many() {} } }); x.call(0)`: "1",
	})
}

// A function is the same object wherever it comes from, and can be put where functions go.
func TestFunctionIdentity(t *testing.T) {
	t.Parallel()
	const with = `const f = (n) => n + 1, x = make("tables", { script: { f } }), t = x.table; `
	testScripts(t, map[string]string{
		with + `t.get(0) === x.double`:                               "true",
		with + `[t.get(0)(4), t.get(1)(4), t.get(2)(4), t.get(3)()]`: "8,104,5,7,8",
		with + `t.get(1) === t.get(1) && t.get(1) === x.own() && x.function.value === x.own() && x.reference(t.get(1)) === x.own()`: "true",
		with + `[t.get(1).name, t.get(2).name, t.get(2).length, t.get(2) === f]`:                                                    "2,0,1,false",
		with + `[t.get(4), x.reference(null), t.length]`:                                                                            ",,6",
		with + `t.set(4, x.double); [x.at(4, 21), t.get(4) === x.double]`:                                                           "42,true",
		with + `t.set(0, null); thrown(() => x.at(0, 1))`:                                                                           "RuntimeError: invalid table access",
		with + `[thrown(() => t.set(0, f)), thrown(() => t.get(6)), thrown(() => t.set(6, null)), thrown(() => t.get(-1)), thrown(() => t.grow(5)), t.grow(4, x.double), t.length, x.at(9, 3)].join()`:                                                                                                                                           "TypeError: the value must be a function that a module exports, or null,RangeError: the table has 6 elements, and none at 6,RangeError: the table has 6 elements, and none at 6,TypeError: the index must be from 0 to 4294967295,RangeError: the table cannot grow by 5 elements,6,10,6",
		with + `const other = make("tables", { script: { f: x.double } }); [other.table.get(2) === x.double, other.at(2, 8), other.own() === x.own()]`:                                                                                                                                                                                           "true,16,false",
		with + `const m = load("tables"), a = new WebAssembly.Instance(m, { script: { f } }).exports, b = new WebAssembly.Instance(m, { script: { f } }).exports; a.table.set(5, b.own()); [a.table.get(5) === b.own(), a.table.get(5) === a.own(), a.table.get(1) === a.own(), b.table.get(0) === b.double, a.table.get(2) === b.table.get(2)]`: "true,false,true,true,false",
		with + `x.function.value = x.double; [x.function.value === x.double, thrown(() => { x.function.value = 1 })].join()`:                                                                                                                                                                                                                     "true,TypeError: the value must be a function that a module exports, or null",
		with + `const o = {}; x.value.value = o; x.values.set(0, o); x.values.set(1, "text"); [x.value.value === o, x.values.get(0) === o, x.values.get(1), x.values.grow(1), String(x.values.get(2))]`:                                                                                                                                          "true,true,text,2,undefined",
		with + `const own = new WebAssembly.Table({ element: "anyfunc", initial: 2 }, t.get(1)); [own.get(0) === own.get(1), own.get(0) === x.own()]`:                                                                                                                                                                                            "true,true",
		with + `new WebAssembly.Global({ value: "anyfunc" }, x.double).value === x.double`:                                                                                                                                                                                                                                                       "true",
	})
}

// Memories, tables and globals are shared, not copied.
func TestShared(t *testing.T) {
	t.Parallel()
	const with = `const m = { memory: new WebAssembly.Memory({ initial: 1, maximum: 4 }), table: new WebAssembly.Table({ element: "anyfunc", initial: 2 }),
		global: new WebAssembly.Global({ value: "i32", mutable: true }, 41), constant: 7n, function: (n) => n * 3 };
		const x = make("shared", { m }); `
	testScripts(t, map[string]string{
		with + `[x.memory === m.memory, x.table === m.table, x.global === m.global, x.constant.value, x.function === m.function, x.function(5)]`:                                                                                       "true,true,true,7,false,15",
		with + `const u = new Uint8Array(m.memory.buffer); u[0] = 9; x.store(4, 77); [x.load(0), u[4], String.fromCharCode(...u.slice(8, 13))]`:                                                                                        "9,77,hello",
		with + `[x.bump(), m.global.value, m.global.value = 5, x.bump(), x.constantValue()]`:                                                                                                                                           "42,42,5,6,7",
		with + `const b = m.memory.buffer, u = new Uint8Array(b); x.store(0, 3); x.grow(); [b.byteLength, u.length, m.memory.buffer.byteLength, new Uint8Array(m.memory.buffer)[0], m.memory.buffer === m.memory.buffer]`:              "0,0,131072,3,true",
		with + `const b = m.memory.buffer; [m.memory.grow(0), b.byteLength, m.memory.grow(2), m.memory.buffer.byteLength, thrown(() => m.memory.grow(2))].join()`:                                                                      "1,0,1,196608,RangeError: a memory of 3 pages cannot grow by 2",
		with + `let seen; m.function = 0; const y = make("shared", { m: { ...m, function: () => { const before = m.memory.buffer; x.grow(); seen = before.byteLength; return m.memory.buffer.byteLength } } }); [y.function(0), seen]`: "131072,0",
		with + `m.table.set(0, x.function); const y = make("shared", { m: { ...m, memory: x.memory, function: x.load } }); y.store(100, 11); [y.callTable(5), x.load(100), y.function === x.load]`:                                     "15,11,true",
		with + `thrown(() => make("shared", { m: { ...m, memory: new WebAssembly.Memory({ initial: 1 }) } }))`:                                                                                                                         `LinkError: import 0 "m" "memory": the memory has another size`,
		with + `thrown(() => make("shared", { m: { ...m, memory: new WebAssembly.Memory({ initial: 0, maximum: 4 }) } }))`:                                                                                                             `LinkError: import 0 "m" "memory": the memory has another size`,
		with + `thrown(() => make("shared", { m: { ...m, global: 1 } }))`:                                                                                                                                                              `LinkError: import 2 "m" "global": must be a WebAssembly.Global that can be changed`,
		with + `thrown(() => make("shared", { m: { ...m, constant: 1 } }))`:                                                                                                                                                            `LinkError: import 3 "m" "constant": must be a BigInt or a WebAssembly.Global`,
		with + `thrown(() => make("shared", { m: { ...m, table: new WebAssembly.Table({ element: "externref", initial: 2 }) } }))`:                                                                                                     `LinkError: import 1 "m" "table": the table has another type or size`,
		with + `thrown(() => make("shared", { m: { ...m, function: {} } }))`:                                                                                                                                                           `LinkError: import 4 "m" "function": must be a function`,
		with + `thrown(() => make("shared", { m: { ...m, function: x.store } }))`:                                                                                                                                                      `LinkError: import 4 "m" "function": the function has another type`,
		with + `[thrown(() => make("shared")), thrown(() => make("shared", {})), thrown(() => make("shared", 1))].join()`:                                                                                                              `TypeError: the module imports something: the second argument must be an object,TypeError: import 0: the module "m" must be an object,TypeError: the imports must be an object`,
	})
}

// A start function that fails throws; what it has left elsewhere stays usable.
func TestStart(t *testing.T) {
	t.Parallel()
	const with = `const table = new WebAssembly.Table({ element: "anyfunc", initial: 1 }), slot = new WebAssembly.Global({ value: "anyfunc", mutable: true }, null);
		const start = (fail) => make("start", { m: { table, slot, fail } }); `
	testScripts(t, map[string]string{
		with + `start(() => {}); [slot.value(), table.get(0) === slot.value]`:                                      "42,true",
		with + `const e = new Error("no"); try { start(() => { throw e }) } catch (x) { [x === e, slot.value()] }`: "true,42",
	})
}

// The functions that return promises, and what they reject.
func TestPromises(t *testing.T) {
	t.Parallel()
	testScripts(t, map[string]string{
		`WebAssembly.compile(bytes("numbers")).then((m) => m instanceof WebAssembly.Module)`:                                                           "true",
		`WebAssembly.instantiate(bytes("numbers")).then(({ module, instance }) => [module instanceof WebAssembly.Module, instance.exports.add(1, 2)])`: "true,3",
		`WebAssembly.instantiate(load("numbers")).then((i) => i.exports.add(1, 2))`:                                                                    "3",
		`WebAssembly.compile(new Uint8Array(8))`:                                                                                                       `rejected CompileError: not a WebAssembly module of version 1: it does not begin with \0asm\1\0\0\0`,
		`WebAssembly.compile(5)`:                                                                                                                       "rejected TypeError: the bytes of a module must be an ArrayBuffer or a view of one",
		`WebAssembly.instantiate(bytes("calls"))`:                                                                                                      "rejected TypeError: the module imports something: the second argument must be an object",
		`WebAssembly.instantiateStreaming(Promise.resolve(bytes("numbers"))).then((r) => r.instance.exports.add(2, 2))`:                                "4",
		`const b = bytes("numbers"), p = WebAssembly.compile(b); b.fill(0); p.then(() => "copied")`:                                                    "copied",
		`[WebAssembly.validate(bytes("numbers")), WebAssembly.validate(bytes("numbers").subarray(0, 50)), WebAssembly.validate(new ArrayBuffer(0))]`:   "true,false,false",
	})
}

// What is no module is refused with a reason, wherever it is cut or changed: none of it ends the process.
func TestMalformed(t *testing.T) {
	t.Parallel()
	a := newAPI(t)

	for line := range strings.Lines(testModules) {
		name, _, _ := strings.Cut(line, " ")
		got := run(a, `const whole = bytes("`+name+`"); let wrong = 0;
			for (let k = 0; k < whole.length; k++) {
				if (WebAssembly.validate(whole.subarray(0, k))) wrong += k > 8 && k < whole.length ? 1 : 0;
				for (const x of [0, 1, 0x7f, 0x80, 0xff]) { const b = whole.slice(); b[k] = x; WebAssembly.validate(b) }
			}
			wrong < 20`)
		if got != "true" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// A realm that nobody uses any more goes, with all that its modules held, although its code is shared.
func TestCollected(t *testing.T) {
	t.Parallel()

	used := func() weak.Pointer[API] {
		a := newAPI(t)
		got := run(a, `const f = (n) => n + 1, x = make("tables", { script: { f } }); globalThis.kept = x; x.at(2, 1) + x.table.get(2)(5)`)
		if got != "8" {
			t.Fatal(got)
		}
		return weak.Make(a)
	}

	gone := used()
	for range 20 {
		runtime.GC()
		if gone.Value() == nil {
			return
		}
	}
	t.Error("something keeps a realm alive")
}

// A module tells what it imports and exports, and its custom sections.
func TestModule(t *testing.T) {
	t.Parallel()
	testScripts(t, map[string]string{
		`JSON.stringify(WebAssembly.Module.imports(load("shared")).map((i) => i.module + "." + i.name + ":" + i.kind))`:                                                                         `["m.memory:memory","m.table:table","m.global:global","m.constant:global","m.function:function"]`,
		`JSON.stringify(WebAssembly.Module.exports(load("loops")))`:                                                                                                                             `[{"name":"memory","kind":"memory"},{"name":"loop","kind":"function"},{"name":"inner","kind":"function"},{"name":"busy","kind":"function"},{"name":"grow","kind":"function"},{"name":"greedy","kind":"function"},{"name":"both","kind":"function"}]`,
		`const b = new Uint8Array([...bytes("numbers"), 0, 4, 1, 120, 7, 8]); const s = WebAssembly.Module.customSections(new WebAssembly.Module(b), "x"); [s.length, ...new Uint8Array(s[0])]`: "1,7,8",
		`const e = make("numbers"); [Object.isFrozen(e), Object.getPrototypeOf(e), Object.keys(e).length, e.constructor]`:                                                                       "true,,9,",
		`[String(load("numbers")), String(WebAssembly), thrown(() => WebAssembly.Module(bytes("numbers")))].join()`:                                                                             "[object WebAssembly.Module],[object WebAssembly],TypeError: Class constructor Module cannot be invoked without 'new'",
	})
}

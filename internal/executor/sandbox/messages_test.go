package sandbox

import (
	"strings"
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// Messages say what was called and what was null, as those of other engines do.
func TestMessages(t *testing.T) {
	t.Parallel()

	for expr, want := range map[string]string{
		`null.x`:                                    "TypeError: Cannot read properties of null (reading 'x')",
		`undefined[0]`:                              "TypeError: Cannot read properties of undefined (reading '0')",
		`null[undefined]`:                           "TypeError: Cannot read properties of null (reading 'undefined')",
		`undefined[null]`:                           "TypeError: Cannot read properties of undefined (reading 'null')",
		`({ a: null }).a.b.c`:                       "TypeError: Cannot read properties of null (reading 'b')",
		`({}).a.b()`:                                "TypeError: Cannot read properties of undefined (reading 'b')",
		`undefined[1]()`:                            "TypeError: Cannot read properties of undefined (reading '1')",
		`null.x = 1`:                                "TypeError: Cannot set properties of null (setting 'x')",
		`undefined["a" + 1] = 1`:                    "TypeError: Cannot set properties of undefined (setting 'a1')",
		`delete null.x`:                             "TypeError: Cannot convert undefined or null to object",
		`(() => { let f = 5; f() })()`:              "TypeError: f is not a function",
		`(() => { let f; f?.x; f() })()`:            "TypeError: f is not a function",
		`(() => { const o = { b: 5 }; o.b() })()`:   "TypeError: o.b is not a function",
		`(() => { const o = { b: 5 }; o.b?.() })()`: "TypeError: o.b is not a function",
		`(() => { const o = { a: () => ({}) }; o.a(1, "(").b.c = 1 })()`: "TypeError: Cannot set properties of undefined (setting 'c')",
		`(() => { const o = { a: () => ({}) }; o.a(1, "(").b() })()`:     "TypeError: o.a(...).b is not a function",
		`(() => { const o = {}; o["x-y"](1) })()`:                        `TypeError: o["x-y"] is not a function`,
		`({})()`:                                 "TypeError: (intermediate value) is not a function",
		`[].foo()`:                               "TypeError: (intermediate value).foo is not a function",
		`"a".foo()`:                              "TypeError: (intermediate value).foo is not a function",
		`JSON.pars("1")`:                         "TypeError: JSON.pars is not a function",
		`new (class { m() { this.q() } })().m()`: "TypeError: this.q is not a function",
		`(() => { let C = {}; new C() })()`:      "TypeError: C is not a constructor",
		`(() => { const o = {}; new o.X(1) })()`: "TypeError: o.X is not a constructor",
		`new (() => 1)()`:                        "TypeError: the value after new is not a constructor",
		`(({ a }) => a)()`:                       "TypeError: Cannot destructure 'undefined' as it is undefined.",
		`(() => { const { a } = null })()`:       "TypeError: Cannot destructure 'null' as it is null.",
		`(([a]) => a)()`:                         "TypeError: undefined is not iterable",
		`(() => { for (const x of 5) ; })()`:     "TypeError: number 5 is not iterable",
		`[...null]`:                              "TypeError: null is not iterable",
		`(() => { x; let x = 1 })()`:             "ReferenceError: Cannot access 'x' before initialization",
		`nowhere`:                                "ReferenceError: nowhere is not defined",
		`kv.collection("a")`:                     `ReferenceError: kv is not defined: import { kv } from "picloud"`,
	} {
		t.Run(expr, func(t *testing.T) {
			t.Parallel()
			if got := answerOf(t, "export default { fetch() { return "+expr+" } }"); got != want {
				t.Errorf("gives %q, want %q", got, want)
			}
		})
	}
}

// evaluationError is what a script throws while it is evaluated.
func evaluationError(t *testing.T, language, source string) *cloud.ScriptError {
	t.Helper()

	out := bundle(&wire.CompileMsg{Name: "main", Language: language, Source: source})
	if out.Error != nil {
		t.Fatal(out.Error.Message)
	}
	_, serr := aProgramOf(fileName("main", language), out.Code).isolate(nil, nil)
	if serr == nil {
		t.Fatal("it is evaluated")
	}
	return serr
}

// A module that cannot be evaluated is told why, and where in the author's file.
func TestEvaluationErrors(t *testing.T) {
	t.Parallel()

	for _, c := range []struct{ language, source, message, stack string }{
		{"javascript", "throw new Error('x')", "x", "at main.js:1:7"},
		{"javascript", "\n\n  null.x", "Cannot read properties of null (reading 'x')", "at main.js:3:"},
		{"typescript", "\nexport default { fetch() {} }; null.x", "", "at main.ts:2:"},
		{"javascript", "setTimeout(() => {}, 1)", "setTimeout() is not allowed while the module is evaluated: move the call into a handler", "at main.js:1:"},
		{"typescript", "function log(target: any, key: string, d: any) { const f = d.value; d.value = f } class A { @log m() {} } export default () => 1", "(decorators here are the standard ones", "at log (main.ts:1:"},
	} {
		serr := evaluationError(t, c.language, c.source)
		if !strings.Contains(serr.Message, c.message) || !strings.Contains(serr.Stack, c.stack) {
			t.Errorf("%s: %q at %q", c.source, serr.Message, serr.Stack)
		}
		if strings.Contains(serr.Stack, "picloud:") || strings.Contains(serr.Stack, "native") {
			t.Errorf("%s: internal frames in %s", c.source, serr.Stack)
		}
	}
}

// What a script may call in a run alone says its name before.
func TestCallsOfModuleCode(t *testing.T) {
	t.Parallel()

	testLanguage(t, []languageCase{
		{source: `import { kv } from 'picloud'; const p = kv.collection('a').get('b').catch((e) => e.message); export default { fetch: () => p }`, want: `"get() is not allowed while the module is evaluated: move the call into a handler"`},
		{source: `const p = fetch('http://a/').catch((e) => e.message); export default { fetch: () => p }`, want: `"fetch() is not allowed while the module is evaluated: move the call into a handler"`},
	})
}

// A stack that a script reads has its own frames alone, whatever class the error is of.
func TestStacksOfScripts(t *testing.T) {
	t.Parallel()

	testLanguage(t, []languageCase{
		{expr: `[() => decodeURIComponent("%"), () => nowhere, () => [1].map(() => null.x), () => new Intl.NumberFormat("en", { style: "nope" }), () => Iterator.from(1), () => JSON.parse("{"), () => new RegExp("("), () => structuredClone(() => 1), () => new URL("x"), () => { throw new AggregateError([]) }, () => [..."ab"].values().map(1), () => new DisposableStack().use(1)].map((f) => { try { f() } catch (e) { return /native|picloud|\.go/.test(e.stack) } })`, want: `[false,false,false,false,false,false,false,false,false,false,false,false]`},
	})
}

package engine

import (
	"testing"

	"github.com/dop251/goja"
)

// The text of a default is found whatever is in it and before it.
func TestPatternDefaults(t *testing.T) {
	t.Parallel()

	for code, want := range map[string]string{
		`const {b: [c = 5] = []} = {}; return c`:                                                                  "5",
		`const {b: [c = 5] = [7]} = {}; return c`:                                                                 "7",
		`const {b: [{x: [y = 1] = []}, c = "],}"] = [{x: undefined}]} = {}; return y + c`:                         "1],}",
		"const {b: [, c = `a${[`}`].length}]`] = []} = {}; return c":                                              "a1]",
		`const {b: [c = /[/\]},]\/,/.source] = [/* ] */ , // ] }` + "\n" + `]} = {}; return c`:                    `[\u002f\]},]\/,`,
		`const {b: [c = 4 / 2 / 1, d = (1, 2)] = [undefined, 6], e = 8} = {}; return [c, d, e]`:                   "2,6,8",
		`const {b: [c = (() => { const {i: [j = 3] = []} = {}; return j })()] = []} = {}; return c`:               "3",
		`const {b: [c = 1] = (() => { const {i: [j = 3] = []} = {}; return [j] })()} = {}; return c`:              "3",
		`return (({a: [b = 1] = []}, [c = 2] = []) => [b, c])({})`:                                                "1,2",
		`return (([c = 2] = [], {d: [e = 1] = []} = {}) => [c, e])()`:                                             "2,1",
		`function f({a: [b = 1] = [], ...r}, ...[{g: [h = 2] = []}]) { return [b, h, r.z] } return f({z: 3}, {})`: "1,2,3",
		`const out = []; for (const {a: [b = 1] = []} of [{}, {a: [2]}]) out.push(b); return out`:                 "1,2",
		`try { throw {} } catch ({a: [b = 1] = []}) { return b }`:                                                 "1",
		`let s = ""; const {["a" + "]"]: [b = 1] = [], c: [d = 2] = [null]} = {}; return [b, d]`:                  "1,",
		`const {b: [c = function named() { return 1 }] = []} = {}; return c.toString() + c.name`:                  "function named() { return 1 }named",
		`const {b: [c = class {}, d = () => 1] = []} = {}; return c.name + d.name`:                                "cd",
		`return (([{a: {b: [c = 1] = []} = {}} = {}] = []) => c)()`:                                               "1",
		`return (({a = 1, ...r}, {b: {c: [[d = 2] = []] = []} = {}} = {}) => [a, d])({})`:                         "1,2",
		`const {b: [...[c = 1]] = []} = {}; return c`:                                                             "1",
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()

			p, err := Compile("x", "(function () {"+code+"})", false)
			if err != nil {
				t.Fatal(err)
			}
			vm := goja.New()
			f, err := vm.RunProgram(p)
			if err != nil {
				t.Fatal(err)
			}
			call, _ := goja.AssertFunction(f)
			if v, err := call(goja.Undefined()); err != nil || v.String() != want {
				t.Errorf("gives %v %v, want %s", v, err, want)
			}
		})
	}

	for _, code := range []string{`const {b: [1 = 5] = []} = {}`, `const {b: [c.d = 5] = []} = {}`, `const {b: [c = 5} = {}`, `const [c.d] = []`, `const {a: [b += 1] = []} = {}`} {
		if _, err := Compile("x", "(function () {"+code+"})", false); err == nil {
			t.Errorf("%s is taken", code)
		}
	}
}

package regexps

import (
	"strings"
	"testing"
	"time"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
)

// newRuntime is a runtime with our RegExp, and what gives the value of an expression as JSON.
func newRuntime(t testing.TB) (vm *goja.Runtime, value func(expr string) string) {
	t.Helper()

	vm = goja.New()
	r := Install(vm)
	if r == nil {
		t.Fatal("the engine's memory is not known")
	}
	r.AddLegacy()

	return vm, func(expr string) string {
		prg, err := engine.Compile("main.js", "JSON.stringify("+expr+")", true)
		if err != nil {
			return err.Error()
		}
		v, err := vm.RunProgram(prg)
		if err != nil {
			if exc, ok := err.(*goja.Exception); ok {
				return exc.Value().String()
			}
			return err.Error()
		}
		return v.String()
	}
}

// The values are those of the standard and of Node.js.
func TestValues(t *testing.T) {
	t.Parallel()

	for expr, want := range map[string]string{
		// line ends with the flag m
		`"id,name\r\n1,a\r\n".match(/^.+$/gm)`:       `["id,name","1,a"]`,
		`"k: v\r\nx: y\r\n".match(/^(\w+): (.*)$/m)`: `["k: v","k","v"]`,
		`"END:V\r\n".match(/^END:V$/m)`:              `["END:V"]`,
		`"a\r\nb\r\nc".match(/^.*$/gm)`:              `["a","","b","","c"]`,
		`"a\u2028b\u2029c".match(/^.$/gm)`:           `["a","b","c"]`,
		`"a=1\r\nb=2".replace(/^(\w)=/gm, "$1: ")`:   `"a: 1\r\nb: 2"`,
		`"a\rb".split(/$/m)`:                         `["a","\rb"]`,

		// halves of pairs without the flag u
		`"a💩b".replace(/[\ud800-\udbff][\udc00-\udfff]/g, "X")`:                       `"aXb"`,
		`"a💩b".replace(/[\ud800-\udbff](?![\udc00-\udfff])/g, "X")`:                   `"a💩b"`,
		`"a\ud83db".replace(/(?:[^\ud800-\udbff]|^)[\udc00-\udfff]/g, "X")`:           `"a\ud83db"`,
		`"💩".split("").length + "💩".split(/(?:)/).length + "💩".split(/(?:)/u).length`: `5`,
		`["💩".match(/./g).length, "💩".match(/./gu).length, /^.$/.test("💩")]`:          `[2,1,false]`,
		`/\ud83d/.test("💩") + "" + /\ud83d/u.test("💩")`:                               `"truefalse"`,

		// captures of each iteration
		`"abcd".replace(/(?:(a)|(b)|(c)|(d))+/, "[$1,$2,$3,$4]")`: `"[,,,d]"`,
		`"ab".match(/(?:(a)|b)*/)`:                                `["ab",null]`,
		`/(z)((a+)?(b+)?(c))*/.exec("zaacbbbcac")`:                `["zaacbbbcac","z","ac","a",null,"c"]`,
		`/(?=(a+))a*b\1/.exec("baaabac")`:                         `["aba","a"]`,
		`/(a*)*/.exec("b")`:                                       `["",null]`,

		// word boundaries, and case
		`"über alles".replace(/\b[a-z]/g, (c) => c.toUpperCase())`:           `"üBer Alles"`,
		`"日本 語b".match(/\b\w/g)`:                                             `["b"]`,
		`"é".match(/\B/g)`:                                                   `["",""]`,
		`[/\u017f/i.test("s"), /Ω/i.test("\u2126"), /\u212a/i.test("k")]`:    `[false,false,false]`,
		`[/\u017f/iu.test("s"), /Ω/iu.test("\u2126"), /\u212a/iu.test("k")]`: `[true,true,true]`,
		`[/\w/iu.test("ſ"), /\w/i.test("ſ"), /[^\W]/iu.test("K")]`:           `[true,false,true]`,
		`[/ß/i.test("ẞ"), /ß/iu.test("ẞ"), /İ/i.test("i"), /σ/i.test("ς")]`:  `[false,true,false,true]`,

		// what RegExp tells of the last match
		`/(\w+)@/.test("joe@x") && RegExp.$1`: `"joe"`,
		`("abcd".replace(/(b)(c)/, "x"), [RegExp.lastMatch, RegExp["$&"], RegExp.lastParen, RegExp["$+"], RegExp.leftContext, RegExp["$'"], RegExp.input, RegExp.$9])`: `["bc","bc","c","c","a","d","abcd",""]`,
		`(/x/.exec("none"), RegExp.$_)`: `"abcd"`,
		`(() => { try { return Object.create(RegExp).$1 } catch (e) { return e.name } })()`:                                  `"TypeError"`,
		`(() => { class R extends RegExp {} new R("a").test("a"); try { return RegExp.$1 } catch (e) { return e.name } })()`: `"TypeError"`,

		// compile
		`(() => { const r = /a/g; r.lastIndex = 3; r.compile("b", "i"); return [r.source, r.flags, r.lastIndex, r.test("B")] })()`: `["b","i",0,true]`,

		// properties
		`[/\p{XID_Start}/u, /\p{AHex}/u, /\p{Hex}/u, /\p{Cased}/u, /\p{Assigned}/u, /\p{Script=Latn}/u, /\p{sc=Latin}/u, /\p{scx=Latn}/u].map((r) => r.test("a"))`:      `[true,true,true,true,true,true,true,true]`,
		`[/\p{Emoji}/u.test("😀"), /\p{Default_Ignorable_Code_Point}/u.test("\u200b"), /\p{Script=Grek}/u.test("α"), /\P{L}/u.test("1"), /^\p{Lu}\p{Ll}+$/u.test("Éa")]`: `[true,true,true,true,true]`,
		`"👨‍👩‍👧 🇩🇪".match(/\p{RGI_Emoji}/gv)`:                                                         `["👨‍👩‍👧","🇩🇪"]`,
		`(() => { try { new RegExp("\\p{Nope}", "u") } catch (e) { return [e.name, e.message] } })()`: `["SyntaxError","Invalid regular expression: /\\p{Nope}/u: Invalid property name"]`,
		`/\p{L}/.test("p{L}")`: `true`,

		// modifiers, sets, groups of the same name, lookbehind
		`["Ab", "AB", "ab"].map((s) => /(?i:a)b/.test(s))`:                                 `[true,false,true]`,
		`["a\nb", "A\nB"].map((s) => /a(?s:.)(?i-s:B)/.test(s))`:                           `[true,false]`,
		`"aBc1".match(/[\p{L}--[a-z]]|[\w&&\d]/gv)`:                                        `["B","1"]`,
		`"11/2026".match(/(?<y>\d{4})-(?<m>\d\d)|(?<m>\d\d)\/(?<y>\d{4})/).groups`:         `{"y":"2026","m":"11"}`,
		`"11/2026".replace(/(?<y>\d{4})-(?<m>\d\d)|(?<m>\d\d)\/(?<y>\d{4})/, "$<y>-$<m>")`: `"2026-11"`,
		`"$42 and €7".match(/(?<=\$)\d+|(?<!\$)\b\d+/g)`:                                   `["42","7"]`,

		// methods
		`Array.from("a1b2".matchAll(/([a-z])(\d)/g), (m) => [m[1], m[2], m.index])`:                                                      `[["a","1",0],["b","2",2]]`,
		`"a1b2".matchAll(/x/g)[Symbol.toStringTag]`:                                                                                      `"RegExp String Iterator"`,
		`/(?<a>.)(b)?/d.exec("ac").indices`:                                                                                              `[[0,1],[0,1],null]`,
		`/(?<a>.)/d.exec("xa").indices.groups`:                                                                                           `{"a":[0,1]}`,
		`Object.keys(/(?<a>.)/d.exec("x"))`:                                                                                              `["0","1","index","input","groups","indices"]`,
		`"aaa".replace(/a/g, (m, at, s) => at + s.length)`:                                                                               `"345"`,
		"\"abc\".replace(/b/, \"[$`|$&|$'|$$|$1|$<x>]\")":                                                                                `"a[a|b|c|$|$1|$<x>]c"`,
		`"a,b,c".split(/(,)/, 4)`:                                                                                                        `["a",",","b",","]`,
		`["", "ab"].map((s) => s.split(/(?:)/))`:                                                                                         `[[],["a","b"]]`,
		`"abc".search(/c/) + "abc".search("b") + "abc".search(/x/)`:                                                                      `2`,
		`["a.b".match("."), "a.b".match("\\.").index, "aXbX".match(/x/gi)]`:                                                              `[["a"],1,["X","X"]]`,
		`(() => { const r = /a/y; return [r.test("ba"), r.lastIndex, r.exec("ab").index, r.lastIndex] })()`:                              `[false,0,0,1]`,
		`[RegExp.escape("a.b"), RegExp.escape("1 -"), RegExp.escape("\u2028")]`:                                                          `["\\x61\\.b","\\x31\\x20\\x2d","\\u2028"]`,
		`[String(new RegExp("/\n")), String(RegExp("")), /[/]/.source, new RegExp("[/]").source]`:                                        `["/\\/\\n/","/(?:)/","[/]","[/]"]`,
		`[/a/gimsuyd.flags, /a/v.flags, /a/v.unicodeSets, RegExp.prototype.flags, RegExp.prototype.source]`:                              `["dgimsuy","v",true,"","(?:)"]`,
		`[RegExp(/a/g) instanceof RegExp, new RegExp(/a/g, "i").flags, RegExp.length, RegExp.name, Object.prototype.toString.call(/a/)]`: `[true,"i",2,"RegExp","[object RegExp]"]`,
		`(() => { class R extends RegExp { get x() { return 1 } } const r = new R("a", "g"); return [r.x, r instanceof R, r.flags, "aa".replace(r, "b")] })()`: `[1,true,"g","bb"]`,
		`(() => { class R extends RegExp { exec(s) { const m = super.exec(s); if (m) m[0] = "<" + m[0] + ">"; return m } } return "ab".match(new R("a")) })()`: `["<a>"]`,
		`(() => { const r = /a/; r.exec = () => null; return [r.test("a"), "a".replace(r, "b")] })()`:                                                          `[false,"a"]`,
		`((f) => String(f))(function () { return /(?i:a)/g })`:                                                                                                 `"function () { return /(?i:a)/g }"`,
		`(() => { const f = () => /a/g; return f() === f() })()`:                                                                                               `false`,
		`Object.freeze(/a/g).test("a")`:       `TypeError: Cannot assign to read only property 'lastIndex' of object`,
		`RegExp.prototype.exec.call({}, "a")`: `TypeError: Method RegExp.prototype.exec called on incompatible receiver [object Object]`,
		`"a".matchAll(/a/)`:                   `TypeError: String.prototype.matchAll called with a non-global RegExp argument`,

		// what the engine compiles itself
		`eval("/(a)|b/g").exec("xb")`:                      `["b",null]`,
		`new Function("return /(?:(a)|b)*/.exec('ab')")()`: `["ab",null]`,
	} {
		// What RegExp tells of the last match is a matter of order.
		if strings.Contains(expr, "none") {
			expr = `(/(b)(c)/.exec("abcd"), ` + expr + `)`
		}

		_, value := newRuntime(t)
		if got := value(expr); got != want {
			t.Errorf("%s\n gives %s\n want  %s", expr, got, want)
		}
	}
}

// A match that never ends is interrupted, and so is a loop of matches in a native function; one that needs
// too much memory is an error that a script can catch.
func TestBounds(t *testing.T) {
	t.Parallel()

	for _, expr := range []string{
		`/^(a+)+$/.test("a".repeat(50) + "b")`,
		`/(x+x+)+y/.test("x".repeat(200))`,
		`/^(?:(a|aa)+)+$/.exec("a".repeat(60) + "!")`,
		`/(?=(a+)*b)/.test("a".repeat(60))`,
		`/(?<=b(a|aa)+)c/.test("a".repeat(60) + "c")`,
		`/^(\w+\s?)*$/.test("word ".repeat(30) + "!")`,
		`/(.*)(.*)(.*)(.*)(.*)x/.test("a".repeat(5000))`,
		`/a*?a*?a*?a*?a*?b/.test("a".repeat(5000))`,
		`/(?:a{0,5000}){0,5000}b/.test("a".repeat(5000))`,
		`"a".repeat(1e6).replace(/a*b|c/g, "")`,
		`/\1(a*)\1*\1*b/.test("a".repeat(1e5))`,
		`[..."a".repeat(1e5)].some(() => /^(a+)+$/.test("a".repeat(30) + "b"))`,
	} {
		vm, value := newRuntime(t)
		begin := time.Now()
		timer := time.AfterFunc(20*time.Millisecond, func() { vm.Interrupt("timeout") })
		got := value(expr)
		timer.Stop()

		if !strings.HasPrefix(got, "timeout") {
			t.Errorf("%s is not interrupted: %s after %v", expr, got, time.Since(begin))
		}
		if took := time.Since(begin); took > 5*time.Second { // a broken machine, or no interrupt at all
			t.Errorf("%s goes on for %v", expr, took)
		}
	}

	_, value := newRuntime(t)
	got := value(`(() => { try { return /^(?:.|\n)*$/.exec("a".repeat(3e6)).length } catch (e) { return e.name } })()`)
	if got != `1` && got != `"RangeError"` {
		t.Errorf("a deep match gives %s", got)
	}
	if got := value(`(() => { try { return /^(?:(.)|(.)\n)*$/.exec("a".repeat(5e6)).length } catch (e) { return e.name } })()`); got != `"RangeError"` {
		t.Errorf("a match that is too deep gives %s", got)
	}
}

// Nothing of a match is left for the next run.
func TestForget(t *testing.T) {
	t.Parallel()

	vm := goja.New()
	r := Install(vm)
	r.AddLegacy()
	if _, err := vm.RunString(`/(secret)/.test("a secret"); RegExp.input = "secret"`); err != nil {
		t.Fatal(err)
	}
	r.Forget()

	v, err := vm.RunString(`[RegExp.$1, RegExp.input, RegExp.lastMatch, RegExp.leftContext, RegExp.rightContext, RegExp.lastParen].join("")`)
	if err != nil || v.String() != "" {
		t.Errorf("after a run RegExp tells %q (%v)", v, err)
	}
}

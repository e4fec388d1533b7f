package regexps

import (
	"strings"
	"testing"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
)

// corpus is what scripts do with regular expressions: a function each that is called again and again.
var corpus = []struct{ name, script string }{
	{"slug", `() => /^[a-z0-9-]+$/.test("a-typical-slug-of-a-page-2026")`},
	{"email", `() => /^[\w.+-]+@[\w-]+\.[\w.-]+$/.test("somebody.else+tag@mail.example.com")`},
	{"route", `() => /^\/users\/(\d+)\/posts\/(\d+)$/.exec("/users/4711/posts/815")[2]`},
	{"spaces", `() => text.replace(/\s+/g, " ")`},
	{"words", `() => text.match(/\w+/g).length`},
	{"split", `() => "a, b,c ,  d;e, f".split(/\s*[,;]\s*/)`},
	{"pairs", `() => [..."a=1&b=22&c=333&dd=4".matchAll(/(\w+)=(\w+)/g)].length`},
	{"camel", `() => "some-long-kebab-case-name".replace(/-(\w)/g, (m, c) => c.toUpperCase())`},
	{"escape", `() => text.replace(/[&<>"']/g, (c) => "&#" + c.charCodeAt(0) + ";")`},
	{"trim", `() => "   some text with space around   ".replace(/^\s+|\s+$/g, "")`},
	{"uuid", `() => /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test("6F9619FF-8B86-D011-B42D-00CF4FC964FF")`},
	{"date", `() => /(?<y>\d{4})-(?<m>\d{2})-(?<d>\d{2})/.exec("on 2026-11-30 at noon").groups.m`},
	{"tokens", `() => { const re = /\s*(?:(\d+)|([a-z]+)|(.))/gy; let n = 0; while (re.exec("sum = a1 + 22 * (b - 3)")) n++; return n }`},
	{"lines", `() => text.match(/^.*rem.*$/gm)`},
	{"quoted", `() => 'x = "a \\"quoted\\" text", y = "b"'.match(/"(?:[^"\\]|\\.)*"/g)`},
	{"keywords", `() => code.match(/\b(?:function|return|const|let|if|else|for|while)\b/g).length`},
	{"german", `() => "Größe: über 100 Straßen, à la carte".replace(/[^\w\s]/g, "")`},
	{"tags", `() => "<b>one</b> and <b>two</b> and <i>three</i>".match(/<b>(.*?)<\/b>/g)`},
	{"construct", `() => new RegExp("^" + "a.c" + "$").test("abc")`},
	{"template", `() => "Hello {{name}}, you are {{ age }}".replace(/\{\{\s*(\w+)\s*\}\}/g, (m, k) => k)`},
	{"thousands", `() => "1234567890".replace(/\B(?=(\d{3})+(?!\d))/g, ",")`},
	{"ignore case", `() => text.replace(/LOREM|dolor/gi, "x")`},
	{"missing", `() => /needle in (a|the) haystack/.test(text)`},
	{"substitute", `() => "2026-11-30".replace(/(\d+)-(\d+)-(\d+)/, "$3.$2.$1")`},
}

const prelude = `
	const text = "Lorem ipsum  dolor sit amet,\n consectetur <adipiscing> elit & sed. rem aperiam\n".repeat(12);
	const code = "function f(a) { const b = a; if (b) { return b } else for (;;) {} }\n".repeat(10);
`

func BenchmarkCorpus(b *testing.B) {
	for _, c := range corpus {
		b.Run(strings.ReplaceAll(c.name, " ", "-"), func(b *testing.B) {
			vm := goja.New()
			Install(vm)
			benchmark(b, vm, func(n, c string, s bool) (*goja.Program, error) { return engine.Compile(n, c, s) }, c.script)
		})
	}
}

// BenchmarkEngine is BenchmarkCorpus with the engine's own regular expressions.
func BenchmarkEngine(b *testing.B) {
	for _, c := range corpus {
		b.Run(strings.ReplaceAll(c.name, " ", "-"), func(b *testing.B) {
			benchmark(b, goja.New(), goja.Compile, c.script)
		})
	}
}

func benchmark(b *testing.B, vm *goja.Runtime, compile func(string, string, bool) (*goja.Program, error), script string) {
	b.Helper()

	prg, err := compile("bench.js", prelude+";("+script+")", true)
	if err != nil {
		b.Fatal(err)
	}
	v, err := vm.RunProgram(prg)
	if err != nil {
		b.Fatal(err)
	}

	f, _ := goja.AssertFunction(v)
	b.ReportAllocs()

	for b.Loop() {
		if _, err := f(goja.Undefined()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInstall(b *testing.B) {
	for b.Loop() {
		Install(goja.New())
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		goja.New()
	}
}

func BenchmarkNewRegExp(b *testing.B) {
	for b.Loop() {
		vm := goja.New()
		vm.GlobalObject().Get("RegExp").(*goja.Object).Get("prototype")
		vm.GlobalObject().Get("SyntaxError")
	}
}

package engine

import (
	"strings"
	"testing"

	"github.com/dop251/goja"
)

// Wherever a literal stands in a program, its object has a pattern of ours and the author's text.
func TestCompile(t *testing.T) {
	t.Parallel()

	prg, err := Compile("main.js", `
		const list = [/(?i:a)/g];
		function f(x = /(?i:b)/) { const g = () => /(?i:c)/y; list.push(x, g()); var h = function () { return /(?i:d)/ }; list.push(h()) }
		f();
		class C { field = /(?i:e)/; static field = /(?i:f)/; static { list.push(/(?i:g)/) } get x() { return /(?i:h)/ } #p = /(?i:i)/; p() { return this.#p } }
		list.push(new C().field, C.field, new C().x, new C().p());
		const { a = /(?i:j)/ } = {};
		list.push(a);
		for (const x of [/(?i:k)/]) list.push(x);
		try { throw /(?i:l)/ } catch (e) { list.push(e) }
		switch (1) { case 1: list.push(`+"`${/(?i:m)/.source}`"+` && /(?i:n)/) }
		const gen = function* () { yield /(?i:o)/ };
		list.push(gen().next().value, { m() { return /(?i:p)/ } }.m());
		(async () => { list.push(/(?i:q)/) })();
		list
	`, true)
	if err != nil {
		t.Fatal(err)
	}

	for range 2 { // a program makes new objects each time
		vm := goja.New()
		v, err := vm.RunProgram(prg)
		if err != nil {
			t.Fatal(err)
		}

		var sources string
		vm.ForOf(v, func(v goja.Value) bool {
			x, ok := AsRegExp(v)
			if !ok {
				t.Fatalf("%v is no regular expression", v)
			}
			p := x.Pattern()
			if p == nil {
				t.Fatalf("%v has a pattern of the engine's", v)
			}
			sources += p.Source.String()[4:5]
			return true
		})
		if sources != "abcdgefhijklnopq" {
			t.Errorf("the literals are %q", sources)
		}
	}
}

// A literal that is wrong is refused where it stands.
func TestCompileErrors(t *testing.T) {
	t.Parallel()

	_, err := Compile("main.js", "const a = 1;\n  const b = () => /(?x:a)/;", true)
	want := "SyntaxError: Invalid regular expression: /(?x:a)/: Invalid group at 2:19"
	if err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
	_, err = Compile("main.js", "[/[b-a]/, [/(/], /)/]", true)
	if want := "SyntaxError: Invalid regular expression: /[b-a]/: Range out of order in character class at 1:2"; err == nil || err.Error() != want {
		t.Errorf("of several errors the first is %v, want %s", err, want)
	}
	if _, err := Compile("main.js", "/a/gg", true); err == nil {
		t.Error("a repeated flag is taken")
	}
}

// Collecting literals takes a small part of the time that compiling takes.
func BenchmarkCompile(b *testing.B) {
	code := "function f(a) { const b = { a, c: [1, 2, a.d(3)] }; return /a[b-d]+/.test(b.a) ? b.c.map((x) => x + 1) : null }\n"
	code = strings.Repeat(code, 2000)

	for name, compile := range map[string]func(string, string, bool) (*goja.Program, error){
		"ours": func(n, c string, s bool) (*goja.Program, error) { return Compile(n, c, s) }, "engine": goja.Compile,
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := compile("main.js", code, true); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

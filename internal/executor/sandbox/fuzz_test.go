package sandbox

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/dop251/goja"
)

// The JSON that crosses the boundary: what is taken is JSON, what is given is JSON, and nothing dies of it.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,-0.5e10,"\ud800",null]}`, `{"__proto__":1}`, `"\u0000"`, `[[[]]]`, `1e999`, `{"a":1,"a":2}`, `"` + "\u2028" + `"`, `[1,]`, `01`, `{"2":1,"1":2}`} {
		f.Add(s)
	}
	i, err := (&program{name: "x", code: "(function(exports,require,module){})"}).isolate(nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := i.parseJSON(text)
		if !utf8.ValidString(text) {
			return
		}
		if valid := json.Valid([]byte(text)); (err == nil) != valid {
			if len(text) < 1000 { // deeper than the engine takes
				t.Errorf("%q: %v, JSON: %v", text, err, valid)
			}
			return
		}
		if err != nil {
			return
		}
		out, err := i.stringify(goja.Undefined(), v)
		if err != nil || !json.Valid([]byte(out.String())) {
			t.Errorf("%q gives %v %v", text, out, err)
			return
		}
		if plain, ok := i.plainJSON(v); ok && string(plain) != out.String() {
			t.Errorf("%q gives %s, of the engine %s", text, plain, out)
		}
	})
}

// A pattern's properties are written out, or it is refused; nothing else of it changes.
func FuzzExpandProperties(f *testing.F) {
	for _, s := range []string{`\p{L}+`, `[\p{Lu}x]`, `\\p{L}`, `[\]\P{N}]`, `\p{Script=Greek}`, `\p{`, `\q`, `[a--b]`, `\p{}`, `(?<n>\p{L})\k<n>`} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, source string, sets bool) {
		out, err := expandProperties(source, sets)
		if err == nil && len(out) < len(source) && len(out) > 0 && source[0] != '\\' && out[0] != source[0] {
			t.Errorf("%q became %q", source, out)
		}
	})
}

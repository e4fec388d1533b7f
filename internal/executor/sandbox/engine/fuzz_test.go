package engine

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// The JSON that crosses the boundary: what is taken is JSON, what is given is JSON, and nothing dies of it.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,-0.5e10,"\ud800",null]}`, `{"__proto__":1}`, `"\u0000"`, `[[[]]]`, `1e999`, `{"a":1,"a":2}`, `"` + "\u2028" + `"`, `[1,]`, `01`, `{"2":1,"1":2}`} {
		f.Add(s)
	}
	j := newRuntime()
	f.Fuzz(func(t *testing.T, text string) {
		v, err := j.Decode(text)
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
		out, err := j.EncodeByEngine(v)
		if err != nil || !json.Valid([]byte(out.String())) {
			t.Errorf("%q gives %v %v", text, out, err)
			return
		}
		if plain, ok := j.plainJSON(v); ok && string(plain) != out.String() {
			t.Errorf("%q gives %s, of the engine %s", text, plain, out)
		}
	})
}

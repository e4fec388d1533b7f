package kv

import (
	"encoding/json"
	"strings"
	"testing"
)

// Expectations were taken from JSON.stringify(JSON.parse(text)) in Node.
func TestNormalize(t *testing.T) {
	for in, want := range map[string]string{
		` { "b" : 1 , "a" : [ ] } `: `{"b":1,"a":[]}`, `-0`: `0`, `1.0`: `1`, `1E400`: "", `1e21`: `1e+21`, `123456789012345680000`: `123456789012345680000`,
		`0.000001`: `0.000001`, `1e-7`: `1e-7`, `5e-324`: `5e-324`, `"\u00e9\/\ud83d\ude00"`: `"é/😀"`, `"\ud800"`: `"\ud800"`, `"\u0000\n"`: `"\u0000\n"`,
		`{"2":1,"1":2,"x":3,"01":4}`: `{"1":2,"2":1,"x":3,"01":4}`, `{"a":1,"b":2,"a":3}`: `{"a":3,"b":2}`, `"\u007f"`: "\"\u007f\"",
		`{"4294967295":1,"4294967294":2}`: `{"4294967294":2,"4294967295":1}`, `01`: "", `[1,]`: "", `{"a":1,}`: "", `'a'`: "", `NaN`: "", `"a`: "", `"\x"`: "",
		`1 2`: "", ``: "", `nul`: "", "\"\x01\"": "", `-`: "", `1.`: "", `1e`: "", "\"\xff\"": "", `{"a"}`: "", `[`: "", `"\u12"`: "", `tru`: "",
	} {
		got, err := Normalize(in)
		if want == "" {
			if err == nil {
				t.Errorf("%s: accepted as %s", in, got)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%s: %s %v, want %s", in, got, err, want)
		}
	}
	if _, err := Normalize(strings.Repeat("[", 500) + strings.Repeat("]", 500)); err != nil {
		t.Errorf("500 deep: %v", err)
	}
	if _, err := Normalize(strings.Repeat("[", 501) + strings.Repeat("]", 501)); err == nil {
		t.Error("501 deep was accepted")
	}
}

// What is accepted is JSON for everybody else too, and normalising it again changes nothing.
func FuzzNormalize(f *testing.F) {
	for _, s := range []string{`{"a":[1,-0.5e10,"\ud800",null]}`, `{"1":2,"0":1}`, `"\u0000"`, `[[[]]]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out, err := Normalize(s)
		if err != nil {
			return
		}
		if !json.Valid([]byte(out)) {
			t.Fatalf("%q became %q, which is not JSON", s, out)
		}
		if again, err := Normalize(out); err != nil || again != out {
			t.Fatalf("%q became %q, then %q (%v)", s, out, again, err)
		}
		if err := CheckValue(out); err != nil {
			t.Fatalf("%q is refused after normalising: %v", out, err)
		}
	})
}

func TestSuccessor(t *testing.T) {
	for in, want := range map[string]string{"": "", "a": "b", "az": "a{", "é": "ê", "\ud7ff": "\ue000", "a\U0010ffff": "b", "\U0010ffff": ""} {
		if got := successor(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

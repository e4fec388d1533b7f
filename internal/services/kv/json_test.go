package kv

import (
	"encoding/json"
	"strings"
	"testing"

	"picloud/internal/cloud"
)

// Expectations were taken from JSON.stringify(JSON.parse(text)) in Node.
func TestNormalize(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]string{
		// white space, literals
		` { "b" : 1 , "a" : [ ] } `: `{"b":1,"a":[]}`,
		"\t[true\r,\nfalse, null]":  `[true,false,null]`,
		`{}`:                        `{}`,
		`[[],{}]`:                   `[[],{}]`,

		// numbers
		`-0`:                    `0`,
		`1.0`:                   `1`,
		`-12.50`:                `-12.5`,
		`1E2`:                   `100`,
		`1e+2`:                  `100`,
		`25e-1`:                 `2.5`,
		`1e21`:                  `1e+21`,
		`123456789012345680000`: `123456789012345680000`,
		`0.000001`:              `0.000001`,
		`1e-7`:                  `1e-7`,
		`5e-324`:                `5e-324`,
		`1e-400`:                `0`,

		// strings
		`"\u00e9\/\ud83d\ude00"`: `"é/😀"`,
		`"\ud800"`:               `"\ud800"`,
		`"\ud800\u0041"`:         `"\ud800A"`,
		`"\udc00\ud800"`:         `"\udc00\ud800"`,
		`"\u0000\n\u001f"`:       `"\u0000\n\u001f"`,
		`"\b\f\t\r\"\\"`:         `"\b\f\t\r\"\\"`,
		`"\u007f"`:               "\"\u007f\"",

		// the order of members
		`{"2":1,"1":2,"x":3,"01":4}`:       `{"1":2,"2":1,"x":3,"01":4}`,
		`{"a":1,"b":2,"a":3}`:              `{"a":3,"b":2}`,
		`{"\u0061":1,"a":2}`:               `{"a":2}`,
		`{"4294967295":1,"4294967294":2}`:  `{"4294967294":2,"4294967295":1}`,
		`{"":1,"-1":2,"0":3,"10":4,"9":5}`: `{"0":3,"9":5,"10":4,"":1,"-1":2}`,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			got, err := Normalize(text)
			if err != nil || got != want {
				t.Errorf("%s %v, want %s", got, err, want)
			}
			if err := CheckValue(text); err != nil {
				t.Errorf("CheckValue: %v", err)
			}
		})
	}
}

// What is not JSON is refused with a reason and its place.
func TestNotJSON(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]string{
		``:           "unexpected end at byte 0",
		` `:          "unexpected end at byte 1",
		`[`:          "unexpected end at byte 1",
		`nul`:        "unexpected character at byte 0",
		`tru`:        "unexpected character at byte 0",
		`NaN`:        "unexpected character at byte 0",
		`'a'`:        "unexpected character at byte 0",
		`[1,]`:       "unexpected character at byte 3",
		`1 2`:        "something after the end at byte 2",
		`[1 2]`:      "expected , or ] at byte 3",
		`{"a":1`:     "expected , or } at byte 6",
		`{"a":1,}`:   "expected a member name at byte 7",
		`{a:1}`:      "expected a member name at byte 1",
		`{"a"}`:      "expected : at byte 4",
		`01`:         "malformed number",
		`-`:          "malformed number",
		`-01`:        "malformed number",
		`1.`:         "malformed number",
		`1.e1`:       "malformed number",
		`1e`:         "malformed number",
		`1e+`:        "malformed number",
		`+1`:         "unexpected character",
		`.5`:         "unexpected character",
		`1E400`:      "outside of what JavaScript can hold",
		`"a`:         "unfinished string",
		`"\`:         "unfinished escape",
		`"\u12"`:     "unfinished escape",
		`"\u12xy"`:   "malformed escape",
		`"\u+123"`:   "malformed escape",
		`"\x"`:       "unknown escape",
		"\"\x01\"":   "control character in a string",
		"\"\xff\"":   "invalid UTF-8",
		`{"a":[}`:    "unexpected character",
		`["\ud800\u`: "unfinished escape",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			out, err := Normalize(text)
			if cloud.CodeOf(err) != cloud.CodeInvalid || !strings.Contains(err.Error(), want) {
				t.Errorf("%q %v, want %q", out, err, want)
			}
			if checkErr := CheckValue(text); checkErr == nil || checkErr.Error() != err.Error() {
				t.Errorf("CheckValue says %v, Normalize %v", checkErr, err)
			}
		})
	}
}

func TestValueLimits(t *testing.T) {
	t.Parallel()
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	inObjects := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	text := func(n int) string { return `"` + strings.Repeat("x", n-2) + `"` }
	spaces := func(n int) string { return strings.Repeat(" ", n) + "1" }

	const (
		ok       = cloud.Code("")
		invalid  = cloud.CodeInvalid
		tooLarge = cloud.CodeTooLarge
	)
	for name, c := range map[string]struct {
		text      string
		check     cloud.Code
		normalize cloud.Code
	}{
		"500 deep":        {nested(500), ok, ok},
		"501 deep":        {nested(501), invalid, invalid},
		"500 objects":     {inObjects(500), ok, ok},
		"501 objects":     {inObjects(501), invalid, invalid},
		"256 KiB":         {text(MaxValue), ok, ok},
		"a byte more":     {text(MaxValue + 1), tooLarge, invalid},
		"short when read": {spaces(MaxValue), tooLarge, ok},
		"too long to try": {spaces(8 * MaxValue), tooLarge, invalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if code := codeOf(CheckValue(c.text)); code != c.check {
				t.Errorf("CheckValue: %q, want %q", code, c.check)
			}
			out, err := Normalize(c.text)
			if code := codeOf(err); code != c.normalize || code == ok && out != strings.TrimSpace(c.text) {
				t.Errorf("Normalize: %q, want %q; %d bytes", code, c.normalize, len(out))
			}
		})
	}
}

func codeOf(err error) cloud.Code {
	if err == nil {
		return ""
	}
	return cloud.CodeOf(err)
}

// What is accepted is JSON for everybody else too, and normalising it again changes nothing.
func FuzzNormalize(f *testing.F) {
	for _, s := range []string{`{"a":[1,-0.5e10,"\ud800",null]}`, `{"1":2,"0":1}`, `"\u0000"`, `[[[]]]`} {
		f.Add(s)
	}

	f.Fuzz(func(t *testing.T, text string) {
		out, err := Normalize(text)
		if err != nil {
			return
		}

		if !json.Valid([]byte(out)) {
			t.Fatalf("%q became %q, which is not JSON", text, out)
		}
		if again, err := Normalize(out); err != nil || again != out {
			t.Fatalf("%q became %q, then %q (%v)", text, out, again, err)
		}
		if err := CheckValue(out); err != nil {
			t.Fatalf("%q is refused after normalising: %v", out, err)
		}
	})
}

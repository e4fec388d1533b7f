package cloud

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

const pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq/+hkiG9w0BAQE\nFAASCBKcwggSjAgEAAoIBAQ==\n-----END PRIVATE KEY-----\n"

// A secret is hidden in each form that a script's output gives it.
func TestMaskForms(t *testing.T) {
	t.Parallel()

	quote := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}

	const odd = `pa"ss\wo/rd <&> 'ü'`
	for name, c := range map[string]struct{ secret, text, want string }{
		"as it is":                {"s3cret-one", "a s3cret-one, s3cret-one", "a ***, ***"},
		"short":                   {"s3cret", "a s3cret", "a s3cret"},
		"other text":              {"s3cret-one", "s3cret-two", "s3cret-two"},
		"JSON":                    {pem, quote(map[string]string{"pem": pem}), `{"pem":"***"}`},
		"JSON of Go":              {odd, quote(odd), `"***"`},
		"JSON of JavaScript":      {odd, `"pa\"ss\\wo/rd <&> 'ü'"`, `"***"`},
		"JSON with escaped slash": {odd, `"pa\"ss\\wo\/rd <&> 'ü'"`, `"***"`},
		"JSON in JSON":            {pem, quote(quote(pem)), `"\"***\""`},
		"a line":                  {pem, "read MIIEvQIBADANBgkq/+hkiG9w0BAQE.", "read ***."},
		"lines of Windows":        {"first line\r\nsecond line\r\n", "second line", "***"},
		"encodeURIComponent":      {odd, "pa%22ss%5Cwo%2Frd%20%3C%26%3E%20'%C3%BC'", "***"},
		"encodeURI":               {odd, "pa%22ss%5Cwo/rd%20%3C&%3E%20'%C3%BC'", "***"},
		"lower case":              {odd, "pa%22ss%5cwo%2frd%20%3c%26%3e%20'%c3%bc'", "***"},
		"a form":                  {odd, "p=" + url.QueryEscape(odd) + "&q", "p=***&q"},
		"hexadecimal":             {"s3cret-one", "7333637265742d6f6e65 7333637265742D6F6E65", "*** ***"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := NewMask([]string{"another secret", c.secret}).Text(c.text); got != c.want {
				t.Errorf("%s\ngives %s\nwant  %s", c.text, got, c.want)
			}
		})
	}
}

// Wherever a secret stands in what was encoded as base64, none of its digits is left but one at each end,
// which its neighbours share.
func TestMaskBase64(t *testing.T) {
	t.Parallel()

	const secret = "s3cret?>one~"
	for _, encoding := range []*base64.Encoding{
		base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding,
	} {
		for _, before := range []string{"", "u", "us", "us:", "user"} {
			for _, after := range []string{"", "\n", "ab", "abc"} {
				text := encoding.EncodeToString([]byte(before + secret + after))
				got := NewMask([]string{secret}).Text(text)
				head, tail, found := strings.Cut(got, masked)
				most := 2 * (len(before) + len(after) + 3)
				if !found || len(head)+len(tail) > most {
					t.Errorf("%s (%q before, %q after) gives %s", text, before, after, got)
				}
			}
		}
	}
}

// Of secrets that begin alike the longest is hidden whole, in whatever order they come.
func TestMaskLongestFirst(t *testing.T) {
	t.Parallel()

	for _, secrets := range [][]string{{"s3cret-1", "s3cret-1-and-more"}, {"s3cret-1-and-more", "s3cret-1"}} {
		if got := NewMask(secrets).Text("s3cret-1-and-more, s3cret-1"); got != "***, ***" {
			t.Errorf("%v give %s", secrets, got)
		}
	}
}

// What the sandbox's cut has left of a secret at the end of a text is hidden too.
func TestMaskCutText(t *testing.T) {
	t.Parallel()

	const secret = "tok-9f8e7d6c5b4a"

	filler := strings.Repeat("x", MaxErrorText)
	for name, c := range map[string]struct{ text, want string }{
		"half of it":           {filler[7:] + "tok-9f8" + CutMark, filler[7:] + masked + CutMark},
		"its first byte":       {filler[1:] + "t" + CutMark, filler[1:] + masked + CutMark},
		"all of it":            {filler[16:] + secret + CutMark, filler[16:] + masked + CutMark},
		"nothing of it":        {filler + CutMark, filler + CutMark},
		"half, as base64":      {filler[8:] + "dG9rLTlm" + CutMark, filler[8:] + masked + CutMark},
		"a text that is whole": {"tok-9f8...", "tok-9f8..."},
		"a long one":           {filler + "tok-9f8", filler + "tok-9f8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			end := func(text string) string { return text[max(0, len(text)-20):] }
			if got := NewMask([]string{secret}).Text(c.text); got != c.want {
				t.Errorf("it ends with %q, want %q", end(got), end(c.want))
			}
		})
	}
}

// Without a secret that is long enough there is no mask, and nothing is hidden.
func TestNoMask(t *testing.T) {
	t.Parallel()

	m := NewMask([]string{"", "short", "\n\n\n"})
	if m != nil || m.Text("short") != "short" {
		t.Errorf("mask %v", m)
	}
}

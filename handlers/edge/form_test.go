package edge

import (
	"net/url"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"picloud/internal/cloud"
)

// A form counts if the browser says that a page of this host sent it; browsers without Fetch Metadata send
// Origin.
func TestSameOrigin(t *testing.T) {
	t.Parallel()
	e, _ := newEdge(t, nil)

	for _, c := range []struct {
		name    string
		headers []string
		want    bool
	}{
		{"same origin", []string{"Sec-Fetch-Site", "same-origin"}, true},
		{"same site, another host", []string{"Sec-Fetch-Site", "same-site"}, false},
		{"another site", []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"a bookmark", []string{"Sec-Fetch-Site", "none"}, false},
		{"metadata wins over Origin", []string{"Sec-Fetch-Site", "cross-site", "Origin", "http://pi.example"}, false},
		{"no headers at all", nil, true},
		{"Origin of this host", []string{"Origin", "http://pi.example"}, true},
		{"Origin of this host, TLS", []string{"Origin", "https://pi.example"}, true},
		{"Origin of another port", []string{"Origin", "http://pi.example:8080"}, false},
		{"Origin of another host", []string{"Origin", "http://evil.example"}, false},
		{"Origin of a sandboxed page", []string{"Origin", "null"}, false},
		{"Origin without a host", []string{"Origin", "file://"}, false},
		{"Origin that is a path", []string{"Origin", "/admin"}, false},
		{"Origin that is no URL", []string{"Origin", "http://%zz"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			req := request("POST", "/admin", append([]string{"Host", "pi.example"}, c.headers...)...)
			if got := ask(t, e, req, SameOrigin); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// A form without the session's own token is refused, even from the same origin.
func TestCheckForm(t *testing.T) {
	t.Parallel()
	e, _ := newEdge(t, nil)
	other, _ := newEdge(t, func(c *Config) { c.SigningKey = []byte("another") })

	for _, c := range []struct {
		name, csrf, site string
		ok               bool
	}{
		{"its own token", e.CSRF("session"), "same-origin", true},
		{"its own token from elsewhere", e.CSRF("session"), "cross-site", false},
		{"another session's", e.CSRF("another"), "same-origin", false},
		{"another installation's", other.CSRF("session"), "same-origin", false},
		{"the beginning of it", e.CSRF("session")[:8], "same-origin", false},
		{"none", "", "same-origin", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := ask(t, e, request("POST", "/admin", "Sec-Fetch-Site", c.site), func(f *fiber.Ctx) error {
				return e.CheckForm(f, url.Values{"csrf": {c.csrf}}, "session")
			})
			if c.ok && err != nil {
				t.Errorf("refused: %v", err)
			}
			if !c.ok {
				wantCode(t, err, cloud.CodeForbidden)
			}
		})
	}
}

func TestReadForm(t *testing.T) {
	t.Parallel()
	e, _ := newEdge(t, nil)

	for _, c := range []struct {
		name, body string
		want       string
		code       cloud.Code
	}{
		{"fields", "name=%C3%A4+b&id=1&id=2", "ä b", ""},
		{"empty", "", "", ""},
		{"broken escape", "name=%zz", "", cloud.CodeMalformed},
		{"too long", "name=" + strings.Repeat("x", MaxForm), "", cloud.CodeTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			req := request("POST", "/admin")
			req.Body = readCloser{strings.NewReader(c.body)}
			req.ContentLength = int64(len(c.body))

			type result struct {
				name string
				err  error
			}
			got := ask(t, e, req, func(f *fiber.Ctx) result {
				form, err := e.ReadForm(f, MaxForm)
				return result{form.Get("name"), err}
			})
			if got.name != c.want {
				t.Errorf("name %q, want %q", got.name, c.want)
			}

			if c.code != "" {
				wantCode(t, got.err, c.code)
			} else if got.err != nil {
				t.Error(got.err)
			}
		})
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

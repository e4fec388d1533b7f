package edge

import (
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"picloud/internal/auth"
)

// The session's cookie is out of reach of scripts in pages and of other sites, and with TLS bound to this
// host.
func TestSessionCookie(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name   string
		proto  string
		cookie string
		secure bool
	}{
		{"plain", "", "picloud", false},
		{"TLS", "https", "__Host-picloud", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e, _ := newEdge(t, func(cfg *Config) { cfg.TrustedProxies = []netip.Prefix{proxy} })
			res := answer(t, e, func(f *fiber.Ctx) error {
				return e.SetSession(f, "pcs_token", time.Now().Add(time.Hour))
			}, request("GET", "/", "X-Forwarded-Proto", c.proto))

			cookies := res.Cookies()
			if len(cookies) != 1 {
				t.Fatalf("%d cookies", len(cookies))
			}
			got := cookies[0]
			if got.Name != c.cookie || got.Value != "pcs_token" || got.Secure != c.secure {
				t.Errorf("cookie %+v", got)
			}

			if !got.HttpOnly || got.SameSite != http.SameSiteLaxMode || got.Path != "/" || got.Domain != "" {
				t.Errorf("cookie %+v", got)
			}
			if got.MaxAge <= 0 || got.MaxAge > 3600 {
				t.Errorf("Max-Age %d", got.MaxAge)
			}
		})
	}
}

// Logging out takes the cookie away.
func TestSessionCookieGoes(t *testing.T) {
	t.Parallel()
	e, _ := newEdge(t, nil)
	res := answer(t, e, func(f *fiber.Ctx) error { return e.SetSession(f, "", time.Now()) },
		request("GET", "/", "Cookie", "picloud=pcs_token"))
	if cookies := res.Cookies(); len(cookies) != 1 || cookies[0].Value != "" || cookies[0].MaxAge >= 0 {
		t.Errorf("cookies %v", res.Cookies())
	}
}

// Without a session's cookie nobody is asked who it is: there is no authenticator here. Over TLS the plain
// cookie, which another host of the domain could have set, is none.
func TestNoCookieIsNobody(t *testing.T) {
	t.Parallel()

	for _, c := range []struct{ name, cookie, proto string }{
		{"none", "", ""},
		{"an empty one", "picloud=", ""},
		{"another's", "session=x", ""},
		{"the plain one over TLS", "picloud=pcs_token", "https"},
		{"the one of TLS in plain", "__Host-picloud=pcs_token", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e, _ := newEdge(t, func(cfg *Config) { cfg.TrustedProxies = []netip.Prefix{proxy} })
			type found struct {
				p     *auth.Principal
				token string
				err   error
			}
			got := ask(t, e, request("GET", "/", "Cookie", c.cookie, "X-Forwarded-Proto", c.proto),
				func(f *fiber.Ctx) found {
					p, token, err := e.BrowserPrincipal(f)
					return found{p, token, err}
				})
			if got != (found{}) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestIsOwnCookie(t *testing.T) {
	t.Parallel()

	for name, want := range map[string]bool{
		"picloud":        true,
		"__Host-picloud": true,
		"picloud2":       false,
		"PICLOUD":        false,
		"":               false,

		// As one of those between may read it.
		" picloud\t":        true,
		`"picloud"`:         true,
		"picloud\x00":       true,
		"\u00a0picloud":     true,
		"\ufeffpicloud":     true,
		`"__Host-picloud" `: true,
		"pic loud":          false,
		"Picloud":           false,
		"my-picloud":        false,
	} {
		if IsOwnCookie(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

package ingress

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"picloud/handlers/edge"
	"picloud/internal/cloud"
)

// seen gives the values of a header that a script sees.
func seen(r *cloud.Request, name string) []string {
	var out []string
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, name) {
			out = append(out, h.Value)
		}
	}
	return out
}

// A script sees what the caller sent, but for what belongs to the connection, to proxies, or to PiCloud's
// own sessions.
func TestHeadersThatScriptsSee(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		header, value string
		want          []string
	}{
		{"X-Test", "a", []string{"a"}},
		{"Authorization", "Bearer mine", []string{"Bearer mine"}},
		{"Authorization", "Basic bWluZQ==", []string{"Basic bWluZQ=="}},
		{"Authorization", "Bearer pic_abc", nil},
		{"Authorization", "Bearer pcs_abc", nil},
		{"Authorization", "pic_abc", nil},
		{"Authorization", "Bearer\tpic_abc", nil},
		{"Authorization", "Basic cGljX2FiYzo=", nil},
		{"Cookie", "a=1; b=2", []string{"a=1; b=2"}},
		{"Cookie", "a=1; picloud=pcs_x; b=2", []string{"a=1; b=2"}},
		{"Cookie", "picloud=pcs_x", nil},
		{"Cookie", "__Host-picloud=pcs_x; a=1", []string{"a=1"}},
		{"Cookie", "a=1; picloud =pcs_x", []string{"a=1"}},
		{"Cookie", "picloud2=x", []string{"picloud2=x"}},
		{"Te", "trailers", nil},
		{"Upgrade", "websocket", nil},
		{"Keep-Alive", "timeout=5", nil},
		{"Proxy-Authorization", "Basic x", nil},
		{"Forwarded", "for=1.2.3.4", nil},
		{"X-Real-Ip", "1.2.3.4", nil},
		{"X-Forwarded-Host", "evil.example", nil},
		{"X-Forwarded-Proto", "https", nil},
		{"X-Forwarded-For", "1.2.3.4", []string{"0.0.0.0"}}, // the peer, as nobody is trusted
	} {
		t.Run(c.header+" "+c.value, func(t *testing.T) {
			t.Parallel()
			s := newServer(nil)
			r := ask(t, s, request("GET", "/f/shop/orders", c.header, c.value),
				func(f *fiber.Ctx) *cloud.Request {
					return s.request(f, "/f/shop/orders", nil)
				})
			if got := seen(r, c.header); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// A script's URL is the one that the caller used: what a trusted proxy says, else what came here,
// percent-encoding kept.
func TestURLThatScriptsSee(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name    string
		proxies []netip.Prefix
		query   string
		headers []string
		want    string
	}{
		{"plain", nil, "", nil, "http://example.com/a%2Fb"},
		{"with a query", nil, "?x=%20&y", nil, "http://example.com/a%2Fb?x=%20&y"},
		{"anybody forwards", nil, "", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host",
			"evil.example"},
			"http://example.com/a%2Fb"},
		{"the proxy forwards", []netip.Prefix{proxy}, "",
			[]string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "shop.example:8443"},
			"https://shop.example:8443/a%2Fb"},
		{"the proxy forwards an unknown scheme", []netip.Prefix{proxy}, "",
			[]string{"X-Forwarded-Proto", "gopher"},
			"http://example.com/a%2Fb"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(func(cfg *edge.Config) { cfg.TrustedProxies = c.proxies })
			req := request("PUT", "/a%2Fb"+c.query, c.headers...)
			r := ask(t, s, req, func(f *fiber.Ctx) *cloud.Request {
				return s.request(f, "/a%2Fb",
					[]byte("body"))
			})
			if r.URL != c.want {
				t.Errorf("%s, want %s", r.URL, c.want)
			}

			if r.Method != "PUT" || string(r.Body) != "body" {
				t.Errorf("%s %q", r.Method, r.Body)
			}
		})
	}
}

// A caller of HTTP/1.0 need not name a host; the URL has one all the same.
func TestURLWithoutHost(t *testing.T) {
	t.Parallel()

	s := newServer(func(*edge.Config) {})
	r := ask(t, s, request("GET", "/a"), func(f *fiber.Ctx) *cloud.Request {
		f.Context().URI().SetHost("")
		return s.request(f, "/a", nil)
	})
	if want := "http://0.0.0.0:0/a"; r.URL != want { // the address of the test's connection
		t.Errorf("%s, want %s", r.URL, want)
	}
}

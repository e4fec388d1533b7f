package edge

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
)

// inner are addresses that the tests do not come from.
var inner = netip.MustParsePrefix("10.0.0.0/8")

// Dashboard and scripts are told apart by the host; a caller cannot choose the other by a header of its own.
func TestHosts(t *testing.T) {
	t.Parallel()
	admin := func(c *Config) { c.AdminHost = "admin.example" }
	proxied := func(c *Config) {
		admin(c)
		c.TrustedProxies = []netip.Prefix{proxy}
	}
	elsewhere := func(c *Config) {
		admin(c)
		c.TrustedProxies = []netip.Prefix{inner}
	}

	for _, c := range []struct {
		name           string
		change         func(*Config)
		headers        []string
		host           string
		admin, scripts bool
	}{
		{"one host for all", nil, []string{"Host", "x.example"}, "x.example", true, true},
		{"the dashboard's", admin, []string{"Host", "admin.example"}, "admin.example", true, false},
		{"another", admin, []string{"Host", "x.example"}, "x.example", false, true},
		{"with a port", admin, []string{"Host", "admin.example:8443"}, "admin.example", true, false},
		{"in capitals", admin, []string{"Host", "ADMIN.Example"}, "admin.example", true, false},
		{"with a dot", admin, []string{"Host", "admin.example."}, "admin.example", true, false},
		{"forwarded by anybody", admin, []string{"Host", "x.example", "X-Forwarded-Host", "admin.example"},
			"x.example", false, true},
		{"forwarded by the proxy", proxied,
			[]string{"Host", "admin.example", "X-Forwarded-Host", "admin.example"}, "admin.example", true, false},
		{"a caller's lie that the proxy passes on", proxied,
			[]string{"Host", "x.example", "X-Forwarded-Host", "admin.example"}, "admin.example", false, false},
		{"a caller's lie on the dashboard's host", proxied,
			[]string{"Host", "admin.example", "X-Forwarded-Host", "x.example"}, "x.example", false, false},
		{"a proxy that asks by an inner name", proxied,
			[]string{"Host", "picloud:8080", "X-Forwarded-Host", "x.example"}, "x.example", false, true},
		{"forwarded, but no host", proxied,
			[]string{"Host", "x.example", "X-Forwarded-Host", "evil.example/path"}, "x.example", false, true},
		{"forwarded to a proxy that appends", proxied,
			[]string{"Host", "x.example", "X-Forwarded-Host", "admin.example, x.example"}, "x.example", false, true},
		{"forwarded past the proxy", elsewhere,
			[]string{"Host", "x.example", "X-Forwarded-Host", "admin.example"}, "x.example", false, true},
		{"proxy without the header", proxied, []string{"Host", "admin.example"}, "admin.example", true,
			false},
		{"no dashboard here", func(c *Config) { c.NoAdmin = true }, []string{"Host", "x.example"},
			"x.example", false, true},
		{"no scripts here", func(c *Config) { c.NoScripts = true }, []string{"Host", "x.example"},
			"x.example", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e, _ := newEdge(t, c.change)
			type found struct {
				host           string
				admin, scripts bool
			}
			got := ask(t, e, request("GET", "/", c.headers...), func(f *fiber.Ctx) found {
				return found{e.Host(f), e.ServesAdmin(f), e.ServesScripts(f)}
			})
			if want := (found{c.host, c.admin, c.scripts}); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
}

// A host is a name or an address, with or without a port, and nothing that another reader takes for more.
func TestValidHost(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]bool{
		"example.com":           true,
		"EXAMPLE.com.":          true,
		"example.com:8443":      true,
		"example.com:":          true,
		"my_container:80":       true,
		"localhost":             true,
		"127.0.0.1:1":           true,
		"[::1]":                 true,
		"[2001:db8::1]:443":     true,
		"xn--bcher-kva.example": true,
		"":                      false,
		":80":                   false,
		".":                     false,
		"a..b":                  false,
		".a":                    false,
		"user@example.com":      false,
		"user:pw@example.com":   false,
		"example.com/path":      false,
		"example.com?x":         false,
		"example.com#x":         false,
		`example.com\x`:         false,
		"a.example,b.example":   false,
		"a.example b.example":   false,
		"example.com:80:81":     false,
		"example.com:99999":     false,
		"example.com:-1":        false,
		"example.com:+80":       false,
		"example.com:80a":       false,
		"http://example.com":    false,
		"example.com%2Fx":       false,
		"example.com%00":        false,
		"b\u00fccher.example":   false,
		"::1":                   false,
		"[::1":                  false,
		"::1]":                  false,
		"[::1]x":                false,
		"[::1]x:80":             false,
		"[127.0.0.1]":           false,
		"[fe80::1%25eth0]":      false,
		"[fe80::1%eth0]":        false,
		"[]":                    false,
		"a[::1]":                false,
		"*.example.com":         false,
		"example.com\tx":        false,
	} {
		if ValidHost(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

// Outside of its host the dashboard does not exist: the answer is that of any unknown address.
func TestAdminHostOnly(t *testing.T) {
	t.Parallel()
	e, _ := newEdge(t, func(c *Config) { c.AdminHost = "admin.example" })
	app := fiber.New(fiber.Config{ErrorHandler: e.HandleError})
	app.Use(e.AdminHostOnly)
	app.Get("/admin", func(c *fiber.Ctx) error { return c.SendString("page") })

	for host, want := range map[string]int{"admin.example": 200, "x.example": 404} {
		res, err := app.Test(request("GET", "/admin", "Host", host), -1)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %d, want %d", host, res.StatusCode, want)
		}
	}
}

// Who calls is what the last hop that can be trusted says; whatever a caller wrote before that is not
// believed.
func TestClient(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name    string
		proxies []netip.Prefix
		forward string
		want    string
	}{
		{"no proxy", nil, "", "0.0.0.0"},
		{"a header from anybody", nil, "1.2.3.4", "0.0.0.0"},
		{"a proxy", []netip.Prefix{proxy}, "1.2.3.4", "1.2.3.4"},
		{"past the proxy", []netip.Prefix{inner}, "1.2.3.4", "0.0.0.0"},
		{"a caller that lies to the proxy", []netip.Prefix{proxy}, "9.9.9.9, 1.2.3.4", "1.2.3.4"},
		{"two proxies", []netip.Prefix{proxy, inner}, "1.2.3.4, 10.1.1.1", "1.2.3.4"},
		{"only proxies", []netip.Prefix{proxy, inner}, "10.2.2.2, 10.1.1.1", "10.2.2.2"},
		{"a proxy without the header", []netip.Prefix{proxy}, "", "0.0.0.0"},
		{"no address", []netip.Prefix{proxy}, "1.2.3.4, unknown", "0.0.0.0"},
		{"IPv6", []netip.Prefix{proxy}, "2001:db8::1", "2001:db8::1"},
		{"a line of the proxy's own", []netip.Prefix{proxy}, "9.9.9.9\n1.2.3.4", "1.2.3.4"},
		{"three lines and a list", []netip.Prefix{proxy, inner}, "9.9.9.9\n8.8.8.8, 1.2.3.4\n10.1.1.1",
			"1.2.3.4"},
		{"an empty last line", []netip.Prefix{proxy}, "1.2.3.4\n", "0.0.0.0"},
		{"with a port", []netip.Prefix{proxy}, "9.9.9.9:1234", "9.9.9.9"},
		{"IPv6 with a port", []netip.Prefix{proxy}, "[2001:db8::1]:443", "2001:db8::1"},
		{"IPv6 in brackets", []netip.Prefix{proxy}, "[2001:db8::1]", "2001:db8::1"},
		{"IPv6 with a zone", []netip.Prefix{proxy}, "fe80::1%any-text", "fe80::1"},
		{"a trusted proxy with a port", []netip.Prefix{proxy, inner}, "1.2.3.4:5, 10.1.1.1:6", "1.2.3.4"},
		{"IPv4 in IPv6", []netip.Prefix{proxy}, "::ffff:1.2.3.4", "1.2.3.4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e, _ := newEdge(t, func(cfg *Config) { cfg.TrustedProxies = c.proxies })
			req := request("GET", "/")
			if c.forward != "" {
				req.Header["X-Forwarded-For"] = strings.Split(c.forward, "\n")
			}
			if got := ask(t, e, req, func(f *fiber.Ctx) string { return e.Client(f).String() }); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// X-Forwarded-Proto decides whether cookies are for TLS alone, so it counts from proxies alone.
func TestSecure(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name    string
		proxies []netip.Prefix
		proto   string
		want    bool
	}{
		{"plain", nil, "", false},
		{"anybody says https", nil, "https", false},
		{"the proxy says https", []netip.Prefix{proxy}, "https", true},
		{"past the proxy", []netip.Prefix{inner}, "https", false},
		{"the proxy says http", []netip.Prefix{proxy}, "http", false},
		{"the caller says https to a proxy that says http", []netip.Prefix{proxy}, "https\nhttp", false},
		{"the caller says http to a proxy that says https", []netip.Prefix{proxy}, "http, https", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e, _ := newEdge(t, func(cfg *Config) { cfg.TrustedProxies = c.proxies })
			req := request("GET", "/")
			req.Header["X-Forwarded-Proto"] = strings.Split(c.proto, "\n")
			if got := ask(t, e, req, e.Secure); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

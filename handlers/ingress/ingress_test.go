package ingress

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/gofiber/fiber/v2"
	"go.uber.org/goleak"

	"picloud/handlers/edge"
	"picloud/internal/catalog"
	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// proxy is the address that fiber's tests come from.
var proxy = netip.MustParsePrefix("0.0.0.0/32")

// newServer is an ingress without orchestrator and database.
func newServer(change func(*edge.Config)) *Server {
	var cfg edge.Config
	if change != nil {
		change(&cfg)
	}
	return New(Config{Edge: edge.New(cfg), MaxBody: 1 << 20})
}

// answer sends one request to a handler.
func answer(t *testing.T, s *Server, req *http.Request, h fiber.Handler) *http.Response {
	t.Helper()
	app := fiber.New(fiber.Config{ErrorHandler: s.HandleError, StreamRequestBody: true})
	app.Server().NoDefaultDate = true // as in the product: it would start a goroutine that never ends
	app.Use(h)
	res, err := app.Test(req, -1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// ask gives what f finds out about a request.
func ask[T any](t *testing.T, s *Server, req *http.Request, f func(*fiber.Ctx) T) T {
	t.Helper()
	var out T
	answer(t, s, req, func(c *fiber.Ctx) error {
		out = f(c)
		return nil
	})
	return out
}

func request(method, target string, headers ...string) *http.Request {
	req := httptest.NewRequest(method, target, nil)
	for k := 0; k < len(headers); k += 2 {
		req.Header.Add(headers[k], headers[k+1])
	}
	return req
}

// Anybody may call a public script, and nobody else's credential opens another; the dashboard's cookie
// opens nothing.
func TestAdmitWithoutCredential(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name   string
		access string
		header string
		value  string
		code   cloud.Code // "" if it is let in
	}{
		{"public", cloud.AccessPublic, "", "", ""},
		{"public, with a token of the script's own", cloud.AccessPublic, "Authorization", "Bearer abc", ""},
		{"public, with a password of the script's own", cloud.AccessPublic, "Authorization",
			"Basic cGljXzE=", ""},
		{"private", cloud.AccessPrivate, "", "", cloud.CodeUnauthorized},
		{"private, another's token", cloud.AccessPrivate, "Authorization", "Bearer abc",
			cloud.CodeUnauthorized},
		{"private, Basic", cloud.AccessPrivate, "Authorization", "Basic cGljXzE=", cloud.CodeUnauthorized},
		{"private, the dashboard's cookie", cloud.AccessPrivate, "Cookie", "picloud=pcs_x",
			cloud.CodeUnauthorized},
		{"key", cloud.AccessKey, "", "", cloud.CodeUnauthorized},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(nil)
			req := request("GET", "/f/shop/orders")
			if c.header != "" {
				req.Header.Set(c.header, c.value)
			}
			target := &catalog.Target{Script: &cloud.Script{Access: c.access}}

			err := ask(t, s, req, func(f *fiber.Ctx) error {
				p, err := s.admit(f, target)
				if p != nil {
					t.Errorf("a principal: %+v", p)
				}
				return err
			})
			if c.code == "" && err != nil || c.code != "" && (err == nil || cloud.CodeOf(err) != c.code) {
				t.Errorf("%v, want the code %q", err, c.code)
			}
		})
	}
}

// Callers without a credential are served sync, whatever they wish for.
func TestWishesNeedACredential(t *testing.T) {
	t.Parallel()
	s := newServer(nil)
	var call orchestrator.HTTPCall
	req := request("POST", "/f/shop/orders", "Prefer", "respond-async", "X-PiCloud-Dispatch", "outbox")
	err := ask(t, s, req, func(c *fiber.Ctx) error { return s.wishes(c, &call, nil) })
	if err != nil || call.Async || call.Outbox {
		t.Errorf("async %v, outbox %v, %v", call.Async, call.Outbox, err)
	}
}

// What is PiCloud's own, and every address of a host without scripts, is no script's.
func TestMatchRefuses(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name   string
		change func(*edge.Config)
		target string
	}{
		{"the API", nil, "/api/v1/apps"},
		{"the dashboard", nil, "/admin/x"},
		{"no scripts here", func(c *edge.Config) { c.NoScripts = true }, "/f/shop/orders"},
		{"the dashboard's host", func(c *edge.Config) { c.AdminHost = "example.com" }, "/f/shop/orders"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(c.change)
			if res := answer(t, s, request("GET", c.target), s.Serve); res.StatusCode != http.StatusNotFound {
				t.Errorf("status %d", res.StatusCode)
			}
		})
	}
}

// A person who opens the address in a browser is led to the dashboard; a program is told that nothing
// answers.
func TestRootLeadsToTheDashboard(t *testing.T) {
	t.Parallel()
	s := newServer(func(c *edge.Config) { c.NoScripts = true })
	res := answer(t, s, request("GET", "/", "Accept", "text/html"), s.Serve)
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/admin" {
		t.Errorf("%d to %q", res.StatusCode, res.Header.Get("Location"))
	}
	if res := answer(t, s, request("GET", "/"), s.Serve); res.StatusCode != http.StatusNotFound {
		t.Errorf("a program: %d", res.StatusCode)
	}
}

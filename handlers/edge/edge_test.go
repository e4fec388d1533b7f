package edge

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/gofiber/fiber/v2"

	"picloud/internal/cloud"
	"picloud/internal/manager"
)

// newEdge is an edge without database; what it logs goes to the buffer.
func newEdge(t *testing.T, change func(*Config)) (*Edge, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	cfg := Config{
		IDs:        &cloud.IDSource{},
		Log:        slog.New(slog.NewTextHandler(&log, nil)),
		SigningKey: []byte("key"),
	}
	if change != nil {
		change(&cfg)
	}
	return New(cfg), &log
}

// proxy is the address that fiber's tests come from.
var proxy = netip.MustParsePrefix("0.0.0.0/32")

// answer sends one request to a handler, as the server of this product would.
func answer(t *testing.T, e *Edge, h fiber.Handler, req *http.Request) *http.Response {
	t.Helper()
	app := fiber.New(fiber.Config{ErrorHandler: e.HandleError, StreamRequestBody: true, BodyLimit: 1 << 40})
	app.Use(h)
	res, err := app.Test(req, -1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// ask gives what f finds out about a request.
func ask[T any](t *testing.T, e *Edge, req *http.Request, f func(*fiber.Ctx) T) T {
	t.Helper()
	var out T
	answer(t, e, func(c *fiber.Ctx) error {
		out = f(c)
		return nil
	}, req)
	return out
}

func request(method, target string, headers ...string) *http.Request {
	req := httptest.NewRequest(method, target, nil)
	for k := 0; k < len(headers); k += 2 {
		if headers[k] == "Host" {
			req.Host = headers[k+1]
			continue
		}
		req.Header.Set(headers[k], headers[k+1])
	}
	return req
}

func bodyOf(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// callerIn is a caller in an app.
func callerIn(app int64) *AppCaller {
	return &AppCaller{App: &manager.App{ID: app, Slug: "shop"}}
}

func wantCode(t *testing.T, err error, code cloud.Code) {
	t.Helper()
	if err == nil || cloud.CodeOf(err) != code {
		t.Errorf("%v, want the code %q", err, code)
	}
}

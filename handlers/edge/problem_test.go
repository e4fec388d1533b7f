package edge

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"picloud/internal/cloud"
)

// Every error becomes one of three answers: a document, a page for a browser, a notice for a piece of a page.
func TestProblemForm(t *testing.T) {
	t.Parallel()

	const browser = "text/html,application/xhtml+xml,*/*;q=0.8"
	for _, c := range []struct {
		name     string
		path     string
		headers  []string
		wantType string
		wantText string
	}{
		{"no Accept", "/f/a/b", nil, ProblemType, `"code":"not-found"`},
		{"JSON", "/f/a/b", []string{"Accept", "application/json"}, ProblemType, `"status":404`},
		{"browser at a script", "/f/a/b", []string{"Accept", browser}, "text/html; charset=utf-8", "<html"},
		{"browser at the API", "/api/v1/x", []string{"Accept", browser}, ProblemType, `"code":"not-found"`},
		{"browser at the dashboard", "/admin/x", []string{"Accept", browser}, "text/html; charset=utf-8",
			`href="/admin"`},
		{"piece of a page", "/admin/x", []string{"HX-Request", "true"}, "text/html; charset=utf-8",
			"no such thing"},
		{"HX-Request at a script", "/f/a/b", []string{"HX-Request", "true"}, ProblemType,
			`"code":"not-found"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e, _ := newEdge(t, nil)
			res := answer(t, e, func(*fiber.Ctx) error {
				return cloud.Errorf(cloud.CodeNotFound, "no such thing")
			}, request("GET", c.path, c.headers...))

			if res.StatusCode != http.StatusNotFound {
				t.Errorf("status %d", res.StatusCode)
			}
			if got := res.Header.Get("Content-Type"); got != c.wantType {
				t.Errorf("Content-Type %q, want %q", got, c.wantType)
			}

			if got := bodyOf(t, res); !strings.Contains(got, c.wantText) {
				t.Errorf("%s\nlacks %q", got, c.wantText)
			}
			if res.Header.Get("X-Content-Type-Options") != "nosniff" ||
				res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("headers %v", res.Header)
			}
		})
	}
}

// A notice goes to the top of the page that asked, not where the piece would have gone.
func TestNoticeIsRetargeted(t *testing.T) {
	t.Parallel()
	e, _ := newEdge(t, nil)
	res := answer(t, e, func(*fiber.Ctx) error { return cloud.Errorf(cloud.CodeConflict, "taken") },
		request("GET", "/admin/x", "HX-Request", "true"))
	if res.Header.Get("HX-Retarget") != "#content" || !strings.HasPrefix(res.Header.Get("HX-Reswap"),
		"afterbegin") {
		t.Errorf("headers %v", res.Header)
	}
}

// A page with an error loads and runs nothing.
func TestErrorPageIsLocked(t *testing.T) {
	t.Parallel()
	e, _ := newEdge(t, nil)
	res := answer(t, e, func(*fiber.Ctx) error {
		return cloud.Errorf(cloud.CodeInvalid,
			"<script>alert(1)</script>")
	},
		request("GET", "/x", "Accept", "text/html"))
	if got := res.Header.Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'") {
		t.Errorf("policy %q", got)
	}

	if strings.Contains(bodyOf(t, res), "<script>alert") {
		t.Error("the detail is not escaped")
	}
}

func TestProblemHeaders(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name   string
		h      fiber.Handler
		status int
		header string
		want   string
	}{
		{"401 says how", func(*fiber.Ctx) error { return cloud.Errorf(cloud.CodeUnauthorized, "who?") },
			401, "WWW-Authenticate", `Bearer realm="picloud"`},
		{"503 says when", func(*fiber.Ctx) error { return cloud.Errorf(cloud.CodeUnavailable, "later") },
			503, "Retry-After", "1"},
		{"503 keeps its own time", func(c *fiber.Ctx) error {
			c.Set("Retry-After", "7")
			return cloud.Errorf(cloud.CodeUnavailable, "later")
		}, 503, "Retry-After", "7"},
		{"405 says what goes", func(*fiber.Ctx) error {
			return cloud.Errorf(cloud.CodeMethod, "not so").With("allow", []string{"GET", "PUT"})
		}, 405, "Allow", "GET, PUT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e, _ := newEdge(t, nil)
			res := answer(t, e, c.h, request("GET", "/x"))
			if res.StatusCode != c.status || res.Header.Get(c.header) != c.want {
				t.Errorf("%d %s: %q, want %d %q", res.StatusCode, c.header, res.Header.Get(c.header),
					c.status, c.want)
			}
		})
	}
}

// Nobody sees the cause of an internal error; the log has it under the id that the caller is given.
func TestInternalErrorsAreHidden(t *testing.T) {
	t.Parallel()
	secret := errors.New("password of the database is hunter2")

	for _, c := range []struct {
		name string
		err  error
	}{
		{"unknown", secret},
		{"internal with a cause", cloud.Errorf(cloud.CodeInternal, "hunter2 in the text").Because(secret)},
		{"wrapped", fmt.Errorf("open: %w", secret)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e, log := newEdge(t, nil)
			p := e.ProblemOf(c.err)
			if p.Status != 500 || p.Code != "internal" || strings.Contains(string(EncodeProblem(p)),
				"hunter2") {
				t.Errorf("%s", EncodeProblem(p))
			}

			_, id, ok := strings.Cut(p.Detail, "under ")
			if !ok || !strings.Contains(log.String(), "id="+id) ||
				!strings.Contains(log.String(), "hunter2") {
				t.Errorf("detail %q, log %q", p.Detail, log)
			}
		})
	}
}

// What the router refuses, and a problem that is one already, keep their status.
func TestProblemOf(t *testing.T) {
	t.Parallel()
	e, log := newEdge(t, nil)
	if p := e.ProblemOf(fiber.ErrMethodNotAllowed); p.Status != 405 || p.Code != "method-not-allowed" {
		t.Errorf("%+v", p)
	}
	own := &Problem{Status: 418, Code: "teapot"}
	if p := e.ProblemOf(fmt.Errorf("wrapped: %w", own)); p != own {
		t.Errorf("%+v", p)
	}

	if p := e.ProblemOf(cloud.Errorf(cloud.CodeUnavailable, "busy")); p.Status != 503 || log.Len() != 0 {
		t.Errorf("%+v, log %q", p, log)
	}
	e.ProblemOf(cloud.Errorf(cloud.CodeUnavailable, "busy").Because(errors.New("no connection")))
	if !strings.Contains(log.String(), "no connection") {
		t.Errorf("the cause of an outage is not logged: %q", log)
	}
}

// The details stand beside the standard members, and do not replace them.
func TestProblemDocument(t *testing.T) {
	t.Parallel()
	p := &Problem{
		Status:    422,
		Detail:    "a bad line",
		Code:      "compile",
		Execution: "0190",
		Details:   map[string]any{"line": 3, "status": "mine"},
	}

	var got map[string]any
	if err := json.Unmarshal(EncodeProblem(p), &got); err != nil {
		t.Fatal(err)
	}

	for name, want := range map[string]any{
		"type":         "urn:picloud:problem:compile",
		"title":        "Unprocessable Entity",
		"status":       422.0,
		"detail":       "a bad line",
		"code":         "compile",
		"execution_id": "0190",
		"line":         3.0,
	} {
		if got[name] != want {
			t.Errorf("%s: %v, want %v", name, got[name], want)
		}
	}

	if p.Details["title"] != nil {
		t.Error("encoding changed the details")
	}
}

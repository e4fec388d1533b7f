package ingress

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"picloud/handlers/edge"
	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
)

// reply sends what a run answered.
func reply(t *testing.T, s *Server, r *orchestrator.HTTPReply) *http.Response {
	t.Helper()
	return answer(t, s, request("GET", "/f/shop/orders"), func(c *fiber.Ctx) error {
		return s.send(c, r)
	})
}

// A script sets its headers, but none that belong to the connection or to PiCloud, none that would split
// the answer, and on the dashboard's host none that act on the dashboard.
func TestHeadersThatScriptsSet(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		header, value string
		own, shared   bool // whether it leaves on a host of the scripts' own, and on the dashboard's
	}{
		{"X-Test", "a", true, true},
		{"Content-Type", "text/plain", true, true},
		{"Location", "/elsewhere", true, true},
		{"Set-Cookie", "a=1", true, false},
		{"Set-Cookie", "picloud=stolen", false, false},
		{"Set-Cookie", " __Host-picloud =stolen; Path=/", false, false},
		{"Clear-Site-Data", `"cookies"`, true, false},
		{"Service-Worker-Allowed", "/", true, false},
		{"Strict-Transport-Security", "max-age=1", true, false},
		{"Transfer-Encoding", "gzip", false, false},
		{"Connection", "close", false, false},
		{"Content-Length", "1", false, false},
		{"X-Execution-Id", "forged", false, false},
		{"Idempotent-Replayed", "true", false, false},
		{"X-Bad", "a\r\nSet-Cookie: picloud=stolen", false, false},
		{"X Bad", "a", false, false},
		{"", "a", false, false},
	} {
		t.Run(c.header+" "+c.value, func(t *testing.T) {
			t.Parallel()

			for _, shared := range []bool{false, true} {
				s := newServer(func(cfg *edge.Config) {
					if !shared {
						cfg.AdminHost = "admin.example"
					}
				})
				headers := []cloud.Header{{Name: c.header, Value: c.value}}
				res := reply(t, s, &orchestrator.HTTPReply{Response: &cloud.Response{Status: 200,
					Headers: headers}})

				want := c.own && !shared || c.shared && shared
				if got := slices.Contains(res.Header[c.header], c.value); got != want {
					t.Errorf("shared host %v: sent %v, want %v", shared, got, want)
				}
				if len(res.Cookies()) > 0 && !want {
					t.Errorf("shared host %v: cookies %v", shared, res.Cookies())
				}
			}
		})
	}
}

// On the dashboard's host a script's page is in a sandbox, whatever policy of its own it sends.
func TestScriptPagesAreSandboxed(t *testing.T) {
	t.Parallel()
	page := &orchestrator.HTTPReply{Response: &cloud.Response{
		Status:  200,
		Body:    []byte("<html>"),
		Headers: []cloud.Header{{Name: "Content-Security-Policy", Value: "default-src *"}},
	}}
	res := reply(t, newServer(nil), page)
	if got := res.Header["Content-Security-Policy"]; !slices.Contains(got, sandboxPolicy) {
		t.Errorf("policies %q", got)
	}

	if res.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Error("a browser may guess the type")
	}

	res = reply(t, newServer(func(c *edge.Config) { c.AdminHost = "admin.example" }), page)
	if got := res.Header["Content-Security-Policy"]; !slices.Equal(got, []string{"default-src *"}) {
		t.Errorf("on a host of its own: %q", got)
	}
}

func TestStatusAndBody(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name       string
		status     int
		wantStatus int
		wantBody   string
	}{
		{"ok", 200, 200, "body"},
		{"the script's own error", 503, 503, "body"},
		{"no content", 204, 204, ""},
		{"not modified", 304, 304, ""},
		{"too small", 199, 502, `"code":"failed"`},
		{"too large", 600, 502, `"code":"failed"`},
		{"none", 0, 502, `"code":"failed"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			res := reply(t, newServer(nil), &orchestrator.HTTPReply{
				Execution:  cloud.ID{1},
				Response:   &cloud.Response{Status: c.status, Body: []byte("body")},
				RetryAfter: 3,
				Replayed:   true,
			})
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}

			if res.StatusCode != c.wantStatus || !strings.Contains(string(body), c.wantBody) ||
				c.wantBody == "" && len(body) > 0 {
				t.Errorf("%d %q", res.StatusCode, body)
			}
			if res.Header.Get("X-Execution-Id") != (cloud.ID{1}).String() ||
				res.Header.Get("Retry-After") != "3" ||
				res.Header.Get("Idempotent-Replayed") != "true" {
				t.Errorf("headers %v", res.Header)
			}
		})
	}
}

// What a script threw is taken out of the answer for those who may not read it, whatever the error's name makes
// of it. What PiCloud says of a run is for everybody.
func TestHideError(t *testing.T) {
	t.Parallel()

	for status, want := range map[cloud.Status]string{
		cloud.Failed:      "the script failed; its error is recorded with the execution",
		cloud.Crashed:     "the script ended its process; its error is recorded with the execution",
		cloud.OutOfMemory: "the script used more than it may; its error is recorded with the execution",
		cloud.TimedOut:    "the words",
		cloud.Interrupted: "the words",
	} {
		t.Run(string(status), func(t *testing.T) {
			t.Parallel()
			reply := &orchestrator.HTTPReply{
				Execution: cloud.ID{1},
				Status:    500,
				Failure:   cloud.Errorf(cloud.Code(status), "the words").With("line", 1),
			}
			if p := failureOf(reply); p.Detail != "the words" || p.Details["line"] != 1 ||
				p.Execution != (cloud.ID{1}).String() || p.Status != 500 {
				t.Errorf("for who may read it: %+v", p)
			}
			hideError(reply)
			if p := failureOf(reply); p.Detail != want || p.Code != string(status) ||
				want != "the words" && p.Details != nil || p.Status != 500 {
				t.Errorf("for anybody: %+v", p)
			}
		})
	}
}

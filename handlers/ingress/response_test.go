package ingress

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

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

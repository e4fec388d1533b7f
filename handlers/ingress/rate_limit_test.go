package ingress

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"picloud/handlers/edge"
	"picloud/internal/catalog"
	"picloud/internal/cloud"
)

// limited is a route with a rate limit.
func limited(limit cloud.RateLimit) *catalog.Target {
	route := &cloud.Route{ID: cloud.ID{1}, RateLimit: &limit}
	return &catalog.Target{Script: &cloud.Script{Access: cloud.AccessPublic}, Route: route}
}

// call asks whether a request may pass a target's limit; one that may is answered with 204.
func call(t *testing.T, s *Server, target *catalog.Target, isRefused bool, headers ...string) *http.Response {
	t.Helper()
	return answer(t, s, request("GET", "/limited", headers...), func(c *fiber.Ctx) error {
		if err := s.limitRate(c, target, isRefused); err != nil {
			return err
		}
		return c.SendStatus(http.StatusNoContent)
	})
}

// Each answer tells what is left; above the limit it is a 429 that says when to come again.
func TestLimitRate(t *testing.T) {
	t.Parallel()
	s := newServer(nil)
	target := limited(cloud.RateLimit{Requests: 2, Seconds: 60, By: cloud.LimitByAddress})

	for _, want := range []struct {
		status    int
		rateLimit string
		retry     string
	}{
		{204, `"default";r=1;t=30`, ""},
		{204, `"default";r=0;t=60`, ""},
		{429, `"default";r=0;t=30`, "30"},
		{429, `"default";r=0;t=30`, "30"},
	} {
		res := call(t, s, target, false)
		h := res.Header
		if res.StatusCode != want.status || h.Get("RateLimit") != want.rateLimit ||
			h.Get("Retry-After") != want.retry {
			t.Errorf("%d with %s, Retry-After %q, want %v", res.StatusCode, h["Ratelimit"], h.Get("Retry-After"), want)
		}
		if got := h.Get("RateLimit-Policy"); got != `"default";q=2;w=60` {
			t.Errorf("policy %s", got)
		}
	}
}

// Programs get the problem as JSON, browsers as a page.
func TestTooManyRequestsIsAProblem(t *testing.T) {
	t.Parallel()
	s := newServer(nil)
	target := limited(cloud.RateLimit{Requests: 1, Seconds: 60, By: cloud.LimitByEverybody})
	call(t, s, target, false)

	var problem struct {
		Code       string `json:"code"`
		Detail     string `json:"detail"`
		RetryAfter int    `json:"retry_after"`
	}
	res := call(t, s, target, false)
	if err := json.NewDecoder(res.Body).Decode(&problem); err != nil {
		t.Fatal(err)
	}
	const want = "the rate limit of this address (1 in 60 s, from all callers together) is used up; " +
		"try again in 60 s"
	if problem.Code != "too-many-requests" || problem.Detail != want || problem.RetryAfter != 60 {
		t.Errorf("%+v", problem)
	}

	page := call(t, s, target, false, "Accept", "text/html").Header
	if !strings.HasPrefix(page.Get("Content-Type"), "text/html") || page.Get("Retry-After") != "60" {
		t.Errorf("a browser gets %v", page)
	}
}

// The headers have the names of the draft, letter by letter, though HTTP takes them in any case: people look
// for them.
func TestRateLimitNames(t *testing.T) {
	t.Parallel()
	s := newServer(nil)
	target := limited(cloud.RateLimit{Requests: 2, Seconds: 60, By: cloud.LimitByEverybody})

	answer(t, s, request("GET", "/limited"), func(c *fiber.Ctx) error {
		if err := s.limitRate(c, target, false); err != nil {
			return err
		}

		sent := c.Response().Header.String()
		for _, line := range []string{"\r\nRateLimit: \"default\";r=1", "\r\nRateLimit-Policy: \"default\";q=2"} {
			if strings.Count(sent, line) != 1 {
				t.Errorf("%q is not in %q once", line, sent)
			}
		}
		return c.SendStatus(http.StatusNoContent)
	})
}

// A script's limit counts the requests to all of its addresses. Where a route has one too, both count and
// both are told.
func TestLimitRateOfAScript(t *testing.T) {
	t.Parallel()
	s := newServer(nil)
	target := limited(cloud.RateLimit{Requests: 5, Seconds: 60, By: cloud.LimitByAddress})
	target.Script.ID = cloud.ID{2}
	target.Script.RateLimit = &cloud.RateLimit{Requests: 2, Seconds: 10, By: cloud.LimitByEverybody}
	own := &catalog.Target{Script: target.Script}

	for _, c := range []struct {
		target *catalog.Target
		status int
		header string
		policy string
	}{
		{own, 204, `"script";r=1;t=5`, `"script";q=2;w=10`},
		{target, 204, `"default";r=4;t=12, "script";r=0;t=10`, `"default";q=5;w=60, "script";q=2;w=10`},
		{target, 429, `"default";r=3;t=24, "script";r=0;t=5`, `"default";q=5;w=60, "script";q=2;w=10`},
		{own, 429, `"script";r=0;t=5`, `"script";q=2;w=10`},
	} {
		h := call(t, s, c.target, false)
		if got := h.Header.Get("RateLimit"); h.StatusCode != c.status || got != c.header {
			t.Errorf("%d with %s, want %d with %s", h.StatusCode, got, c.status, c.header)
		}
		if got := h.Header.Get("RateLimit-Policy"); got != c.policy {
			t.Errorf("policy %s, want %s", got, c.policy)
		}
	}
}

// Who is refused for another reason uses up nothing, and is told what is left all the same.
func TestRefusedRequestsAreNotCounted(t *testing.T) {
	t.Parallel()
	s := newServer(nil)
	target := limited(cloud.RateLimit{Requests: 2, Seconds: 60, By: cloud.LimitByEverybody})

	for range 5 {
		if res := call(t, s, target, true); res.Header.Get("RateLimit") != `"default";r=2;t=0` {
			t.Errorf("%s", res.Header["Ratelimit"])
		}
	}
	if res := call(t, s, target, false); res.StatusCode != http.StatusNoContent {
		t.Errorf("status %d", res.StatusCode)
	}
}

// Which of two requests are counted together.
func TestCountedWith(t *testing.T) {
	t.Parallel()
	from := func(address string) []string { return []string{"X-Forwarded-For", address} }
	key := func(value string) []string { return append(from("9.9.9.9"), "X-Key", value) }

	for _, c := range []struct {
		name     string
		by       string
		a, b     []string
		together bool
	}{
		{"one address", cloud.LimitByAddress, from("9.9.9.9"), from("9.9.9.9"), true},
		{"two addresses", cloud.LimitByAddress, from("9.9.9.9"), from("9.9.9.8"), false},
		{"one /64 of IPv6", cloud.LimitByAddress, from("2001:db8::1"), from("2001:db8::ffff:1"), true},
		{"two networks of IPv6", cloud.LimitByAddress, from("2001:db8::1"), from("2001:db8:0:1::1"), false},
		{"IPv4 in IPv6", cloud.LimitByAddress, from("::ffff:9.9.9.9"), from("9.9.9.9"), true},
		{"an address that the caller made up", cloud.LimitByAddress, from("1.1.1.1, 9.9.9.9"),
			from("2.2.2.2, 9.9.9.9"), true},
		{"everybody", cloud.LimitByEverybody, from("9.9.9.9"), from("9.9.9.8"), true},
		{"one key", cloud.LimitByHeader, key("k"), append(from("9.9.9.8"), "x-key", "k"), true},
		{"two keys", cloud.LimitByHeader, key("k"), key("l"), false},
		{"no key, one address", cloud.LimitByHeader, from("9.9.9.9"), from("9.9.9.9"), true},
		{"no key, two addresses", cloud.LimitByHeader, from("9.9.9.9"), from("9.9.9.8"), false},
		{"a key that looks like an address", cloud.LimitByHeader, key("address 9.9.9.9"), from("9.9.9.9"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(func(cfg *edge.Config) { cfg.TrustedProxies = []netip.Prefix{proxy} })
			limit := cloud.RateLimit{Requests: 1, Seconds: 60, By: c.by}
			if c.by == cloud.LimitByHeader {
				limit.Header = "X-Key"
			}
			target := limited(limit)

			call(t, s, target, false, c.a...)
			if got := call(t, s, target, false, c.b...).StatusCode == 429; got != c.together {
				t.Errorf("counted together: %v", got)
			}
		})
	}
}

// An app without a quota of requests takes all; one that has it counts them whatever they ask for, and keeps
// nobody else's.
func TestLimitApp(t *testing.T) {
	t.Parallel()
	s := newServer(nil)
	free := &catalog.App{ID: 1}
	small := &catalog.App{ID: 2, Quotas: cloud.Quotas{RequestsPerSecond: new(int64(1))}}
	other := &catalog.App{ID: 3, Quotas: cloud.Quotas{RequestsPerSecond: new(int64(1))}}

	for range 100 {
		if err := s.limitApp(free); err != nil {
			t.Fatal(err)
		}
	}

	refused := s.limitApp(small)
	for range 1000 {
		if refused == nil {
			refused = s.limitApp(small)
		}
	}
	if refused == nil || cloud.CodeOf(refused) != cloud.CodeTooMany ||
		!strings.Contains(refused.Error(), "the app's quota of requests (1 a second) is used up; try again in 1 s") {
		t.Errorf("%v", refused)
	}
	if err := s.limitApp(other); err != nil {
		t.Errorf("another app: %v", err)
	}
}

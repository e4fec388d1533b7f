package main

import (
	"net/http"
	"strings"
	"testing"
)

// A route's limit is kept, shown, changed and taken away by the API, and what is called too often answers 429
// with the headers by which a client can keep to it.
func TestRouteRateLimit(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("hello", `export default () => "hello"`)
	body := map[string]any{
		"script": "hello", "path": "/limited", "rate_limit": map[string]any{"requests": 2, "seconds": 3600},
	}
	r := w.api("POST", "/apps/default/routes", body).want(201)
	route := "/apps/default/routes/" + r.str("id")
	if r.str("rate_limit.by") != "address" || r.get("rate_limit.requests") != 2.0 {
		t.Errorf("the new route is %s", r.body)
	}

	for left := 1; left >= 0; left-- {
		w.do("GET", "/limited", nil).want(200)
	}
	refused := w.do("GET", "/limited", nil).want(429)
	if refused.str("code") != "too-many-requests" || refused.header.Get("X-Execution-Id") != "" {
		t.Errorf("%v %s", refused.header, refused.body)
	}
	if refused.header.Get("RateLimit-Policy") != `"default";q=2;w=3600` ||
		!strings.HasPrefix(refused.header.Get("RateLimit"), `"default";r=0;t=`) ||
		refused.header.Get("Retry-After") == "" {
		t.Errorf("headers %v", refused.header)
	}

	// Neither the body is waited for, nor anything run.
	w.do("POST", "/limited", strings.Repeat("x", 1<<20)).want(429)

	m := map[string]any{"method": "GET", "url": "/limited"}
	if got := w.api("POST", "/apps/default/routes/match", m).want(200); got.get("route.rate_limit.seconds") != 3600.0 {
		t.Errorf("the match shows %s", got.body)
	}

	// A change of something else keeps the limit and what was counted.
	w.api("PATCH", route, map[string]any{"dispatch": "outbox"}).want(200)
	w.do("GET", "/limited", nil).want(429)

	gone := w.api("PATCH", route, map[string]any{"rate_limit": nil}).want(200)
	if got, there := gone.json["rate_limit"]; got != nil || !there {
		t.Errorf("the route without a limit is %s", gone.body)
	}
	if h := w.do("GET", "/limited", nil).want(200).header; h.Get("RateLimit") != "" {
		t.Errorf("headers %v", h)
	}
}

// What cannot be a limit is 422 with a sentence that names the field.
func TestRateLimitOfBadInput(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("hello", `export default () => "hello"`)

	for name, c := range map[string]struct {
		limit any
		text  string
	}{
		"no requests": {map[string]any{"seconds": 1}, "requests"},
		"zero":        {map[string]any{"requests": 0, "seconds": 1}, "rate_limit.requests must be from 1"},
		"a fraction":  {map[string]any{"requests": 1.5, "seconds": 1}, "rate_limit.requests"},
		"a text":      {"5/60", "rate_limit"},
		"unknown":     {map[string]any{"requests": 1, "seconds": 1, "burst": 5}, "burst"},
		"by":          {map[string]any{"requests": 1, "seconds": 1, "by": "user"}, "address, everybody or header"},
		"no header":   {map[string]any{"requests": 1, "seconds": 1, "by": "header"}, "rate_limit.header"},
	} {
		t.Run(name, func(t *testing.T) {
			body := map[string]any{"script": "hello", "path": "/x", "rate_limit": c.limit}
			r := w.on(t).api("POST", "/apps/default/routes", body).want(http.StatusUnprocessableEntity)
			if !strings.Contains(r.body, c.text) {
				t.Errorf("%s", r.body)
			}
		})
	}
}

// A rate limit is set, shown and taken away in the form of its route; a refusal is the form again.
func TestRateLimitInTheDashboard(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("hello", `export default () => "hello"`)
	b := w.browse("admin")
	fields := func(path, requests, by, header string) []string {
		return []string{
			"script", "hello", "method", "get", "host", "any", "path", path, "dispatch", "sync",
			"rate_requests", requests, "rate_seconds", "60", "rate_by", by, "rate_header", header,
		}
	}
	b.open("/apps/default/routes")

	b.submit("/admin/apps/default/routes", fields("/limited", "many", "address", "")...)
	b.shows("requests and seconds of the rate limit must be whole numbers", `value="many"`)
	b.submit("/admin/apps/default/routes", fields("/limited", "0", "address", "")...)
	b.shows("rate_limit.requests must be from 1 to 1000000", `value="0"`)
	b.submit("/admin/apps/default/routes", fields("/limited", "7", "header", "X-Api-Key")...)
	b.open("/apps/default/routes")
	b.shows("7 in 60 s for each X-Api-Key")

	route := w.api("GET", "/apps/default/routes", nil).want(200).str("items.0.id")
	b.open("/apps/default/routes/" + route)
	b.shows(`name="rate_requests" value="7"`, `name="rate_header" value="X-Api-Key"`)
	b.submit("/admin/apps/default/routes/"+route, fields("/limited", "", "address", "")...)
	if got := w.api("GET", "/apps/default/routes", nil).want(200); got.get("items.0.rate_limit") != nil {
		t.Errorf("%s", got.body)
	}
}

// A script's limit holds at each of its addresses, and stays when a new version is deployed or an old one is
// brought back.
func TestScriptRateLimit(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	const script = "/apps/default/scripts/hello"
	put := func(body map[string]any) *reply { return w.api("PUT", script, body) }
	one := map[string]any{"source": `export default () => 1`, "rate_limit": map[string]any{
		"requests": 3, "seconds": 3600, "by": "everybody",
	}}
	put(one).want(201)
	w.api("POST", "/apps/default/routes", map[string]any{"script": "hello", "path": "/hello"}).want(201)

	w.do("GET", "/f/default/hello", nil).want(200)
	w.do("GET", "/hello", nil).want(200)
	put(map[string]any{"source": `export default () => 2`}).want(200)
	w.do("GET", "/f/default/hello/below", nil).want(200)
	w.api("POST", script+"/rollback", map[string]any{"version": 1}).want(200)
	w.api("GET", script, nil).want(200).members(map[string]any{
		"version": 1.0, "rate_limit.requests": 3.0, "rate_limit.by": "everybody",
	})

	refused := w.do("GET", "/hello", nil).want(429)
	if refused.header.Get("RateLimit-Policy") != `"script";q=3;w=3600` {
		t.Errorf("headers %v", refused.header)
	}
	w.api("POST", script+"/invoke", map[string]any{"request": map[string]any{}}).want(200)

	b := w.browse("admin")
	b.open("/apps/default/scripts/hello")
	b.shows(`name="rate_requests" value="3"`)

	one["rate_limit"] = nil
	put(one).want(200)
	if got := w.api("GET", script, nil).want(200); got.get("rate_limit") != nil {
		t.Errorf("%s", got.body)
	}
	w.do("GET", "/hello", nil).want(200)

	one["rate_limit"] = map[string]any{"requests": 1, "seconds": 1, "burst": 5}
	if got := put(one).want(422); !strings.Contains(got.body, "burst") {
		t.Errorf("%s", got.body)
	}
	one["rate_limit"] = map[string]any{"requests": 0, "seconds": 1}
	if got := put(one).want(422); !strings.Contains(got.body, "rate_limit.requests must be from 1") {
		t.Errorf("%s", got.body)
	}
}

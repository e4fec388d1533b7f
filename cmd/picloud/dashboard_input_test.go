package main

import (
	"net/url"
	"strings"
	"testing"
)

// badValues are what nobody should be able to break a page with.
var badValues = []string{
	"\x00", "a\x00b", "\xff\xfe", "%", strings.Repeat("x", 600), "-1", "999999999999999999999", "'; DROP TABLE apps; --",
	"../../etc/passwd", "<script>alert(1)</script>", "01900000-0000-7000-8000-000000000000", "0", "true", "{\"a\":",
	strings.Repeat("[", 200), "\u2028",
}

// badParams and badFields are what the dashboard reads from an address and from a form.
var (
	badParams = strings.Fields(`cursor q script status source trigger root from to id key prefix collection name state error
		actor action method url kind done fired replayed deployed due`)
	badFields = strings.Fields(`source version language kind access timeout_ms memory_mib handler method path headers body event
		script host dispatch collection ops trigger failed_script max_attempts backoff base_ms max_ms jitter enabled confirm
		force payload reason rate id cursor total done replayed error key value ttl_seconds username password current role email
		active name description hosts slug scopes app days rate_requests rate_seconds rate_by rate_header`)
)

// Whatever stands in an address or a form, a page answers below 500, and nothing that a visitor typed becomes
// markup.
func TestDashboardBadInput(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.api("PUT", "/apps/default/scripts/s", map[string]any{"source": "export default { fetch: () => 1, kv() {} }"}).want(201)
	trigger := w.trigger(map[string]any{"kind": "kv", "script": "s", "collection": "c"})
	w.api("PUT", "/apps/default/kv/c/k", map[string]any{"value": 1}).want(200)
	visitor := w.browse("admin")
	known := strings.NewReplacer(
		":app", "default", ":name", "s", ":collection", "c", ":username", "admin", ":id", trigger)

	pages := 0
	for _, route := range w.n.server.Routes() {
		if !takesBadInput(route.Path) {
			continue
		}
		pages++
		t.Run(route.Method+" "+route.Path, func(t *testing.T) {
			t.Parallel()

			b := &browser{fixture: visitor.on(t)} // the same session, a page of its own
			switch {
			case route.Method == "GET":
				b.badAddress(known.Replace(route.Path))
				if strings.Contains(route.Path, ":") {
					b.badNames(route.Path)
				}
			case route.Method == "POST" && !strings.HasSuffix(route.Path, "/delete"):
				b.badForm(known.Replace(route.Path))
			}
		})
	}

	if pages < 60 {
		t.Errorf("only %d pages were tried", pages)
	}
}

// takesBadInput leaves out what is no page of the dashboard, does not end, or ends the session that the
// others need.
func takesBadInput(path string) bool {
	switch {
	case !strings.HasPrefix(path, "/admin"), strings.HasSuffix(path, "*"), strings.Contains(path, "/tail/events"):
		return false
	case strings.Contains(path, "logout"), path == "/admin/profile/sessions/end", strings.HasSuffix(path, "/password"):
		return false
	}

	return true
}

// badAddress opens a page with bad parameters: all of them, and each alone, so that it is not another that is
// refused.
func (b *browser) badAddress(path string) {
	b.t.Helper()

	for _, bad := range badValues {
		query := url.Values{}
		for _, p := range badParams {
			query.Set(p, bad)
		}
		b.check(b.do("GET", path+"?"+query.Encode(), nil, "Accept", "text/html"))

		for _, p := range badParams {
			b.check(b.do("GET", path+"?"+url.Values{p: {bad}}.Encode(), nil, "Accept", "text/html"))
		}
	}
}

// badNames opens a page of what does not exist, by names that cannot exist.
func (b *browser) badNames(route string) {
	b.t.Helper()

	for _, bad := range badValues {
		path := strings.ReplaceAll(route, ":app", "default")
		for _, p := range []string{":name", ":collection", ":username", ":id"} {
			path = strings.ReplaceAll(path, p, url.PathEscape(bad))
		}
		b.check(b.do("GET", path, nil, "Accept", "text/html"))
	}
}

// badForm sends a form in which every field is bad.
func (b *browser) badForm(path string) {
	b.t.Helper()

	for _, bad := range badValues {
		b.open("/profile") // for the token of its form

		form := []string{}
		for _, f := range badFields {
			form = append(form, f, bad)
		}
		b.check(b.submit(path, form...))
	}
}

func (b *browser) check(r *reply) {
	b.t.Helper()
	if r.status >= 500 {
		b.t.Errorf("%.300s: %d %.300s", r.what, r.status, r.body)
	}
	if strings.Contains(r.body, "<script>alert") {
		b.t.Errorf("%.300s lets markup through", r.what)
	}
}

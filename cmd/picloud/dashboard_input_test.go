package main

import (
	"net/url"
	"strings"
	"testing"
)

// badValues are what nobody should be able to break a page with.
var badValues = []string{"\x00", "a\x00b", "\xff\xfe", "%", strings.Repeat("x", 600), "-1", "999999999999999999999", "'; DROP TABLE apps; --", "../../etc/passwd",
	"<script>alert(1)</script>", "01900000-0000-7000-8000-000000000000", "0", "true", "{\"a\":", strings.Repeat("[", 200), "\u2028"}

// Whatever stands in an address or a form, a page answers below 500, and nothing that a visitor typed becomes markup.
func TestDashboardBadInput(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.api("PUT", "/apps/default/scripts/s", map[string]any{"source": "export default { fetch: () => 1, kv() {} }"}).want(201)
	trigger := w.api("POST", "/apps/default/triggers", map[string]any{"kind": "kv", "script": "s", "collection": "c"}).want(201).str("id")
	w.api("PUT", "/apps/default/kv/c/k", map[string]any{"value": 1}).want(200)
	b := w.browse("admin")
	params := []string{"cursor", "q", "script", "status", "source", "trigger", "root", "from", "to", "id", "key", "prefix", "collection", "name", "state", "error", "actor", "action",
		"method", "url", "kind", "done", "fired", "replayed", "deployed"}
	fields := []string{"source", "version", "language", "kind", "access", "timeout_ms", "memory_mib", "handler", "method", "path", "headers", "body", "event", "script", "host", "dispatch",
		"collection", "ops", "trigger", "failed_script", "max_attempts", "backoff", "base_ms", "max_ms", "jitter", "enabled", "confirm", "force", "payload", "reason", "id", "cursor", "total", "done",
		"replayed", "error", "key", "value", "ttl_seconds", "username", "password", "current", "role", "email", "active", "name", "description", "hosts", "slug", "scopes", "app", "days"}
	pages := 0
	for _, route := range w.n.server.Routes() {
		if !strings.HasPrefix(route.Path, "/admin") || strings.Contains(route.Path, "/tail/events") || strings.Contains(route.Path, "logout") || strings.HasSuffix(route.Path, "*") ||
			route.Path == "/admin/profile/sessions/end" || strings.HasSuffix(route.Path, "/profile/password") {
			continue
		}
		pages++
		for _, bad := range badValues {
			path := strings.NewReplacer(":app", "default", ":name", "s", ":collection", "c", ":username", "admin", ":id", trigger).Replace(route.Path)
			if route.Method == "GET" {
				query := url.Values{}
				for _, p := range params {
					query.Set(p, bad)
				}
				b.check(t, b.do("GET", path+"?"+query.Encode(), nil, "Accept", "text/html"))
				for _, p := range params { // one alone, so that it is not another that is refused
					b.check(t, b.do("GET", path+"?"+url.Values{p: {bad}}.Encode(), nil, "Accept", "text/html"))
				}
				continue
			}
			if route.Method != "POST" || strings.HasSuffix(path, "/delete") {
				continue
			}
			b.open("/profile")
			form := []string{}
			for _, f := range fields {
				form = append(form, f, bad)
			}
			b.check(t, b.submit(path, form...))
		}
		if strings.Contains(route.Path, ":") && route.Method == "GET" {
			for _, bad := range badValues {
				path := strings.NewReplacer(":app", "default").Replace(route.Path)
				for _, p := range []string{":name", ":collection", ":username", ":id"} {
					path = strings.ReplaceAll(path, p, url.PathEscape(bad))
				}
				b.check(t, b.do("GET", path, nil, "Accept", "text/html"))
			}
		}
	}
	if pages < 60 {
		t.Errorf("only %d pages were tried", pages)
	}
}

func (b *browser) check(t *testing.T, r *reply) {
	t.Helper()
	if r.status >= 500 {
		t.Errorf("%.300s: %d %.300s", r.what, r.status, r.body)
	}
	if strings.Contains(r.body, "<script>alert") {
		t.Errorf("%.300s lets markup through", r.what)
	}
}

package main

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// browser is a visitor of the dashboard with a cookie jar, who fills in the forms that pages show.
type browser struct {
	*fixture
	page *reply
}

func (w *fixture) browse(username string) *browser {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}

	c := *w
	c.http = &http.Client{Jar: jar, Timeout: 30 * time.Second}
	b := &browser{fixture: &c}
	b.open("/login")
	b.submit("/admin/login", "username", username, "password", testPassword)
	if r := b.open(""); r.status != 200 || !strings.Contains(r.body, "<h1>Apps</h1>") {
		w.t.Fatalf("login of %s: %s", username, r.body)
	}

	return b
}

func (b *browser) open(path string) *reply {
	b.t.Helper()
	b.page = b.do("GET", "/admin"+path, nil, "Accept", "text/html")
	return b.page
}

var csrfField = regexp.MustCompile(`name="csrf" value="([0-9a-f]+)"`)

// submit sends a form with the token of the page that is open.
func (b *browser) submit(action string, fields ...string) *reply {
	b.t.Helper()
	form := url.Values{}
	if m := csrfField.FindStringSubmatch(b.page.body); m != nil {
		form.Set("csrf", m[1])
	}

	for k := 0; k < len(fields); k += 2 {
		form.Add(fields[k], fields[k+1])
	}
	b.page = b.do("POST", action, form.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html", "Sec-Fetch-Site", "same-origin")
	return b.page
}

func (b *browser) shows(texts ...string) {
	b.t.Helper()

	for _, s := range texts {
		if !strings.Contains(b.page.body, s) {
			b.t.Fatalf("%s does not show %q:\n%s", b.page.what, s, b.page.body)
		}
	}
}

// The main stories, without JavaScript: write a script with an error, mend it, bind it, find its dead letter,
// edit the payload, replay it.
func TestDashboardStories(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	b := w.browse("admin")
	b.open("/apps/default/scripts")
	b.shows("No script yet")
	b.open("/apps/default/scripts/new?name=orders")
	b.shows(`name="source"`, "export default")
	form := []string{"version", "0", "language", "javascript", "kind", "endpoint", "access", "public", "source"}
	r := b.submit("/admin/apps/default/scripts/orders", append(form, "export default {\r\n  fetch( {")...)
	if r.status != 422 {
		t.Errorf("syntax error: %d", r.status)
	}

	b.shows("orders.js:2:", `data-line="2"`, "  fetch( {</textarea>")
	b.submit("/admin/apps/default/scripts/orders", append(form, `import { kv } from "picloud"; export default { fetch: () => kv.collection("orders").set("o1", { n: 1 }),
		async kv(e) { if (e.value.n < 2) throw new Error("<script>alert(1)</script> & more"); await kv.collection("done").set(e.key, e.value.n) } }`)...)
	b.shows("Version 1 answers now", "Exports fetch, kv.", "/f/default/orders")
	r = b.submit("/admin/apps/default/scripts/orders", append(form, "export default () => 1")...)
	if r.status != 422 {
		t.Errorf("a version that somebody else replaced: %d", r.status)
	}

	b.shows("Somebody deployed another version")

	b.open("/apps/default/triggers/new")
	b.submit("/admin/apps/default/triggers", "kind", "kv", "script", "nope", "collection", "orders")
	b.shows("this app has no script", `value="nope"`)
	b.submit("/admin/apps/default/triggers", "kind", "kv", "script", "orders", "collection", "orders")
	b.shows("changes in orders", "5 tries within about 15 s")
	id := w.api("GET", "/apps/default/triggers", nil).want(200).str("items.0.id")
	w.api("PATCH", "/apps/default/triggers/"+id, map[string]any{"retry": map[string]any{"max_attempts": 1}}).want(200)
	w.do("POST", "/f/default/orders", nil).want(204)
	w.balanced()

	b.open("/apps/default")
	b.shows("Error: &lt;script&gt;alert(#)&lt;/script&gt; &amp; more", `<span class="badge" title="unresolved">1</span>`, "balanced")
	b.open("/apps/default/dead-letters")
	letter := regexp.MustCompile(`/dead-letters/([0-9a-f-]{36})"`).FindStringSubmatch(b.page.body)[1]
	b.open("/apps/default/dead-letters/" + letter)
	b.shows("&#34;n&#34;: 1", "orders.js:2:")
	b.submit("/admin/apps/default/dead-letters/"+letter+"/replay", "payload", `{"key":"o1","value":`)
	b.shows("is not JSON", `{&#34;key&#34;:&#34;o1&#34;,&#34;value&#34;:</textarea>`)
	b.submit("/admin/apps/default/dead-letters/"+letter+"/replay", "payload", `{"key":"o1","value":{"n":2}}`)
	b.shows("replayed", "by admin")

	w.eventually("the edited event is handled", func() bool { return w.kv("done", "o1") == 2.0 })
	b.open("/apps/default/kv/done")
	b.shows("<code>o1</code>", "<code>2</code>")
	b.open("/apps/default/executions?status=failed")
	execution := regexp.MustCompile(`/executions/([0-9a-f-]{36})"`).FindStringSubmatch(b.page.body)[1]
	b.open("/apps/default/executions/" + execution)
	b.shows("Caused by", "what it caused", "registrant:admin", "insert orders/o1", "/dead-letters/"+letter)
	b.open("/apps/default/queue")
	b.shows("Nothing waits")

	b.open("")
	b.submit("/admin/apps", "slug", "Bad Slug")
	b.shows("must match", `value="Bad Slug"`)
	b.submit("/admin/apps", "slug", "shop", "name", "The Shop")
	b.shows("This app has no script yet")
	b.submit("/admin/logout")
	b.shows("Log in")
	if r := b.open("/apps/default"); !strings.Contains(r.body, "Log in") {
		t.Error("the session lives on after logout")
	}
}

// Nobody acts through another's browser, sees what they may not, or uses the cookie elsewhere.
func TestDashboardSafety(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	people(w)
	w.api("PUT", "/apps/shop/scripts/s", map[string]any{"source": "export default { fetch: () => 1, kv() {} }", "access": "private"}).want(201)
	viewer := w.browse("viewer1")
	stranger := w.browse("stranger")

	// Every page of another app is the same 404 as one of no app, and a POST needs a form of this session.
	pages := 0
	for _, route := range w.n.server.Routes() {
		if !strings.HasPrefix(route.Path, "/admin/apps/:app") {
			continue
		}
		pages++
		path := strings.NewReplacer(":name", "s", ":id", "01900000-0000-7000-8000-000000000000", ":collection", "c").Replace(strings.TrimPrefix(route.Path, "/admin"))
		if route.Method == "GET" {
			for _, app := range []string{"shop", "default", "none"} {
				if r := stranger.open(strings.Replace(path, ":app", app, 1)); r.status != 404 || !strings.Contains(r.body, "no such app") {
					t.Errorf("%s in %s: %d", path, app, r.status)
				}
			}
			continue
		}
		stranger.open("")
		if r := stranger.submit("/admin" + strings.Replace(path, ":app", "shop", 1)); r.status != 404 {
			t.Errorf("POST %s: %d", path, r.status)
		}
		viewer.open("")
		if r := viewer.submit("/admin" + strings.Replace(path, ":app", "shop", 1)); r.status != 403 {
			t.Errorf("POST %s as a viewer: %d", path, r.status)
		}

		form := url.Values{"csrf": {"0123"}}.Encode()
		for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.test"}, {"Sec-Fetch-Site", "same-origin"}} {
			all := append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)
			if r := viewer.do("POST", "/admin"+strings.Replace(path, ":app", "shop", 1), form, all...); r.status != 403 {
				t.Errorf("POST %s with %v: %d", path, headers, r.status)
			}
		}
	}

	if pages < 15 {
		t.Errorf("only %d routes were checked", pages)
	}

	for _, page := range []string{"/scripts", "/triggers", "/routes", "/dead-letters", "/queue", "/kv", "/members"} {
		if r := viewer.open("/apps/shop" + page).want(200); strings.Contains(strings.ReplaceAll(r.body, `action="/admin/logout"`, ""), `method="post" action`) ||
			strings.Contains(r.body, `class="primary"`) {
			t.Errorf("a viewer is shown what would fail on %s:\n%s", page, r.body)
		}
	}

	// The cookie opens the dashboard and nothing else.
	for path, status := range map[string]int{"/f/shop/s": 401, "/api/v1/apps": 401, "/metrics": 401} {
		if r := viewer.do("GET", path, nil); r.status != status {
			t.Errorf("%s by cookie: %d", path, r.status)
		}
	}

	h := viewer.open("/apps/shop").header
	for name, want := range map[string]string{"Content-Security-Policy": "script-src 'nonce-", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"} {
		if !strings.Contains(h.Get(name), want) {
			t.Errorf("%s: %q", name, h.Get(name))
		}
	}

	for file, contentType := range map[string]string{"app.css": "text/css", "htmx.min.js": "text/javascript", "app.js": "text/javascript", "editor.js": "text/javascript", "picloud.d.ts": "text/plain"} {
		if r := w.do("GET", "/static/"+file, nil).want(200); !strings.HasPrefix(r.header.Get("Content-Type"), contentType) {
			t.Errorf("%s: %s", file, r.header.Get("Content-Type"))
		}
	}

	w.do("GET", "/static/..%2fembed.go", nil).want(404)
	w.do("GET", "/", nil).want(404)
	if r := w.do("GET", "/", nil, "Accept", "text/html").want(303); r.header.Get("Location") != "/admin" {
		t.Errorf("a browser at / is sent to %q", r.header.Get("Location"))
	}

	res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).PostForm(w.base+"/admin/login",
		url.Values{"username": {"viewer1"}, "password": {testPassword}})
	if err != nil {
		t.Fatal(err)
	}

	_ = res.Body.Close()
	has(t, "the session's cookie", res.Header.Get("Set-Cookie"), "HttpOnly", "SameSite=Lax", "picloud=pcs_")
	w.api("PATCH", "/users/viewer1", map[string]any{"active": false}).want(200)
	if r := viewer.open("/apps/shop"); !strings.Contains(r.body, "Log in") {
		t.Errorf("a deactivated user still sees %s", r.body)
	}
}

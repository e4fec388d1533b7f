package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// kvUse is what the API shows that the app keeps in KV.
func (w *fixture) kvUse() float64 {
	w.t.Helper()
	return w.api("GET", "/apps/default", nil).want(200).number("usage.kv_bytes")
}

// setQuotas sets quotas of the default app.
func (w *fixture) setQuotas(quotas map[string]any) *reply {
	return w.api("PATCH", "/apps/default", map[string]any{"quotas": quotas})
}

// An app has no quota until one is set; each is kept by itself, and null takes it away.
func TestQuotasAreSet(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	none := map[string]any{
		"quotas.kv_bytes": nil, "quotas.log_bytes": nil, "quotas.executions": nil, "quotas.scripts": nil,
		"quotas.requests_per_second": nil, "usage.kv_bytes": nil, "usage.scripts": nil,
	}
	w.api("GET", "/apps/default", nil).want(200).members(none)

	w.setQuotas(map[string]any{"scripts": 3}).want(200).members(map[string]any{
		"quotas.scripts": 3.0, "usage.scripts": 0.0, "quotas.kv_bytes": nil,
	})
	w.setQuotas(map[string]any{
		"kv_bytes": 1000, "log_bytes": 0, "executions": 5, "requests_per_second": 7,
	}).want(200).members(map[string]any{
		"quotas.scripts": 3.0, "quotas.kv_bytes": 1000.0, "quotas.log_bytes": 0.0, "quotas.executions": 5.0,
		"quotas.requests_per_second": 7.0, "usage.kv_bytes": 0.0, "usage.executions": 0.0,
	})

	w.setQuotas(map[string]any{
		"kv_bytes": nil, "log_bytes": nil, "executions": nil, "scripts": nil, "requests_per_second": nil,
	}).want(200).members(none)

	audit := w.api("GET", "/apps/default/audit", nil).want(200)
	if !strings.Contains(audit.body, `"requests_per_second":7`) {
		t.Errorf("the audit trail has %s", audit.body)
	}
}

// Who runs an app does not decide what it may cost.
func TestQuotasAreForInstanceAdmins(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.api("POST", "/users", map[string]any{"username": "ann", "password": testPassword}).want(201)
	w.api("POST", "/apps/default/members", map[string]any{"username": "ann", "role": "admin"}).want(201)
	body := map[string]any{"name": "Mine", "quotas": map[string]any{"kv_bytes": 1}}

	ann := w.as(w.login("ann", testPassword))
	ann.api("PATCH", "/apps/default", body).want(403)
	ann.api("PATCH", "/apps/default", map[string]any{"name": "Mine"}).want(200).members(map[string]any{
		"name": "Mine", "quotas.kv_bytes": nil,
	})

	key := map[string]any{"name": "ci", "scopes": []string{"apps:admin"}, "app": "default"}
	w.as(w.api("POST", "/api-keys", key).want(201).str("key")).api("PATCH", "/apps/default", body).want(403)
}

// What cannot be a quota is 422 with the field's name.
func TestQuotasOfBadInput(t *testing.T) {
	t.Parallel()
	w := newFixture(t)

	for name, c := range map[string]struct {
		quotas any
		text   string
	}{
		"negative":     {map[string]any{"kv_bytes": -1}, "quotas.kv_bytes must be from 0"},
		"a fraction":   {map[string]any{"scripts": 1.5}, "quotas.scripts"},
		"a text":       {map[string]any{"executions": "5"}, "quotas.executions"},
		"no requests":  {map[string]any{"requests_per_second": 0}, "quotas.requests_per_second must be from 1"},
		"beyond exact": {map[string]any{"log_bytes": 1 << 53}, "quotas.log_bytes must be from 0"},
		"unknown":      {map[string]any{"cpu": 1}, "cpu"},
		"no object":    {5, "quotas"},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.on(t).setQuotas(map[string]any{})
			r.want(200)
			r = w.on(t).api("PATCH", "/apps/default", map[string]any{"quotas": c.quotas}).want(422)
			if !strings.Contains(r.body, c.text) {
				t.Errorf("%s", r.body)
			}
		})
	}
}

// A run whose writes do not fit leaves no trace; what makes an app no larger always passes; and the use is
// that of the entries, whoever wrote and deleted them.
func TestQuotaOfKVBytes(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("write", `import { kv } from "picloud";
export default async (r) => {
	const { key, size } = await r.json();
	await kv.collection("log").set("last", "x".repeat(10));
	size === null ? await kv.collection("c").delete(key) : await kv.collection("c").set(key, "x".repeat(size));
}`)
	write := func(key string, size any) *reply {
		return w.do("POST", "/f/default/write", map[string]any{"key": key, "size": size})
	}
	write("old", 100).want(204)

	// "c" and a key of three letters; a string of n letters is n + 2 bytes of JSON. The other entry has 19.
	const entry, other = 1 + 3 + 2, 3 + 4 + 12
	w.setQuotas(map[string]any{"kv_bytes": 500}).want(200)
	if got := w.kvUse(); got != other+entry+100 {
		t.Fatalf("%v bytes are in use", got)
	}

	refused := write("new", 400).want(503)
	refused.members(map[string]any{"code": "quota", "quota": "kv_bytes"})
	if after := refused.header.Get("Retry-After"); after != "" {
		t.Errorf("it is worth asking again after %s s", after)
	}

	for _, part := range []string{"500 bytes", "keeps 125", "add 406"} {
		if !strings.Contains(refused.str("detail"), part) {
			t.Errorf("%s lacks %q", refused.str("detail"), part)
		}
	}
	w.record(refused.header.Get("X-Execution-Id")).members(map[string]any{
		"status": "failed", "error.name": "QuotaError", "http_status": 503.0,
	})
	if w.kv("c", "new") != nil || w.kvUse() != other+entry+100 {
		t.Errorf("the refused run left something: %v bytes", w.kvUse())
	}

	write("new", 350).want(204)
	write("old", 130).want(503)
	write("old", 100).want(204)
	write("old", 1).want(204)
	w.setQuotas(map[string]any{"kv_bytes": 10}).want(200)
	write("new", 349).want(204)
	write("new", 350).want(503)
	write("new", nil).want(204)
	write("new", nil).want(204)

	// The API's writes are the same commits.
	entryPath := "/apps/default/kv/c/api"
	refused = w.api("PUT", entryPath, map[string]any{"value": "x"}).want(503)
	refused.members(map[string]any{"code": "quota"})
	if after := refused.header.Get("Retry-After"); after != "" {
		t.Errorf("the API is worth asking again after %s s", after)
	}
	w.setQuotas(map[string]any{"kv_bytes": 100}).want(200)
	version := int64(w.api("PUT", entryPath, map[string]any{"value": "x"}).want(200).get("version").(float64))
	w.api("DELETE", fmt.Sprintf("%s?if_version=%d", entryPath, version+1), nil).want(412)
	w.api("DELETE", fmt.Sprintf("%s?if_version=%d", entryPath, version), nil).want(204)
	w.api("DELETE", fmt.Sprintf("%s?if_version=%d", entryPath, version), nil).want(404)
	if got := w.kvUse(); got != other+entry+1 {
		t.Errorf("%v bytes are in use at the end", got)
	}
}

// Commits that come together do not pass a quota together.
func TestQuotaOfKVBytesTogether(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("write", `import { kv } from "picloud";
export default async (r) => kv.collection("c").set(new URL(r.url).searchParams.get("key"), "x".repeat(92))`)
	w.setQuotas(map[string]any{"kv_bytes": 1000}).want(200)

	var wg sync.WaitGroup
	for k := range 40 {
		wg.Go(func() { w.do("GET", fmt.Sprintf("/f/default/write?key=k%04d", k), nil) })
	}
	wg.Wait()

	if use := w.kvUse(); use != 1000 {
		t.Errorf("%v of 1000 bytes are in use, by entries of 100", use)
	}
	if entries := w.api("GET", "/apps/default/kv/c", nil).want(200).items(); len(entries) != 10 {
		t.Errorf("%d entries", len(entries))
	}
}

// An event whose run is over the quota is tried again, and is a dead letter with the reason in the end.
func TestQuotaOfKVBytesInAnEvent(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("copy", `import { kv } from "picloud";
export default { kv: (e) => kv.collection("copies").set(e.key, e.value) }`)
	w.trigger(map[string]any{"kind": "kv", "script": "copy", "collection": "c", "retry": map[string]any{
		"max_attempts": 2, "base_ms": 10,
	}})
	w.setQuotas(map[string]any{"kv_bytes": 150}).want(200)
	w.api("PUT", "/apps/default/kv/c/k", map[string]any{"value": strings.Repeat("x", 100)}).want(200)

	w.eventually("the event is a dead letter", func() bool {
		letters := w.api("GET", "/apps/default/dead-letters", nil).want(200)
		return len(letters.items()) == 1 && letters.get("items.0.attempts") == 2.0 &&
			strings.Contains(letters.body, "the app's quota of 150 bytes of KV")
	})
	w.balanced()
}

// An app has as many scripts as its quota; those that it has can still be deployed and deleted.
func TestQuotaOfScripts(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("one", `export default () => 1`)
	w.setQuotas(map[string]any{"scripts": 1}).want(200).members(map[string]any{"usage.scripts": 1.0})

	source := map[string]any{"source": `export default () => 2`}
	refused := w.api("PUT", "/apps/default/scripts/two", source).want(409)
	if !strings.Contains(refused.str("detail"), "the app's quota of scripts is 1, and it has 1") {
		t.Errorf("%s", refused.body)
	}
	w.api("PUT", "/apps/default/scripts/one", source).want(200)
	w.api("DELETE", "/apps/default/scripts/one", nil).want(204)
	w.api("PUT", "/apps/default/scripts/two", source).want(201)
}

// Records beyond the quota are taken away soon after they were made, the oldest first.
func TestQuotaOfRecords(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("log", `export default () => { console.log("x".repeat(1000)) }`)
	w.setQuotas(map[string]any{"executions": 4, "log_bytes": 2500}).want(200)

	var last string
	for range 8 {
		last = w.do("GET", "/f/default/log", nil).want(204).header.Get("X-Execution-Id")
	}
	w.eventually("four records are left, two of them with a log", func() bool {
		list := w.api("GET", "/apps/default/executions", nil).want(200)
		return len(list.items()) == 4 && list.str("items.0.id") == last &&
			strings.Count(list.body, strings.Repeat("x", 1000)) == 2
	})
	w.eventually("the use is shown", func() bool {
		app := w.api("GET", "/apps/default", nil).want(200)
		logs := app.number("usage.log_bytes")
		return app.get("usage.executions") == 4.0 && logs > 2000 && logs <= 2500
	})
}

// Above the quota of requests the answer is a 429, whatever path of the app is asked for; other apps do not
// notice.
func TestQuotaOfRequests(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("hello", `export default () => "hello"`)
	w.api("POST", "/apps/default/routes", map[string]any{"script": "hello", "path": "/hello"}).want(201)
	w.api("POST", "/apps", map[string]any{"slug": "other"}).want(201)
	w.api("PUT", "/apps/other/scripts/hello", map[string]any{"source": `export default () => "other"`}).want(201)
	w.setQuotas(map[string]any{"requests_per_second": 1}).want(200)

	refused := func(path string) *reply {
		for {
			if r := w.do("GET", path, nil); r.status != 200 {
				return r.want(429)
			}
		}
	}
	r := refused("/f/default/hello")
	if r.header.Get("Retry-After") != "1" || r.str("code") != "too-many-requests" ||
		!strings.Contains(r.str("detail"), "(1 a second)") {
		t.Errorf("%v %s", r.header, r.body)
	}
	refused("/hello")

	for range 5 {
		w.do("GET", "/f/other/hello", nil).want(200)
	}
}

// The overview shows quotas with their use, the settings change them; a refusal is the form again, with what
// was typed. Saving them unchanged changes nothing.
func TestQuotasInTheDashboard(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("hello", `export default () => "hello"`)
	b := w.browse("admin")
	const settings = "/admin/apps/default/settings"

	b.open("/apps/default/settings")
	b.submit(settings, "name", "Mine", "quota_scripts", "a few")
	b.shows("the quota scripts must be a whole number, or empty", `value="a few"`, `value="Mine"`)
	b.submit(settings, "name", "Mine", "quota_scripts", "-5")
	b.shows("quotas.scripts must be from 0", `value="-5"`)

	b.submit(settings, "name", "Mine", "quota_scripts", "20", "quota_kv_bytes", " 100 ", "quota_executions", "")
	w.api("GET", "/apps/default", nil).want(200).members(map[string]any{
		"quotas.scripts": 20.0, "quotas.kv_bytes": 100.0, "quotas.executions": nil, "name": "Mine",
	})
	b.open("/apps/default")
	b.shows("<h2>Quotas</h2>", `<meter min="0" max="20" high="18" value="1" aria-label="Scripts">`)

	b.open("/apps/default/settings")
	b.submit(settings, "name", "Mine", "quota_scripts", "20", "quota_kv_bytes", "100")
	latest := w.api("GET", "/apps/default/audit?limit=1", nil).want(200)
	if strings.Contains(latest.body, "kv_bytes") {
		t.Errorf("the audit trail has %s", latest.body)
	}

	// A write over the quota is the form again as well.
	b.open("/apps/default/kv/c/entry?key=k")
	b.submit("/admin/apps/default/kv/c/entry?key=k", "key", "k", "version", "0", "value",
		`"`+strings.Repeat("x", 100)+`"`)
	b.shows("the app&#39;s quota of 100 bytes of KV does not suffice")

	b.open("/apps/default/settings")
	b.submit(settings, "name", "Mine", "quota_scripts", "", "quota_kv_bytes", "")
	w.api("GET", "/apps/default", nil).want(200).members(map[string]any{
		"quotas.scripts": nil, "quotas.kv_bytes": nil,
	})
}

// Whoever administers an app alone sees its quotas, and cannot change them by any form.
func TestQuotasInTheDashboardOfAMember(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.api("POST", "/users", map[string]any{"username": "ann", "password": testPassword}).want(201)
	w.api("POST", "/apps/default/members", map[string]any{"username": "ann", "role": "admin"}).want(201)
	w.setQuotas(map[string]any{"scripts": 20}).want(200)

	ann := w.browse("ann")
	ann.open("/apps/default/settings")
	ann.shows(`name="quota_scripts" value="20" inputmode="numeric" placeholder="no limit" readonly`)
	ann.submit("/admin/apps/default/settings", "name", "Mine", "quota_scripts", "1000")
	w.api("GET", "/apps/default", nil).want(200).members(map[string]any{
		"quotas.scripts": 20.0, "name": "Mine",
	})
}

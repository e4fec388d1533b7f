package main

import (
	"fmt"
	"strings"
	"testing"
)

// nested is so many brackets within each other.
func nested(open string, depth int, shut string) string {
	return strings.Repeat(open, depth) + strings.Repeat(shut, depth)
}

// Bad input gets a clear 4xx that says what is wrong, and nothing changes.
func TestBadInput(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("good", `export default { fetch: () => 1, kv() {} }`)
	w.api("PUT", "/apps/default/scripts/mod", map[string]any{"source": "export const x = 1", "kind": "module"}).want(201)
	w.api("POST", "/apps", map[string]any{"slug": "other"}).want(201)
	w.api("PUT", "/apps/other/scripts/theirs", map[string]any{"source": "export default { kv() {} }"}).want(201)

	for k := range 3 {
		w.api("PUT", fmt.Sprintf("/apps/default/kv/c/k%d", k), map[string]any{"value": k}).want(200)
	}
	kvCursor := w.api("GET", "/apps/default/kv/c?limit=1", nil).want(200).str("next_cursor")
	scriptCursor := w.api("GET", "/apps/default/scripts?limit=1", nil).want(200).str("next_cursor")
	js := []string{"Content-Type", "text/javascript"}

	json := []string{"Content-Type", "application/json"}
	for name, c := range map[string]struct {
		method, path string // ~ is the default app
		body         any
		headers      []string
		status       int
		says         string
	}{
		"broken syntax":           {"PUT", "~/scripts/bad", "export default {\n  fetch( {", js, 422, "bad.js:2:"},
		"300,000 parentheses":     {"PUT", "~/scripts/bad", nested("(", 300_000, ")"), js, 422, "nests too deeply"},
		"source too large":        {"PUT", "~/scripts/bad", strings.Repeat("/", 1<<20+1), js, 413, "1048576"},
		"source with NUL":         {"PUT", "~/scripts/bad", "export default () => '\x00'", js, 422, "NUL"},
		"source not UTF-8":        {"PUT", "~/scripts/bad", "export default () => '\xff'", js, 422, "UTF-8"},
		"script name with ../":    {"PUT", "~/scripts/..%2F..%2Fx", "export default 1", js, 422, "must match"},
		"script name with NUL":    {"PUT", "~/scripts/a%00b", "export default 1", js, 422, "must match"},
		"script name of 1,000":    {"PUT", "~/scripts/" + strings.Repeat("a", 1000), "export default 1", js, 422, "must match"},
		"wrong content type":      {"PUT", "~/scripts/bad", "x", []string{"Content-Type", "image/png"}, 422, "text/javascript"},
		"no source":               {"PUT", "~/scripts/bad", "{}", json, 422, "source"},
		"unknown kind":            {"PUT", "~/scripts/bad", `{"source":"1","kind":"lambda"}`, json, 422, "kind must be"},
		"limit over the ceiling":  {"PUT", "~/scripts/bad", `{"source":"1","limits":{"timeout_ms":300001}}`, json, 422, "300000"},
		"memory over the ceiling": {"PUT", "~/scripts/bad", `{"source":"1","limits":{"memory_mib":129}}`, json, 422, "128"},
		"11 MB body":              {"PUT", "~/scripts/bad", strings.Repeat("x", 11<<20), js, 413, "bytes"},
		"invalid JSON":            {"POST", "/apps", `{"slug":`, json, 400, ""},
		"JSON of the wrong type":  {"POST", "/apps", `{"slug":7}`, json, 422, "slug"},
		"unknown field":           {"POST", "/apps", `{"slug":"x","colour":"red"}`, json, 422, "unexpected property"},
		"bad slug":                {"POST", "/apps", `{"slug":"../x"}`, json, 422, "must match"},
		"reserved slug":           {"POST", "/apps", `{"slug":"admin"}`, json, 422, "reserved"},
		"taken slug":              {"POST", "/apps", `{"slug":"other"}`, json, 409, "exists"},
		"trigger to another app":  {"POST", "~/triggers", `{"kind":"kv","script":"theirs","collection":"c"}`, json, 422, "no script"},
		"trigger to a module":     {"POST", "~/triggers", `{"kind":"kv","script":"mod","collection":"c"}`, json, 422, "module"},
		"trigger without handler": {"POST", "~/triggers", `{"kind":"dead_letter","script":"good"}`, json, 422, "deadLetter"},
		"trigger of unknown kind": {"POST", "~/triggers", `{"kind":"smoke","script":"good"}`, json, 422, "kind"},
		"bad collection":          {"POST", "~/triggers", `{"kind":"kv","script":"good","collection":"a b"}`, json, 422, "collection"},
		"bad ops":                 {"POST", "~/triggers", `{"kind":"kv","script":"good","collection":"c","ops":["upsert"]}`, json, 422, "ops"},
		"bad retry":               {"POST", "~/triggers", `{"kind":"kv","script":"good","collection":"c","retry":{"max_attempts":0}}`, json, 422, "max_attempts"},
		"value of 257 KiB":        {"PUT", "~/kv/c/k", `{"value":"` + strings.Repeat("x", 257<<10) + `"}`, json, 422, "262144"},
		"value of 1e131071":       {"PUT", "~/kv/c/k", `{"value":1e131071}`, json, 422, "outside"},
		"value of 100,000 [":      {"PUT", "~/kv/c/k", `{"value":` + nested("[", 100_000, "]") + `}`, json, 422, "deep"},
		"value 501 deep":          {"PUT", "~/kv/c/k", `{"value":` + nested("[", 501, "]") + `}`, json, 422, "500"},
		"value missing":           {"PUT", "~/kv/c/k", `{}`, json, 422, "value"},
		"key with NUL":            {"PUT", "~/kv/c/a%00b", `{"value":1}`, json, 422, "NUL"},
		"key of 513 bytes":        {"PUT", "~/kv/c/" + strings.Repeat("k", 513), `{"value":1}`, json, 422, "512"},
		"key ..":                  {"PUT", "~/kv/c/%2E%2E", `{"value":1}`, json, 422, ".."},
		"collection with a space": {"GET", "~/kv/a%20b/k", nil, nil, 422, "must match"},
		"ttl too short":           {"PUT", "~/kv/c/k", `{"value":1,"ttl_seconds":0.1}`, json, 422, "ttl"},
		"version mismatch":        {"PUT", "~/kv/c/k0", `{"value":1,"if_version":0}`, json, 412, "version"},
		"deleting another one":    {"DELETE", "~/kv/c/k0?if_version=9999999", nil, nil, 412, "changed"},
		"deleting version -2":     {"DELETE", "~/kv/c/k0?if_version=-2", nil, nil, 422, "if_version"},
		"deleting version x":      {"DELETE", "~/kv/c/k0?if_version=x", nil, nil, 422, "if_version"},
		"cursor of another list":  {"GET", "~/routes?cursor=" + scriptCursor, nil, nil, 422, "cursor"},
		"cursor of another kv":    {"GET", "~/kv/d?cursor=" + kvCursor, nil, nil, 422, "cursor"},
		"cursor made up":          {"GET", "~/executions?cursor=AAAA", nil, nil, 422, "cursor"},
		"limit 0":                 {"GET", "~/executions?limit=0", nil, nil, 422, "limit"},
		"limit 1001":              {"GET", "~/executions?limit=1001", nil, nil, 422, "limit"},
		"an id that is none":      {"GET", "~/executions/zzz", nil, nil, 404, "execution"},
		"execution not recorded":  {"GET", "~/executions/01900000-0000-7000-8000-000000000000", nil, nil, 404, "recorded"},
		"no such address":         {"GET", "/nothing", nil, nil, 404, "no such"},
		"deleting without force":  {"DELETE", "/apps/other", nil, nil, 409, "force"},
	} {
		t.Run(name, func(t *testing.T) {
			path := strings.Replace(c.path, "~", "/apps/default", 1)
			r := w.on(t).api(c.method, path, c.body, c.headers...).want(c.status)
			if !strings.Contains(r.body, c.says) {
				t.Errorf("no %q in %.300s", c.says, r.body)
			}
			if r.json["detail"] == nil {
				t.Errorf("no problem document: %.300s", r.body)
			}
		})
	}

	if r := w.api("GET", "/apps/default/scripts", nil).want(200); len(r.items()) != 2 {
		t.Errorf("something was deployed: %s", r.body)
	}
	if r := w.api("GET", "/apps/default/kv/c", nil).want(200); len(r.items()) != 3 {
		t.Errorf("something was written: %s", r.body)
	}

	// JSON as JavaScript would write it again.
	w.api("PUT", "/apps/default/kv/c/js", `{"value": {"b":-0, "2":1.0, "a":"\ud800\u0000/", "1":1e21, "a2": 0.1e1 }}`, json...).want(200)
	if r := w.api("GET", "/apps/default/kv/c/js", nil).want(200); !strings.Contains(r.body, `"value":{"1":1e+21,"2":1,"b":0,"a":"\ud800\u0000/","a2":1}`) {
		t.Errorf("normalised %s", r.body)
	}

	w.api("DELETE", "/apps/other?force=true", nil).want(204)
	w.api("GET", "/apps/other", nil).want(404)
	w.do("GET", "/f/other/theirs", nil).want(404)
}

// Rows whose trigger is disabled wait and say so; deleting what rows wait for needs force and makes them dead
// letters.
func TestQueueOperations(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deploy("s", `import { kv } from "picloud"; export default { async kv(e, env, ctx) { if (ctx.attempt < 3) throw new Error("later"); await kv.collection("out").set("k", ctx.attempt) } }`)
	id := w.trigger(map[string]any{"kind": "kv", "script": "s", "collection": "in", "retry": map[string]any{"base_ms": 60000, "max_ms": 60000, "jitter": 0}})
	put := func(k string) { w.api("PUT", "/apps/default/kv/in/"+k, map[string]any{"value": 1}).want(200) }
	waits := func(n int, reason string) string {
		t.Helper()
		row := ""
		w.eventually(fmt.Sprintf("%d rows wait: %s", n, reason), func() bool {
			r := w.api("GET", "/apps/default/outbox", nil).want(200)
			if len(r.items()) != n || r.get("items.0.state") != "waiting" || !strings.Contains(r.str("items.0.reason"), reason) {
				return false
			}
			row = r.str("items.0.id")
			return true
		})
		return row
	}

	// A row of a disabled trigger waits, and goes on when the trigger does.
	put("a")
	row := waits(1, "attempt 1 of 5 failed (Error: later)")
	w.api("PATCH", "/apps/default/triggers/"+id, map[string]any{"enabled": false}).want(200)
	waits(1, "trigger disabled")
	put("b") // raises nothing now
	w.api("DELETE", "/apps/default/triggers/"+id, nil).want(409)
	w.api("PATCH", "/apps/default/triggers/"+id, map[string]any{"enabled": true}).want(200)
	waits(1, "attempt 2 of 5 failed")

	w.api("POST", "/apps/default/outbox/"+row+"/run-now", nil).want(204)
	w.eventually("it ran", func() bool { return w.kv("out", "k") == 3.0 })
	w.balanced()

	// A row that an operator removes is a dead letter.
	put("c")
	row = waits(1, "attempt 1 of 5")
	letter := w.api("DELETE", "/apps/default/outbox/"+row, nil).want(200).str("dead_letter_id")
	if d := w.api("GET", "/apps/default/dead-letters/"+letter, nil).want(200); d.str("reason") != "removed by an operator" {
		t.Errorf("removed row %s", d.body)
	}

	w.api("DELETE", "/apps/default/outbox/"+row, nil).want(404)

	// So is one whose trigger is deleted.
	put("d")
	waits(1, "attempt 1 of 5")
	w.api("DELETE", "/apps/default/scripts/s", nil).want(409)
	w.api("DELETE", "/apps/default/triggers/"+id+"?force=true", nil).want(204)
	if d := w.api("GET", "/apps/default/dead-letters", nil).want(200); d.str("items.0.reason") != "trigger deleted" {
		t.Errorf("row of a deleted trigger %s", d.body)
	}

	c := w.balanced()
	same(t, "enqueued", c["enqueued"], any(3.0))
	same(t, "done", c["done"], any(1.0))
	same(t, "dead-lettered", c["dead_lettered"], any(2.0))

	// Test-fire and invoke.
	id = w.trigger(map[string]any{"kind": "kv", "script": "s", "collection": "in", "retry": map[string]any{"max_attempts": 1}})
	w.api("POST", "/apps/default/triggers/"+id+"/fire", map[string]any{"event": map[string]any{"key": "x"}}).want(202)
	w.eventually("the test event failed", func() bool {
		return w.api("GET", "/apps/default/dead-letters/count", nil).want(200).json["unresolved"] == 3.0
	})

	inv := func(body any) *reply { return w.api("POST", "/apps/default/scripts/s/invoke", body) }
	inv(map[string]any{"event": map[string]any{"op": "insert"}, "dry_run": true}).want(200).
		members(map[string]any{"status": "failed", "error.message": "later"})

	w.deploy("dry", `import { kv } from "picloud"; export default { async fetch(r) {
		console.log("hi");
		await kv.collection("in").set("dry", 1);
		try { await fetch("http://x.test") } catch (e) { return e.message } } }`)
	request := map[string]any{"method": "POST", "path": "/x", "body": "b"}
	r := w.api("POST", "/apps/default/scripts/dry/invoke", map[string]any{"dry_run": true, "request": request}).want(200)
	r.members(map[string]any{"status": "succeeded", "logs.0.message": "hi", "events.0.key": "dry"})
	has(t, "a fetch of a dry run", r.str("response.body"), "dry run")
	if w.kv("in", "dry") != nil {
		t.Error("a dry run wrote")
	}
}

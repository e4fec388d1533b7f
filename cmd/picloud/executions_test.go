package main

import (
	"context"
	"net/url"
	"picloud/internal/history"
	"strings"
	"testing"
)

// What no index finds - a text, a source, a script that is gone - is looked for in steps, and following the
// cursor finds all of it, each once.
func TestExecutionSearch(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.api("PUT", "/apps/default/scripts/s", map[string]any{"source": "export default () => 1"}).want(201)
	_, err := w.n.db.General.Exec(context.Background(), `INSERT INTO executions (app_id, id, trigger_id, script_id, script, version, source, status, attempt, depth, root_id, node,
		started_at, duration_us, error_name, error_message, request, logs)
		SELECT 1, ('01a10000-0000-7000-8000-' || lpad(g::text, 12, '0'))::uuid, CASE WHEN g = 7 THEN '01a10000-0000-7000-8000-00000000abcd'::uuid END, s.id, CASE WHEN g % 900 = 0 THEN 'gone' ELSE 's' END, 1,
		       CASE WHEN g % 1000 = 0 THEN 'kv' ELSE 'http' END, 'failed', 1, 0, s.id, 'n', now(), 1, 'Error', CASE WHEN g % 700 = 0 THEN 'the NEEDLE' ELSE 'hay' END,
		       CASE WHEN g = 1 THEN 'GET /needle' ELSE '' END, CASE WHEN g = 4999 THEN '[{"message":"a needle"}]' WHEN g = 2 THEN repeat('needle', 20000) ELSE '' END
		FROM generate_series(1, 5000) g, scripts s`)
	if err != nil {
		t.Fatal(err)
	}

	all := func(query string) (found, pages int) {
		seen := map[string]bool{}
		for cursor := ""; ; pages++ {
			r := w.api("GET", "/apps/default/executions?limit=3&"+query+"&cursor="+url.QueryEscape(cursor), nil).want(200)
			for _, it := range r.items() {
				id, _ := it.(map[string]any)["id"].(string)
				if seen[id] {
					t.Errorf("%s: %s comes twice", query, id)
				}
				seen[id] = true
			}
			next, ok := r.json["next_cursor"].(string)
			if !ok {
				return len(seen), pages + 1
			}
			cursor = next
		}
	}

	for _, c := range []struct {
		query       string
		found       int
		pagesAtMost int
	}{
		{"q=needle", 9, 6}, {"q=NEEDLE&status=failed", 9, 6}, {"q=nothing", 0, 3}, {"source=kv", 5, 4}, {"script=gone", 5, 4}, {"script=gone&source=kv", 0, 3},
		{"script=nosuch", 0, 3}, {"q=%00", 0, 3}, {"trigger=01a10000-0000-7000-8000-00000000abcd", 1, 3}, {"trigger=01a10000-0000-7000-8000-00000000abcd&script=s", 1, 3}, {"q=needle&status=timeout", 0, 1},
	} {
		if found, pages := all(c.query); found != c.found || pages > c.pagesAtMost {
			t.Errorf("%s: %d on %d pages, want %d on %d", c.query, found, pages, c.found, c.pagesAtMost)
		}
	}

	if history.SearchDepth >= 5000 {
		t.Error("the test needs more rows than one step looks at")
	}
	first := w.api("GET", "/apps/default/executions?q=nothing", nil).want(200).json["next_cursor"].(string)
	w.api("GET", "/apps/default/executions?q=other&cursor="+url.QueryEscape(first), nil).want(422)
}

// Statistics count every run, by minute and by hour, with the errors apart.
func TestStats(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	people(w)
	w.api("PUT", "/apps/shop/scripts/s", map[string]any{"source": `export default (r) => { if (r.url.includes("fail")) throw new Error("no"); return 1 }`}).want(201)
	w.api("PUT", "/apps/shop/scripts/other", map[string]any{"source": `export default () => 1`}).want(201)

	for range 5 {
		w.do("GET", "/f/shop/s", nil).want(200)
	}
	w.do("GET", "/f/shop/s?fail", nil).want(502)
	w.do("GET", "/f/shop/other", nil).want(200)
	sum := func(query string) (runs, errors float64) {
		for _, item := range w.api("GET", "/apps/shop/stats"+query, nil).want(200).items() {
			it := item.(map[string]any)
			runs += it["runs"].(float64)
			errors += it["errors"].(float64)
			if (it["runs"].(float64) > 0) != (it["p95_ms"] != nil) {
				t.Errorf("quantiles of %v", it)
			}
		}
		return runs, errors
	}

	w.eventually("the counts are written", func() bool {
		runs, _ := sum("?step=1m")
		return runs == 7
	})

	for query, want := range map[string][2]float64{"": {7, 1}, "?step=60": {7, 1}, "?step=5m&script=s": {6, 1}, "?step=1h&script=other": {1, 0}, "?step=24h": {7, 1}} {
		if runs, errors := sum(query); runs != want[0] || errors != want[1] {
			t.Errorf("stats%s: %v runs, %v errors, want %v", query, runs, errors, want)
		}
	}

	if n := len(w.api("GET", "/apps/shop/stats?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z", nil).want(200).items()); n != 24 {
		t.Errorf("a day has %d hours", n)
	}

	for _, bad := range []string{"?step=90s", "?step=0", "?step=x", "?step=-1h", "?step=1m&from=2020-01-01T00:00:00Z", "?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "?from=yesterday"} {
		if r := w.api("GET", "/apps/shop/stats"+bad, nil); r.status != 422 {
			t.Errorf("stats%s: %d", bad, r.status)
		}
	}

	w.api("GET", "/apps/shop/stats?script=nosuch", nil).want(404)
}

// Nodes are listed while they run, for who may see the instance.
func TestNodes(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	p := people(w)
	other := joinFixture(t, w.n.cfg.DatabaseURL, func(c *Config) { c.NodeName = "zz-other" })
	items := w.api("GET", "/nodes", nil).want(200).items()
	if len(items) != 2 || items[0].(map[string]any)["self"] != true || items[1].(map[string]any)["name"] != "zz-other" {
		t.Errorf("nodes: %v", items)
	}

	p["admin"].api("GET", "/nodes", nil).want(403)
	other.n.Stop()
	if items := w.api("GET", "/nodes", nil).want(200).items(); len(items) != 1 {
		t.Errorf("nodes after one has stopped: %v", items)
	}
}

// One dead letter that cannot be replayed does not hold up those behind it.
func TestBulkReplayGoesOn(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.api("PUT", "/apps/default/scripts/s", map[string]any{"source": `import { kv } from "picloud"; export default { kv: (e) => kv.collection("done").set(e.key, 1), fetch: () => 1 }`}).want(201)
	_, err := w.n.db.General.Exec(context.Background(), `INSERT INTO dead_letters (app_id, id, outbox_id, source, op, trigger_id, script_id, script, payload, reason, error, attempts, depth, root_id)
		SELECT 1, gen_random_uuid(), gen_random_uuid(), v.source, '', CASE WHEN v.source = 'kv' THEN gen_random_uuid() END, CASE WHEN v.gone THEN gen_random_uuid() ELSE s.id END, 's', v.payload, 'failed', '{}', 1, 1, s.id
		FROM scripts s, (VALUES ('kv', '{"key":"a"}', false), ('http', '"no request"', false), ('kv', '{"key":"b"}', false), ('kv', '{"key":"c"}', true)) v (source, payload, gone)`)
	if err != nil {
		t.Fatal(err)
	}

	r := w.api("POST", "/apps/default/dead-letters/replay", map[string]any{"filter": map[string]any{"script": "s"}}).want(200)
	if r.json["matched"] != 4.0 || r.json["replayed"] != 2.0 {
		t.Errorf("bulk replay: %s", r.body)
	}
	w.eventually("both are handled", func() bool { return w.kv("done", "a") == 1.0 && w.kv("done", "b") == 1.0 })
	if n := w.api("GET", "/apps/default/dead-letters/count", nil).want(200).json["unresolved"]; n != 2.0 {
		t.Errorf("%v are left", n)
	}
}

// At a rate the answer comes at once, with the time of the last; a page of the dashboard does the same. What
// is no rate is refused.
func TestBulkReplayAtARate(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.api("PUT", "/apps/default/scripts/s", map[string]any{"source": `import { kv } from "picloud"; export default { kv: (e) => kv.collection("done").set(e.key, 1), fetch: () => 1 }`}).want(201)
	letters := func(script string) {
		t.Helper()
		_, err := w.n.db.General.Exec(context.Background(), `INSERT INTO dead_letters (app_id, id, outbox_id, source, op, trigger_id, script_id, script, payload, reason, error, attempts, depth, root_id)
			SELECT 1, gen_random_uuid(), gen_random_uuid(), 'kv', '', gen_random_uuid(), s.id, $1, '{"key":"' || $1 || '"}', 'failed', '{}', 1, 1, s.id FROM scripts s, generate_series(1, 3)`, script)
		if err != nil {
			t.Fatal(err)
		}
	}
	replay := func(body map[string]any) *reply { return w.api("POST", "/apps/default/dead-letters/replay", body) }
	letters("a")
	filter := map[string]any{"script": "a"}

	for _, rate := range []any{0, -1, 0.0001, 1001, "5"} {
		replay(map[string]any{"filter": filter, "rate": rate}).want(422)
	}
	r := replay(map[string]any{"filter": filter, "rate": 0.01}).want(200)
	if r.json["matched"] != 3.0 || r.json["replayed"] != 3.0 || r.json["next_cursor"] != nil || r.json["last_due_at"] == nil {
		t.Errorf("at a rate: %s", r.body)
	}
	w.eventually("the first is handled", func() bool { return w.kv("done", "a") == 1.0 })

	// All say that they were replayed, and nothing of them is done twice.
	if again := replay(map[string]any{"filter": filter}).want(200); again.json["matched"] != 0.0 || again.json["last_due_at"] != nil {
		t.Errorf("again: %s", again.body)
	}
	queue := w.api("GET", "/apps/default/outbox", nil).want(200)
	if len(queue.items()) != 2 || queue.str("items.1.due_at") == "" || !strings.Contains(queue.str("items.0.reason"), "one of a replay at a rate") {
		t.Errorf("queue: %s", queue.body)
	}
	if sum := w.api("GET", "/apps/default/conservation", nil).want(200); sum.json["balanced"] != true || sum.json["waiting"] != 2.0 {
		t.Errorf("conservation: %s", sum.body)
	}

	letters("b")
	b := w.browse("admin")
	b.open("/apps/default/dead-letters")
	b.submit("/admin/apps/default/dead-letters/replay-all", "script", "b", "rate", "0.01")
	b.shows("<b>3</b> of 3 replayed", "become due one after the other")
	letters("c")

	for rate, problem := range map[string]string{
		"many": "the rate must be a number", "0": "the rate must be a number", "5000": "the rate must be from 0.001 to 1000",
		"NaN": "the rate must be from 0.001 to 1000",
	} {
		b.open("/apps/default/dead-letters")
		b.submit("/admin/apps/default/dead-letters/replay-all", "script", "c", "rate", rate)
		b.shows(problem)
	}

	b.open("/apps/default/dead-letters")

	ids := []string{"rate", "0.01"}
	for _, item := range w.api("GET", "/apps/default/dead-letters?script=c", nil).want(200).items() {
		ids = append(ids, "id", item.(map[string]any)["id"].(string))
	}
	b.submit("/admin/apps/default/dead-letters/replay", ids...)
	b.shows("3 replayed; the last is due at ")
	w.eventually("four wait", func() bool {
		return len(w.api("GET", "/apps/default/outbox", nil).want(200).items()) == 6
	})
}

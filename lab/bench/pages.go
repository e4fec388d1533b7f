package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// pageVisits is how often each page is asked for.
const pageVisits = 200

// pageScripts and pageRest fill the app default of a fresh database, with the history between them, as a busy
// month would.
var pageScripts = []string{
	`INSERT INTO scripts (app_id, id, name, kind, access, version)
	 SELECT 1, gen_random_uuid(), 'bulk-' || g, 'endpoint', 'public', 1 FROM generate_series(1, 20) g`,
	`INSERT INTO script_versions (app_id, script_id, version, language, source, source_sha256, build_id,
		code, handlers, created_by)
	 SELECT app_id, id, 1, 'javascript',
		repeat('// a line of source, as long as such lines are' || chr(10), 100), '',
		gen_random_uuid(), '', '{fetch,kv}', 'admin'
	 FROM scripts WHERE name LIKE 'bulk-%'`,
	`INSERT INTO triggers (app_id, id, kind, script_id, enabled, collection, max_attempts, backoff, base_ms,
		max_ms, jitter, registered_by, registered_name)
	 SELECT 1, gen_random_uuid(), 'kv', id, name = 'bulk-1', 'c' || name, 5, 'exponential', 1000,
		300000, 0.2, 1, 'admin'
	 FROM scripts WHERE name LIKE 'bulk-%'`,
}

var pageRest = []string{
	`INSERT INTO execution_stats SELECT 1, m, s.id, o, 10, array_fill(1::bigint, '{18}')
	 FROM generate_series(date_trunc('minute', now() - interval '24 hours'), now(), interval '1 minute') m,
		scripts s, unnest('{succeeded,failed}'::text[]) o WHERE s.name LIKE 'bulk-%'`,
	`INSERT INTO execution_stats_hours
	 SELECT 1, date_trunc('hour', minute), script_id, outcome, 600, array_fill(60::bigint, '{18}')
	 FROM execution_stats GROUP BY 1, 2, 3, 4 ON CONFLICT DO NOTHING`,
	`INSERT INTO kv (app_id, collection, key, value, version)
	 SELECT 1, 'orders', 'o' || g, '{"n":1}', g FROM generate_series(1, 20000) g`,
	`INSERT INTO audit (id, actor, app_id, app, action, target)
	 SELECT gen_random_uuid(), 'admin', 1, 'default', 'script.deploy', 'bulk-1'
	 FROM generate_series(1, 20000) g`,
	`VACUUM ANALYZE`, // as autovacuum would have by then
}

// seedHistory adds executions of the last 24 hours, a hundred a root, of which one in ten failed and left a
// dead letter. Their ids are UUIDv7.
const seedHistory = `CREATE OR REPLACE FUNCTION pg_temp.v7(at timestamptz, n bigint)
	 RETURNS uuid LANGUAGE sql AS $$
	 SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' ||
		lpad(to_hex(n % 4096), 3, '0') || '8' || substr(md5(n::text), 1, 15))::uuid $$;
	 INSERT INTO executions (app_id, id, script_id, script, version, source, trigger_id, outbox_id, status,
		attempt, depth, root_id, node, started_at, duration_us, error_name, error_message, error_stack,
		request, logs)
	 SELECT 1, pg_temp.v7(x.at, x.n), s.id, s.name, 1, 'kv', t.id, pg_temp.v7(x.at, x.n + 7),
		CASE WHEN x.n % 10 = 0 THEN 'failed' ELSE 'succeeded' END, 1, 1,
		pg_temp.v7(now() - interval '24 hours' + (x.n - x.n % 100) * interval '86000 seconds' / LAST,
			x.n - x.n % 100),
		'node', x.at, 1000,
		CASE WHEN x.n % 10 = 0 THEN 'Error' ELSE '' END,
		CASE WHEN x.n % 10 = 0
			THEN 'order ' || x.n || ' of kind ' || chr(65 + (x.n / 10 % 20)::int) ELSE '' END,
		CASE WHEN x.n % 10 = 0 THEN repeat('at handler (script.js:1:1) ', 10) ELSE '' END,
		'insert orders/o' || x.n,
		'[{"at":"2026-01-01T00:00:00Z","level":"info","message":"checking order ' || x.n ||
			' of the customer"}]'
	 FROM (SELECT n, now() - interval '24 hours' + n * interval '86000 seconds' / LAST AS at
		FROM generate_series(FIRST, LAST) n) x
	 JOIN scripts s ON s.app_id = 1 AND s.name = 'bulk-' || (x.n % 20 + 1)
	 JOIN triggers t ON t.app_id = 1 AND t.script_id = s.id;
	 INSERT INTO dead_letters (app_id, id, outbox_id, source, op, trigger_id, script_id, script, payload,
		reason, error, error_group, attempts, depth, root_id)
	 SELECT 1, e.id, e.outbox_id, 'kv', 'insert', e.trigger_id, e.script_id, e.script,
		'{"op":"insert","collection":"orders","key":"k","value":"' || repeat('x', 500) || '"}', 'failed',
		'{"name":"Error","message":"' || e.error_message || '","stack":"' || e.error_stack || '"}',
		'Error: order # of kind ' || right(e.error_message, 1), 5, 1, e.root_id
	 FROM executions e WHERE e.app_id = 1 AND e.status = 'failed' AND e.source = 'kv'
		AND NOT EXISTS (SELECT FROM dead_letters d WHERE d.app_id = 1 AND d.id = e.id)`

// history is the statement that adds those from first to last, all numbered from 1.
func history(first, last int) string {
	return strings.NewReplacer("FIRST", strconv.Itoa(first), "LAST", strconv.Itoa(last)).Replace(seedHistory)
}

// seeded are the ids of the last dead letter, the execution it is of, and a trigger.
type seeded struct {
	execution, letter, trigger string
}

// seed fills the database, with that many executions, if no step has before, and gives what the pages are
// asked for.
func (b *bench) seed(ctx context.Context, rows int) (ids seeded, err error) {
	conn, err := b.db.General.Acquire(ctx)
	if err != nil {
		return ids, err
	}
	defer conn.Release()

	var done bool
	const exists = "SELECT EXISTS (SELECT FROM scripts WHERE name = 'bulk-1')"
	if err := conn.QueryRow(ctx, exists).Scan(&done); err != nil {
		return ids, err
	}

	statements := slices.Concat(pageScripts, []string{history(1, rows)}, pageRest)
	if done {
		statements = nil
	}

	for _, sql := range statements {
		if _, err := conn.Conn().Exec(ctx, sql); err != nil {
			return ids, fmt.Errorf("seed: %w", err)
		}
	}
	err = conn.QueryRow(ctx, `SELECT d.last::text, d.id::text, (SELECT id::text FROM triggers LIMIT 1)
		FROM (SELECT id, (SELECT e.id FROM executions e WHERE e.app_id = 1 AND e.id = dead_letters.id) AS last
			FROM dead_letters ORDER BY id DESC LIMIT 1) d`).
		Scan(&ids.execution, &ids.letter, &ids.trigger)
	if err != nil {
		return ids, fmt.Errorf("seed: %w", err)
	}
	return ids, nil
}

// pagePaths are the pages of the dashboard, below /admin.
func pagePaths(ids seeded) []string {
	const app = "/apps/default"
	return []string{
		"",
		app,
		app + "/scripts",
		app + "/scripts/bulk-1",
		app + "/scripts/bulk-1/versions",
		app + "/routes",
		app + "/triggers",
		app + "/triggers/" + ids.trigger,
		app + "/executions",
		app + "/executions?script=bulk-2",
		app + "/executions?status=failed",
		app + "/executions?status=timeout",
		app + "/executions?trigger=" + ids.trigger,
		app + "/executions?q=99990",
		app + "/executions?q=nothing-such",
		app + "/executions?source=invoke",
		app + "/executions?script=nosuch",
		app + "/executions/" + ids.execution,
		"/executions?id=" + ids.execution,
		app + "/queue",
		app + "/dead-letters",
		app + "/dead-letters?script=bulk-1",
		app + "/dead-letters?state=all",
		app + "/dead-letters/" + ids.letter,
		app + "/abandoned",
		app + "/kv",
		app + "/kv/orders",
		app + "/kv/orders/entry?key=o1",
		app + "/tail",
		app + "/members",
		app + "/audit",
		app + "/settings",
		"/users",
		"/audit",
		"/system",
		"/profile",
	}
}

// pages measures every page of the dashboard with 100,000 executions and 10,000 dead letters in the database.
func (b *bench) pages(ctx context.Context) error {
	heading("Dashboard pages with 100,000 executions and 10,000 dead letters: time to the whole page, ms")
	ids, err := b.seed(ctx, 100_000)
	if err != nil {
		return err
	}
	if err := b.restart(); err != nil { // it knows what was seeded
		return err
	}
	browser, err := b.p.browser()
	if err != nil {
		return err
	}

	for _, path := range pagePaths(ids) {
		if err := b.visit(browser, path); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) visit(c *http.Client, path string) error {
	took, err := b.visits(c, "/admin"+path, pageVisits)
	if err != nil {
		return err
	}

	fmt.Printf("  %-72s p50 %6.1f  p99 %6.1f\n",
		"/admin"+path, quantile(took, 0.5)/1e6, quantile(took, 0.99)/1e6)
	return nil
}

// visits asks for an address n times and a few more, and gives how long each answer took.
func (b *bench) visits(c *http.Client, path string, n int) (took []time.Duration, err error) {
	for k := range n + 10 {
		req, err := http.NewRequest(http.MethodGet, b.p.url+path, http.NoBody)
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(path, "/admin") {
			req.Header.Set("Authorization", "Bearer "+b.p.token)
		}

		began := time.Now()
		res, err := c.Do(req)
		if err != nil {
			return nil, err
		}

		_, err = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if err != nil {
			return nil, err
		}

		if res.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: %d", path, res.StatusCode)
		}

		if k >= 10 { // caches are warm, as on the second visit of a day
			took = append(took, time.Since(began))
		}
	}
	return took, nil
}

// browser is a client that is logged in to the dashboard.
func (p *picloud) browser() (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}

	c := &http.Client{Jar: jar}
	res, err := c.PostForm(p.url+"/admin/login", url.Values{"username": {"admin"}, "password": {password}})
	if err != nil {
		return nil, err
	}

	_ = res.Body.Close()
	if res.Request.URL.Path == "/admin/login" {
		return nil, fmt.Errorf("log in: %d", res.StatusCode)
	}
	return c, nil
}

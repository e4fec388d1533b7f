package main

import (
	"context"
	"fmt"
)

const (
	// growthVisits is how often each address is asked for in either database.
	growthVisits = 20
	smallHistory = 1_000
	largeHistory = 3_000_000
)

// grow adds to a small database what years and a bad night leave in it: besides history, 2,000 apps with a
// script each, and a million events of the app default that wait.
var grow = []string{
	history(100_001, largeHistory), // above what the step pages leaves
	`INSERT INTO apps (slug, name) SELECT 'grown-' || g, 'grown' FROM generate_series(1, 2000) g`,
	`INSERT INTO scripts (app_id, id, name, kind, access, version)
	 SELECT id, gen_random_uuid(), 'only', 'endpoint', 'public', 1 FROM apps WHERE slug LIKE 'grown-%'`,
	`INSERT INTO script_versions (app_id, script_id, version, language, source, source_sha256, build_id,
		code, handlers, created_by)
	 SELECT s.app_id, s.id, 1, 'javascript', '', '', gen_random_uuid(), '', '{fetch}', 'admin'
	 FROM scripts s WHERE s.name = 'only'`,
	`INSERT INTO outbox (app_id, id, source, op, trigger_id, script_id, payload, root_id, depth,
		execution_id, max_attempts, backoff, base_ms, max_ms, jitter, wake_at)
	 SELECT t.app_id, gen_random_uuid(), 'kv', 'insert', t.id, t.script_id,
		'{"op":"insert","collection":"c","key":"k' || g || '","value":1}', gen_random_uuid(), 1,
		gen_random_uuid(), 5, 'exponential', 1000, 300000, 0.2, clock_timestamp() + interval '200 years'
	 FROM (SELECT * FROM triggers WHERE app_id = 1 LIMIT 1) t, generate_series(1, 1000000) g`,
	`INSERT INTO ledger (commit_id, app_id, what, n) VALUES (gen_random_uuid(), 1, 'enqueued', 1000000)`,
	`VACUUM ANALYZE`,
}

// growth measures how much longer pages and calls take in a database that has grown. The goal for each is a
// median of 20 ms, and of 2.5 times that of the small one.
func (b *bench) growth(ctx context.Context) error {
	heading("Pages and calls with 3,000,000 executions, 300,000 unresolved dead letters, 1,000,000 waiting " +
		"events, 2,000 apps: median, ms")
	ids, err := b.seed(ctx, smallHistory)
	if err != nil {
		return err
	}

	const api = "/api/v1/apps/default"

	paths := []string{"/metrics", api + "/conservation", api + "/outbox", api + "/executions",
		api + "/dead-letters", api + "/dead-letters/count", api + "/kv", "/api/v1/apps"}
	for _, path := range pagePaths(ids) {
		paths = append(paths, "/admin"+path)
	}
	paths = append(paths, "/admin/apps/default/dead-letters?source=cron")

	small, err := b.medians(paths)
	if err != nil {
		return err
	}

	conn, err := b.db.General.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()

	for _, sql := range grow {
		if _, err := conn.Conn().Exec(ctx, sql); err != nil {
			return fmt.Errorf("grow: %w", err)
		}
	}

	large, err := b.medians(paths)
	if err != nil {
		return err
	}

	for k, path := range paths {
		fmt.Printf("  %-72s %6.1f  %6.1f  x %4.1f\n", path, small[k], large[k], large[k]/small[k])
	}
	return nil
}

// medians restarts PiCloud and gives the median time of each address in milliseconds.
func (b *bench) medians(paths []string) ([]float64, error) {
	if err := b.restart(); err != nil { // it knows what was seeded
		return nil, err
	}
	browser, err := b.p.browser()
	if err != nil {
		return nil, err
	}

	out := make([]float64, len(paths))
	for k, path := range paths {
		took, err := b.visits(browser, path, growthVisits)
		if err != nil {
			return nil, err
		}
		out[k] = quantile(took, 0.5) / 1e6
	}
	return out, nil
}

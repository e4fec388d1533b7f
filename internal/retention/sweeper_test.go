package retention

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"picloud/db"
	"picloud/internal/testkit"
)

// keep is how long the sweepers of these tests keep things.
const keep = 24 * time.Hour

// leases are held by nobody, and write down who dropped one.
type leases struct{ droppedCh chan string }

func (l *leases) TakeLease(context.Context, string, time.Duration) (bool, error) { return true, nil }
func (l *leases) DropLease(name string)                                          { l.droppedCh <- name }

// log is what a sweeper has logged.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.b.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.b.String()
}

// fixture is a sweeper on a database of its own, in which there is an app and a user.
type fixture struct {
	*Sweeper
	t       *testing.T
	log     *log
	leases  *leases
	drainCh chan struct{}
	orphans int // how often they were asked for
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	pool, err := db.Open(t.Context(), testkit.Database(t), db.MinConnections)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)

	f := &fixture{t: t, log: &log{}, leases: &leases{make(chan string, 1)}, drainCh: make(chan struct{})}
	f.Sweeper = New(Config{
		DB:     pool,
		Log:    slog.New(slog.NewTextHandler(f.log, nil)),
		Leases: f.leases,
		Orphans: func(context.Context) error {
			f.orphans++
			return nil
		},
		Draining:    f.drainCh,
		Executions:  keep,
		DeadLetters: keep,
		Abandoned:   keep,
		Audit:       keep,
	})
	f.exec("INSERT INTO apps (slug, name) VALUES ('default', 'Default')")
	f.exec("INSERT INTO users (username, password_hash, role) VALUES ('owner', 'none', 'owner')")
	return f
}

func (f *fixture) exec(sql string, args ...any) {
	f.t.Helper()
	if _, err := f.cfg.DB.General.Exec(f.t.Context(), sql, args...); err != nil {
		f.t.Fatalf("%s: %v", sql, err)
	}
}

func (f *fixture) text(sql string) (s string) {
	f.t.Helper()
	if err := f.cfg.DB.General.QueryRow(f.t.Context(), sql).Scan(&s); err != nil {
		f.t.Fatalf("%s: %v", sql, err)
	}
	return s
}

// Every sweep deletes what its time has come for, and keeps the rest. In each row of a table "gone" or "kept"
// says which it is.
func TestSweep(t *testing.T) {
	t.Parallel()
	const (
		ago   = " clock_timestamp() - interval "
		ahead = " clock_timestamp() + interval "
		app   = "(SELECT id FROM apps)"
		user  = "(SELECT id FROM users)"
		id    = " gen_random_uuid() "

		letter = `INSERT INTO dead_letters (app_id, id, outbox_id, source, op, script_id, script, payload,
		reason, error, attempts, depth,
			root_id, resolution, resolved_at)
			SELECT ` + app + `, gen_random_uuid(), gen_random_uuid(), 'kv', '', gen_random_uuid(), x.name,
			'1', '', '', 1, 1,
			gen_random_uuid(), x.resolution, x.at FROM (VALUES `
		row = `INSERT INTO outbox (app_id, id, source, script_id, payload_id, root_id, depth, execution_id,
		max_attempts, backoff, base_ms, max_ms,
			jitter, wake_at) SELECT app_id, id, 'kv', id, id, id, 1, id, 1, 'constant', 1, 1, 0, 'infinity'
			FROM event_payloads WHERE payload = 'kept: used'`
		trigger = `WITH s AS (INSERT INTO scripts (app_id, id, name, kind, access, version)
		VALUES (` + app + `, gen_random_uuid(), 'task', 'endpoint', 'public', 1)
			RETURNING app_id, id), t AS (INSERT INTO triggers (app_id, id, kind, script_id, max_attempts,
			backoff, base_ms, max_ms, jitter, registered_name)
			SELECT app_id, gen_random_uuid(), 'cron', id, 1, 'constant', 1, 1, 0, ''
			FROM s RETURNING app_id, id)
			SELECT 1`
	)

	for name, c := range map[string]struct {
		insert []string
		list   string // the names of what is left, "kept: ..." by convention
		want   string
	}{
		"expired keys": {
			[]string{`INSERT INTO kv (app_id, collection, key, value, version, expires_at) VALUES
				(` + app + `, 'c', 'gone', '1', 1,` + ago + `'6 seconds'),
				(` + app + `, 'c', 'kept: just over', '1', 1,` + ago + `'1 second'),
				(` + app + `, 'c', 'kept: to come', '1', 1,` + ahead + `'1 hour'),
				(` + app + `, 'c', 'kept: for ever', '1', 1, NULL)`},
			"SELECT string_agg(key, ', ' ORDER BY key) FROM kv",
			"kept: for ever, kept: just over, kept: to come",
		},
		"event payloads": {
			[]string{`INSERT INTO event_payloads (app_id, id, payload, created_at) VALUES
				(` + app + `,` + id + `, 'gone',` + ago + `'11 minutes'),
				(` + app + `,` + id + `, 'kept: used',` + ago + `'11 minutes'),
				(` + app + `,` + id + `, 'kept: new',` + ago + `'1 minute')`, row},
			"SELECT string_agg(payload, ', ' ORDER BY payload) FROM event_payloads",
			"kept: new, kept: used",
		},
		"idempotency keys": {
			[]string{`INSERT INTO idempotency (app_id, script_id, principal, key, request_hash, execution_id,
				expires_at) VALUES
				(` + app + `,` + id + `, '', 'gone', '',` + id + `,` + ago + `'1 second'),
				(` + app + `,` + id + `, '', 'kept', '',` + id + `,` + ahead + `'1 hour')`},
			"SELECT string_agg(key, ', ' ORDER BY key) FROM idempotency",
			"kept",
		},
		"sessions": {
			[]string{`INSERT INTO sessions (id, user_id, token_hash, user_agent, expires_at) VALUES
				(` + id + `, ` + user + `, 'a', 'gone',` + ago + `'1 second'),
				(` + id + `, ` + user + `, 'b', 'kept',` + ahead + `'1 hour')`},
			"SELECT string_agg(user_agent, ', ' ORDER BY user_agent) FROM sessions",
			"kept",
		},
		"nodes": {
			[]string{`INSERT INTO nodes (name, version, free, seen_at) VALUES ('gone', '', 1,` + ago +
				`'25 hours'), ('kept', '', 1,` + ago + `'23 hours')`},
			"SELECT string_agg(name, ', ' ORDER BY name) FROM nodes",
			"kept",
		},
		"dead letters": {
			[]string{letter + `
				('gone: replayed', 'replayed',` + ago + `'25 hours'),
				('gone: ignored', 'ignored',` + ago + `'25 hours'),
				('gone: handled', 'handled_by_script',` + ago + `'25 hours'),
				('kept: resolved today', 'replayed',` + ago + `'23 hours'),
				('kept: unresolved', NULL, NULL),
				('kept: its handler failed', 'handler_failed',` + ago + `'25 hours')) AS x (name, resolution,
				at)`},
			"SELECT string_agg(script, ', ' ORDER BY script) FROM dead_letters",
			"kept: its handler failed, kept: resolved today, kept: unresolved",
		},
		"abandoned": {
			[]string{`INSERT INTO abandoned_executions (app_id, id, script_id, script, execution_id,
				status_code, summary, reason, created_at) VALUES
				(` + app + `,` + id + `,` + id + `, 'gone',` + id + `, 200, '', '',` + ago + `'25 hours'),
				(` + app + `,` + id + `,` + id + `, 'kept',` + id + `, 200, '', '',` + ago + `'23 hours')`},
			"SELECT string_agg(script, ', ' ORDER BY script) FROM abandoned_executions",
			"kept",
		},
		"statistics": {
			[]string{`INSERT INTO execution_stats (app_id, minute, script_id, outcome, n, histogram) VALUES
				(` + app + `,` + ago + `'25 hours',` + id + `, 'gone', 1, '{}'),
				(` + app + `,` + ago + `'23 hours',` + id + `, 'kept', 1, '{}')`},
			"SELECT string_agg(outcome, ', ' ORDER BY outcome) FROM execution_stats",
			"kept",
		},
		"hours": {
			[]string{`INSERT INTO execution_stats_hours (app_id, hour, script_id, outcome, n,
				histogram) VALUES
				(` + app + `,` + ago + `'25 hours',` + id + `, 'gone', 1, '{}'),
				(` + app + `,` + ago + `'23 hours',` + id + `, 'kept', 1, '{}')`},
			"SELECT string_agg(outcome, ', ' ORDER BY outcome) FROM execution_stats_hours",
			"kept",
		},
		"slots": {
			[]string{trigger, `INSERT INTO slots (app_id, trigger_id, slot, state, reason, decided_at)
				SELECT t.app_id, t.id, x.at, 'missed', x.name, x.at
				FROM triggers t, (VALUES ('gone',` + ago + `'25 hours'),
				('kept',` + ago + `'23 hours')) AS x (name, at)`},
			"SELECT string_agg(reason, ', ' ORDER BY reason) FROM slots",
			"kept",
		},
		"audit": {
			[]string{`INSERT INTO audit (id, at, actor, action, target) VALUES
				(` + id + `,` + ago + `'25 hours', 'gone', '', ''),
				(` + id + `,` + ago + `'23 hours', 'kept', '', '')`},
			"SELECT string_agg(actor, ', ' ORDER BY actor) FROM audit",
			"kept",
		},
		"ledger": { // folded by hour: no figure is lost, and the ids of commits go
			[]string{`INSERT INTO ledger (commit_id, app_id, what, n, at) VALUES
				('01900000-0000-7000-8000-000000000001', 1, 'enqueued', 2,` + ago + `'3 hours'),
				('01900000-0000-7000-8000-000000000002', 1, 'enqueued', 3,` + ago + `'3 hours'),
				('01900000-0000-7000-8000-000000000002', 1, 'done', 1,` + ago + `'3 hours'),
				('01900000-0000-7000-8000-000000000002', 0, 'commit', 1,` + ago + `'3 hours'),
				('01900000-0000-7000-8000-000000000003', 1, 'enqueued', 7,` + ago + `'1 minute'),
				('01900000-0000-7000-8000-000000000003', 0, 'commit', 1,` + ago + `'1 minute')`},
			"SELECT string_agg(what || ' ' || n, ', ' ORDER BY what, n) FROM ledger",
			"commit 1, done 1, enqueued 5, enqueued 7",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			f := newFixture(t)
			for _, sql := range c.insert {
				f.exec(sql)
			}
			if before := f.text(c.list); before == c.want {
				t.Fatalf("there is nothing to sweep in %s", before)
			}

			f.Sweep(t.Context())
			if got := f.text(c.list); got != c.want {
				t.Errorf("left: %s, want %s", got, c.want)
			}
			if f.orphans != 1 || f.log.String() != "" {
				t.Errorf("orphans were asked for %d times, log %s", f.orphans, f.log)
			}
			f.Sweep(t.Context())
			if got := f.text(c.list); got != c.want {
				t.Errorf("left after a second sweep: %s", got)
			}
		})
	}
}

// Without a limit the audit trail stays for ever.
func TestAuditStays(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.cfg.Audit = 0
	f.exec(`INSERT INTO audit (id, at, actor, action, target)
		VALUES (gen_random_uuid(), now() - interval '20 years', 'kept', '', '')`)
	f.Sweep(t.Context())
	if got := f.text("SELECT count(*)::text FROM audit"); got != "1" {
		t.Errorf("%s rows", got)
	}
}

// More than one statement deletes is swept in one round.
func TestSweepTakesAll(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec(`INSERT INTO kv (app_id, collection, key, value, version, expires_at)
		SELECT id, 'c', n::text, '1', 1, now() - interval '1 hour' FROM apps, generate_series(1, 2500) n`)
	f.Sweep(t.Context())
	if got := f.text("SELECT count(*)::text FROM kv"); got != "0" {
		t.Errorf("%s keys are left", got)
	}
}

// Executions go by the day, a partition at a time, and those of the next days have theirs before they begin.
func TestPartitions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	day := func(n int) string { return "executions_" + time.Now().UTC().AddDate(0, 0, n).Format("20060102") }
	bound := func(n int) string {
		ms := fmt.Sprintf("%012x", time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, n).UnixMilli())
		return "('" + ms[:8] + "-" + ms[8:] + "-0000-0000-000000000000')"
	}
	create := func(n int) {
		f.exec("CREATE TABLE " + day(n) + " PARTITION OF executions FOR VALUES FROM " + bound(n) + " TO " +
			bound(n+1))
	}
	create(-5)
	f.exec("DROP TABLE " + day(partitionsAhead))
	f.Sweep(t.Context())

	for n, want := range map[int]string{-5: "false", -1: "true", 0: "true", partitionsAhead: "true"} {
		if got := f.text("SELECT (to_regclass('" + day(n) + "') IS NOT NULL)::text"); got != want {
			t.Errorf("%s is there: %s", day(n), got)
		}
	}
	if f.log.String() != "" {
		t.Errorf("log %s", f.log)
	}
}

// A node whose clock is weeks ahead deletes no executions, neither those of others nor its own of that time.
func TestExecutionsStayWithAWrongClock(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.cfg.Now = func() time.Time { return time.Now().AddDate(0, 0, 20) }
	f.exec(`INSERT INTO executions (app_id, id, script_id, script, version, source, status, attempt, depth,
			root_id, node, started_at, duration_us)
		SELECT 1, (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid,
			gen_random_uuid(), 's', 1, 'http', 'succeeded', 1, 0, gen_random_uuid(), 'n', at, 1
		FROM (VALUES (clock_timestamp()), (clock_timestamp() + interval '20 days')) x (at)`)
	f.Sweep(t.Context())

	if got := f.text("SELECT count(*)::text FROM executions"); got != "2" || f.log.String() != "" {
		t.Errorf("%s executions are left, log %s", got, f.log)
	}

	// When both clocks say that they are old, they go.
	f.cfg.Executions = -30 * keep
	f.cfg.Now = func() time.Time { return time.Now().AddDate(0, 0, -40) }
	f.Sweep(t.Context())
	if got := f.text("SELECT count(*)::text FROM executions"); got != "2" {
		t.Errorf("%s executions are left by the database's clock alone", got)
	}
	f.cfg.Now = time.Now
	f.Sweep(t.Context())
	if got := f.text("SELECT count(*)::text FROM executions"); got != "0" {
		t.Errorf("%s executions are left", got)
	}
}

// A sweep that fails keeps no other from its work, and says which it was.
func TestSweepThatFails(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.cfg.Orphans = func(context.Context) error { return errors.New("no answers") }
	f.exec(`INSERT INTO audit (id, at, actor, action, target)
		VALUES (gen_random_uuid(), now() - interval '2 days', 'gone', '', '')`)
	f.exec("ALTER TABLE sessions RENAME TO elsewhere")
	f.Sweep(t.Context())

	if got := f.text("SELECT count(*)::text FROM audit"); got != "0" {
		t.Errorf("%s audit rows are left", got)
	}

	for _, what := range []string{"what=sessions", "what=inbox"} {
		if !strings.Contains(f.log.String(), what) {
			t.Errorf("log %s", f.log)
		}
	}
	if n := strings.Count(f.log.String(), "level=ERROR"); n != 2 {
		t.Errorf("%d errors", n)
	}
}

// A node that stops gives the lease back, so that another sweeps at once; one that is ended just ends.
func TestRunEnds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var running sync.WaitGroup
	running.Go(func() {
		if err := f.Run(t.Context()); err != nil {
			t.Error(err)
		}
	})
	close(f.drainCh)
	if name := <-f.leases.droppedCh; name != leaseName {
		t.Errorf("the lease %q was dropped", name)
	}
	running.Wait()

	f.cfg.Draining = nil
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Run(ctx); err != nil || len(f.leases.droppedCh) > 0 {
		t.Errorf("ended with %v", err)
	}
}

// A job goes on while its batches are whole. Rows that get old all the time do not keep it going, however many.
func TestJobEnds(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name  string
		found []int64 // by each batch; the last one is found for ever
		want  int     // batches
	}{
		{"nothing", []int64{0}, 1},
		{"a few, ever again", []int64{1}, 1},
		{"whole batches, and then a few", []int64{9, 9, 3}, 3},
		{"more than a batch, of several apps", []int64{20, 0}, 2},
		{"whole batches for ever", []int64{9}, maxBatches},
	} {
		batches := 0
		j := job{full: 9, sweep: func(context.Context) (int64, error) {
			batches++
			return c.found[min(batches, len(c.found))-1], nil
		}}
		if err := j.run(t.Context()); err != nil || batches != c.want {
			t.Errorf("%s: %d batches, %v, want %d", c.name, batches, err, c.want)
		}
	}
}

// Every job says how many rows its statement takes at most: with less, it would never take a second batch.
func TestBatchesAreLimits(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec(`INSERT INTO dead_letter_counts (app_id, script, error_group, n)
		SELECT 1, 's', g::text, 1 FROM generate_series(1, 2500) g, generate_series(1, 2)`)
	f.exec(`INSERT INTO ledger (commit_id, app_id, what, n, at)
		SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 1, 'done', 1, now() - interval '3 hours'
		FROM generate_series(1, 45000) n`)
	f.exec(`INSERT INTO execution_stats (app_id, minute, script_id, outcome, n, histogram)
		SELECT 1, now() - interval '25 hours', gen_random_uuid(), 'gone', 1, '{}' FROM generate_series(1, 12000)`)
	f.exec(`INSERT INTO execution_stats_hours (app_id, hour, script_id, outcome, n, histogram)
		SELECT 1, now() - interval '25 hours', gen_random_uuid(), 'gone', 1, '{}' FROM generate_series(1, 12000)`)
	f.exec(`INSERT INTO event_payloads (app_id, id, payload, created_at)
		SELECT 1, gen_random_uuid(), '', now() - interval '11 minutes' FROM generate_series(1, 2500)`)
	f.exec(`INSERT INTO audit (id, at, actor, action, target)
		SELECT gen_random_uuid(), now() - interval '25 hours', '', '', '' FROM generate_series(1, 2500)`)

	f.Sweep(t.Context())

	for table, want := range map[string]string{
		"dead_letter_counts": "2500", "ledger": "3", "execution_stats": "0", "execution_stats_hours": "0",
		"event_payloads": "0", "audit": "0",
	} {
		if got := f.text("SELECT count(*)::text FROM " + table); got != want {
			t.Errorf("%s has %s rows, want %s; log %s", table, got, want, f.log)
		}
	}
}

// Bytes of KV that were counted wrongly are counted anew, once a day, and only of apps with a quota of them.
func TestRecountKV(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec("INSERT INTO apps (slug, name) VALUES ('less', ''), ('empty', ''), ('exact', ''), ('none', '')")
	f.exec(`INSERT INTO app_quotas (app_id, kv_bytes, kv_used)
		SELECT id, CASE WHEN slug <> 'none' THEN 1000 END, CASE slug WHEN 'less' THEN -3 WHEN 'exact' THEN 5 ELSE 100 END
		FROM apps`)
	f.exec(`INSERT INTO kv (app_id, collection, key, value, version)
		SELECT id, 'c', 'k', '"ä"', 1 FROM apps WHERE slug NOT IN ('empty', 'exact')`)
	f.exec(`INSERT INTO kv (app_id, collection, key, value, version, expires_at)
		SELECT id, 'c', 'k', 'abc', 1, now() + interval '1 hour' FROM apps WHERE slug = 'exact'`)
	const used = `SELECT string_agg(a.slug || ' ' || q.kv_used, ', ' ORDER BY a.slug) FROM app_quotas q
		JOIN apps a ON a.id = q.app_id`
	const right = "default 6, empty 0, exact 5, less 6, none 100"

	sweep := func(name, want string) {
		t.Helper()
		f.Sweep(t.Context())
		if got := f.text(used); got != want {
			t.Errorf("%s: used are %s, want %s", name, got, want)
		}
	}

	sweep("at first", right)
	f.exec("UPDATE app_quotas SET kv_used = 7 WHERE kv_used = 0")
	sweep("at once again", "default 6, empty 7, exact 5, less 6, none 100")
	f.counted = f.counted.Add(-recountEvery)
	sweep("a day later", right)
	if n := strings.Count(f.log.String(), "counted the bytes of kv anew"); n != 4 || strings.Contains(f.log.String(), "ERROR") {
		t.Errorf("%d apps were counted anew, log %s", n, f.log)
	}
}

// Keys that are swept are no longer used, by the app that has them and has a quota.
func TestSweptKeysAreNotUsed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.counted = time.Now() // only what is swept shall change the count
	f.exec("INSERT INTO apps (slug, name) VALUES ('other', 'Other')")
	f.exec("INSERT INTO app_quotas (app_id, kv_bytes, kv_used) SELECT id, 1000, 100 FROM apps")
	f.exec(`INSERT INTO kv (app_id, collection, key, value, version, expires_at)
		SELECT id, 'c', 'k' || n, '"ä"', 1, now() - interval '1 hour' FROM apps, generate_series(1, 5) n
		WHERE slug = 'default'`)

	f.Sweep(t.Context())
	const used = "SELECT string_agg(kv_used::text, ' ' ORDER BY app_id) FROM app_quotas"
	if got := f.text(used); got != "65 100" { // five times c, k1 and "ä"
		t.Errorf("the apps use %s bytes", got)
	}
}

// The oldest records, and logs, of an app beyond its quota go; an app without one keeps them all.
func TestSweepOverQuota(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec("INSERT INTO apps (slug, name) VALUES ('quota', 'Quota')")
	f.exec(`INSERT INTO app_quotas (app_id, executions, log_bytes)
		SELECT id, 2500, 9 FROM apps WHERE slug = 'quota'`)
	f.exec(`INSERT INTO executions (app_id, id, script_id, script, version, source, status, attempt, depth, root_id,
		node, started_at, duration_us, logs)
		SELECT a.id, rpad(lpad(to_hex(extract(epoch FROM now())::bigint * 1000 + n), 12, '0'), 32, '0')::uuid, gen_random_uuid(),
		n::text, 1, 'http', 'succeeded', 1, 0, gen_random_uuid(), 'n', now(), 1, 'four'
		FROM apps a, generate_series(1, 5000) n`)

	f.Sweep(t.Context())
	const left = `SELECT string_agg(x.line, '; ' ORDER BY x.line) FROM (
		SELECT a.slug || ' ' || count(*) || ' from ' || min(e.script::int) || ', logs ' || count(nullif(e.logs, '')) AS line
		FROM executions e JOIN apps a ON a.id = e.app_id GROUP BY a.slug) x`
	if got := f.text(left); got != "default 5000 from 1, logs 5000; quota 2500 from 2501, logs 2" {
		t.Errorf("left are %s; log %s", got, f.log)
	}
}

package db_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"picloud/db"
	"picloud/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

// What looks up rows of the outbox by their key does so by the key's index, whatever the planner knows of the table when
// the statement is prepared: nothing, that it is empty, or that it is large.
func TestOutboxPlans(t *testing.T) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, testkit.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	exec := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	for _, s := range []string{"plan_cache_mode = force_generic_plan", "enable_seqscan = off", "enable_bitmapscan = off", "enable_hashjoin = off", "enable_mergejoin = off"} {
		exec("SET " + s)
	}
	for _, state := range []struct{ name, sql string }{
		{"never looked at", ""}, {"empty", "VACUUM ANALYZE outbox"},
		{"large", `INSERT INTO outbox (app_id, id, source, script_id, root_id, depth, execution_id, max_attempts, backoff, base_ms, max_ms, jitter, wake_at)
			SELECT 1, gen_random_uuid(), 'kv', gen_random_uuid(), gen_random_uuid(), 0, gen_random_uuid(), 1, 'constant', 1, 1, 0, clock_timestamp() FROM generate_series(1, 5000)`},
		{"large and known", "VACUUM ANALYZE outbox"},
	} {
		if state.sql != "" {
			exec(state.sql)
		}
		for name, sql := range db.Statements {
			plan := explain(t, conn, name, sql)
			for _, scan := range strings.Split(plan, "Index Scan using outbox_pkey")[1:] {
				cond := strings.SplitN(scan, "\n", 3)[1]
				if !strings.Contains(cond, "Index Cond: ((app_id = ") || !strings.Contains(cond, "AND (id ") {
					t.Errorf("%s, table %s: the whole index is walked:\n%s", name, state.name, plan)
				}
			}
			key, due := strings.Contains(plan, "outbox_pkey"), strings.Contains(plan, "outbox_due_idx")
			if name == "ClaimDue" || name == "FirstWakes" {
				if !due {
					t.Errorf("%s, table %s: the due rows are not found by their index:\n%s", name, state.name, plan)
				}
			} else if !key || due || strings.Contains(plan, "Seq Scan on outbox") {
				t.Errorf("%s, table %s: not by the key:\n%s", name, state.name, plan)
			}
		}
	}
}

// The app leads the key of everything that belongs to an app: such tables can be distributed by it.
func TestAppLeadsKeys(t *testing.T) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, testkit.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	// Small, and wanted by every app: they are copied to every place instead. inbox and audit belong to nodes and people.
	everywhere := []string{"app_hosts", "api_keys", "inbox", "audit"}
	rows, err := conn.Query(ctx, `SELECT r.relname FROM pg_class r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attname = 'app_id'
		WHERE r.relnamespace = 'public'::regnamespace AND r.relkind IN ('r', 'p') AND NOT r.relispartition AND r.relname <> ALL ($1)
		AND EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = r.oid AND i.indisunique AND i.indkey[0] <> a.attnum)`, everywhere)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(wrong) > 0 {
		t.Errorf("keys that the app does not lead: %v %v", wrong, err)
	}
}

// explain prepares a statement as PiCloud's connections do, and gives its plan.
func explain(t *testing.T, conn *pgx.Conn, name, sql string) string {
	t.Helper()
	ctx := context.Background()
	d, err := conn.Prepare(ctx, name, sql)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer func() { _ = conn.Deallocate(ctx, name) }()
	nulls := strings.TrimSuffix(strings.Repeat("NULL,", len(d.ParamOIDs)), ",")
	rows, err := conn.Query(ctx, fmt.Sprintf("EXPLAIN EXECUTE %q(%s)", name, nulls))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return strings.Join(lines, "\n")
}

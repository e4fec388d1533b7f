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

// TestMain starts one PostgreSQL for the package, and looks for goroutines that the tests leave behind.
func TestMain(m *testing.M) { os.Exit(testkit.MainWithoutLeaks(m)) }

func connect(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), testkit.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// The statements that find rows of the outbox by their key do so by the key's index, whatever the planner
// knows of the table when the statement is prepared: nothing, that it is empty, or that it is large.
func TestOutboxPlans(t *testing.T) {
	if testing.Short() {
		t.Skip("vacuums a table of 5,000 rows twice")
	}
	t.Parallel()

	conn := connect(t)
	for _, setting := range []string{
		"plan_cache_mode = force_generic_plan",
		"enable_seqscan = off",
		"enable_bitmapscan = off",
		"enable_hashjoin = off",
		"enable_mergejoin = off",
	} {
		exec(t, conn, "SET "+setting)
	}

	// The states follow one another.
	for _, state := range []struct{ name, sql string }{
		{"never looked at", ""},
		{"empty", "VACUUM ANALYZE outbox"},
		{"large", `
			INSERT INTO outbox (app_id, id, source, script_id, root_id, depth, execution_id,
				max_attempts, backoff, base_ms, max_ms, jitter, wake_at)
			SELECT 1, gen_random_uuid(), 'kv', gen_random_uuid(), gen_random_uuid(), 0, gen_random_uuid(),
				1, 'constant', 1, 1, 0, clock_timestamp()
			FROM generate_series(1, 5000)`},
		{"large and known", "VACUUM ANALYZE outbox"},
	} {
		t.Run(state.name, func(t *testing.T) {
			if state.sql != "" {
				exec(t, conn, state.sql)
			}

			for name, sql := range db.Statements {
				checkPlan(t, name, explain(t, conn, name, sql))
			}
		})
	}
}

func checkPlan(t *testing.T, name, plan string) {
	t.Helper()

	for _, scan := range strings.Split(plan, "Index Scan using outbox_pkey")[1:] {
		cond := strings.SplitN(scan, "\n", 3)[1]
		if !strings.Contains(cond, "Index Cond: ((app_id = ") || !strings.Contains(cond, "AND (id ") {
			t.Errorf("%s: the whole index is walked:\n%s", name, plan)
		}
	}

	byKey := strings.Contains(plan, "outbox_pkey")
	byDue := strings.Contains(plan, "outbox_due_idx")
	if name == "ClaimDue" || name == "FirstWakes" {
		if !byDue {
			t.Errorf("%s: the due rows are not found by their index:\n%s", name, plan)
		}
	} else if !byKey || byDue || strings.Contains(plan, "Seq Scan on outbox") {
		t.Errorf("%s: not by the key:\n%s", name, plan)
	}
}

// The app leads the key of everything that belongs to an app: such tables can be distributed by it.
func TestAppLeadsKeys(t *testing.T) {
	t.Parallel()
	conn := connect(t)

	// Small, and wanted by every app: they are copied to every place instead. inbox and audit belong to
	// nodes and people.
	everywhere := []string{"app_hosts", "api_keys", "inbox", "audit"}
	rows, err := conn.Query(t.Context(), `
		SELECT r.relname FROM pg_class r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attname = 'app_id'
		WHERE r.relnamespace = 'public'::regnamespace AND r.relkind IN ('r', 'p') AND NOT r.relispartition
		AND r.relname <> ALL ($1)
		AND EXISTS (SELECT 1 FROM pg_index i
			WHERE i.indrelid = r.oid AND i.indisunique AND i.indkey[0] <> a.attnum)`, everywhere)
	if err != nil {
		t.Fatal(err)
	}

	wrong, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(wrong) > 0 {
		t.Errorf("keys that the app does not lead: %v %v", wrong, err)
	}
}

// explain prepares a statement as PiCloud's connections do, and returns its plan.
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

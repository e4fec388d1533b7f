package outbox

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"picloud/db"
	"picloud/internal/testkit"
)

// The scanner looks at ever fewer rows, and still finds those of a transaction that was under way while it
// looked, those of an app that nobody can claim, and all of them after the server's clock was set back.
func TestScanner(t *testing.T) {
	t.Parallel()

	ctx := context.Background()
	url := testkit.Database(t)
	pool, err := db.Open(ctx, url, db.MinConnections)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	other, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close(ctx) }()
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := other.Exec(ctx, sql, args...); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	s := NewDispatcher(Config{DB: pool}).scanner
	find := func() (apps []int64) {
		t.Helper()
		rows, err := s.find(ctx, time.Minute)
		if err != nil {
			t.Fatal(err)
		}

		for k := range rows {
			apps = append(apps, rows[k].AppID)
		}
		slices.Sort(apps)
		return apps
	}
	expect := func(when string, want ...int64) {
		t.Helper()
		if got := find(); !slices.Equal(got, want) {
			t.Fatalf("%s: rows of apps %v were found, want %v; the scanner looked from %s on, own %v", when, got, want, s.since, s.own)
		}
	}
	insert := func(app int, age time.Duration) {
		t.Helper()
		exec(`INSERT INTO outbox (app_id, id, source, script_id, root_id, depth, execution_id, max_attempts, backoff, base_ms, max_ms, jitter, wake_at)
			VALUES ($1, gen_random_uuid(), 'kv', gen_random_uuid(), gen_random_uuid(), 0, gen_random_uuid(), 1, 'constant', 1, 1, 0,
			clock_timestamp() - $2 * interval '1 microsecond')`, app, age.Microseconds())
	}
	exec("INSERT INTO apps (slug, name) SELECT 'a' || n, 'a' FROM generate_series(1, 4) n")

	expect("nothing is there")
	began := s.since
	if time.Since(began) > time.Minute {
		t.Fatalf("the scanner looks from %s on though nothing is there", began)
	}
	exec("BEGIN")
	insert(1, 0)
	time.Sleep(2 * writerMargin)
	expect("the transaction is under way")
	expect("the transaction is under way still")
	exec("COMMIT")
	expect("it was committed", 1)
	time.Sleep(2 * writerMargin)
	expect("nobody claimed the row", 1)
	expect("nor now", 1)
	if s.own[1].IsZero() || s.since.Before(s.own[1]) {
		t.Fatalf("the row of app 1 holds the others back: since %s, own %v", s.since, s.own)
	}

	// Who only reads may take its time.
	exec("BEGIN ISOLATION LEVEL REPEATABLE READ")
	exec("SELECT count(*) FROM outbox")
	before := s.since
	time.Sleep(2 * writerMargin)
	expect("somebody reads", 1)
	if !s.since.After(before) {
		t.Fatalf("somebody reads, and the scanner looks from %s on as before", s.since)
	}
	exec("COMMIT")

	insert(2, time.Hour) // as by a clock that was wrong
	expect("a row that is too old to be seen", 1)
	s.clock = s.clock.Add(time.Hour)
	expect("the clock was set back", 1, 2)
	expect("and goes on", 1, 2)
	exec("DELETE FROM outbox")
	expect("nothing is left")
	insert(3, time.Hour)
	expect("again one that is too old")
	s.forget()
	expect("a full look", 3)
}

// Rows that got their time while the database's clock was ahead are due; those that may wait so long wait.
func TestDatabaseClockWasAhead(t *testing.T) {
	t.Parallel()

	ctx := t.Context()
	pool, err := db.Open(ctx, testkit.Database(t), db.MinConnections)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()

	if _, err := pool.General.Exec(ctx, `
		WITH app AS (INSERT INTO apps (slug, name) VALUES ('a', 'a') RETURNING id)
		INSERT INTO outbox (app_id, id, source, op, script_id, root_id, depth, execution_id, max_attempts, backoff,
			base_ms, max_ms, jitter, claimed_by, claim_token, wake_at, dead_letter_id, attempt_count, created_at)
		SELECT app.id, gen_random_uuid(), x.source, x.name, gen_random_uuid(), gen_random_uuid(), 0,
			gen_random_uuid(), 1, 'constant', 1, x.max_ms, 0.5, x.node, gen_random_uuid(),
			clock_timestamp() + x.wait::interval, CASE WHEN x.letter THEN gen_random_uuid() END, x.attempts,
			clock_timestamp() + x.made::interval
		FROM app, (VALUES
			('due: a retry of a second', 'kv', 1000, NULL, '8 hours', false, 1, '0'),
			('due: a retry of two hours', 'kv', 7200000, NULL, '4 hours', false, 1, '0'),
			('due: claimed', 'http', 1000, 'gone', '8 hours', false, 0, '0'),
			('due: claimed, of a replay at a rate', 'http', 1000, 'gone', '8 hours', true, 0, '0'),
			('due: of a handler of dead letters', 'dead_letter', 1000, NULL, '8 hours', true, 0, '0'),
			('due: of a replay at a rate, and failed', 'kv', 1000, NULL, '8 hours', true, 1, '0'),
			('due: of a replay at a rate, made when the clock was ahead', 'kv', 1000, NULL, '8 hours', true, 0, '7 hours'),
			('waits: a retry of two hours and half of it', 'kv', 7200000, NULL, '2 hours 59 minutes', false, 1, '0'),
			('waits: a lease', 'kv', 1000, 'here', '9 minutes', false, 0, '0'),
			('waits: a disabled trigger', 'kv', 1000, NULL, '200 years', false, 0, '0'),
			('waits: of a replay at a rate', 'kv', 1000, NULL, '300 days', true, 0, '0'),
			('waits: of a later version', 'later', 1000, NULL, '8 hours', false, 0, '0')
		) x (name, source, max_ms, node, wait, letter, attempts, made)`); err != nil {
		t.Fatal(err)
	}

	s := NewDispatcher(Config{DB: pool, Log: slog.New(slog.DiscardHandler)}).scanner
	if _, err := s.find(ctx, time.Minute); err != nil {
		t.Fatal(err)
	}

	rows, err := pool.General.Query(ctx, "SELECT op FROM outbox WHERE wake_at <= clock_timestamp() ORDER BY op")
	if err != nil {
		t.Fatal(err)
	}
	due, err := pgx.CollectRows(rows, pgx.RowTo[string])
	want := []string{
		"due: a retry of a second", "due: a retry of two hours", "due: claimed",
		"due: claimed, of a replay at a rate", "due: of a handler of dead letters",
		"due: of a replay at a rate, and failed", "due: of a replay at a rate, made when the clock was ahead",
	}
	if err != nil || !slices.Equal(due, want) {
		t.Errorf("due are %q, want %q: %v", due, want, err)
	}
}

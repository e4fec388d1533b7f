package outbox

import (
	"context"
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

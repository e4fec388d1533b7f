package orchestrator

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

// The scout looks at ever fewer rows, and still finds those of a transaction that was under way while it looked, those of an
// app that nobody can claim, and all of them after the server's clock was set back.
func TestScout(t *testing.T) {
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
	s := newScout(newDispatcher(&Orchestrator{cfg: Config{DB: pool}, ctx: ctx}))
	find := func() (apps []int64) {
		t.Helper()
		rows, err := s.find(time.Minute)
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
			t.Fatalf("%s: rows of apps %v were found, want %v; the scout looked from %s on, own %v", when, got, want, s.since, s.own)
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
		t.Fatalf("the scout looks from %s on though nothing is there", began)
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
		t.Fatalf("somebody reads, and the scout looks from %s on as before", s.since)
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

// A claim starts at the oldest row of the one before; apps that were served give way; what was told of meanwhile stays.
func TestDueTurns(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	d := newDue()
	d.add(1, at(50))
	d.add(2, at(20))
	d.add(1, at(10))
	d.add(1, at(30))
	l := d.look()
	if !slices.Equal(l.apps, []int64{1, 2}) || !l.sinces[0].Equal(at(10)) || !l.sinces[1].Equal(at(20)) {
		t.Fatalf("to look at: %+v", l)
	}
	d.claimed(l, []db.ClaimDueRow{{AppID: 1, DueAt: at(41)}, {AppID: 1, DueAt: at(40)}}, false)
	l = d.look()
	if !slices.Equal(l.apps, []int64{2, 1}) || !l.sinces[1].Equal(at(40)) || !l.sinces[0].Equal(at(20)) {
		t.Fatalf("after app 1 was served: %+v", l)
	}
	d.add(1, at(60)) // committed after the claim had looked
	d.claimed(l, []db.ClaimDueRow{{AppID: 1, DueAt: at(45)}, {AppID: 2, DueAt: at(45)}}, true)
	l = d.look()
	if !slices.Equal(l.apps, []int64{1}) || l.sinces[0].After(at(60)) {
		t.Fatalf("after all was claimed: %+v", l)
	}
	d.claimed(l, nil, true)
	if !d.empty() {
		t.Fatalf("nothing is due: %+v", d.look())
	}
}

// What one node writes of rows that wait is what another reads; what says nothing makes it look for itself.
func TestTidings(t *testing.T) {
	since := time.UnixMicro(1_700_000_000_123_456)
	many := map[cloud.AppID]time.Time{}
	for k := range maxTold {
		many[cloud.AppID(1<<31-1-k)] = since
	}
	if n := len(tidings(many)); n == 0 || n >= 8000 {
		t.Errorf("tidings of %d apps have %d bytes", len(many), n)
	}
	many[1] = since
	for text, want := range map[string]int{tidings(map[cloud.AppID]time.Time{7: since, 8: since}): 2, tidings(many): 0, "": 0, "x": 0, "7 x\n": 0} {
		o := &Orchestrator{}
		d := newDispatcher(o)
		o.dispatcher, d.scout.at = d, time.Now().Add(time.Hour)
		o.told(text)
		l := d.due.look()
		if len(l.apps) != want || want > 0 && !l.sinces[0].Equal(since) {
			t.Errorf("%.20q told of %+v", text, l)
		}
		if asked := time.Until(d.scout.at) < time.Minute; asked != (want == 0) {
			t.Errorf("%.20q: the scout was asked: %v", text, asked)
		}
	}
}

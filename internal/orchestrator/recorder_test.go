package orchestrator

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/testkit"
)

// The counts of many scripts are added up, by minute and by hour, in few statements; those that cannot be written are kept, and
// those of an app that is gone keep nobody else's from being written.
func TestStatsBatches(t *testing.T) {
	ctx := context.Background()
	pool, err := db.Open(ctx, testkit.Database(t), db.MinConnections)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.General.Exec(ctx, "INSERT INTO apps (slug, name) SELECT 'a' || n, 'a' FROM generate_series(1, 3) n"); err != nil {
		t.Fatal(err)
	}
	const scripts = 2*recordsABatch + 7
	r := newRecorder(&Orchestrator{cfg: Config{DB: pool, Log: slog.New(slog.DiscardHandler)}})
	count := func(app cloud.AppID, n int64) {
		for script := range scripts {
			for minute := range int64(2) { // of one hour
				k := statsKey{app: app, script: cloud.ID{15: byte(script), 14: byte(script >> 8)}, minute: 1_000_020 + minute, outcome: cloud.Succeeded}
				c := &statsCell{n: n}
				c.histogram[1], c.histogram[buckets-1] = n-1, 1
				r.counts[k] = c
			}
		}
	}
	expect := func(app cloud.AppID, cells, n, first, last int64) {
		t.Helper()
		for table, perCell := range map[string]int64{"execution_stats": 1, "execution_stats_hours": 2} {
			var got [5]int64
			if err := pool.General.QueryRow(ctx, fmt.Sprintf(`SELECT count(*), coalesce(min(n), 0), coalesce(max(n), 0), coalesce(min(histogram[2]), 0),
				coalesce(max(histogram[%d]), 0) FROM %s WHERE app_id = $1`, buckets, table), app).Scan(&got[0], &got[1], &got[2], &got[3], &got[4]); err != nil {
				t.Fatal(err)
			}
			if want := [5]int64{cells / perCell, n * perCell, n * perCell, first * perCell, last * perCell}; got != want {
				t.Errorf("%s of app %d: %v, want %v", table, app, got, want)
			}
		}
	}
	count(1, 5)
	count(2, 3)
	r.flush(true)
	expect(1, 2*scripts, 5, 4, 1)
	expect(2, 2*scripts, 3, 2, 1)

	if _, err := pool.General.Exec(ctx, "DELETE FROM apps WHERE id = 2; ALTER TABLE execution_stats RENAME TO away"); err != nil {
		t.Fatal(err)
	}
	count(1, 2)
	count(2, 2)
	r.flush(true)
	if len(r.counts) != 4*scripts {
		t.Fatalf("%d counts wait for the table to come back, want %d", len(r.counts), 4*scripts)
	}
	r.note(&finished{rec: &record{app: 1, started: time.Unix(60*1_000_020, 0), status: cloud.Succeeded, duration: time.Millisecond}}) // of script 0
	if _, err := pool.General.Exec(ctx, "ALTER TABLE away RENAME TO execution_stats; DELETE FROM execution_stats WHERE script_id = '00000000-0000-0000-0000-000000000000'"); err != nil {
		t.Fatal(err)
	}
	r.flush(true)
	var n int64
	if err := pool.General.QueryRow(ctx, "SELECT n FROM execution_stats WHERE script_id = '00000000-0000-0000-0000-000000000000' AND minute = to_timestamp(60 * 1000020)").Scan(&n); err != nil || n != 3 {
		t.Errorf("two runs that waited and one more are %d (%v)", n, err)
	}
	if _, err := pool.General.Exec(ctx, "DELETE FROM execution_stats WHERE script_id = '00000000-0000-0000-0000-000000000000'; DELETE FROM execution_stats_hours WHERE script_id = '00000000-0000-0000-0000-000000000000'"); err != nil {
		t.Fatal(err)
	}
	expect(1, 2*scripts-2, 7, 5, 2)
	expect(2, 0, 0, 0, 0)
	if len(r.counts) != 0 {
		t.Errorf("%d counts are left", len(r.counts))
	}
}

// What is to be recorded while the database is away waits for it, as far as there is room; what it refuses keeps nobody waiting.
func TestRecordsWait(t *testing.T) {
	ctx := context.Background()
	direct := testkit.Database(t)
	wire, dsn := testkit.Wire(t, direct)
	server, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := db.Open(ctx, dsn, db.MinConnections)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.General.Exec(ctx, "INSERT INTO apps (slug, name) VALUES ('a', 'a')"); err != nil {
		t.Fatal(err)
	}
	r := newRecorder(&Orchestrator{cfg: Config{DB: pool, Log: slog.New(slog.DiscardHandler), Node: "n"}})
	var ids cloud.IDSource
	failed := func(detail string) *record {
		rec := &record{app: 1, id: ids.New(), name: "s", source: "http", status: cloud.Failed, started: time.Now(), err: cloud.ScriptError{Name: "Error", Message: detail}}
		r.note(&finished{rec: rec})
		return rec
	}
	expect := func(n int, after cloud.Status) {
		t.Helper()
		var got, afters int
		if err := pool.General.QueryRow(ctx, "SELECT count(*), count(*) FILTER (WHERE after_status = $1) FROM executions", after).Scan(&got, &afters); err != nil || got != n || afters != 1 {
			t.Errorf("%d executions, %d that went on (%v)", got, afters, err)
		}
	}
	away := func() {
		wire.Connect("/nowhere")
		wire.CutAll()
	}
	back := func() {
		wire.Connect(server.Query().Get("host"))
		for range 3 { // a connection of before may be found broken
			if r.flush(true) {
				return
			}
		}
		t.Error("what waited is not written")
	}

	wentOn := failed("first")
	r.flush(false)
	away()
	r.after(wentOn, cloud.TimedOut, &cloud.Outcome{})
	for range recordsABatch + 1 {
		failed("away")
	}
	for range 3 {
		if r.flush(false) {
			t.Error("nothing is left to do, while the database is away")
		}
	}
	back()
	expect(recordsABatch+2, cloud.TimedOut)

	away()
	for range 70 {
		failed(strings.Repeat("x", 1<<20))
	}
	for range 2 {
		r.flush(false)
	}
	if n := len(r.pending); n != 63 || r.dropped != 7 || r.bytes > maxPendingBytes {
		t.Errorf("%d records of 1 MiB wait, %d were dropped", n, r.dropped)
	}
	back()
	expect(recordsABatch+2+63, cloud.TimedOut)
	if r.bytes != 0 {
		t.Errorf("%d bytes wait for nothing", r.bytes)
	}

	wrong := failed("refused")
	wrong.status = "nonsense\x00"
	if !r.flush(true) || r.dropped != 8 {
		t.Errorf("a refused record waits for ever: %d dropped", r.dropped)
	}
}

package history

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

// openDB gives a database that has apps with the ids 1 to n.
func openDB(t *testing.T, apps int) *db.DB {
	t.Helper()
	d := testkit.Open(t).DB
	insertApps(t, d, apps)
	return d
}

func insertApps(t *testing.T, d *db.DB, apps int) {
	t.Helper()
	mustExec(t, d, fmt.Sprintf(
		"INSERT INTO apps (slug, name) SELECT 'a' || n, 'a' FROM generate_series(1, %d) n", apps))
}

func mustExec(t *testing.T, d *db.DB, statements string) {
	t.Helper()
	if _, err := d.General.Exec(context.Background(), statements); err != nil {
		t.Fatal(err)
	}
}

func newTestRecorder(d *db.DB) *Recorder {
	return New(Config{DB: d, Node: "n", Log: slog.New(slog.DiscardHandler)})
}

// statsFixture is a recorder that counts runs of many scripts in two minutes of one hour.
type statsFixture struct {
	t        *testing.T
	db       *db.DB
	recorder *Recorder
	scripts  int
}

// firstMinute is the first of the minutes in which statsFixture counts.
const firstMinute = 1_000_020

// count adds n runs of each script in each minute: all in bucket 1, but one in the last.
func (f *statsFixture) count(app cloud.AppID, n int64) {
	for script := range f.scripts {
		for minute := range int64(2) {
			key := countKey{
				app:     app,
				script:  cloud.ID{15: byte(script), 14: byte(script >> 8)},
				minute:  firstMinute + minute,
				outcome: cloud.Succeeded,
			}
			f.recorder.counts[key] = &count{n: n, histogram: [buckets]int64{1: n - 1, buckets - 1: 1}}
		}
	}
}

// expect compares every cell of an app in both tables: an hour has the sum of two minutes.
func (f *statsFixture) expect(app cloud.AppID, cells, n, first, last int64) {
	f.t.Helper()

	for table, minutes := range map[string]int64{"execution_stats": 1, "execution_stats_hours": 2} {
		var got [5]int64
		err := f.db.General.QueryRow(f.t.Context(), fmt.Sprintf(`
			SELECT count(*), coalesce(min(n), 0), coalesce(max(n), 0), coalesce(min(histogram[2]), 0),
			       coalesce(max(histogram[%d]), 0)
			FROM %s WHERE app_id = $1`, buckets, table), app).
			Scan(&got[0], &got[1], &got[2], &got[3], &got[4])
		if err != nil {
			f.t.Fatal(err)
		}

		want := [5]int64{cells / minutes, n * minutes, n * minutes, first * minutes, last * minutes}
		if got != want {
			f.t.Errorf("%s of app %d: %v, want %v", table, app, got, want)
		}
	}
}

// The counts of many scripts are added up, by minute and by hour, in few statements; those that cannot be
// written are kept, and those of an app that is gone keep nobody else's from being written.
func TestStatsBatches(t *testing.T) {
	t.Parallel()
	const scripts = 2*recordsABatch + 7
	pool := openDB(t, 3)
	r := newTestRecorder(pool)
	f := &statsFixture{t: t, db: pool, recorder: r, scripts: scripts}

	f.count(1, 5)
	f.count(2, 3)
	r.flush(true)
	f.expect(1, 2*scripts, 5, 4, 1)
	f.expect(2, 2*scripts, 3, 2, 1)

	mustExec(t, pool, "DELETE FROM apps WHERE id = 2; ALTER TABLE execution_stats RENAME TO away")
	f.count(1, 2)
	f.count(2, 2)
	r.flush(true)
	if len(r.counts) != 4*scripts {
		t.Fatalf("%d counts wait for the table to come back, want %d", len(r.counts), 4*scripts)
	}

	// One more run of script 0, whose counts wait: they are added up in memory.
	r.Note(&cloud.Execution{
		App:      1,
		Started:  time.Unix(60*firstMinute, 0),
		Status:   cloud.Succeeded,
		Duration: time.Millisecond,
	}, false)
	const script0 = "script_id = '00000000-0000-0000-0000-000000000000'"
	mustExec(t, pool, "ALTER TABLE away RENAME TO execution_stats")
	mustExec(t, pool, "DELETE FROM execution_stats WHERE "+script0)
	r.flush(true)
	var n int64
	err := pool.General.QueryRow(t.Context(),
		"SELECT n FROM execution_stats WHERE minute = to_timestamp(60 * 1000020) AND "+script0).Scan(&n)
	if err != nil || n != 3 {
		t.Errorf("two runs that waited and one more are %d (%v)", n, err)
	}

	mustExec(t, pool, "DELETE FROM execution_stats WHERE "+script0)
	mustExec(t, pool, "DELETE FROM execution_stats_hours WHERE "+script0)
	f.expect(1, 2*scripts-2, 7, 5, 2)
	f.expect(2, 0, 0, 0, 0)
	if len(r.counts) != 0 {
		t.Errorf("%d counts are left", len(r.counts))
	}
}

// outage is a recorder whose database can be taken away.
type outage struct {
	t        *testing.T
	recorder *Recorder
	db       *db.DB
	away     func()
	restore  func()
	ids      cloud.IDSource
}

// newOutage makes a recorder with room for limit bytes of records.
func newOutage(t *testing.T, limit int) *outage {
	t.Helper()
	direct := testkit.Database(t)
	server, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	wire, dsn := testkit.Wire(t, direct)
	d, err := db.Open(t.Context(), dsn, db.MinConnections)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	insertApps(t, d, 1)
	o := &outage{t: t, db: d}
	o.recorder = New(Config{DB: o.db, Node: "n", Log: slog.New(slog.DiscardHandler), MaxPendingBytes: limit})
	o.away = func() {
		wire.Connect("/nowhere")
		wire.CutAll()
	}
	o.restore = func() { wire.Connect(server.Query().Get("host")) }
	return o
}

// failed notes a run that failed.
func (o *outage) failed(message string) Entry {
	return o.recorder.Note(&cloud.Execution{
		App:     1,
		ID:      o.ids.New(),
		Name:    "s",
		Source:  "http",
		Status:  cloud.Failed,
		Started: time.Now(),
		Error:   cloud.ScriptError{Name: "Error", Message: message},
	}, false)
}

// back restores the database, and writes what waited for it.
func (o *outage) back() {
	o.t.Helper()
	o.restore()

	for range 3 { // a connection of before may be found broken
		if o.recorder.flush(true) {
			return
		}
	}
	o.t.Error("what waited is not written")
}

// expect counts the executions that are stored, and the one whose waitUntil work ended with a status.
func (o *outage) expect(n int, after cloud.Status) {
	o.t.Helper()
	var got, afters int
	err := o.db.General.QueryRow(o.t.Context(), `
		SELECT count(*), count(*) FILTER (WHERE after_status = $1) FROM executions`, after).
		Scan(&got, &afters)
	if err != nil || got != n || afters != 1 {
		o.t.Errorf("%d executions, want %d; %d that went on, want 1 (%v)", got, n, afters, err)
	}
}

// What is to be recorded while the database is away waits for it, as far as there is room; what it refuses
// keeps nobody waiting.
func TestRecordsWait(t *testing.T) {
	t.Parallel()
	// Room for 63 records of 64 KiB and some, as there is for 63 of 1 MiB in the product.
	const message = 64 << 10
	const limit = 64 * message
	o := newOutage(t, limit)
	r := o.recorder

	wentOn := o.failed("first")
	r.flush(false)
	o.away()
	r.After(wentOn, cloud.TimedOut, &cloud.Outcome{})

	for range recordsABatch + 1 {
		o.failed("away")
	}

	for range 3 {
		if r.flush(false) {
			t.Error("nothing is left to do, while the database is away")
		}
	}
	o.back()
	o.expect(recordsABatch+2, cloud.TimedOut)

	o.away()

	for range 70 {
		o.failed(strings.Repeat("x", message))
	}

	for range 2 {
		r.flush(false)
	}
	if n := len(r.pending); n != 63 || r.dropped != 7 || r.bytes > limit {
		t.Errorf("%d records of 64 KiB wait, %d were dropped", n, r.dropped)
	}
	o.back()
	o.expect(recordsABatch+2+63, cloud.TimedOut)
	if r.bytes != 0 {
		t.Errorf("%d bytes wait for nothing", r.bytes)
	}

	wrong := o.failed("refused")
	wrong.Execution.Status = "nonsense\x00"
	if !r.flush(true) || r.dropped != 8 {
		t.Errorf("a refused record waits for ever: %d dropped", r.dropped)
	}
}

// Run writes what is left when it is told to stop, and sleeps while there is nothing to write.
func TestRunWritesTheRest(t *testing.T) {
	t.Parallel()
	pool := openDB(t, 1)
	r := newTestRecorder(pool)
	var ids cloud.IDSource
	r.Note(&cloud.Execution{
		App:     1,
		ID:      ids.New(),
		Name:    "s",
		Source:  "http",
		Status:  cloud.Failed,
		Started: time.Now(),
	}, false)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Run(ctx); err != nil {
		t.Fatal(err)
	}
	var executions, runs int
	err := pool.General.QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM executions), (SELECT sum(n) FROM execution_stats)`).
		Scan(&executions, &runs)
	if err != nil || executions != 1 || runs != 1 {
		t.Errorf("%d executions, %d runs (%v)", executions, runs, err)
	}
}

// A record is kept if somebody will ask for it: everything but short, silent successes of direct requests. Of
// those the first ten of a script in each second are.
func TestNoteKeeps(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_000_000, 0)
	ordinary := cloud.Execution{
		Script:   cloud.ID{1},
		Status:   cloud.Succeeded,
		Duration: time.Millisecond,
		Started:  start,
	}

	for _, c := range []struct {
		name      string
		change    func(*cloud.Execution)
		committed bool
		kept      bool // when the sample is full
	}{
		{"ordinary", func(*cloud.Execution) {}, false, false},
		{"failed", func(e *cloud.Execution) { e.Status = cloud.Failed }, false, true},
		{"logged", func(e *cloud.Execution) { e.Logs = []cloud.LogLine{{}} }, false, true},
		{"logged too much", func(e *cloud.Execution) { e.LogsDropped = 1 }, false, true},
		{"of an event", func(e *cloud.Execution) { e.Outbox = cloud.ID{1} }, false, true},
		{"slow", func(e *cloud.Execution) { e.Duration = slow + 1 }, false, true},
		{"of another script", func(e *cloud.Execution) { e.Script = cloud.ID{2} }, false, true},
		{"of the next second", func(e *cloud.Execution) { e.Started = start.Add(time.Second) }, false, true},
		{"written by its commit", func(e *cloud.Execution) { e.Status = cloud.Failed }, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()

			r := newTestRecorder(nil)
			for range sampled {
				e := ordinary
				if !r.Note(&e, false).kept {
					t.Fatal("the sample is full too early")
				}
			}

			e := ordinary
			c.change(&e)
			entry := r.Note(&e, c.committed)
			waits := len(r.pending) == sampled+1
			if entry.kept != c.kept || waits != (c.kept && !c.committed) {
				t.Errorf("kept: %v, %d pending", entry.kept, len(r.pending)-sampled)
			}
			if runs, _, _ := r.Totals(); runs[ordinary.Status]+runs[cloud.Failed] != sampled+1 {
				t.Errorf("counted: %v", runs)
			}
		})
	}
}

// What waitUntil work did is on record with its run, wherever the record is by then.
func TestAfter(t *testing.T) {
	t.Parallel()

	logged := &cloud.Outcome{Logs: []cloud.LogLine{{Message: "later"}}}
	for _, c := range []struct {
		name    string
		kept    bool
		waits   bool // its record waits to be written
		status  cloud.Status
		outcome *cloud.Outcome
		pending int
		afters  int
	}{
		{"silent success of a run that was not kept", false, false, cloud.Succeeded, &cloud.Outcome{}, 0, 0},
		{"failure of a run that was not kept", false, false, cloud.Failed, &cloud.Outcome{}, 1, 0},
		{"log of a run that was not kept", false, false, cloud.Succeeded, logged, 1, 0},
		{"run that waits", true, true, cloud.Succeeded, logged, 1, 0},
		{"run that was written", true, false, cloud.Succeeded, logged, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var published []*cloud.Execution
			r := New(Config{Publish: func(e *cloud.Execution) { published = append(published, e) }})
			e := &cloud.Execution{App: 1, ID: cloud.ID{1}, Status: cloud.Succeeded}
			if c.waits {
				r.pending = append(r.pending, e)
				r.bytes = sizeOf(e)
			}

			r.After(Entry{Execution: e, kept: c.kept}, c.status, c.outcome)

			if len(r.pending) != c.pending || len(r.afters) != c.afters {
				t.Fatalf("%d records and %d updates wait", len(r.pending), len(r.afters))
			}

			bytes := 0
			for _, p := range r.pending {
				bytes += sizeOf(p)
				if p.After != c.status || len(p.Logs) != len(c.outcome.Logs) {
					t.Errorf("on record: %+v", p)
				}
			}

			for _, a := range r.afters {
				bytes += len(a.logs)
				if a.to != c.status || !strings.Contains(a.logs, "later") {
					t.Errorf("to be updated: %+v", a)
				}
			}
			if r.bytes != bytes {
				t.Errorf("%d bytes are counted, want %d", r.bytes, bytes)
			}
			if e.After != "" || e.Logs != nil {
				t.Errorf("the execution that others hold was changed: %+v", e)
			}
			if len(published) != len(c.outcome.Logs) {
				t.Errorf("the tail got %d runs", len(published))
			}
		})
	}
}

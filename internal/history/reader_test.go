package history

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// readerFixture is a database with the apps 1 and 2, and a Reader that knows one script of app 1 by name.
type readerFixture struct {
	t      *testing.T
	db     *db.DB
	reader *Reader
	ids    cloud.IDSource
}

// knownScript is the id of the script "known".
var knownScript = cloud.ID{15: 77}

func newReaderFixture(t *testing.T) *readerFixture {
	t.Helper()
	d := openDB(t, 2)
	reader := NewReader(d, func(app cloud.AppID, name string) (cloud.ID, bool) {
		return knownScript, app == 1 && name == "known"
	})
	return &readerFixture{t: t, db: d, reader: reader}
}

// record stores an execution of app 1 as a run would be.
func (f *readerFixture) record(e cloud.Execution) cloud.ID {
	f.t.Helper()
	e.App = 1
	e.ID = f.ids.New()
	e.Started = time.Now()
	if e.Name == "" {
		e.Name = "s"
	}
	if e.Source == "" {
		e.Source = cloud.SourceHTTP
	}
	if e.Root.IsZero() {
		e.Root = e.ID
	}

	r := New(Config{DB: f.db, Node: "n", Log: slog.New(slog.DiscardHandler)})
	r.add(&e)
	r.flush(true)
	return e.ID
}

// enqueue puts a row into an app's outbox, whose first attempt has an id.
func (f *readerFixture) enqueue(app cloud.AppID, source, claimedBy string) (execution cloud.ID) {
	f.t.Helper()
	execution = f.ids.New()
	_, err := f.db.General.Exec(f.t.Context(), `
		INSERT INTO outbox (app_id, id, source, script_id, root_id, depth, execution_id, max_attempts, backoff,
			base_ms, max_ms, jitter, wake_at, claimed_by, payload)
		VALUES ($1, gen_random_uuid(), $2, gen_random_uuid(), gen_random_uuid(), 0, $3, 1, 'constant', 1, 1, 0,
			clock_timestamp(), nullif($4, ''), '12345')`,
		app, source, db.UUID(execution), claimedBy)
	if err != nil {
		f.t.Fatal(err)
	}
	return execution
}

// An execution is found wherever it is: on record, or a row of the outbox that has not run.
func TestReaderExecution(t *testing.T) {
	t.Parallel()
	f := newReaderFixture(t)
	failed := f.record(cloud.Execution{Status: cloud.Failed})
	waiting := f.enqueue(1, cloud.SourceHTTP, "")
	running := f.enqueue(1, cloud.SourceHTTP, "n1")
	event := f.enqueue(1, cloud.SourceKV, "")

	for _, c := range []struct {
		name string
		app  cloud.AppID
		id   cloud.ID
		want cloud.Status // "": not recorded
	}{
		{"on record", 1, failed, cloud.Failed},
		{"accepted", 1, waiting, cloud.Waiting},
		{"claimed", 1, running, cloud.Running},
		{"of an event, which nobody was told of", 1, event, ""},
		{"of another app", 2, failed, ""},
		{"unknown", 1, f.ids.New(), ""},
	} {
		e, err := f.reader.Execution(t.Context(), c.app, c.id)
		if c.want == "" {
			if cloud.CodeOf(err) != cloud.CodeNotRecorded {
				t.Errorf("%s: %+v (%v)", c.name, e, err)
			}
			continue
		}
		if err != nil || e.Status != c.want || e.ID != c.id {
			t.Errorf("%s: %+v (%v)", c.name, e, err)
		}
	}

	app, err := f.reader.AppOf(t.Context(), failed, []cloud.AppID{1, 2})
	if err != nil || app != 1 {
		t.Errorf("it is of app %d (%v)", app, err)
	}
	if app, err = f.reader.AppOf(t.Context(), failed, []cloud.AppID{2}); err != nil || app != 0 {
		t.Errorf("among others it is of app %d (%v)", app, err)
	}
}

// Every filter selects what it says, by an index or by a search.
func TestReaderExecutions(t *testing.T) {
	t.Parallel()
	f := newReaderFixture(t)
	first := f.record(cloud.Execution{Status: cloud.Succeeded, Script: knownScript, Name: "known"})
	second := f.record(cloud.Execution{Status: cloud.Failed, Name: "gone", Request: "GET /Greet"})
	third := f.record(cloud.Execution{
		Status:  cloud.Failed,
		Source:  cloud.SourceKV,
		Trigger: cloud.ID{15: 5},
		Root:    first,
		Error:   cloud.ScriptError{Name: "TypeError", Message: "not a function"},
	})
	hour := time.Hour

	for _, c := range []struct {
		name   string
		filter ExecutionFilter
		before cloud.ID
		limit  int
		want   []cloud.ID
	}{
		{"all, newest first", ExecutionFilter{}, cloud.ID{}, 10, []cloud.ID{third, second, first}},
		{"limit", ExecutionFilter{}, cloud.ID{}, 2, []cloud.ID{third, second}},
		{"before", ExecutionFilter{}, second, 10, []cloud.ID{first}},
		{"status", ExecutionFilter{Status: "failed"}, cloud.ID{}, 10, []cloud.ID{third, second}},
		{"script by its id", ExecutionFilter{Script: "known"}, cloud.ID{}, 10, []cloud.ID{first}},
		{"script that is gone", ExecutionFilter{Script: "gone"}, cloud.ID{}, 10, []cloud.ID{second}},
		{"source", ExecutionFilter{Source: "kv"}, cloud.ID{}, 10, []cloud.ID{third}},
		{"trigger", ExecutionFilter{Trigger: cloud.ID{15: 5}}, cloud.ID{}, 10, []cloud.ID{third}},
		{"root", ExecutionFilter{Root: first}, cloud.ID{}, 10, []cloud.ID{third, first}},
		{"text of a request", ExecutionFilter{Search: "greet"}, cloud.ID{}, 10, []cloud.ID{second}},
		{"text of an error", ExecutionFilter{Search: "TypeError: not"}, cloud.ID{}, 10, []cloud.ID{third}},
		{"text that cannot be stored", ExecutionFilter{Search: "\x00"}, cloud.ID{}, 10, nil},
		{"from", ExecutionFilter{From: time.Now().Add(hour)}, cloud.ID{}, 10, nil},
		{"to", ExecutionFilter{To: time.Now().Add(-hour)}, cloud.ID{}, 10, nil},
		{"from and to", ExecutionFilter{From: time.Now().Add(-hour), To: time.Now().Add(hour)}, cloud.ID{}, 10,
			[]cloud.ID{third, second, first}},
	} {
		t.Run(c.name, func(t *testing.T) {
			page, err := f.reader.Executions(t.Context(), 1, c.filter, c.before, c.limit)
			if err != nil || page.Searched {
				t.Fatalf("searched until %s (%v)", page.End, err)
			}

			if full := len(page.List) == c.limit; full != !page.End.IsZero() {
				t.Errorf("%d found, the next page goes on behind %s", len(page.List), page.End)
			}

			var got []string
			for i := range page.List {
				got = append(got, page.List[i].ID.String())
			}
			if want := idTexts(c.want); strings.Join(got, " ") != want {
				t.Errorf("%v, want %s", got, want)
			}
		})
	}
}

func idTexts(ids []cloud.ID) string {
	var texts []string
	for _, id := range ids {
		texts = append(texts, id.String())
	}
	return strings.Join(texts, " ")
}

// A search that looked at as many executions as it may says where it goes on, and there it finds the rest.
func TestSearchGoesOn(t *testing.T) {
	t.Parallel()
	f := newReaderFixture(t)
	wanted := f.record(cloud.Execution{Status: cloud.Succeeded, Request: "needle"})
	r := New(Config{DB: f.db, Node: "n", Log: slog.New(slog.DiscardHandler)})

	var end cloud.ID // the last one that the search looks at
	for n := range SearchDepth {
		id := f.ids.New()
		if n == 0 {
			end = id
		}
		r.add(&cloud.Execution{
			App:     1,
			ID:      id,
			Root:    id,
			Name:    "s",
			Source:  cloud.SourceHTTP,
			Status:  cloud.Succeeded,
			Started: time.Now(),
		})
	}
	r.flush(true)

	filter := ExecutionFilter{Search: "needle"}
	page, err := f.reader.Executions(t.Context(), 1, filter, cloud.ID{}, 10)
	if err != nil || len(page.List) != 0 || page.End != end || !page.Searched {
		t.Fatalf("%d found, searched until %s, want %s (%v)", len(page.List), page.End, end, err)
	}
	page, err = f.reader.Executions(t.Context(), 1, filter, page.End, 10)
	if err != nil || len(page.List) != 1 || page.List[0].ID != wanted || !page.End.IsZero() || page.Searched {
		t.Errorf("%d found, searched until %s (%v)", len(page.List), page.End, err)
	}
}

// Points without a run are there, an hour is the sum of its minutes, and other apps play no part.
func TestRunStats(t *testing.T) {
	t.Parallel()
	f := newReaderFixture(t)
	start := time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)

	r := newTestRecorder(f.db)
	for minute, status := range []cloud.Status{cloud.Succeeded, cloud.Failed, cloud.Succeeded} {
		r.Note(&cloud.Execution{
			App:      1,
			Script:   knownScript,
			Status:   status,
			Started:  start.Add(time.Duration(minute) * 20 * time.Minute),
			Duration: 5 * time.Millisecond,
		}, true)
	}
	r.Note(&cloud.Execution{App: 2, Status: cloud.Succeeded, Started: start}, true)
	r.flush(true)

	for _, c := range []struct {
		table  string // from which the answer comes; the other one is emptied by then
		step   time.Duration
		script cloud.ID
		want   string // runs and errors of each point
	}{
		{"execution_stats", 20 * time.Minute, cloud.ID{}, "1/0 1/1 1/0 0/0 0/0 0/0"},
		{"execution_stats_hours", time.Hour, cloud.ID{}, "3/1 0/0"},
		{"execution_stats_hours", time.Hour, knownScript, "3/1 0/0"},
		{"execution_stats_hours", time.Hour, cloud.ID{15: 1}, "0/0 0/0"},
	} {
		if c.table == "execution_stats_hours" {
			mustExec(t, f.db, "DELETE FROM execution_stats")
		}
		points, err := f.reader.RunStats(t.Context(), 1, StatsQuery{
			From: start, Until: start.Add(2 * time.Hour), Step: c.step, Script: c.script,
		})
		if err != nil {
			t.Fatal(err)
		}

		var got []string
		for i := range points {
			got = append(got, fmt.Sprintf("%d/%d", points[i].Runs, points[i].Errors))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("in steps of %s: %v, want %s", c.step, got, c.want)
		}
		if p := points[0]; p.Runs > 0 && (p.P50 < 4*time.Millisecond || p.P50 > 8*time.Millisecond) {
			t.Errorf("the median of runs of 5 ms is %s", p.P50)
		}
	}
}

// What an app holds of rows from HTTP is believed for a second, and other sources do not count.
func TestHTTPQueue(t *testing.T) {
	t.Parallel()
	f := newReaderFixture(t)
	f.enqueue(1, cloud.SourceKV, "")
	f.enqueue(1, cloud.SourceHTTP, "")
	queue := NewHTTPQueue(f.db)
	size := func() Size {
		t.Helper()
		size, err := queue.Of(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		return size
	}

	if got := size(); got.N != 1 || got.Bytes != 5 {
		t.Errorf("one row of 5 bytes: %+v", got)
	}
	f.enqueue(1, cloud.SourceHTTP, "")
	// However slow this machine is, no second has passed.
	queue.sizes[1] = knownSize{until: time.Now().Add(time.Hour), size: queue.sizes[1].size}
	if got := size(); got.N != 1 {
		t.Errorf("asked again at once: %+v", got)
	}
	queue.sizes[1] = knownSize{until: time.Now(), size: queue.sizes[1].size}
	if got := size(); got.N != 2 || got.Bytes != 10 {
		t.Errorf("asked after a second: %+v", got)
	}
}

// The doctor finds nothing in an installation that was just made, and what is wrong once it is.
func TestExamine(t *testing.T) {
	t.Parallel()
	f := newReaderFixture(t)
	installation := Installation{DB: f.db, KeyID: "key", DataDir: t.TempDir()}
	examine := func() map[string]string {
		t.Helper()
		report, err := Examine(t.Context(), installation)
		if err != nil {
			t.Fatal(err)
		}

		states := map[string]string{}
		for _, finding := range report.Findings {
			states[finding.Check] = finding.State
		}
		return states
	}

	// The server of the tests need not survive a crash of the machine.
	first := examine()
	if first["durability"] != FindingWarn {
		t.Errorf("fsync is off, and durability %s", first["durability"])
	}

	for check, state := range first {
		if state != FindingOK && check != "durability" && check != "disk" {
			t.Errorf("%s of a new installation: %s", check, state)
		}
	}

	for _, check := range []string{"commit", "connections", "disk"} {
		if first[check] == "" {
			t.Errorf("nothing of %s", check)
		}
	}

	f.enqueue(1, cloud.SourceKV, "gone") // of which the ledger knows nothing
	mustExec(t, f.db, `
		UPDATE outbox SET wake_at = clock_timestamp() - interval '2 minutes';
		INSERT INTO nodes (name, version, free) VALUES ('a', '1', 0), ('b', '2', 0)`)

	states := examine()
	for check, want := range map[string]string{
		"hold": FindingOK, "conservation": FindingBad, "leases": FindingBad, "versions": FindingWarn,
		"queue": FindingOK, "schedules": FindingOK, "master key": FindingOK, "listening": FindingOK,
	} {
		if states[check] != want {
			t.Errorf("%s: %q, want %s", check, states[check], want)
		}
	}

	// What stands still on purpose is not late.
	mustExec(t, f.db, `UPDATE installation SET hold = 'restored'`)

	states = examine()
	if states["hold"] != FindingBad || states["leases"] != "" || states["schedules"] != "" || states["queue"] != "" {
		t.Errorf("on hold: %v", states)
	}

	report, err := Examine(t.Context(), installation)
	if err != nil || len(report.Unbalanced) != 1 || report.Unbalanced[0] != "a1" {
		t.Errorf("unbalanced: %v (%v)", report.Unbalanced, err)
	}
}

// Without an answer of the database readers get a code, and the log what was being done.
func TestReaderWithoutDatabase(t *testing.T) {
	t.Parallel()
	f := newReaderFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.reader.CountDeadLetters(ctx, 1)
	if cloud.CodeOf(err) != cloud.CodeUnavailable || !strings.Contains(err.Error(), "count dead letters") {
		t.Errorf("%v", err)
	}
}

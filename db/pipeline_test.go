package db_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"picloud/db"
	"picloud/internal/testkit"
)

// What seed stores.
var (
	scriptID    = db.UUID{15: 1}
	triggerID   = db.UUID{15: 2}
	rowID       = db.UUID{15: 3}
	token       = db.UUID{15: 4}
	executionID = db.UUID{15: 5}
	letterID    = db.UUID{15: 6}
	slot        = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
)

// seed stores an app with a script, a cron trigger that waits for slot, two KV entries of which one has
// expired, a claimed row of the outbox, its dead letter, and a reservation. It returns the app's id.
func seed(t *testing.T, d *db.DB) int64 {
	t.Helper()
	ctx := t.Context()
	q := d.Queries()
	app, err := q.InsertApp(ctx, "a", "A", "")
	if err != nil {
		t.Fatal(err)
	}

	one := []string{""}

	none := []db.UUID{{}}
	for _, err := range []error{
		q.PutKeys(ctx, db.PutKeysParams{
			Apps:        []int64{app.ID, app.ID},
			Collections: []string{"c", "c"},
			Keys:        []string{"k1", "k2"},
			Values:      []string{"1", "2"},
			Versions:    []int64{1001, 1002},
			Expiries:    []int64{0, 1},
		}),
		q.InsertOutbox(ctx, db.InsertOutboxParams{
			LeaseUs: 60_000_000, Node: "n", Apps: []int64{app.ID}, Ids: []db.UUID{rowID},
			Sources: []string{"kv"},
			Ops:     one, Triggers: none, Scripts: []db.UUID{scriptID}, Payloads: one, PayloadIds: none,
			ReplyTos:   none,
			ReplyNodes: one, Origins: one, RunsAs: one, Parents: none, Roots: []db.UUID{rowID},
			Depths:      []int32{0},
			DeadLetters: none, IdempotencyKeys: one, Executions: []db.UUID{executionID},
			AttemptLimits: []int32{1},
			Backoffs:      []string{"constant"}, BaseDelaysMs: []int32{1}, MaxDelaysMs: []int32{1},
			Jitters: []float64{0}, Tokens: []db.UUID{token},
		}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}

	_, err = q.InsertDeadLettersOfTrigger(ctx, db.InsertDeadLettersOfTriggerParams{
		Script: "s", Reason: "r", AppID: app.ID, Ids: []db.UUID{rowID}, Letters: []db.UUID{letterID},
	})
	if err != nil {
		t.Fatal(err)
	}

	_, err = q.ReserveIdempotency(ctx, db.ReserveIdempotencyParams{
		AppID: app.ID, ScriptID: scriptID, Principal: "p", Key: "k", RequestHash: []byte{1},
		ExecutionID: executionID, Node: "n", LeaseUs: 60_000_000,
	})
	if err != nil {
		t.Fatal(err)
	}

	for _, err := range []error{
		q.InsertScript(ctx, db.InsertScriptParams{
			AppID: app.ID, ID: scriptID, Name: "s", Kind: "endpoint", Access: "public",
		}),
		q.InsertTrigger(ctx, db.InsertTriggerParams{
			AppID: app.ID, ID: triggerID, Kind: "cron", ScriptID: scriptID, Enabled: true, Ops: []string{},
			MaxAttempts: 1, Backoff: "constant", Schedule: "@daily", Timezone: "UTC", CatchUp: "one",
			Overlap: "allow",
		}),
		q.PutSchedule(ctx, db.PutScheduleParams{
			AppID: app.ID, TriggerID: triggerID, NextSlot: slot, FireAt: slot,
		}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}

	return app.ID
}

// Each method of the pipeline reads its columns as sqlc's own does: the callback gets what the statement
// returns.
func TestPipeline(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t, testkit.Database(t))
	app := seed(t, d)

	var got []string
	add := func(format string, args ...any) { got = append(got, fmt.Sprintf(format, args...)) }
	commit := db.UUID{15: 1}
	p := db.NewPipeline()
	p.Begin()
	p.Open(commit, 1, func(isNew bool) { add("new %v", isNew) })
	p.Open(commit, 1, func(isNew bool) { add("new %v", isNew) })
	p.Now(func(now time.Time) { add("now %v", !now.IsZero()) })
	p.Revisions([]int64{app, 99}, func(id, revision int64) { add("app %d revision %d", id, revision) })
	p.Current(db.CurrentKeysParams{
		Positions:   []int32{0, 1, 2},
		Apps:        []int64{app, app, app},
		Collections: []string{"c", "c", "c"},
		Keys:        []string{"k1", "k2", "k3"},
		Wanted:      []bool{true, false, true},
	}, func(r db.CurrentKeysRow) {
		expires := r.ExpiresAt != nil
		add("key %d version %d expires %v expired %v value %q", r.I, r.Version, expires, r.Expired, r.Value)
	})

	p.Claimed([]int64{app, app}, []db.UUID{rowID, rowID}, []db.UUID{token, {}}, func(id, of db.UUID) {
		add("claimed %v %v", id == rowID, of == token)
	})
	p.Reservations(db.LockReservationsParams{
		Apps:       []int64{app},
		Scripts:    []db.UUID{scriptID},
		Principals: []string{"p"},
		Keys:       []string{"k"},
		Executions: []db.UUID{executionID},
	}, func(id db.UUID) { add("reserved %v", id == executionID) })

	p.Unresolved([]int64{app}, []db.UUID{letterID}, func(id db.UUID) { add("unresolved %v", id == letterID) })
	p.Schedules([]int64{app}, []db.UUID{triggerID}, func(id db.UUID, next time.Time) {
		add("schedule %v %v", id == triggerID, next.Equal(slot))
	})

	if err := p.BumpApp(ctx, app); err != nil {
		t.Fatal(err)
	}
	p.Commit()

	conn, err := d.Commits.Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if len(got) > 0 {
		t.Errorf("callbacks before anything was sent: %v", got)
	}
	if err := p.Send(ctx, conn.Conn()); err != nil {
		t.Fatal(err)
	}

	want := []string{
		"new true", "new false", "now true", fmt.Sprintf("app %d revision 1", app),
		"claimed true true", "reserved true", "unresolved true", "schedule true true",
		`key 0 version 1001 expires false expired false value "1"`,
		`key 1 version 1002 expires true expired true value ""`,
	}

	slices.Sort(got) // a join has no order
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
	if after, err := d.Queries().AppByID(ctx, app); err != nil || after.Revision != 2 {
		t.Errorf("the revision is %d: %v", after.Revision, err)
	}
}

// A statement with a result cannot be queued by way of Queries: its result would be lost.
func TestPipelineHasNoResults(t *testing.T) {
	t.Parallel()
	p := db.NewPipeline()
	if _, err := p.AppByID(t.Context(), 1); err == nil {
		t.Error("an app came from a pipeline that was not sent")
	}
	if _, err := p.AppRevisions(t.Context(), []int64{1}); err == nil {
		t.Error("revisions came from a pipeline that was not sent")
	}
}

// More than is sent at once takes several round trips, and is one transaction all the same.
func TestLongPipeline(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name   string
		broken bool // the last entry has no collection
		want   int
	}{
		{"all", false, 5},
		{"the last one fails", true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := testkit.Open(t).DB
			app := seed(t, d)

			p := db.NewPipeline()
			p.Begin()

			for k := range 5 {
				put := db.PutKeysParams{
					Apps:        []int64{app},
					Collections: []string{"long"},
					Keys:        []string{fmt.Sprint(k)},
					Values:      []string{strings.Repeat("x", 3<<20)},
					Versions:    []int64{1},
					Expiries:    []int64{0},
				}
				if k == 4 && c.broken {
					put.Collections = nil
				}
				_ = p.PutKeys(t.Context(), put)
			}
			p.Commit()

			conn, err := d.Commits.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Release()
			err = p.Send(t.Context(), conn.Conn())
			if (err == nil) != (c.want > 0) {
				t.Errorf("sent: %v", err)
			}

			var n int
			const count = "SELECT count(*) FROM kv WHERE collection = 'long' AND length(value) = 3 << 20"
			if err := d.General.QueryRow(t.Context(), count).Scan(&n); err != nil || n != c.want {
				t.Errorf("%d entries, %v, want %d", n, err, c.want)
			}
			_, _ = conn.Exec(t.Context(), "rollback")
		})
	}
}

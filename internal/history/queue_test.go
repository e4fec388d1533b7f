package history

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// An operator reads why a row stands where it stands; of several reasons the one that must end first.
func TestWhyWaiting(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	node := "n1"

	for _, c := range []struct {
		name string
		row  db.ListOutboxRow
		hold string
		want string
	}{
		{
			name: "on hold, whatever else",
			row:  db.ListOutboxRow{ClaimedBy: &node, Due: true},
			hold: "restored from a backup",
			want: "on hold: restored from a backup",
		},
		{
			name: "claimed, lease over",
			row:  db.ListOutboxRow{ClaimedBy: &node, Due: true, TriggerEnabled: true},
			want: "its lease on node n1 has ended; another node will take it over",
		},
		{
			name: "claimed",
			row:  db.ListOutboxRow{ClaimedBy: &node},
			want: "running on node n1",
		},
		{
			name: "disabled, also when due",
			row:  db.ListOutboxRow{Due: true},
			want: "trigger disabled",
		},
		{
			name: "due",
			row:  db.ListOutboxRow{Due: true, TriggerEnabled: true, AttemptCount: 1},
			want: "due; it starts as soon as a permit is free",
		},
		{
			name: "failed before",
			row: db.ListOutboxRow{
				TriggerEnabled: true,
				AttemptCount:   2,
				MaxAttempts:    5,
				LastError:      "Error: no",
				WakeAt:         now.Add(90 * time.Second),
			},
			want: "attempt 2 of 5 failed (Error: no); the next is due in 1m30s",
		},
		{
			name: "interrupted before",
			row: db.ListOutboxRow{
				TriggerEnabled: true,
				Interruptions:  3,
				WakeAt:         now.Add(1400 * time.Millisecond),
			},
			want: "it was interrupted 3 times; the next try is due in 1s",
		},
		{
			name: "not tried yet: of a replay at a rate",
			row:  db.ListOutboxRow{TriggerEnabled: true, WakeAt: now.Add(time.Hour)},
			want: "one of a replay at a rate; it is due in 1h0m0s",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := WhyWaiting(&c.row, c.hold, now); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// The ledger balances if every event that was enqueued is in exactly one of the other counts.
func TestConservationBalances(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name   string
		ledger map[string]int64
		queue  db.CountOutboxOfAppsRow
		want   bool
	}{
		{"nothing happened", nil, db.CountOutboxOfAppsRow{Exact: true}, true},
		{"one everywhere",
			map[string]int64{"enqueued": 6, "done": 1, "dead_lettered": 1, "skipped": 1, "discarded": 1},
			db.CountOutboxOfAppsRow{Waiting: 1, Running: 1, Exact: true}, true},
		{"an event vanished",
			map[string]int64{"enqueued": 2, "done": 1}, db.CountOutboxOfAppsRow{Exact: true}, false},
		{"an event came from nowhere",
			map[string]int64{"enqueued": 1}, db.CountOutboxOfAppsRow{Waiting: 2, Exact: true}, false},
		{"sums of another version", map[string]int64{"archived": 5}, db.CountOutboxOfAppsRow{Exact: true}, true},
		{"too many to be counted",
			map[string]int64{"enqueued": 900_000, "done": 1}, db.CountOutboxOfAppsRow{Running: 4}, true},
		{"more than the ledger knows of",
			map[string]int64{"enqueued": 1900}, db.CountOutboxOfAppsRow{Running: 4}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()

			var sums []db.LedgerSumsOfAppsRow
			for what, n := range c.ledger {
				sums = append(sums, db.LedgerSumsOfAppsRow{AppID: 1, What: what, N: n})
			}
			c.queue.AppID = 1

			all := map[cloud.AppID]Conservation{}
			addSums(all, sums, []db.CountOutboxOfAppsRow{c.queue})
			sum := all[1]
			if sum.settle(); sum.Balanced != c.want {
				t.Errorf("balanced: %v, want %v: %+v", sum.Balanced, c.want, sum)
			}
		})
	}
}

// A queue that is too long to be counted is as long as the ledger says; a shorter one is counted.
func TestLongQueue(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		rows, claimed int
		exact         bool
	}{
		{0, 0, true},
		{5, 2, true},
		{maxCounted, 3, true},
		{maxCounted + 1, 3, false},
		{maxCounted + 500, 0, false},
	} {
		t.Run(fmt.Sprint(c.rows, " rows"), func(t *testing.T) {
			t.Parallel()
			d := openDB(t, 2)
			exec := func(sql string, args ...any) {
				t.Helper()
				if _, err := d.General.Exec(t.Context(), sql, args...); err != nil {
					t.Fatal(err)
				}
			}
			exec(`INSERT INTO outbox (app_id, id, source, script_id, root_id, depth, execution_id, max_attempts,
					backoff, base_ms, max_ms, jitter, wake_at, claimed_by)
				SELECT 1, gen_random_uuid(), 'kv', gen_random_uuid(), gen_random_uuid(), 0, gen_random_uuid(), 1,
					'constant', 1, 1, 0, clock_timestamp() + CASE WHEN n > $2 THEN '-1 h' ELSE '10 s' END::interval,
					CASE WHEN n <= $2 THEN 'a' END
				FROM generate_series(1, $1) n`, c.rows, c.claimed)
			exec(`INSERT INTO ledger (commit_id, app_id, what, n)
				VALUES (gen_random_uuid(), 1, 'enqueued', $1 + 3), (gen_random_uuid(), 1, 'done', 3)`, c.rows)

			r := NewReader(d, nil)
			got, err := r.Conservation(t.Context(), 1)
			want := Conservation{
				Enqueued: int64(c.rows + 3),
				Waiting:  int64(c.rows - c.claimed),
				Running:  int64(c.claimed),
				Done:     3,
				Balanced: true,
				Exact:    c.exact,
			}
			if err != nil || got != want {
				t.Errorf("%+v %v, want %+v", got, err, want)
			}

			const all = "every event of 2 apps is accounted for"
			found := map[bool]string{true: all, false: all}
			if !c.exact {
				found[false] += `, but for 1 queue of over 2000 events, which only "picloud doctor" counts`
			}

			for whole, text := range found {
				report, err := Examine(t.Context(), Installation{DB: d, Whole: whole})
				if err != nil || !slices.Contains(report.Findings, Finding{"conservation", FindingOK, text}) {
					t.Errorf("whole %v: no %q in %v, %v", whole, text, report.Findings, err)
				}
			}

			facts, err := r.QueueFacts(t.Context())
			if err != nil || facts.Waiting != want.Waiting || facts.Running != want.Running {
				t.Errorf("%+v %v", facts, err)
			}
			overdue := time.Duration(facts.DueUs) * time.Microsecond
			if (c.rows > c.claimed) != (overdue >= time.Hour) {
				t.Errorf("the most overdue has been due for %v", overdue)
			}
		})
	}
}

// In a queue that is too long to be counted each time, an event that vanished is missed all the same.
func TestLongQueueThatLostAnEvent(t *testing.T) {
	t.Parallel()
	d := openDB(t, 2)
	mustExec(t, d, `INSERT INTO outbox (app_id, id, source, script_id, root_id, depth, execution_id, max_attempts,
			backoff, base_ms, max_ms, jitter, wake_at)
		SELECT 1, gen_random_uuid(), 'kv', gen_random_uuid(), gen_random_uuid(), 0, gen_random_uuid(), 1,
			'constant', 1, 1, 0, clock_timestamp() FROM generate_series(1, 3000)`)
	mustExec(t, d, `INSERT INTO ledger (commit_id, app_id, what, n) VALUES (gen_random_uuid(), 1, 'enqueued', 3001)`)
	r := NewReader(d, nil)

	list := func(want bool) {
		t.Helper()
		all, err := r.Conservations(t.Context(), []cloud.AppID{1, 2})
		if err != nil || all[1].Balanced != want || !all[2].Balanced {
			t.Errorf("%+v, %v, want %v", all, err, want)
		}
	}
	one := func(want bool) {
		t.Helper()
		c, err := r.Conservation(t.Context(), 1)
		if err != nil || c.Balanced != want || c.Exact || c.Waiting != 3001 {
			t.Errorf("%+v, %v, want %v", c, err, want)
		}
		list(want)
	}

	list(true) // nobody has counted
	one(false)

	// The next count of the whole finds it in order.
	mustExec(t, d, `INSERT INTO outbox SELECT (o).* FROM (
		SELECT (json_populate_record(o, json_build_object('id', gen_random_uuid()))) AS o FROM outbox o LIMIT 1) x`)
	one(false)
	r.whole.known[1] = wholeCount{}
	one(true)
}

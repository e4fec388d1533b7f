package history

import (
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
		{"nothing happened", nil, db.CountOutboxOfAppsRow{}, true},
		{"one everywhere",
			map[string]int64{"enqueued": 6, "done": 1, "dead_lettered": 1, "skipped": 1, "discarded": 1},
			db.CountOutboxOfAppsRow{Waiting: 1, Running: 1}, true},
		{"an event vanished", map[string]int64{"enqueued": 2, "done": 1}, db.CountOutboxOfAppsRow{}, false},
		{"an event came from nowhere",
			map[string]int64{"enqueued": 1}, db.CountOutboxOfAppsRow{Waiting: 2}, false},
		{"sums of another version", map[string]int64{"archived": 5}, db.CountOutboxOfAppsRow{}, true},
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
			if got := sum.balances(); got != c.want {
				t.Errorf("balanced: %v, want %v: %+v", got, c.want, sum)
			}
		})
	}
}

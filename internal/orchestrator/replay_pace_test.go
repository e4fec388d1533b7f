package orchestrator_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/history"
	"picloud/internal/orchestrator"
	"picloud/internal/testkit/testcloud"
)

// paced replays what a filter selects at a rate.
func paced(t *testing.T, c *testcloud.Cloud, sel orchestrator.LetterSelection) orchestrator.BulkResult {
	t.Helper()
	done, err := c.Operations.ReplayMany(t.Context(), c.AppID(), sel, c.Operator())
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// atRate selects up to some letters, for a replay of so many a second.
func atRate(perSecond float64, limit int) orchestrator.LetterSelection {
	return orchestrator.LetterSelection{Limit: limit, Pace: orchestrator.Pace{PerSecond: perSecond}}
}

// dueTimes counts the rows of a replay that wait, and whether they are due so many seconds apart and the last
// at a time.
const dueTimes = `SELECT count(*) FROM (
	SELECT wake_at - lag(wake_at) OVER (ORDER BY wake_at) AS apart FROM outbox WHERE claimed_by IS NULL) x
	WHERE apart = $1 * interval '1 second'`

// At a rate the first is due at once and the others one after the other. The call returns before they ran,
// with the time of the last, and all letters say that they were replayed.
func TestReplayAtARate(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	leaveLetters(t, one, 4)
	runs := make(chan *testcloud.Run, 9)
	one.Deploy("failing", func(r *testcloud.Run) cloud.Outcome {
		runs <- r
		return cloud.Outcome{Status: cloud.Succeeded}
	})

	done := paced(t, one, atRate(0.01, 10))
	if done.Matched != 4 || done.Done != 4 || !done.Last.IsZero() {
		t.Errorf("%+v", done)
	}
	receive(t, runs)
	one.Await(3, "SELECT count(*) FROM outbox WHERE wake_at > clock_timestamp() + interval '1 minute'")
	one.Await(2, dueTimes, 100)
	one.Await(1, "SELECT count(*) FROM outbox WHERE wake_at = $1", done.LastDue)
	one.Await(4, "SELECT count(*) FROM dead_letters WHERE resolution = 'replayed' AND replayed_as IS NOT NULL")
	if len(runs) != 0 {
		t.Errorf("%d more have run", len(runs))
	}

	// The operator sees why they wait.
	one.Await(3, "SELECT count(*) FROM outbox")
	rows, _, err := one.History.Outbox(t.Context(), one.AppID(), cloud.ID{}, 10)
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	const want = "one of a replay at a rate; it is due in 1m0s"
	if got := history.WhyWaiting(&rows[0], "", rows[0].WakeAt.Add(-time.Minute)); got != want {
		t.Errorf("%q, want %q", got, want)
	}

	// The same filter finds nothing more to replay.
	if again := paced(t, one, atRate(0.01, 10)); again.Matched != 0 || again.Done != 0 || !again.LastDue.IsZero() {
		t.Errorf("again: %+v", again)
	}
	one.Await(3, "SELECT count(*) FROM outbox")
}

// A call that goes on behind another keeps the rate: it begins where that ended, and at once where the time
// of that has passed.
func TestReplayAtARateGoesOn(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	leaveLetters(t, one, 5)
	one.Deploy("failing", succeed)

	first := paced(t, one, atRate(0.01, 2))
	sel := atRate(0.02, 2)
	sel.Before = first.Last
	sel.Pace.After = first.LastDue
	second := paced(t, one, sel)
	if second.Done != 2 || second.LastDue.Sub(first.LastDue) != 100*time.Second {
		t.Errorf("%+v after %+v", second, first)
	}
	one.Await(2, dueTimes, 50)

	sel = atRate(0.01, 2)
	sel.Before = second.Last
	sel.Pace.After = first.LastDue.Add(-time.Hour)
	if third := paced(t, one, sel); third.Done != 1 || !third.LastDue.Before(first.LastDue) {
		t.Errorf("%+v, though the time before it has passed", third)
	}
	one.Await(3, "SELECT count(*) FROM outbox")
}

// What comes due runs, each in its turn, with nobody to announce it; also when the node that replayed is
// gone.
func TestReplayAtARateRuns(t *testing.T) {
	t.Parallel()

	for name, stop := range map[string]bool{"on the same node": false, "on another": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := testcloud.New(t)
			leaveLetters(t, one, 3)
			runs := make(chan *testcloud.Run, 9)
			one.Deploy("failing", func(r *testcloud.Run) cloud.Outcome {
				runs <- r
				return cloud.Outcome{Status: cloud.Succeeded}
			})

			last := one
			if stop {
				last = one.Join("two")
			}
			done := paced(t, one, atRate(2, 10))
			if stop {
				one.Stop()
			}

			for range done.Done {
				receive(t, runs)
			}
			last.AwaitEmptyOutbox()
			if n := last.Count("SELECT count(*) FROM executions WHERE status = 'succeeded' AND script = 'failing'"); n != 3 {
				t.Errorf("%d runs", n)
			}
		})
	}
}

// A disabled trigger keeps the rate of its events until it is enabled again.
func TestReplayAtARateOfADisabledTrigger(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	leaveLetters(t, one, 3)
	one.Deploy("failing", succeed)
	trigger, _ := cloud.ParseID(one.Text("SELECT id::text FROM triggers"))
	done := paced(t, one, atRate(0.01, 10))
	one.Await(2, "SELECT count(*) FROM outbox")

	enable(t, one, trigger, false)
	one.Await(2, "SELECT count(*) FROM outbox WHERE wake_at > clock_timestamp() + interval '100 years'")
	enable(t, one, trigger, true)
	one.Await(1, dueTimes, 100)
	one.Await(1, "SELECT count(*) FROM outbox WHERE wake_at = $1", done.LastDue)
}

// A rate that is none, or so low that the last letter would be due in more than a year, is refused before
// anything is replayed. The audit trail names a rate that was kept.
func TestReplayRates(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	leaveLetters(t, one, 1)
	year := time.Now().Add(365 * 24 * time.Hour)

	for name, pace := range map[string]orchestrator.Pace{
		"too low":        {PerSecond: 0.0009},
		"too high":       {PerSecond: 1000.1},
		"negative":       {PerSecond: -1},
		"not a number":   {PerSecond: math.NaN()},
		"infinite":       {PerSecond: math.Inf(1)},
		"in over a year": {PerSecond: 1, After: year},
	} {
		sel := orchestrator.LetterSelection{Limit: 10, Pace: pace}
		_, err := one.Operations.ReplayMany(t.Context(), one.AppID(), sel, one.Operator())
		if cloud.CodeOf(err) != cloud.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	one.Await(1, "SELECT count(*) FROM dead_letters WHERE resolution IS NULL")
	one.Await(0, "SELECT count(*) FROM audit WHERE action = 'dead-letter.replay-many'")

	paced(t, one, atRate(1000, 10))
	one.Await(1, "SELECT count(*) FROM audit WHERE detail::jsonb->>'rate' = '1000'")
}

// While a node of another version lives, which may know no rates, a replay at a rate is refused, and one without a
// rate is not. A node of which nothing was heard for long is gone.
func TestReplayRateDuringAnUpgrade(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	leaveLetters(t, one, 3)

	exec := func(sql string) {
		t.Helper()
		if _, err := one.DB.General.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec("INSERT INTO nodes (name, version, free) VALUES ('old', 'before', 1)")
	_, err := one.Operations.ReplayMany(t.Context(), one.AppID(), atRate(0.01, 1), one.Operator())
	if cloud.CodeOf(err) != cloud.CodeConflict || !strings.Contains(err.Error(), "the node old is of another version (before") {
		t.Errorf("beside another version: %v", err)
	}
	one.Await(3, "SELECT count(*) FROM dead_letters WHERE resolution IS NULL")

	if done := paced(t, one, atRate(0, 1)); done.Done != 1 {
		t.Errorf("without a rate: %+v", done)
	}

	exec("UPDATE nodes SET seen_at = clock_timestamp() - interval '1 hour' WHERE name = 'old'")
	if done := paced(t, one, atRate(0.01, 1)); done.Done != 1 {
		t.Errorf("beside a node that is gone: %+v", done)
	}
}

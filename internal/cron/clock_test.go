package cron_test

import (
	"sync"
	"testing"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/cron"
	"picloud/internal/manager"
	"picloud/internal/testkit/testcloud"
)

// yearly fires so seldom that no test comes across a slot of its own: what is due is made so by moving the
// schedule back.
const yearly = "0 0 1 1 *"

func ptr[T any](v T) *T { return &v }

// schedule makes a yearly trigger of the script "task".
func schedule(c *testcloud.Cloud, catchUp, overlap string) cloud.ID {
	return c.Trigger(manager.TriggerChange{
		Kind:     ptr(cloud.SourceCron),
		Script:   ptr("task"),
		Schedule: ptr(yearly),
		CatchUp:  &catchUp,
		Overlap:  &overlap,
	})
}

// threeDue moves every schedule back by three slots, as if nobody had been there for as long.
func threeDue(c *testcloud.Cloud) {
	c.Exec(`UPDATE schedules
		SET next_slot = next_slot - interval '3 years', fire_at = next_slot - interval '3 years'`)
}

// counting is a script that counts its runs.
func counting() (testcloud.Script, func() int) {
	var mu sync.Mutex
	runs := 0
	script := func(r *testcloud.Run) cloud.Outcome {
		mu.Lock()
		defer mu.Unlock()

		if r.Handler == "scheduled" {
			runs++
		}
		return cloud.Outcome{Status: cloud.Succeeded}
	}
	return script, func() int {
		mu.Lock()
		defer mu.Unlock()

		return runs
	}
}

// Of the slots that a downtime has missed some are made up for, as the trigger says. Each is recorded, and
// the schedule goes on.
func TestCatchUp(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		catchUp, overlap string
		states           string // of the three slots, the oldest first
		runs             int
	}{
		"none":            {cloud.CatchUpNone, cloud.OverlapAllow, "missed,missed,missed", 0},
		"one":             {cloud.CatchUpOne, cloud.OverlapAllow, "missed,missed,late", 1},
		"all":             {cloud.CatchUpAll, cloud.OverlapAllow, "late,late,late", 3},
		"all, one by one": {cloud.CatchUpAll, cloud.OverlapSkip, "late,skipped,skipped", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := testcloud.New(t)
			script, runs := counting()
			one.Deploy("task", script)
			trigger := schedule(one, c.catchUp, c.overlap)
			next := one.Text("SELECT next_slot::text FROM schedules")
			threeDue(one)

			one.Schedules.Wake()
			one.Await(3, "SELECT count(*) FROM slots")
			one.AwaitEmptyOutbox()
			if got := one.Text("SELECT string_agg(state, ',' ORDER BY slot) FROM slots"); got != c.states {
				t.Errorf("slots %s, want %s", got, c.states)
			}
			if n := runs(); n != c.runs {
				t.Errorf("%d runs, want %d", n, c.runs)
			}
			if got := one.Text("SELECT next_slot::text FROM schedules"); got != next {
				t.Errorf("it goes on at %s, want %s", got, next)
			}
			// A slot that fired names the execution of its run, which was told its time.
			fired := one.Count(`SELECT count(*) FROM slots s JOIN executions e ON e.id = s.execution_id
				WHERE s.state = 'late' AND e.trigger_id = $1 AND e.source = 'cron' AND e.status = 'succeeded'`,
				trigger[:])
			if fired != int64(c.runs) {
				t.Errorf("%d slots have their execution", fired)
			}
			one.AwaitTrue("the slots are counted", func() bool {
				totals := one.Schedules.Totals()
				return totals[cloud.SlotLate] == int64(c.runs) &&
					totals[cloud.SlotLate]+totals[cloud.SlotMissed]+totals[cloud.SlotSkipped] == 3
			})
		})
	}
}

// The event of a slot says which schedule it is of and when it should have fired.
func TestScheduledEvent(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	events := make(chan string, 3)
	one.Deploy("task", func(r *testcloud.Run) cloud.Outcome {
		events <- r.Event
		return cloud.Outcome{Status: cloud.Succeeded}
	})
	schedule(one, cloud.CatchUpOne, cloud.OverlapAllow)
	threeDue(one)
	one.Schedules.Wake()

	at := one.Text("SELECT (extract(epoch FROM date_trunc('year', now())) * 1000)::bigint::text")
	one.AwaitTrue("an event comes", func() bool { return len(events) > 0 })
	if got, want := <-events, `{"cron":"`+yearly+`","scheduledTime":`+at+`,"timezone":"UTC"}`; got != want {
		t.Errorf("event %s, want %s", got, want)
	}
	one.AwaitEmptyOutbox()
}

// Of the clocks of an installation one fires at a time, and whoever looks besides decides nothing a second
// time.
func TestTwoClocks(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	script, runs := counting()
	one.Deploy("task", script)

	two := one.Join("two")
	for range 4 {
		schedule(one, cloud.CatchUpAll, cloud.OverlapAllow)
	}

	for _, node := range []*testcloud.Cloud{one, two} {
		node.Refresh(t.Context(), one.AppID())
	}
	threeDue(one)

	var looks sync.WaitGroup
	for _, node := range []*testcloud.Cloud{one, two, one, two} {
		looks.Go(func() { node.Schedules.FireDue(t.Context()) })
		node.Schedules.Wake()
	}
	looks.Wait()
	one.Await(12, "SELECT count(*) FROM slots WHERE state = 'late'")
	one.AwaitEmptyOutbox()
	if n := runs(); n != 12 {
		t.Errorf("%d runs of 12 slots", n)
	}
	if n := one.Count("SELECT coalesce(sum(n), 0)::bigint FROM ledger WHERE what = 'enqueued'"); n != 12 {
		t.Errorf("%d rows of 12 slots", n)
	}
	if n := one.Count("SELECT count(*) FROM leases WHERE name = 'cron'"); n != 1 {
		t.Errorf("%d clocks lead", n)
	}

	// The one that leads gives its lease back when it stops, and the other goes on.
	leader, other, name := one, two, "one"
	if one.Text("SELECT holder FROM leases WHERE name = 'cron'") == "two" {
		leader, other, name = two, one, "two"
	}
	leader.Quiesce()
	other.Await(0, "SELECT count(*) FROM leases WHERE name = 'cron' AND holder = $1", name)
	other.Exec("DELETE FROM slots")
	threeDue(other)
	other.Schedules.Wake()
	other.Await(12, "SELECT count(*) FROM slots")
	other.AwaitEmptyOutbox()
	if n := runs(); n != 24 {
		t.Errorf("%d runs of 24 slots", n)
	}
}

// While the installation is on hold nothing fires and nobody looks. What was due before its release is not
// its own to fire.
func TestHold(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	script, runs := counting()
	one.Deploy("task", script)
	schedule(one, cloud.CatchUpAll, cloud.OverlapAllow)
	hold := func(why string) {
		if err := one.DB.Queries().SetHold(t.Context(), why); err != nil {
			t.Fatal(err)
		}
		one.Refresh(t.Context(), 0)
	}
	hold("restored from a backup")
	threeDue(one)

	if wait, forever := one.Schedules.FireDue(t.Context()); wait != 0 || !forever {
		t.Errorf("it looks again after %s", wait)
	}
	if n := one.Count("SELECT count(*) FROM slots"); n != 0 {
		t.Fatalf("%d slots were decided", n)
	}
	hold("")
	one.Await(3, "SELECT count(*) FROM slots WHERE state = 'missed' AND reason LIKE 'this restored copy%'")
	if n := runs(); n != 0 {
		t.Errorf("%d runs", n)
	}
}

// Without a schedule the clock sleeps until somebody makes one; with one, until that is due, but never for
// long.
func TestHowLongAClockSleeps(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	one.Deploy("task", func(*testcloud.Run) cloud.Outcome { return cloud.Outcome{Status: cloud.Succeeded} })
	if _, forever := one.Schedules.FireDue(t.Context()); !forever {
		t.Error("it looks again though there is no schedule")
	}
	schedule(one, cloud.CatchUpOne, cloud.OverlapAllow)
	if wait, forever := one.Schedules.FireDue(t.Context()); forever || wait != time.Minute {
		t.Errorf("a slot that comes next year: %s", wait)
	}
}

// A schedule that this version cannot read stands still: nothing is decided for it, others fire, and the
// clock comes back to it.
func TestScheduleThatCannotBeRead(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	script, runs := counting()
	one.Deploy("task", script)
	bad := schedule(one, cloud.CatchUpOne, cloud.OverlapAllow)
	schedule(one, cloud.CatchUpOne, cloud.OverlapAllow)
	one.Exec("UPDATE triggers SET timezone = 'Nowhere/Else' WHERE id = $1", bad[:])
	one.Exec("UPDATE apps SET revision = revision + 1")
	one.Refresh(t.Context(), one.AppID())
	threeDue(one)

	if wait, forever := one.Schedules.FireDue(t.Context()); forever || wait != cron.RetryAfterError {
		t.Errorf("it looks again after %s", wait)
	}
	one.Await(3, "SELECT count(*) FROM slots WHERE trigger_id <> $1", bad[:])
	one.AwaitEmptyOutbox()
	if n := one.Count("SELECT count(*) FROM slots WHERE trigger_id = $1", bad[:]); n != 0 || runs() != 1 {
		t.Errorf("%d slots, %d runs", n, runs())
	}
	if _, _, err := one.Schedules.Upcoming(t.Context(), one.AppID(), bad, 1); err == nil {
		t.Error("it has slots to come")
	}
}

// What comes next is told of an enabled trigger, with how long it is overdue.
func TestUpcoming(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	one.Deploy("task", func(*testcloud.Run) cloud.Outcome { return cloud.Outcome{Status: cloud.Succeeded} })
	trigger := schedule(one, cloud.CatchUpOne, cloud.OverlapAllow)

	slots, overdue, err := one.Schedules.Upcoming(t.Context(), one.AppID(), trigger, 3)
	if err != nil || len(slots) != 3 || overdue != 0 {
		t.Fatalf("%v, overdue %s, %v", slots, overdue, err)
	}

	for k, at := range slots {
		if at.Year() != slots[0].Year()+k || at.YearDay() != 1 || !at.After(time.Now()) {
			t.Errorf("slot %d is at %s", k, at)
		}
	}

	// A lease without end keeps the clock from firing it.
	one.Exec(`INSERT INTO leases (name, holder, until) VALUES ('cron', 'two', 'infinity')`)
	one.Exec("UPDATE schedules SET fire_at = clock_timestamp() - interval '1 hour'")
	if _, overdue, err := one.Schedules.Upcoming(t.Context(), one.AppID(), trigger, 3); err != nil ||
		overdue < time.Hour || overdue > 2*time.Hour {
		t.Errorf("overdue %s, %v", overdue, err)
	}
	if _, err := one.Manager.UpdateTrigger(t.Context(), one.Owner, one.App, trigger,
		manager.TriggerChange{Enabled: ptr(false)}); err != nil {
		t.Fatal(err)
	}

	for name, id := range map[string]cloud.ID{"disabled": trigger, "missing": {1}} {
		if slots, _, err := one.Schedules.Upcoming(t.Context(), one.AppID(), id, 3); err != nil ||
			len(slots) != 0 {
			t.Errorf("%s: %v, %v", name, slots, err)
		}
	}
}

// A schedule that got its slot while the database's clock was ahead waits for the right one again. What was
// given up in the future is forgotten, and what fired there does not fire a second time.
func TestDatabaseClockWasAhead(t *testing.T) {
	t.Parallel()
	one := testcloud.New(t)
	script, runs := counting()
	one.Deploy("task", script)
	trigger := schedule(one, cloud.CatchUpAll, cloud.OverlapAllow)
	schedule(one, cloud.CatchUpOne, cloud.OverlapAllow)
	slots := func() string {
		return one.Text(`SELECT string_agg(t.id::text || ' ' || s.next_slot, ', ' ORDER BY t.id)
			FROM schedules s JOIN triggers t ON t.id = s.trigger_id`)
	}
	before := slots()

	// The clock was three years ahead: two slots were missed, and the one between them fired.
	one.Exec(`INSERT INTO slots (app_id, trigger_id, slot, state)
		SELECT app_id, trigger_id, next_slot + n * interval '1 year', CASE n WHEN 1 THEN 'late' ELSE 'missed' END
		FROM schedules, generate_series(0, 2) n WHERE trigger_id = $1`, trigger[:])
	one.Exec(`UPDATE schedules SET next_slot = next_slot + interval '3 years', fire_at = fire_at + interval '3 years'
		WHERE trigger_id = $1`, trigger[:])

	for range 2 {
		if err := one.Schedules.BringBack(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := slots(); got != before {
			t.Errorf("the slots to come are %s, want %s", got, before)
		}
	}
	if got := one.Text("SELECT string_agg(state, ',') FROM slots"); got != "late" {
		t.Errorf("slots %s are left", got)
	}

	// Two years pass.
	one.Exec(`UPDATE slots SET slot = slot - interval '2 years'`)
	one.Exec(`UPDATE schedules SET next_slot = next_slot - interval '2 years', fire_at = fire_at - interval '2 years'
		WHERE trigger_id = $1`, trigger[:])
	one.Schedules.Wake()
	one.Await(2, "SELECT count(*) FROM slots WHERE state = 'late'")
	one.AwaitEmptyOutbox()
	if got := slots(); got != before || runs() != 1 {
		t.Errorf("%d runs, and the slots to come are %s, want %s", runs(), got, before)
	}
}

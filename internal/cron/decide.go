package cron

import (
	"slices"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/commit"
	"picloud/internal/schedule"
)

// maxCatchUp is how many slots of one trigger are decided one by one after a downtime; those before are one
// row.
const maxCatchUp = 1000

// longestWindow bounds the time before now in which slots are counted. A window four times as long would not
// fit into a time.Duration.
const longestWindow = 120 * 365 * 24 * time.Hour

// slotQuestion asks what becomes of a trigger's slots from next until now.
type slotQuestion struct {
	schedule *schedule.Schedule
	trigger  *cloud.Trigger
	next     time.Time // the first slot that is not decided yet
	now      time.Time // by the database's clock
	// fired are later slots that fired already, when the database's clock was ahead. None fires twice.
	fired []time.Time
	// released is when the last hold ended: slots before a restored copy was released are not its own.
	released time.Time
	// busy says that the run of the slot before is not over, and the trigger allows no overlap.
	busy bool
}

// decideSlots decides every slot from next until now. Those whose time has just come fire; what becomes of
// others, which nobody fired in their time, is the trigger's to say. If none has come, which is so when the
// trigger's jitter was raised since the schedule was read, only the time to fire changes.
func decideSlots(q slotQuestion) *commit.Slots {
	d := &commit.Slots{Expected: q.next, Next: q.next}
	due, skippedOlder := dueSlots(&q)
	if skippedOlder {
		reason := "PiCloud did not fire at this time, nor at any other before " + due[0].UTC().
			Format(time.RFC3339)
		d.Decided = append(d.Decided, commit.Slot{At: q.next, State: cloud.SlotMissed, Reason: reason})
	}

	for _, at := range due {
		slot := q.decideSlot(at, due[len(due)-1])
		if q.trigger.Overlap == cloud.OverlapSkip &&
			(slot.State == cloud.SlotFired || slot.State == cloud.SlotLate) {
			q.busy = true
		}
		d.Decided = append(d.Decided, slot)
	}

	if len(due) > 0 {
		d.Next = q.slotAfter(due[len(due)-1])
	}
	if d.Next.IsZero() { // the manager checked that one comes: this was the last
		d.Next = q.now.AddDate(100, 0, 0)
	}
	d.FireAt = d.Next.Add(schedule.Jitter(q.trigger.ID, d.Next, q.trigger.CronJitter))

	return d
}

// decideSlot decides one slot that is due; newest is the last of them.
func (q *slotQuestion) decideSlot(at, newest time.Time) commit.Slot {
	missed := func(reason string) commit.Slot {
		return commit.Slot{At: at, State: cloud.SlotMissed, Reason: reason}
	}
	late := q.now.Sub(at.Add(schedule.Jitter(q.trigger.ID, at, q.trigger.CronJitter))) > cloud.LateAfter

	switch {
	case at.Before(q.released):
		return missed(
			"this restored copy of the installation was not released before " + q.released.UTC().
				Format(time.RFC3339),
		)
	case late && q.trigger.CatchUp == cloud.CatchUpNone:
		return missed("PiCloud did not fire at this time; missed runs are not made up for")
	case late && !at.Equal(newest) && q.trigger.CatchUp != cloud.CatchUpAll:
		return missed(
			"PiCloud did not fire at this time; the run of " + newest.UTC().
				Format(time.RFC3339) +
				" makes up for it",
		)
	case q.busy:
		return commit.Slot{At: at, State: cloud.SlotSkipped, Reason: "the run before was not over"}
	case late:
		return commit.Slot{At: at, State: cloud.SlotLate}
	default:
		return commit.Slot{At: at, State: cloud.SlotFired}
	}
}

// dueSlots are the slots from next on whose time has come, the newest maxCatchUp of them; older says that
// there are others.
func dueSlots(q *slotQuestion) (due []time.Time, older bool) {
	from := q.next
	// Most schedules have few slots to look at, but years of one that fires each second must not be gone
	// through: a window that ends now grows until it holds enough.
	for window := time.Hour; window <= longestWindow && q.now.Add(-window).After(q.next); window *= 4 {
		n := 0

		first := q.slotAfter(q.now.Add(-window))
		for at := first; q.isDue(at) && n <= maxCatchUp; at = q.slotAfter(at) {
			n++
		}
		if n > maxCatchUp {
			from = first
			break
		}
	}

	for at := from; q.isDue(at); at = q.slotAfter(at) {
		due = append(due, at)
	}
	older = from.After(q.next)
	if len(due) > maxCatchUp {
		due = due[len(due)-maxCatchUp:]
		older = true
	}

	return due, older
}

// slotAfter is the first slot after a time that has not fired.
func (q *slotQuestion) slotAfter(at time.Time) time.Time {
	next := q.schedule.Next(at)
	for slices.ContainsFunc(q.fired, next.Equal) {
		next = q.schedule.Next(next)
	}

	return next
}

// isDue reports whether a slot's time has come, with the trigger's jitter.
func (q *slotQuestion) isDue(at time.Time) bool {
	return !at.IsZero() && !at.After(q.now) &&
		!at.Add(schedule.Jitter(q.trigger.ID, at, q.trigger.CronJitter)).After(q.now)
}

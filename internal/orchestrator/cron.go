package orchestrator

import (
	"context"
	"maps"
	"sync"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/schedule"
)

const (
	// cronLease is for how long a node that fired is the one that fires; without it every node would try.
	cronLease = 5 * time.Second
	// LateAfter is how much later than its time a slot may fire and still count as fired in time.
	LateAfter = 30 * time.Second
	// maxCatchUp is how many slots of one trigger are decided one by one after a downtime; those before are one row.
	maxCatchUp = 1000
	// maxFiring is how many triggers one look takes.
	maxFiring = 100
)

// States of a slot.
const (
	slotFired   = "fired"
	slotLate    = "late"
	slotMissed  = "missed"
	slotSkipped = "skipped"
)

// cron fires schedules. It sleeps until the earliest one is due, and asks the database's clock when that is; without
// schedules it sleeps until somebody makes one. A slot that could not be enqueued is tried again until it is.
type cron struct {
	o     *Orchestrator
	wakeC chan struct{}

	mu      sync.Mutex
	decided map[string]int64 // slots by state
}

func newCron(o *Orchestrator) *cron {
	return &cron{o: o, wakeC: make(chan struct{}, 1), decided: map[string]int64{}}
}

// wake makes it look now: a schedule may have changed.
func (c *cron) wake() {
	select {
	case c.wakeC <- struct{}{}:
	default:
	}
}

func (c *cron) loop() {
	clock := time.NewTimer(0)
	defer clock.Stop()
	for {
		select {
		case <-c.o.ctx.Done():
			return
		case <-c.o.draining:
			c.o.dropLease("cron")
			c.o.notifyPeers(channelCron, "")
			return
		case <-c.wakeC:
		case <-clock.C:
		}
		if wait, sleep := c.look(); sleep {
			clock.Stop()
		} else {
			clock.Reset(wait)
		}
	}
}

// look fires what is due and says for how long to sleep; without any schedule until somebody makes one.
func (c *cron) look() (wait time.Duration, sleep bool) {
	if c.o.Hold() != "" {
		return 0, true
	}
	ctx, cancel := context.WithTimeout(c.o.ctx, 30*time.Second)
	defer cancel()
	q := db.New(c.o.cfg.DB.Control)
	us, err := q.NextFire(ctx)
	switch {
	case isNotFound(err):
		return 0, true
	case err != nil:
		c.failed("ask for the next slot", err)
		return retryAfterError, false
	case us > 0: // a clock can be set meanwhile
		return min(time.Duration(us)*time.Microsecond+time.Millisecond, safetyPoll), false
	}
	switch leads, err := c.o.takeLease(ctx, "cron", cronLease); {
	case err != nil:
		c.failed("take the lease", err)
		return retryAfterError, false
	case !leads:
		return cronLease, false // another node fires; if it is gone, this one takes over
	}
	due, err := q.DueSchedules(ctx, maxFiring)
	if err != nil {
		c.failed("read due schedules", err)
		return retryAfterError, false
	}
	var submitted []*commit
	for k := range due {
		if x := c.fire(ctx, &due[k]); x != nil {
			c.o.committer.submit(x)
			submitted = append(submitted, x)
		}
	}
	again := time.Duration(0)
	for _, x := range submitted {
		switch res := x.wait(); {
		case res.err != nil:
			c.failed("enqueue", res.err)
			again = retryAfterError
		case res.applied:
			c.count(x.slots.slots)
		}
	}
	if len(submitted) < len(due) {
		again = retryAfterError
	}
	return again, false
}

func (c *cron) count(slots []slot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range slots {
		c.decided[s.state]++
	}
}

// totals are the slots that this node decided, by state.
func (c *cron) totals() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.decided)
}

func (c *cron) failed(doing string, err error) {
	if c.o.ctx.Err() == nil {
		c.o.cfg.Log.Error("cron: "+doing, "error", db.Translate(err))
	}
}

// fire decides what becomes of a trigger's due slots; nil: its definition could not be read.
func (c *cron) fire(ctx context.Context, due *db.DueSchedulesRow) *commit {
	app := cloud.AppID(due.AppID)
	defs, err := c.o.definitions.atLeast(ctx, app, due.Revision)
	if err != nil {
		c.failed("read definitions", err)
		return nil
	}
	if defs == nil || defs.triggers[due.TriggerID] == nil {
		return nil
	}
	t := defs.triggers[due.TriggerID]
	s, _, err := schedule.Parse(t.Schedule, t.Timezone)
	if err != nil {
		c.failed("read the schedule of trigger "+t.ID.String(), err)
		return nil
	}
	d := decideSlots(s, t, due.NextSlot, due.Now, c.o.released(), due.Busy)
	d.revision = defs.revision
	return c.o.slotCommit(t, d)
}

// slotCommit enqueues a row for each slot that fires.
func (o *Orchestrator) slotCommit(t *cloud.Trigger, d slotDecision) *commit {
	d.trigger = t.ID
	x := &commit{app: t.App, slots: &d}
	for k := range d.slots {
		s := &d.slots[k]
		if s.state != slotFired && s.state != slotLate {
			continue
		}
		payload := appendJSON(nil, struct {
			Cron          string `json:"cron"`
			ScheduledTime int64  `json:"scheduledTime"`
			Timezone      string `json:"timezone"`
		}{t.Schedule, s.at.UnixMilli(), t.Timezone})
		s.execution = o.cfg.IDs.New()
		x.enqueue = append(x.enqueue, &newRow{row: row{app: t.App, id: o.cfg.IDs.New(), source: cloud.SourceCron, op: "cron", trigger: t.ID,
			script: t.Script, payload: string(payload), root: s.execution, execution: s.execution, retry: t.Retry}})
	}
	return x
}

// slotDecision is what becomes of the slots of one trigger, from the one that was expected until now.
type slotDecision struct {
	trigger      cloud.ID
	revision     int64 // of the definitions that it follows
	expected     time.Time
	slots        []slot
	next, fireAt time.Time
}

type slot struct {
	at        time.Time
	state     string
	reason    string
	execution cloud.ID
}

// decideSlots decides every slot from next until now. Those whose time has just come fire; what becomes of others, which
// nobody fired in their time, is the trigger's to say. Slots before a restored copy was released are not its own.
func decideSlots(s *schedule.Schedule, t *cloud.Trigger, next, now, released time.Time, busy bool) slotDecision {
	d := slotDecision{expected: next}
	due, skippedOlder := dueSlots(s, t, next, now)
	if skippedOlder {
		d.slots = append(d.slots, slot{at: next, state: slotMissed, reason: "PiCloud did not fire at this time, nor at any other before " + due[0].UTC().Format(time.RFC3339)})
	}
	for k, at := range due {
		newest := k == len(due)-1
		late := now.Sub(at.Add(schedule.Jitter(t.ID, at, t.CronJitter))) > LateAfter
		sl := slot{at: at, state: slotFired}
		if late {
			sl.state = slotLate
		}
		switch {
		case at.Before(released):
			sl.state, sl.reason = slotMissed, "this restored copy of the installation was not released before "+released.UTC().Format(time.RFC3339)
		case late && t.CatchUp == cloud.CatchUpNone:
			sl.state, sl.reason = slotMissed, "PiCloud did not fire at this time; missed runs are not made up for"
		case late && !newest && t.CatchUp != cloud.CatchUpAll:
			sl.state, sl.reason = slotMissed, "PiCloud did not fire at this time; the run of "+due[len(due)-1].UTC().Format(time.RFC3339)+" makes up for it"
		case busy:
			sl.state, sl.reason = slotSkipped, "the run before was not over"
		}
		if t.Overlap == cloud.OverlapSkip && (sl.state == slotFired || sl.state == slotLate) {
			busy = true
		}
		d.slots = append(d.slots, sl)
		d.next = at
	}
	d.next = s.Next(d.next)
	if d.next.IsZero() { // it was checked that it comes; this one was the last
		d.next = now.AddDate(100, 0, 0)
	}
	d.fireAt = d.next.Add(schedule.Jitter(t.ID, d.next, t.CronJitter))
	return d
}

// dueSlots are the slots from next on whose time has come, the newest maxCatchUp of them; older says that there are others.
func dueSlots(s *schedule.Schedule, t *cloud.Trigger, next, now time.Time) (due []time.Time, older bool) {
	come := func(at time.Time) bool {
		return !at.IsZero() && !at.After(now) && !at.Add(schedule.Jitter(t.ID, at, t.CronJitter)).After(now)
	}
	from := next
	// Most schedules have few slots to look at; years of one that fires each second are not gone through.
	for window := time.Hour; now.Add(-window).After(next); window *= 4 {
		n := 0
		first := s.Next(now.Add(-window))
		for at := first; come(at) && n <= maxCatchUp; at = s.Next(at) {
			n++
		}
		if n > maxCatchUp {
			from = first
			break
		}
	}
	for at := from; come(at); at = s.Next(at) {
		due = append(due, at)
	}
	older = from.After(next)
	if len(due) > maxCatchUp {
		due, older = due[len(due)-maxCatchUp:], true
	}
	return due, older
}

// Slot is what became of a slot.
type Slot = db.ListSlotsRow

// Slots lists a trigger's slots, newest first, older than a time.
func (o *Orchestrator) Slots(ctx context.Context, app cloud.AppID, trigger cloud.ID, before time.Time, limit int) ([]Slot, error) {
	list, err := o.cfg.DB.Queries().ListSlots(ctx, db.ListSlotsParams{AppID: int64(app), TriggerID: trigger, Before: before, Max: int32(limit)})
	return list, explain("list slots", err)
}

// Overdue is a schedule that should have fired.
type Overdue struct {
	Trigger          cloud.ID
	Script, Schedule string
	By               time.Duration
}

// OverdueSchedules are those of an app that should have fired more than LateAfter ago and did not: something is wrong.
func (o *Orchestrator) OverdueSchedules(ctx context.Context, app cloud.AppID) ([]Overdue, error) {
	rows, err := o.cfg.DB.Queries().OverdueSchedules(ctx, int64(app), LateAfter.Microseconds())
	list := make([]Overdue, len(rows))
	for k, r := range rows {
		list[k] = Overdue{Trigger: r.TriggerID, Script: r.Script, Schedule: r.Schedule, By: time.Duration(r.Us) * time.Microsecond}
	}
	return list, explain("read schedules", err)
}

// Upcoming is when a trigger fires next: so many slots, and for how long the first is overdue. Nothing for a trigger that is
// disabled or not one of cron.
func (o *Orchestrator) Upcoming(ctx context.Context, app cloud.AppID, trigger cloud.ID, n int) (slots []time.Time, overdue time.Duration, err error) {
	defs := o.definitions.app(app)
	if defs == nil || defs.triggers[trigger] == nil || !defs.triggers[trigger].Enabled {
		return nil, 0, nil
	}
	t := defs.triggers[trigger]
	at, err := o.cfg.DB.Queries().ScheduleOf(ctx, int64(app), trigger)
	if isNotFound(err) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, explain("read schedule", err)
	}
	s, _, err := schedule.Parse(t.Schedule, t.Timezone)
	if err != nil {
		return nil, 0, err
	}
	for next := at.NextSlot; len(slots) < n && !next.IsZero(); next = s.Next(next) {
		slots = append(slots, next.UTC())
	}
	return slots, time.Duration(max(0, at.OverdueUs)) * time.Microsecond, nil
}

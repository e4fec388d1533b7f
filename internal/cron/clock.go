// Package cron fires schedules: it decides what becomes of every slot of every enabled cron trigger, and
// enqueues a row for each that fires. Decision, row and the schedule's next slot are one commit. It runs no
// script; the rows are events like any other.
package cron

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"picloud/db"
	"picloud/internal/catalog"
	"picloud/internal/cloud"
	"picloud/internal/commit"
	"picloud/internal/outbox"
	"picloud/internal/schedule"
)

const (
	// leaseName and leaseTime are of the lease of the node that fires; without it every node would try.
	leaseName = "cron"
	leaseTime = 5 * time.Second
	// maxFiring is how many triggers one look takes.
	maxFiring = 100
	// longestSleep bounds how long the clock sleeps: the database's clock can be set meanwhile.
	longestSleep = 60 * time.Second
	// retryAfterError is the pause after a look that failed.
	retryAfterError = time.Second
)

// Cluster is what a Clock asks of the other nodes (cluster.Cluster).
type Cluster interface {
	// Hold says why no schedule fires in the whole installation, "" if they do; Released is when the last
	// hold ended.
	Hold() string
	Released() time.Time
	TakeLease(ctx context.Context, name string, d time.Duration) (bool, error)
	DropLease(name string)
}

// Config is what a Clock needs.
type Config struct {
	DB        *db.DB
	IDs       *cloud.IDSource
	Log       *slog.Logger
	Catalog   *catalog.Catalog
	Committer *commit.Committer
	Cluster   Cluster
	// Draining is closed when no schedule is to be fired any more; WakeOthers has the other nodes look then.
	Draining   <-chan struct{}
	WakeOthers func()
}

// Clock fires schedules. It sleeps until the earliest one is due, and asks the database's clock when that is;
// without schedules it sleeps until somebody makes one. A slot that could not be enqueued is tried again
// until it is.
type Clock struct {
	cfg   Config
	wakeC chan struct{}

	// mu guards the fields below. It is a leaf.
	mu        sync.Mutex
	decided   map[string]int64 // the slots that this node decided, by state
	checkedAt time.Time        // when schedules were last compared with their next slots
}

// New returns a Clock that stands until Run.
func New(cfg Config) *Clock {
	return &Clock{cfg: cfg, wakeC: make(chan struct{}, 1), decided: map[string]int64{}}
}

// Wake makes it look now: a schedule may have changed.
func (c *Clock) Wake() {
	select {
	case c.wakeC <- struct{}{}:
	default:
	}
}

// Totals are the slots that this node decided, by state.
func (c *Clock) Totals() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()

	return maps.Clone(c.decided)
}

// Run fires schedules until ctx ends or the node drains.
func (c *Clock) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()

	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.cfg.Draining:
			c.cfg.Cluster.DropLease(leaseName)
			c.cfg.WakeOthers()
			return nil
		case <-c.wakeC:
		case <-timer.C:
		}

		if wait, forever := c.fireDue(ctx); forever {
			timer.Stop()
		} else {
			timer.Reset(wait)
		}
	}
}

// fireDue fires what is due and says for how long to sleep; without any schedule until somebody makes one.
func (c *Clock) fireDue(ctx context.Context) (wait time.Duration, forever bool) {
	if c.cfg.Cluster.Hold() != "" {
		return 0, true
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()

	if err := c.bringBack(ctx); err != nil {
		c.failed(ctx, "compare schedules with the clock", err)
		return retryAfterError, false
	}

	q := db.New(c.cfg.DB.Control)

	us, err := q.NextFire(ctx)
	switch {
	case db.IsNotFound(err):
		return 0, true
	case err != nil:
		c.failed(ctx, "ask for the next slot", err)
		return retryAfterError, false
	case us > 0:
		return min(time.Duration(us)*time.Microsecond+time.Millisecond, longestSleep), false
	}

	leads, err := c.cfg.Cluster.TakeLease(ctx, leaseName, leaseTime)
	if err != nil {
		c.failed(ctx, "take the lease", err)
		return retryAfterError, false
	}
	if !leads { // another node fires; if it is gone, this one takes over
		return leaseTime, false
	}

	due, err := q.DueSchedules(ctx, maxFiring)
	if err != nil {
		c.failed(ctx, "read due schedules", err)
		return retryAfterError, false
	}

	// A hold may have begun meanwhile: what has become due in it is not decided.
	if c.cfg.Cluster.Hold() != "" {
		return 0, true
	}

	return c.fireAll(ctx, due), false
}

// fireAll commits what becomes of due schedules, together, so that they share commits. It says for how long
// to sleep.
func (c *Clock) fireAll(ctx context.Context, due []db.DueSchedulesRow) time.Duration {
	var submitted []*commit.Commit

	var decided []*commit.Slots
	for k := range due {
		x, slots := c.decide(ctx, &due[k])
		if x == nil {
			continue
		}
		c.cfg.Committer.Submit(x)
		submitted = append(submitted, x)
		decided = append(decided, slots)
	}

	wait := time.Duration(0)
	if len(submitted) < len(due) {
		wait = retryAfterError
	}

	for k, x := range submitted {
		switch result := x.Wait(); {
		case result.Err != nil:
			c.failed(ctx, "enqueue", result.Err)
			wait = retryAfterError
		case result.Applied:
			c.count(decided[k].Decided)
		}
	}

	return wait
}

func (c *Clock) count(slots []commit.Slot) {
	c.mu.Lock()
	defer c.mu.Unlock()

	for _, s := range slots {
		c.decided[s.State]++
	}
}

func (c *Clock) failed(ctx context.Context, doing string, err error) {
	if !errors.Is(ctx.Err(), context.Canceled) {
		c.cfg.Log.Error("cron: "+doing, "error", db.Translate(err))
	}
}

// decide makes the commit of a trigger's due slots; nil: its definition could not be read.
func (c *Clock) decide(ctx context.Context, due *db.DueSchedulesRow) (*commit.Commit, *commit.Slots) {
	d, err := c.definitionOf(ctx, cloud.AppID(due.AppID), due.TriggerID, due.Revision)
	if err != nil {
		c.failed(ctx, "fire", err)
	}
	if d == nil {
		return nil, nil
	}

	slots := decideSlots(slotQuestion{
		schedule: d.schedule,
		trigger:  d.trigger,
		next:     due.NextSlot,
		now:      due.Now,
		fired:    due.Fired,
		released: c.cfg.Cluster.Released(),
		busy:     due.Busy,
	})
	slots.Trigger = d.trigger.ID
	slots.Revision = d.revision

	return c.commit(d.trigger, slots), slots
}

// definition is a cron trigger with its schedule, and the revision of the app's definitions.
type definition struct {
	trigger  *cloud.Trigger
	schedule *schedule.Schedule
	revision int64
}

// definitionOf reads a trigger from definitions of some revision or a later one; nil: it is gone.
func (c *Clock) definitionOf(ctx context.Context, id cloud.AppID, trigger cloud.ID, revision int64) (
	*definition, error,
) {
	app, err := c.cfg.Catalog.AtLeast(ctx, id, revision)
	if err != nil {
		return nil, fmt.Errorf("read definitions: %w", err)
	}
	if app == nil || app.Triggers[trigger] == nil {
		return nil, nil
	}
	if app.Schedules[trigger] == nil {
		return nil, fmt.Errorf("the schedule of trigger %s cannot be read", trigger)
	}

	return &definition{app.Triggers[trigger], app.Schedules[trigger], app.Revision}, nil
}

// commit enqueues a row for each slot that fires.
func (c *Clock) commit(trigger *cloud.Trigger, slots *commit.Slots) *commit.Commit {
	x := &commit.Commit{App: trigger.App, Parts: []commit.Part{slots}}
	for k := range slots.Decided {
		slot := &slots.Decided[k]
		if slot.State != cloud.SlotFired && slot.State != cloud.SlotLate {
			continue
		}
		slot.Execution = c.cfg.IDs.New()
		x.Parts = append(x.Parts, commit.Enqueue{Row: &outbox.NewRow{Row: outbox.Row{
			App:       trigger.App,
			ID:        c.cfg.IDs.New(),
			Source:    cloud.SourceCron,
			Op:        "cron",
			Trigger:   trigger.ID,
			Script:    trigger.Script,
			Payload:   payloadOf(trigger, slot.At),
			Root:      slot.Execution,
			Execution: slot.Execution,
			Retry:     trigger.Retry,
		}}})
	}

	return x
}

// payloadOf is the event of a slot.
func payloadOf(trigger *cloud.Trigger, at time.Time) string {
	return string(cloud.AppendJSON(nil, struct {
		Cron          string `json:"cron"`
		ScheduledTime int64  `json:"scheduledTime"` // milliseconds since 1970
		Timezone      string `json:"timezone"`
	}{trigger.Schedule, at.UnixMilli(), trigger.Timezone}))
}

// Upcoming is when a trigger fires next: so many slots, and for how long the first is overdue. Nothing for a
// trigger that is disabled or not one of cron.
func (c *Clock) Upcoming(ctx context.Context, app cloud.AppID, trigger cloud.ID, n int) (
	slots []time.Time, overdue time.Duration, err error,
) {
	definitions := c.cfg.Catalog.App(app)
	if definitions == nil || definitions.Triggers[trigger] == nil || !definitions.Triggers[trigger].Enabled {
		return nil, 0, nil
	}
	at, err := c.cfg.DB.Queries().ScheduleOf(ctx, int64(app), trigger)
	if db.IsNotFound(err) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, cloud.DatabaseAway("read schedule", db.Translate(err))
	}

	parsed := definitions.Schedules[trigger]
	if parsed == nil {
		return nil, 0, fmt.Errorf("the schedule of trigger %s cannot be read", trigger)
	}

	for next := at.NextSlot; len(slots) < n && !next.IsZero(); next = parsed.Next(next) {
		slots = append(slots, next.UTC())
	}

	return slots, time.Duration(max(0, at.OverdueUs)) * time.Microsecond, nil
}

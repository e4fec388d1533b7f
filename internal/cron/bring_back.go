package cron

import (
	"context"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/schedule"
)

const (
	// compareEvery is how often schedules are compared with the database's clock.
	compareEvery = time.Minute
	// clockSlack is by how much the database's clock may be put back without notice.
	clockSlack = time.Second
)

// bringBack finds schedules that wait for a later slot than their next one, and has them wait for that. They
// got it while the database's clock was ahead, and would be silent for as long as it was. Slots of the future
// that were given up then are forgotten; those that fired do not fire again.
func (c *Clock) bringBack(ctx context.Context) error {
	if !c.mayCompare() {
		return nil
	}

	rows, err := db.New(c.cfg.DB.Control).SchedulesToCome(ctx)
	if err != nil {
		return err
	}

	for k := range rows {
		row := &rows[k]
		d, err := c.definitionOf(ctx, cloud.AppID(row.AppID), row.TriggerID, row.Revision)
		if d == nil || err != nil { // whoever is to fire it says why it cannot
			continue
		}

		q := slotQuestion{schedule: d.schedule, fired: row.Fired}
		latest := q.slotAfter(row.Now.Add(clockSlack))
		if latest.IsZero() || !row.NextSlot.After(latest) {
			continue
		}
		if err := c.moveBack(ctx, d.trigger, row, q.slotAfter(row.Now)); err != nil {
			return err
		}
	}

	return nil
}

// mayCompare reports whether it is time to compare, and takes note that it is done.
func (c *Clock) mayCompare() bool {
	c.mu.Lock()
	defer c.mu.Unlock()

	if !c.checkedAt.IsZero() && time.Since(c.checkedAt) < compareEvery {
		return false
	}
	c.checkedAt = time.Now()

	return true
}

// moveBack has a schedule wait for an earlier slot, unless another node did so.
func (c *Clock) moveBack(
	ctx context.Context, trigger *cloud.Trigger, row *db.SchedulesToComeRow, next time.Time,
) error {
	moved := int64(0)
	err := c.cfg.DB.Tx(ctx, func(q *db.Queries) error {
		var err error
		moved, err = q.BringBackSchedule(ctx, db.BringBackScheduleParams{
			AppID:     row.AppID,
			TriggerID: row.TriggerID,
			Expected:  row.NextSlot,
			NextSlot:  next,
			FireAt:    next.Add(schedule.Jitter(trigger.ID, next, trigger.CronJitter)),
		})
		if err != nil || moved == 0 {
			return err
		}
		return q.ForgetSlotsToCome(ctx, row.AppID, row.TriggerID, row.Now)
	})
	if err == nil && moved > 0 {
		c.cfg.Log.Warn("cron: a schedule waited beyond its next slot: the database's clock was ahead",
			"trigger", trigger.ID.String(), "waited_for", row.NextSlot.UTC(), "next", next)
	}

	return err
}

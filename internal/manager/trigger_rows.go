package manager

import (
	"context"
	"errors"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
	"picloud/internal/schedule"
)

// putSchedule lets an enabled cron trigger fire from now on, by the database's clock, and stops a disabled one.
func putSchedule(ctx context.Context, q *db.Queries, t *Trigger) error {
	if t.Kind != cloud.SourceCron {
		return nil
	}
	if !t.Enabled {
		return q.DropSchedule(ctx, t.AppID, t.ID)
	}
	s, _, err := schedule.Parse(t.Schedule, t.Timezone)
	if err != nil {
		return err
	}
	from, err := q.DatabaseTime(ctx)
	if err != nil {
		return err
	}
	last, err := q.LastSlot(ctx, t.AppID, t.ID)
	if err != nil && !errors.Is(db.Translate(err), db.ErrNotFound) {
		return err
	}
	if last.After(from) { // the clock was put back
		from = last
	}
	next := s.Next(from)
	return q.PutSchedule(ctx, db.PutScheduleParams{AppID: t.AppID, TriggerID: t.ID, NextSlot: next,
		FireAt: next.Add(schedule.Jitter(t.ID, next, time.Duration(t.JitterMs)*time.Millisecond))})
}

// moveRows parks what waits for a trigger that is disabled, and wakes it when the trigger is enabled again.
func moveRows(ctx context.Context, q *db.Queries, t *Trigger, wasEnabled bool) error {
	switch {
	case wasEnabled && !t.Enabled:
		return q.ParkRows(ctx, t.AppID, &t.ID)
	case !wasEnabled && t.Enabled:
		return q.UnparkRows(ctx, t.AppID, &t.ID)
	default:
		return nil
	}
}

// bury turns outbox rows whose trigger or script goes away into dead letters.
func (m *Manager) bury(ctx context.Context, q *db.Queries, app *App, ids []db.UUID, script, reason string, force bool) error {
	if len(ids) == 0 {
		return nil
	}
	if !force {
		return cloud.Errorf(cloud.CodeConflict, "%d events wait for it: let them finish, or use ?force=true to make them dead letters", len(ids))
	}
	letters := make([]db.UUID, len(ids))
	apps := make([]int64, len(ids))
	for k := range ids {
		letters[k], apps[k] = m.cfg.IDs.New(), app.ID
	}
	n, err := q.InsertDeadLettersOfTrigger(ctx, db.InsertDeadLettersOfTriggerParams{Script: script, Reason: reason, AppID: app.ID, Ids: ids, Letters: letters})
	if err != nil {
		return err
	}
	if err := q.DeleteOutbox(ctx, apps, ids); err != nil {
		return err
	}
	return q.CountLedger(ctx, db.CountLedgerParams{CommitID: m.cfg.IDs.New(), Apps: []int64{app.ID}, Counters: []string{"dead_lettered"}, Amounts: []int64{n}})
}

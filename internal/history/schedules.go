package history

import (
	"context"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// Slot is what became of a slot.
type Slot = db.ListSlotsRow

// Slots lists a trigger's slots, newest first, older than a time.
func (r *Reader) Slots(ctx context.Context, app cloud.AppID, trigger cloud.ID, before time.Time, limit int) (
	[]Slot, error,
) {
	list, err := r.db.Queries().ListSlots(ctx, db.ListSlotsParams{
		AppID:     int64(app),
		TriggerID: trigger,
		Before:    before,
		Max:       int32(limit),
	})
	return list, explain("list slots", err)
}

// Overdue is a schedule that should have fired.
type Overdue struct {
	Trigger          cloud.ID
	Script, Schedule string
	By               time.Duration
}

// OverdueSchedules are those of an app that should have fired more than LateAfter ago and did not: something
// is wrong.
func (r *Reader) OverdueSchedules(ctx context.Context, app cloud.AppID) ([]Overdue, error) {
	rows, err := r.db.Queries().OverdueSchedules(ctx, int64(app), cloud.LateAfter.Microseconds())

	list := make([]Overdue, len(rows))
	for i, row := range rows {
		list[i] = Overdue{
			Trigger:  row.TriggerID,
			Script:   row.Script,
			Schedule: row.Schedule,
			By:       time.Duration(row.Us) * time.Microsecond,
		}
	}

	return list, explain("read schedules", err)
}

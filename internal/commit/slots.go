package commit

import (
	"context"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// Slots are what becomes of a schedule's due slots, if none of them was decided before: the row of a slot
// that fires is an Enqueue of the same commit, so that a slot is recorded as fired if and only if its row is
// there.
type Slots struct {
	Trigger cloud.ID
	// Revision of the definitions that the decision follows.
	Revision int64
	// Expected is the first slot to be decided; another one in the database means that another node decided.
	Expected time.Time
	Decided  []Slot
	// Next is the slot to expect after these, FireAt when it fires: later by the trigger's jitter.
	Next, FireAt time.Time
}

// Slot is what became of one.
type Slot struct {
	At        time.Time
	State     string // fired, late, missed or skipped
	Reason    string
	Execution cloud.ID // of the row, if it fired
}

func (s *Slots) require(g *Group, x *Commit) {
	section := of[*slotSection](g)
	section.apps = append(section.apps, int64(x.App))
	section.triggers = append(section.triggers, s.Trigger)
	g.requireApp(x.App)
}

func (s *Slots) decide(g *Group, x *Commit) Verdict {
	app := g.app(x.App)
	expected := of[*slotSection](g).expected[s.Trigger]
	if app == nil || app.Revision != s.Revision || !expected.Equal(s.Expected) {
		return lost()
	}
	return applies()
}

func (s *Slots) apply(g *Group, x *Commit) {
	section := of[*slotSection](g)
	section.expected[s.Trigger] = s.Next
	section.add(x.App, s)
}

// slotSection holds the schedules that a group moves on.
type slotSection struct {
	apps     []int64
	triggers []db.UUID
	// expected are the first slots to be decided, by trigger.
	expected map[cloud.ID]time.Time

	insert db.InsertSlotsParams
	move   db.MoveSchedulesParams
}

func (s *slotSection) add(app cloud.AppID, slots *Slots) {
	s.move.Apps = append(s.move.Apps, int64(app))
	s.move.Ids = append(s.move.Ids, slots.Trigger)
	s.move.NextSlots = append(s.move.NextSlots, slots.Next)
	s.move.FireAts = append(s.move.FireAts, slots.FireAt)

	for _, slot := range slots.Decided {
		s.insert.Apps = append(s.insert.Apps, int64(app))
		s.insert.Ids = append(s.insert.Ids, slots.Trigger)
		s.insert.Slots = append(s.insert.Slots, slot.At)
		s.insert.States = append(s.insert.States, slot.State)
		s.insert.Reasons = append(s.insert.Reasons, slot.Reason)
		s.insert.Executions = append(s.insert.Executions, slot.Execution)
	}
}

func (s *slotSection) read(_ *Group, p *db.Pipeline) {
	if len(s.triggers) == 0 {
		return
	}
	s.expected = make(map[cloud.ID]time.Time, len(s.triggers))
	p.Schedules(s.apps, s.triggers, func(trigger db.UUID, next time.Time) { s.expected[trigger] = next })
}

func (s *slotSection) write(ctx context.Context, _ *Group, q *db.Queries) {
	if len(s.move.Ids) == 0 {
		return
	}
	_ = q.InsertSlots(ctx, s.insert)
	_ = q.MoveSchedules(ctx, s.move)
}

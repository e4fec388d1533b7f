package commit

import (
	"testing"
	"time"

	"picloud/internal/catalog"
	"picloud/internal/cloud"
	"picloud/internal/outbox"
)

var every = cloud.ID{0x71, 9}

func slotsOf(revision int64, expected, next time.Time) *Slots {
	return &Slots{
		Trigger:  every,
		Revision: revision,
		Expected: expected,
		Decided: []Slot{
			{At: expected.Add(-time.Hour), State: "missed", Reason: "PiCloud was away"},
			{At: expected, State: "fired", Execution: cloud.ID{0xe5}},
		},
		Next:   next,
		FireAt: next.Add(time.Second),
	}
}

// Slots are decided once, by whoever's commit comes first, and by definitions that hold still.
func TestSlots(t *testing.T) {
	t.Parallel()

	next := clock.Add(time.Hour)
	for name, c := range map[string]struct {
		app   *catalog.App
		parts []*Slots
		want  []string
	}{
		"expected": {newApp(), []*Slots{slotsOf(7, clock, next)}, []string{"applied"}},
		"decided by another node": {newApp(), []*Slots{slotsOf(7, clock.Add(-time.Hour), clock)},
			[]string{"lost"}},
		"decided by the commit ahead": {newApp(), []*Slots{slotsOf(7, clock, next), slotsOf(7, clock, next)},
			[]string{"applied", "lost"}},
		"the slot after it": {newApp(),
			[]*Slots{slotsOf(7, clock, next), slotsOf(7, next, next.Add(time.Hour))},
			[]string{"applied", "applied"}},
		"the definitions changed": {newApp(), []*Slots{slotsOf(6, clock, next)}, []string{"lost"}},
		"the app is gone":         {nil, []*Slots{slotsOf(7, clock, next)}, []string{"lost"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var commits []*Commit
			for _, part := range c.parts {
				row := &outbox.NewRow{Row: outbox.Row{App: app, Script: script.ID, Source: cloud.SourceCron}}
				commits = append(commits, commitOf(part, Enqueue{Row: row}))
			}
			f := newFixture(t, c.app, commits...)
			of[*slotSection](f.Group).expected = map[cloud.ID]time.Time{every: clock.In(time.FixedZone("",
				3600))}
			f.expect(t, c.want...)

			applied := 0
			for _, word := range c.want {
				if word == "applied" {
					applied++
				}
			}
			// A slot is recorded as fired if and only if its row is there.
			s := of[*slotSection](f.Group)
			if len(s.move.Ids) != applied || len(s.insert.Slots) != 2*applied || len(f.rows()) != applied {
				t.Errorf("%d moved, %d slots, %d rows", len(s.move.Ids), len(s.insert.Slots), len(f.rows()))
			}
		})
	}
}

// What is stored of a slot is what was decided of it.
func TestSlotParams(t *testing.T) {
	t.Parallel()
	next := clock.Add(time.Hour)
	f := newFixture(t, newApp(), commitOf(slotsOf(7, clock, next)))
	of[*slotSection](f.Group).expected = map[cloud.ID]time.Time{every: clock}
	f.expect(t, "applied")

	s := of[*slotSection](f.Group)
	if s.insert.States[0] != "missed" || s.insert.Reasons[0] == "" ||
		!cloud.ID(s.insert.Executions[0]).IsZero() ||
		s.insert.States[1] != "fired" || !s.insert.Slots[1].Equal(clock) ||
		s.insert.Executions[1] != (cloud.ID{0xe5}) || s.insert.Ids[1] != every {
		t.Errorf("slots %+v", s.insert)
	}
	if s.move.Ids[0] != every || !s.move.NextSlots[0].Equal(next) ||
		!s.move.FireAts[0].Equal(next.Add(time.Second)) {
		t.Errorf("schedules %+v", s.move)
	}
}

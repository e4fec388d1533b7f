package history

import (
	"testing"

	"picloud/db"
	"picloud/internal/cloud"
)

func rowID(n byte) db.UUID { return db.UUID{15: n} }

func rowIDPtr(n byte) *db.UUID {
	id := rowID(n)
	return &id
}

// request 1 writes a key; event 11 runs twice (2, 3), its second attempt writes a key whose event 12 waits;
// 11 had a failed sibling 13 that became dead letter 20; run 9 was not recorded but caused event 14.
func TestBuildLineage(t *testing.T) {
	t.Parallel()
	runs := []db.ExecutionsOfRootRow{
		{ID: rowID(1), Script: "api", Source: "http"},
		{ID: rowID(2), OutboxID: rowIDPtr(11), ParentID: rowIDPtr(1), Status: "failed", Attempt: 1},
		{ID: rowID(3), OutboxID: rowIDPtr(11), ParentID: rowIDPtr(1), Status: "succeeded", Attempt: 2},
		{ID: rowID(4), OutboxID: rowIDPtr(13), ParentID: rowIDPtr(1), Status: "failed", Attempt: 1},
		{ID: rowID(5), OutboxID: rowIDPtr(14), ParentID: rowIDPtr(9), Status: "succeeded", Attempt: 1},
	}
	waiting := []db.OutboxOfRootRow{{ID: rowID(12), ParentID: rowIDPtr(3), Script: "next"}}
	letters := []db.DeadLettersOfRootRow{{ID: rowID(20), OutboxID: rowID(13), ParentID: rowIDPtr(1)}}
	l := buildLineage(runs, waiting, letters)

	if len(l.Top) != 2 || len(l.Events) != 0 {
		t.Fatalf("top: %+v, events: %+v", l.Top, l.Events)
	}
	if l.Top[0].ID != cloud.ID(rowID(1)) || l.Top[1].Row != nil || l.Top[1].ID != cloud.ID(rowID(9)) {
		t.Fatalf("top: %+v", l.Top)
	}

	raised := l.Top[0].Events
	if len(raised) != 2 || len(raised[0].Attempts) != 2 {
		t.Fatalf("raised by the request: %+v", raised)
	}
	if raised[1].Letter == nil || raised[1].Letter.ID != rowID(20) {
		t.Fatalf("the sibling that became a dead letter: %+v", raised[1])
	}
	next := raised[0].Attempts[1].Events
	if len(next) != 1 || next[0].Waiting == nil || next[0].Script != "next" {
		t.Errorf("raised by the second attempt: %+v", next)
	}

	for outbox, want := range map[byte]bool{11: true, 12: true, 13: true, 14: true, 99: false} {
		e := l.Event(cloud.ID(rowID(outbox)))
		if (e != nil) != want || e != nil && e.Outbox != cloud.ID(rowID(outbox)) {
			t.Errorf("event %d: %+v", outbox, e)
		}
	}
}

// An event that came from outside, such as an accepted request, has no run above it.
func TestLineageFromOutside(t *testing.T) {
	t.Parallel()
	runs := []db.ExecutionsOfRootRow{{ID: rowID(1), OutboxID: rowIDPtr(11), Status: "succeeded"}}
	l := buildLineage(runs, nil, nil)

	if len(l.Top) != 0 || len(l.Events) != 1 || len(l.Events[0].Attempts) != 1 {
		t.Fatalf("%+v", l)
	}
	if l.Event(cloud.ID(rowID(11))) != l.Events[0] {
		t.Error("the event from outside is not found")
	}
}

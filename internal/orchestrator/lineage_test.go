package orchestrator

import (
	"testing"

	"picloud/db"
	"picloud/internal/cloud"
)

func lid(n byte) db.UUID { return db.UUID{15: n} }

func lptr(n byte) *db.UUID {
	id := lid(n)
	return &id
}

// request 1 writes a key; event 11 runs twice (2, 3), its second attempt writes a key whose event 12 waits; 11 had a
// failed sibling 13 that became dead letter 20; run 9 was not recorded but caused event 14.
func TestBuildLineage(t *testing.T) {
	runs := []db.ExecutionsOfRootRow{
		{ID: lid(1), Script: "api", Source: "http"},
		{ID: lid(2), OutboxID: lptr(11), ParentID: lptr(1), Status: "failed", Attempt: 1},
		{ID: lid(3), OutboxID: lptr(11), ParentID: lptr(1), Status: "succeeded", Attempt: 2},
		{ID: lid(4), OutboxID: lptr(13), ParentID: lptr(1), Status: "failed", Attempt: 1},
		{ID: lid(5), OutboxID: lptr(14), ParentID: lptr(9), Status: "succeeded", Attempt: 1},
	}
	l := buildLineage(runs, []db.OutboxOfRootRow{{ID: lid(12), ParentID: lptr(3), Script: "next"}},
		[]db.DeadLettersOfRootRow{{ID: lid(20), OutboxID: lid(13), ParentID: lptr(1)}})
	if len(l.Top) != 2 || len(l.Events) != 0 || l.Top[0].ID != cloud.ID(lid(1)) || l.Top[1].Row != nil || l.Top[1].ID != cloud.ID(lid(9)) {
		t.Fatalf("top: %+v", l.Top)
	}
	raised := l.Top[0].Events
	if len(raised) != 2 || len(raised[0].Attempts) != 2 || raised[1].Letter == nil || raised[1].Letter.ID != lid(20) {
		t.Fatalf("raised by the request: %+v", raised)
	}
	if waiting := raised[0].Attempts[1].Events; len(waiting) != 1 || waiting[0].Waiting == nil || waiting[0].Script != "next" {
		t.Errorf("raised by the second attempt: %+v", waiting)
	}
	for outbox, want := range map[byte]bool{11: true, 12: true, 13: true, 14: true, 99: false} {
		if e := l.Event(cloud.ID(lid(outbox))); (e != nil) != want || e != nil && e.Outbox != cloud.ID(lid(outbox)) {
			t.Errorf("event %d: %+v", outbox, e)
		}
	}
}

func TestQuantile(t *testing.T) {
	var h [buckets]int64
	if quantile(&h, 0.5) != 0 {
		t.Error("no runs have no quantile")
	}
	h[0], h[3], h[buckets-1] = 50, 49, 1 // under 1 ms, 4 to 8 ms, longer than everything
	for share, want := range map[float64][2]float64{0.25: {0.4, 0.6}, 0.5: {0.9, 1.1}, 0.75: {5, 7}, 0.99: {7, 8.1}, 1: {65536, 131072}} {
		if ms := quantile(&h, share).Seconds() * 1000; ms < want[0] || ms > want[1] {
			t.Errorf("quantile %v is %v ms, want within %v", share, ms, want)
		}
	}
}

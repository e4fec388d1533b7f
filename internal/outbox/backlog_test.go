package outbox

import (
	"slices"
	"testing"
	"time"

	"picloud/db"
)

// A claim starts at the oldest row of the one before; apps that were served give way; what was reported
// meanwhile stays.
func TestBacklogTurns(t *testing.T) {
	t.Parallel()

	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	d := newBacklog()
	d.report(1, at(50))
	d.report(2, at(20))
	d.report(1, at(10))
	d.report(1, at(30))
	l := d.plan()
	if !slices.Equal(l.apps, []int64{1, 2}) || !l.sinces[0].Equal(at(10)) || !l.sinces[1].Equal(at(20)) {
		t.Fatalf("to look at: %+v", l)
	}
	d.claimed(l, []db.ClaimDueRow{{AppID: 1, DueAt: at(41)}, {AppID: 1, DueAt: at(40)}}, false)
	l = d.plan()
	if !slices.Equal(l.apps, []int64{2, 1}) || !l.sinces[1].Equal(at(40)) || !l.sinces[0].Equal(at(20)) {
		t.Fatalf("after app 1 was served: %+v", l)
	}
	d.report(1, at(60)) // committed after the claim had looked
	d.claimed(l, []db.ClaimDueRow{{AppID: 1, DueAt: at(45)}, {AppID: 2, DueAt: at(45)}}, true)
	l = d.plan()
	if !slices.Equal(l.apps, []int64{1}) || l.sinces[0].After(at(60)) {
		t.Fatalf("after all was claimed: %+v", l)
	}
	d.claimed(l, nil, true)
	if !d.empty() {
		t.Fatalf("nothing is due: %+v", d.plan())
	}
}

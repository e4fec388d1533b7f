package outbox

import (
	"slices"
	"testing"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
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
	l := d.plan(roomy)
	if !slices.Equal(l.apps, []int64{1, 2}) || !l.sinces[0].Equal(at(10)) || !l.sinces[1].Equal(at(20)) {
		t.Fatalf("to look at: %+v", l)
	}
	d.claimed(l, []db.ClaimDueRow{{AppID: 1, DueAt: at(41)}, {AppID: 1, DueAt: at(40)}}, false)
	l = d.plan(roomy)
	if !slices.Equal(l.apps, []int64{2, 1}) || !l.sinces[1].Equal(at(40)) || !l.sinces[0].Equal(at(20)) {
		t.Fatalf("after app 1 was served: %+v", l)
	}
	d.report(1, at(60)) // committed after the claim had looked
	d.claimed(l, []db.ClaimDueRow{{AppID: 1, DueAt: at(45)}, {AppID: 2, DueAt: at(45)}}, true)
	l = d.plan(roomy)
	if !slices.Equal(l.apps, []int64{1}) || l.sinces[0].After(at(60)) {
		t.Fatalf("after all was claimed: %+v", l)
	}
	d.claimed(l, nil, true)
	if !d.empty() {
		t.Fatalf("nothing is due: %+v", d.plan(roomy))
	}
}

// roomy says that every app may have more runs than a claim takes.
func roomy(cloud.AppID) int { return 1000 }

// An app that has as many runs in being as it may is left out, and kept for later; one whose rows were cut
// off at its room is kept as well.
func TestBacklogWithoutRoom(t *testing.T) {
	t.Parallel()
	b := newBacklog()

	now := time.Now()
	for app := cloud.AppID(1); app <= 3; app++ {
		b.report(app, now)
	}

	p := b.plan(func(app cloud.AppID) int { return []int{0, 0, 2, 5}[app] })
	if !slices.Equal(p.apps, []int64{2, 3}) || !slices.Equal(p.rooms, []int32{2, 5}) {
		t.Fatalf("the plan is %+v", p)
	}

	row := func(app int64) db.ClaimDueRow { return db.ClaimDueRow{AppID: app, DueAt: now} }
	b.claimed(p, []db.ClaimDueRow{row(2), row(3), row(2)}, true)
	if p := b.plan(roomy); !slices.Equal(p.apps, []int64{1, 2}) {
		t.Errorf("left are %v, want 1, which had no room, and 2, which took all of its", p.apps)
	}
}

package outbox

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// backlog knows which apps have rows that may be due, and from when on. A claim looks at no row that wakes
// before that time, since what was deleted stays in the index for as long as any snapshot of it is held. A
// commit reports its own rows; whatever else may be due - rows whose time has come, leases that ended, what
// another node inserted without a notification - is found by the scanner. Times of rows are the database's.
type backlog struct {
	// mu guards everything below. It is a leaf.
	mu   sync.Mutex
	apps map[cloud.AppID]*backlogApp
	// claims counts the claims that took rows.
	claims uint64
}

type backlogApp struct {
	since     time.Time // no waiting row of the app that is due wakes earlier
	reports   int       // how often rows of the app were reported
	lastClaim uint64    // the last claim that took a row of it, for taking turns
}

func newBacklog() *backlog { return &backlog{apps: map[cloud.AppID]*backlogApp{}} }

// report says that rows of an app may be due, none of which wakes before a time.
func (b *backlog) report(app cloud.AppID, since time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()

	a := b.apps[app]
	if a == nil {
		a = &backlogApp{since: since}
		b.apps[app] = a
	}
	if since.Before(a.since) {
		a.since = since
	}
	a.reports++
}

// claimPlan is what one claim is to look at: apps in the order of their turns.
type claimPlan struct {
	apps   []int64
	sinces []time.Time
	// rooms are how many rows of each app can be started.
	rooms []int32
	// reports are those that the plan knows of; a later one is not settled by its claim.
	reports []int
}

// plan lists the apps with rows that may be due, but for those without room. The app that was served longest
// ago comes first.
func (b *backlog) plan(room func(cloud.AppID) int) claimPlan {
	b.mu.Lock()
	defer b.mu.Unlock()

	var p claimPlan

	rooms := map[int64]int{}
	for app := range b.apps {
		if n := room(app); n > 0 {
			p.apps = append(p.apps, int64(app))
			rooms[int64(app)] = n
		}
	}
	slices.SortFunc(p.apps, func(x, y int64) int {
		lastX := b.apps[cloud.AppID(x)].lastClaim
		lastY := b.apps[cloud.AppID(y)].lastClaim
		return cmp.Or(cmp.Compare(lastX, lastY), cmp.Compare(x, y))
	})

	for _, app := range p.apps {
		a := b.apps[cloud.AppID(app)]
		p.sinces = append(p.sinces, a.since)
		p.rooms = append(p.rooms, int32(rooms[app]))
		p.reports = append(p.reports, a.reports)
	}

	return p
}

// claimed records a claim's result. all says that no due rows were left but for those of apps that had no
// more room. Apps that were reported since the plan was made are kept.
func (b *backlog) claimed(p claimPlan, rows []db.ClaimDueRow, all bool) {
	b.mu.Lock()
	defer b.mu.Unlock()

	taken := map[int64]int32{}
	for k := range rows {
		taken[rows[k].AppID]++
	}
	if all {
		for k, app := range p.apps {
			a := b.apps[cloud.AppID(app)]
			if a.reports == p.reports[k] && taken[app] < p.rooms[k] {
				delete(b.apps, cloud.AppID(app))
			}
		}
		return
	}

	b.claims++

	first := earliestDue(rows)
	for k, app := range p.apps {
		at, served := first[app]
		if !served {
			continue
		}
		a := b.apps[cloud.AppID(app)]
		a.lastClaim = b.claims
		// Rows are claimed oldest first, so what is left of the app is not older than the oldest that was
		// taken.
		if a.reports == p.reports[k] {
			a.since = at
		}
	}
}

func earliestDue(rows []db.ClaimDueRow) map[int64]time.Time {
	first := map[int64]time.Time{}
	for k := range rows {
		r := &rows[k]
		if at, ok := first[r.AppID]; !ok || r.DueAt.Before(at) {
			first[r.AppID] = r.DueAt
		}
	}

	return first
}

func (b *backlog) empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()

	return len(b.apps) == 0
}

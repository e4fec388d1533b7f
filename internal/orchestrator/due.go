package orchestrator

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

const (
	// safetyPoll is how often an idle node looks although nothing woke it.
	safetyPoll = 60 * time.Second
	// fullScoutEvery is how often it looks at all rows, however old.
	fullScoutEvery = 10 * time.Minute
	// scoutShare and fullScoutShare bound the time that scouting takes: pauses are so many times as long as the last look.
	scoutShare     = 20
	fullScoutShare = 1000
	// writerMargin is more than passes in a transaction between reading the clock for its first row and that row being written.
	writerMargin = time.Second
)

// due knows which apps have rows that may be due, and from when on. A claim looks at no row that wakes before that time, since
// what was deleted stays in the index for as long as any snapshot of it is held. A commit tells of its own rows; whatever else
// may be due - rows whose time has come, leases that ended, what another node inserted without a word - is found by the scout.
// Times of rows are the database's.
type due struct {
	mu   sync.Mutex
	apps map[cloud.AppID]*dueApp
	// served counts the claims.
	served uint64
}

type dueApp struct {
	since time.Time // no waiting row of the app that is due wakes earlier
	told  int       // how often the app was told of
	turn  uint64    // the last claim that took a row of it
}

func newDue() *due { return &due{apps: map[cloud.AppID]*dueApp{}} }

// add says that rows of an app may be due, which do not wake before a time.
func (d *due) add(app cloud.AppID, since time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.apps[app]
	if a == nil {
		a = &dueApp{since: since}
		d.apps[app] = a
	}
	if since.Before(a.since) {
		a.since = since
	}
	a.told++
}

// dueLook is what one claim is to look at: apps in the order in which they were served.
type dueLook struct {
	apps   []int64
	sinces []time.Time
	told   []int
}

func (d *due) look() dueLook {
	d.mu.Lock()
	defer d.mu.Unlock()
	var l dueLook
	for app := range d.apps {
		l.apps = append(l.apps, int64(app))
	}
	slices.SortFunc(l.apps, func(x, y int64) int {
		return cmp.Or(cmp.Compare(d.apps[cloud.AppID(x)].turn, d.apps[cloud.AppID(y)].turn), cmp.Compare(x, y))
	})
	for _, app := range l.apps {
		a := d.apps[cloud.AppID(app)]
		l.sinces, l.told = append(l.sinces, a.since), append(l.told, a.told)
	}
	return l
}

// claimed says what a claim found; all: no other row was due. Apps that were told of meanwhile stay.
func (d *due) claimed(l dueLook, rows []db.ClaimDueRow, all bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if all {
		for k, app := range l.apps {
			if a := d.apps[cloud.AppID(app)]; a.told == l.told[k] {
				delete(d.apps, cloud.AppID(app))
			}
		}
		return
	}
	d.served++
	first := map[int64]time.Time{}
	for k := range rows {
		r := &rows[k]
		if at, ok := first[r.AppID]; !ok || r.DueAt.Before(at) {
			first[r.AppID] = r.DueAt
		}
	}
	for k, app := range l.apps {
		at, ok := first[app]
		if !ok {
			continue
		}
		a := d.apps[cloud.AppID(app)]
		a.turn = d.served
		if a.told == l.told[k] {
			a.since = at
		}
	}
}

func (d *due) empty() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.apps) == 0
}

// scout finds what is due and when the next row is. It is asked by whatever may have changed that.
type scout struct {
	d    *dispatcher
	askC chan struct{}

	mu     sync.Mutex
	at     time.Time // when to look next
	fullAt time.Time // when to look at everything again

	// Of the looks before, used by the scout alone. No row wakes before since, but those of apps that have a time of their own.
	since time.Time
	own   map[cloud.AppID]time.Time
	clock time.Time // the database's at the last look
}

func newScout(d *dispatcher) *scout {
	return &scout{d: d, askC: make(chan struct{}, 1)}
}

// ask makes the scout look within some time.
func (s *scout) ask(within time.Duration) {
	at := time.Now().Add(within)
	s.mu.Lock()
	earlier := at.Before(s.at)
	if earlier {
		s.at = at
	}
	s.mu.Unlock()
	if !earlier {
		return
	}
	select {
	case s.askC <- struct{}{}:
	default:
	}
}

// askAll makes it look at everything within some time, since clocks or rows may be others now.
func (s *scout) askAll(within time.Duration) {
	s.mu.Lock()
	s.fullAt = time.Time{}
	s.mu.Unlock()
	s.ask(within)
}

func (s *scout) loop() {
	clock := time.NewTimer(0)
	defer clock.Stop()
	var rested time.Time // when it may look again
	for {
		s.mu.Lock()
		at := s.at
		s.mu.Unlock()
		clock.Reset(max(0, time.Until(at), time.Until(rested)))
		select {
		case <-s.d.o.ctx.Done():
			return
		case <-s.d.o.draining:
			return
		case <-s.askC:
			continue
		case <-clock.C:
		}
		s.mu.Lock()
		s.at = time.Now().Add(safetyPoll)
		s.mu.Unlock()
		if s.d.o.Hold() != "" {
			continue
		}
		rested = s.look()
	}
}

// look finds the apps that have due rows and says when it may look again.
func (s *scout) look() time.Time {
	began := time.Now()
	s.mu.Lock()
	full := !began.Before(s.fullAt)
	if full {
		s.fullAt = began
	}
	s.mu.Unlock()
	timeout := time.Minute
	if full {
		s.forget()
		timeout = fullScoutEvery
	}
	rows, err := s.find(timeout)
	if err != nil {
		if s.d.o.ctx.Err() == nil {
			s.d.o.cfg.Log.Error("look for due rows", "error", db.Translate(err))
		}
		s.askAll(retryAfterError)
		return began.Add(retryAfterError)
	}
	for k := range rows {
		if wait := time.Duration(rows[k].Microseconds) * time.Microsecond; wait > 0 {
			s.ask(wait)
		} else {
			s.d.due.add(cloud.AppID(rows[k].AppID), rows[k].WakeAt)
		}
	}
	if !s.d.due.empty() {
		s.d.wake()
	}
	now := time.Now()
	if !full {
		return now.Add(scoutShare * now.Sub(began))
	}
	s.mu.Lock()
	if !s.fullAt.IsZero() { // nobody asked meanwhile
		s.fullAt = now.Add(max(fullScoutEvery, fullScoutShare*now.Sub(began)))
	}
	s.mu.Unlock()
	return now
}

// forget makes the next look one at all rows.
func (s *scout) forget() { s.since, s.own = time.Time{}, nil }

// find asks for the first row of each app, and remembers what need not be looked at again. What transactions under way will
// show is not older than the oldest of them, which is asked for first.
func (s *scout) find(timeout time.Duration) ([]db.FirstWakesRow, error) {
	ctx, cancel := context.WithTimeout(s.d.o.ctx, timeout)
	defer cancel()
	conn := s.d.o.cfg.DB.Control
	var oldest, now *time.Time
	err := conn.QueryRow(ctx, `SELECT min(xact_start) FILTER (WHERE backend_xid IS NOT NULL OR pid = pg_backend_pid()),
		max(xact_start) FILTER (WHERE pid = pg_backend_pid()) FROM pg_stat_activity WHERE datname = current_database()`).Scan(&oldest, &now)
	if err != nil {
		return nil, err
	}
	if now == nil || now.Before(s.clock) { // the server keeps it to itself, or its clock was set back: rows may wake at any time
		s.forget()
	}
	arg := db.FirstWakesParams{Sources: sources, Since: s.since}
	for app, since := range s.own {
		arg.Apps, arg.Sinces = append(arg.Apps, int64(app)), append(arg.Sinces, since)
	}
	rows, err := db.New(conn).FirstWakes(ctx, arg)
	if err != nil || now == nil {
		return rows, err
	}
	s.clock, s.since, s.own = *now, oldest.Add(-writerMargin), map[cloud.AppID]time.Time{}
	for k := range rows {
		if rows[k].WakeAt.Before(s.since) {
			s.own[cloud.AppID(rows[k].AppID)] = rows[k].WakeAt
		}
	}
	return rows, nil
}

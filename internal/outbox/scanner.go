package outbox

import (
	"context"
	"sync"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

const (
	// safetyScan is how often an idle node scans although nothing asked for it.
	safetyScan = 60 * time.Second
	// fullScanEvery is how often it scans all rows, however old.
	fullScanEvery = 10 * time.Minute
	// scanPause and fullScanPause bound the time that scanning takes: pauses are so many times as long as the
	// last scan.
	scanPause     = 20
	fullScanPause = 1000
	// writerMargin is more than passes in a transaction between reading the clock for its first row and that
	// row being written.
	writerMargin = time.Second
	// longestWait is more than any lease is set to, and than a row waits for other reasons than a retry.
	longestWait = 10 * time.Minute
	// retryAfterError is the pause after a claim or a scan that failed.
	retryAfterError = time.Second
)

// scanner finds what is due and when the next row will be. Whatever may have changed that asks it to scan.
type scanner struct {
	d    *Dispatcher
	askC chan struct{}

	// mu guards the two times below. It is a leaf.
	mu     sync.Mutex
	at     time.Time // when to scan next
	fullAt time.Time // when to scan everything again

	// State kept between scans, used by the scanner's goroutine only: every waiting row has wake_at >= since,
	// except for rows of the apps in own, which have a time of their own.
	since time.Time
	own   map[cloud.AppID]time.Time
	clock time.Time // the database's at the last scan
}

func newScanner(d *Dispatcher) *scanner {
	return &scanner{d: d, askC: make(chan struct{}, 1)}
}

// scanWithin makes it scan within some time.
func (s *scanner) scanWithin(d time.Duration) {
	at := time.Now().Add(d)
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

// scanAllWithin makes it scan everything within some time, since clocks or rows may be others now.
func (s *scanner) scanAllWithin(d time.Duration) {
	s.mu.Lock()
	s.fullAt = time.Time{}
	s.mu.Unlock()
	s.scanWithin(d)
}

// run scans when it is asked, and every safetyScan. It ends with ctx, or when the node drains.
func (s *scanner) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()

	var rested time.Time // when it may scan again
	for {
		s.mu.Lock()
		at := s.at
		s.mu.Unlock()
		timer.Reset(max(0, time.Until(at), time.Until(rested)))

		select {
		case <-ctx.Done():
			return
		case <-s.d.cfg.Draining:
			return
		case <-s.askC:
			continue // for another time
		case <-timer.C:
		}

		s.mu.Lock()
		s.at = time.Now().Add(safetyScan)
		s.mu.Unlock()
		if s.d.cfg.OnHold() {
			continue
		}
		rested = s.scan(ctx)
	}
}

// scan finds the apps that have due rows. It returns when the next scan may begin.
func (s *scanner) scan(ctx context.Context) time.Time {
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
		timeout = fullScanEvery
	}
	rows, err := s.find(ctx, timeout)
	if err != nil {
		if ctx.Err() == nil {
			s.d.cfg.Log.Error("scan for due rows", "error", db.Translate(err))
		}
		s.scanAllWithin(retryAfterError)
		return began.Add(retryAfterError)
	}

	s.report(rows)

	return s.restAfter(began, full)
}

// report tells the dispatcher of due rows, and sets the time of the next scan by those that are not.
func (s *scanner) report(rows []db.FirstWakesRow) {
	for k := range rows {
		if wait := time.Duration(rows[k].Microseconds) * time.Microsecond; wait > 0 {
			s.scanWithin(wait)
		} else {
			s.d.backlog.report(cloud.AppID(rows[k].AppID), rows[k].WakeAt)
		}
	}
	if !s.d.backlog.empty() {
		s.d.wake()
	}
}

// restAfter is when the next scan may begin after one that began at a time: scanning must not become the
// node's work.
func (s *scanner) restAfter(began time.Time, full bool) time.Time {
	now := time.Now()
	took := now.Sub(began)
	if !full {
		return now.Add(scanPause * took)
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	if !s.fullAt.IsZero() { // nobody has asked for another meanwhile
		s.fullAt = now.Add(max(fullScanEvery, fullScanPause*took))
	}

	return now
}

// forget makes the next scan one of all rows.
func (s *scanner) forget() {
	s.since = time.Time{}
	s.own = nil
}

// find asks for the first row of each app, and remembers what need not be looked at again. What transactions
// under way will show is not older than the oldest of them, so that one is asked for first, in a snapshot of
// its own.
func (s *scanner) find(ctx context.Context, timeout time.Duration) ([]db.FirstWakesRow, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	conn := s.d.cfg.DB.Control
	oldest, now, err := oldestWriter(ctx, conn)
	if err != nil {
		return nil, err
	}
	// Without the view, or with a clock that was set back, rows may wake at any time.
	if now == nil || now.Before(s.clock) {
		s.forget()
	}

	if s.since.IsZero() {
		if err := s.wakeImpossible(ctx, conn); err != nil {
			return nil, err
		}
	}

	arg := db.FirstWakesParams{Sources: Sources, Since: s.since}
	for app, since := range s.own {
		arg.Apps = append(arg.Apps, int64(app))
		arg.Sinces = append(arg.Sinces, since)
	}
	rows, err := db.New(conn).FirstWakes(ctx, arg)
	if err != nil || now == nil {
		return rows, err
	}

	s.clock = *now
	s.since = oldest.Add(-writerMargin)

	s.own = map[cloud.AppID]time.Time{}
	for k := range rows {
		if rows[k].WakeAt.Before(s.since) {
			s.own[cloud.AppID(rows[k].AppID)] = rows[k].WakeAt
		}
	}

	return rows, nil
}

// wakeImpossible makes rows due that got their time while the database's clock was ahead. They would wait for
// as long as it was. A row that runs is not among them: its node has renewed its lease since.
func (s *scanner) wakeImpossible(ctx context.Context, conn db.DBTX) error {
	woken, err := db.New(conn).WakeImpossible(ctx, longestWait.Microseconds(), Sources)
	if woken > 0 {
		s.d.cfg.Log.Warn("woke events that waited longer than any can: the database's clock was ahead",
			"events", woken)
	}

	return err
}

// oldestWriter is when the oldest transaction began that has written, and the database's time. Both are nil
// where the server does not show the activity of others. sqlc does not know the system's views, so the
// statement stands here.
func oldestWriter(ctx context.Context, conn db.DBTX) (oldest, now *time.Time, err error) {
	err = conn.QueryRow(ctx, `SELECT
		min(xact_start) FILTER (WHERE backend_xid IS NOT NULL OR pid = pg_backend_pid()),
		max(xact_start) FILTER (WHERE pid = pg_backend_pid())
		FROM pg_stat_activity WHERE datname = current_database()`).
		Scan(&oldest, &now)
	return oldest, now, err
}

package outbox

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"picloud/db"
	"picloud/internal/admission"
	"picloud/internal/cloud"
)

// rescanAfterClaim is the delay before rescanning after a claim that took every row it saw.
const rescanAfterClaim = time.Second

// Config is what a Dispatcher needs.
type Config struct {
	DB   *db.DB
	IDs  *cloud.IDSource
	Node string
	Log  *slog.Logger
	Gate *admission.Gate
	// Lease is how long a claim lasts; it is renewed every third of that.
	Lease time.Duration
	// Idle says that this node claims no row, nor starts those that its commits insert.
	Idle bool
	// Draining is closed when no row is to be claimed any more.
	Draining <-chan struct{}
	// OnHold reports whether no event may run in the whole installation.
	OnHold func() bool
	// Run brings a claimed row to its next state, in a goroutine of its own. The permit is released after it.
	Run func(c *Claim, p *admission.Permit)
	// Go starts a goroutine that a shutdown waits for.
	Go func(f func())
}

// Dispatcher claims due rows as far as there are permits, and has them run. It sleeps until something wakes
// it: a notification, a commit of this node, a permit, or what the scanner found.
type Dispatcher struct {
	cfg     Config
	wakeC   chan struct{}
	backlog *backlog
	scanner *scanner

	// mu guards the claims that this node is running, by row, and the fields of each. It is a leaf but for
	// Cancel, which is called under it.
	mu      sync.Mutex
	running map[cloud.ID]*Claim
}

// NewDispatcher returns a Dispatcher that does nothing until Run.
func NewDispatcher(cfg Config) *Dispatcher {
	d := &Dispatcher{
		cfg:     cfg,
		wakeC:   make(chan struct{}, 1),
		backlog: newBacklog(),
		running: map[cloud.ID]*Claim{},
	}
	d.scanner = newScanner(d)

	return d
}

// Run claims and starts rows until the node drains, and renews leases until ctx ends.
func (d *Dispatcher) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	if !d.cfg.Idle {
		parts.Go(func() { d.dispatch(ctx) })
		parts.Go(func() { d.scanner.run(ctx) })
	}
	parts.Go(func() { d.renewLeases(ctx) })
	parts.Wait()

	return nil
}

// wake makes the dispatcher claim what is known to be due.
func (d *Dispatcher) wake() {
	select {
	case d.wakeC <- struct{}{}:
	default:
	}
}

// RowsWait says that rows of an app may be due, none of which wakes before a time of the database's clock.
func (d *Dispatcher) RowsWait(app cloud.AppID, since time.Time) {
	d.backlog.report(app, since)
	d.wake()
}

// ScanWithin makes it scan for due rows within some time: rows may be due that nobody reports.
func (d *Dispatcher) ScanWithin(within time.Duration) { d.scanner.scanWithin(within) }

// ScanAll makes it scan every row soon, however old: it may be another server, with another clock.
func (d *Dispatcher) ScanAll() { d.scanner.scanAllWithin(0) }

// Running counts the rows that this node is running.
func (d *Dispatcher) Running() int {
	d.mu.Lock()
	defer d.mu.Unlock()

	return len(d.running)
}

func (d *Dispatcher) isDraining() bool {
	select {
	case <-d.cfg.Draining:
		return true
	default:
		return false
	}
}

func (d *Dispatcher) dispatch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.cfg.Draining:
			return
		case <-d.wakeC:
		}
		d.claimAll(ctx)
	}
}

// claimAll claims until nothing is known to be due.
func (d *Dispatcher) claimAll(ctx context.Context) {
	defer d.cfg.Gate.Sated()

	permits := d.cfg.Gate.Permits()
	for !d.backlog.empty() && !d.cfg.OnHold() {
		reserved := d.cfg.Gate.Reserve(permits)

		// Under load it pays to claim many rows at a time: with few permits free, wait for more.
		if reserved < permits/2 && d.cfg.Gate.HeldByDispatched()-reserved > permits/2 {
			d.cfg.Gate.Unreserve(reserved)
			reserved = 0
		}
		if reserved == 0 {
			// Who has rows changes nothing, since there is work already.
			if !d.await(ctx, nil) {
				return
			}
			continue
		}

		plan := d.backlog.plan(d.cfg.Gate.Room)
		if len(plan.apps) == 0 { // each has as many runs in being as it may
			d.cfg.Gate.Unreserve(reserved)
			if !d.await(ctx, d.wakeC) {
				return
			}
			continue
		}
		if err := d.claim(ctx, plan, reserved); err != nil {
			d.cfg.Log.Error("claim due rows", "error", err)
			d.scanner.scanAllWithin(retryAfterError)
			return
		}
	}
}

// await sleeps until a permit may be free, or there are news. It reports false when the dispatcher is to end.
func (d *Dispatcher) await(ctx context.Context, newsC <-chan struct{}) bool {
	select {
	case <-d.cfg.Gate.Freed():
	case <-newsC:
	case <-ctx.Done():
	case <-d.cfg.Draining:
	}
	return !d.isDraining() && ctx.Err() == nil
}

// claim takes due rows for the permits that are reserved, and starts them. A row's claim is decided by
// ClaimDue (queries/outbox.sql).
func (d *Dispatcher) claim(ctx context.Context, plan claimPlan, permits int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()

	token := d.cfg.IDs.New()
	asked := time.Now()
	rows, err := db.New(d.cfg.DB.Control).ClaimDue(ctx, db.ClaimDueParams{
		Apps:    plan.apps,
		Sinces:  plan.sinces,
		Rooms:   plan.rooms,
		Sources: Sources,
		Max:     int32(permits),
		Node:    d.cfg.Node,
		Token:   token,
		LeaseUs: d.cfg.Lease.Microseconds(),
	})
	d.cfg.Gate.Unreserve(permits - len(rows))
	if err != nil {
		return fmt.Errorf("claim: %w", db.Translate(err))
	}

	for k := range rows {
		row := claimedRow(&rows[k], token)
		d.cfg.Gate.Assign(row.App)
		d.start(row, asked)
	}

	seen := int64(0)
	if len(rows) > 0 {
		seen = rows[0].Seen
	}
	d.backlog.claimed(plan, rows, seen < int64(permits))

	// Rows that another node had locked while we looked may be left to us.
	if seen == 0 || seen > int64(len(rows)) {
		d.scanner.scanWithin(0)
	} else {
		d.scanner.scanWithin(rescanAfterClaim)
	}

	return nil
}

// Admit takes a permit for a row that is about to be inserted, so that it can be inserted as claimed by this
// node and start right after its commit. It reports false where the row has to wait. Start or Decline
// follows.
func (d *Dispatcher) Admit(app cloud.AppID) bool {
	return !d.cfg.Idle && !d.isDraining() && !d.cfg.OnHold() && d.cfg.Gate.TryAcquire(app)
}

// Decline gives back the permit of a row whose commit did not take effect.
func (d *Dispatcher) Decline(app cloud.AppID) { d.cfg.Gate.ReleaseDispatched(app) }

// Start runs a row that was inserted as claimed; Admit has taken its permit.
func (d *Dispatcher) Start(r *Row) { d.start(r, time.Now()) }

// start runs a claimed row in a goroutine that owns its permit.
func (d *Dispatcher) start(r *Row, claimedAt time.Time) {
	c := &Claim{Row: r, d: d, renewed: claimedAt}
	d.mu.Lock()
	d.running[r.ID] = c
	d.mu.Unlock()

	// Should the row's end never be committed, its lease ends: somebody has to look then.
	d.scanner.scanWithin(d.cfg.Lease)

	permit := d.cfg.Gate.Dispatched(r.App)
	d.cfg.Go(func() {
		defer func() {
			d.forget(c)
			permit.Release()
		}()
		d.cfg.Run(c, permit)
	})
}

// forget takes a claim out of those that are running. The row may have been claimed again meanwhile, under
// another token.
func (d *Dispatcher) forget(c *Claim) {
	d.mu.Lock()
	defer d.mu.Unlock()

	if d.running[c.Row.ID] == c {
		delete(d.running, c.Row.ID)
	}
}

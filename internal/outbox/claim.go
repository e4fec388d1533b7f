package outbox

import (
	"context"
	"time"

	"picloud/db"
)

// Claim is a row that this node is running. Its fields but Row are guarded by the dispatcher's mutex.
type Claim struct {
	Row *Row

	d       *Dispatcher
	renewed time.Time // when the lease was claimed or renewed last, by this machine's clock
	lost    bool      // the lease may be another node's: the run is cancelled
	run     Canceler
}

// Canceler is a run that can be stopped.
type Canceler interface{ Cancel() }

// Started remembers the run that is made for the claim, so that it can be cancelled when the lease is lost.
func (c *Claim) Started(run Canceler) {
	c.d.mu.Lock()
	c.run = run
	lost := c.lost
	c.d.mu.Unlock()

	if lost {
		run.Cancel()
	}
}

// cancel gives the claim up. The caller holds the dispatcher's mutex.
func (c *Claim) cancel() {
	c.lost = true
	if c.run != nil {
		c.run.Cancel()
	}
}

// renewLeases keeps the leases of running rows.
func (d *Dispatcher) renewLeases(ctx context.Context) {
	every := d.cfg.Lease / 3
	timer := time.NewTimer(every)
	defer timer.Stop()

	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		d.renew(ctx)
		timer.Reset(every)
	}
}

// renew renews the lease of every running row. What could not be renewed in time is cancelled before another
// node may start it: this node must not run a row that is somebody else's.
func (d *Dispatcher) renew(ctx context.Context) {
	asked := time.Now()
	arg := d.heldClaims()
	if len(arg.Ids) == 0 {
		return
	}

	arg.LeaseUs = d.cfg.Lease.Microseconds()
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Lease/3)
	defer cancel()
	ids, err := db.New(d.cfg.DB.Control).RenewLeases(ctx, arg)
	if err != nil {
		d.cfg.Log.Error("renew leases", "rows", len(arg.Ids), "error", db.Translate(err))
	}

	d.mu.Lock()
	defer d.mu.Unlock()

	for _, id := range ids {
		if c := d.running[id]; c != nil {
			c.renewed = asked
		}
	}

	for _, c := range d.running {
		if !c.lost && time.Since(c.renewed) > d.cfg.Lease*2/3 {
			c.cancel()
		}
	}
}

func (d *Dispatcher) heldClaims() db.RenewLeasesParams {
	d.mu.Lock()
	defer d.mu.Unlock()

	var arg db.RenewLeasesParams
	for _, c := range d.running {
		if c.lost {
			continue
		}
		arg.Apps = append(arg.Apps, int64(c.Row.App))
		arg.Ids = append(arg.Ids, c.Row.ID)
		arg.Tokens = append(arg.Tokens, c.Row.Token)
	}

	return arg
}

// ReleaseAll gives back what still runs when the grace of a shutdown is over. The runs are stopped first;
// whatever they did cannot be committed any more, since their rows lose the claim.
func (d *Dispatcher) ReleaseAll() {
	var apps []int64
	var ids, tokens []db.UUID

	d.mu.Lock()
	for _, c := range d.running {
		c.cancel()
		apps = append(apps, int64(c.Row.App))
		ids = append(ids, c.Row.ID)
		tokens = append(tokens, c.Row.Token)
	}
	d.mu.Unlock()

	if len(ids) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := d.cfg.DB.Queries().ReleaseClaims(ctx, apps, ids, tokens); err != nil {
		d.cfg.Log.Error("release claims", "rows", len(ids), "error", db.Translate(err))
	}
}

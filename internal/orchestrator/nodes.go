package orchestrator

import (
	"context"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// Node is a PiCloud process that says that it is there: at its start, then every five minutes, or every five seconds when
// there are others.
type Node = db.Node

// Nodes lists them by name. One that crashed stays for a day.
func (o *Orchestrator) Nodes(ctx context.Context) ([]Node, error) {
	list, err := o.cfg.DB.Queries().ListNodes(ctx)
	return list, explain("list nodes", err)
}

// Lease is what a node holds of the outbox.
type Lease = db.LeasesByNodeRow

// System is what an operator sees of the whole installation.
type System struct {
	Database db.Facts
	Leases   []Lease
}

// System asks the database.
func (o *Orchestrator) System(ctx context.Context) (System, error) {
	var s System
	var err error
	if s.Database, err = o.cfg.DB.Facts(ctx); err != nil {
		return s, explain("read facts", err)
	}
	s.Leases, err = o.cfg.DB.Queries().LeasesByNode(ctx)
	return s, explain("list leases", err)
}

// QueueFacts is what the queues of the whole installation hold.
type QueueFacts = db.QueueFactsRow

// QueueFacts asks the database.
func (o *Orchestrator) QueueFacts(ctx context.Context) (QueueFacts, error) {
	f, err := o.cfg.DB.Queries().QueueFacts(ctx)
	return f, explain("read queues", err)
}

// OldestWaiting is how long ago the oldest row of an app that waits was enqueued; 0 if none waits.
func (o *Orchestrator) OldestWaiting(ctx context.Context, app cloud.AppID) (time.Duration, error) {
	us, err := o.cfg.DB.Queries().OldestWaiting(ctx, int64(app))
	return time.Duration(us) * time.Microsecond, explain("find the oldest row", err)
}

// announce puts this node into the table of nodes; leave takes it out.
func (o *Orchestrator) announce(ctx context.Context) error {
	err := o.cfg.DB.Queries().NodeStarted(ctx, o.cfg.Node, o.cfg.Version, o.freeForOthers())
	o.announced = err == nil
	return explain("announce node", err)
}

// freeForOthers is how many permits other nodes may count on.
func (o *Orchestrator) freeForOthers() int32 {
	if o.cfg.Idle {
		return 0
	}
	free, _ := o.gate.state()
	return int32(free)
}

func (o *Orchestrator) leave() {
	if !o.announced {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := o.cfg.DB.Queries().NodeStopped(ctx, o.cfg.Node); err != nil {
		o.cfg.Log.Warn("leave the table of nodes", "error", db.Translate(err))
	}
}

// Hold says why events and schedules stand still in the whole installation; empty: they do not.
func (o *Orchestrator) Hold() string {
	if h := o.held.Load(); h != nil {
		return h.Hold
	}
	return ""
}

// released is when the last hold ended.
func (o *Orchestrator) released() (at time.Time) {
	if h := o.held.Load(); h != nil && h.Released != nil {
		at = *h.Released
	}
	return at
}

func (o *Orchestrator) loadHold(ctx context.Context) error {
	hold, err := o.cfg.DB.Queries().Hold(ctx)
	if err != nil {
		return explain("read whether events are on hold", err)
	}
	if hold.Hold != "" && o.Hold() == "" {
		o.cfg.Log.Warn("on hold: no event and no schedule runs until picloud release", "because", hold.Hold)
	}
	o.held.Store(&hold)
	return nil
}

// takeLease takes a lease, or keeps it, for a time by the database's clock; false: another node holds it.
func (o *Orchestrator) takeLease(ctx context.Context, name string, d time.Duration) (bool, error) {
	_, err := db.New(o.cfg.DB.Control).TakeLease(ctx, name, o.cfg.Node, d.Microseconds())
	if isNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// dropLease lets another node take it at once; without an answer it ends by itself.
func (o *Orchestrator) dropLease(name string) {
	ctx, cancel := context.WithTimeout(o.ctx, time.Second)
	defer cancel()
	_ = db.New(o.cfg.DB.Control).DropLease(ctx, name, o.cfg.Node)
}

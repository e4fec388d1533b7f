// Package cluster is what the nodes of one installation have in common: notifications, the table of nodes,
// the hold and the leases. It knows nothing of what a notification is about; the Handlers of its caller do.
//
// Every node listens on one connection. What another process changed arrives there as a notification, and a
// cache is brought up to date. A connection can be silent without an error, so a node also notifies itself by
// another connection and waits for the echo:
//
//	            connect, read everything again
//	[unhealthy] -------------------------------> [connected] --echo arrives--> [healthy]
//	     ^                                            |                            |
//	     |            no echo for three seconds       |       connection broken,   |
//	     +--------------------------------------------+-------- or no echo --------+
//
// While the listener is unhealthy the node trusts no cache that other processes may change, and polls once a
// second. Behind a connection pooler in transaction mode nothing can be listened to, and the node polls for
// good.
//
// A notification is only a reason to read the database. One that is lost costs time, never an event.
package cluster

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// Notification channels.
const (
	// ChannelDefinitions says that an app's definitions changed. Payload: its id; 0 for the list of apps or
	// the hold.
	ChannelDefinitions = "picloud_definitions"
	// ChannelPrincipals says that users, members, sessions or keys changed. Payload: none.
	ChannelPrincipals = "picloud_principals"
	// ChannelOutbox says that rows wait. Payload: apps and times (wakeups.go); none if there are too many.
	ChannelOutbox = "picloud_outbox"
	// ChannelInbox says that an answer waits for a node. Payload: the node's name.
	ChannelInbox = "picloud_inbox"
	// ChannelNodes says that a node has begun to listen. Payload: its name; or the echo of a node, which only
	// that node reads.
	ChannelNodes = "picloud_nodes"
	// ChannelCron says that schedules changed, or that the node that fired them stops. Payload: none.
	ChannelCron = "picloud_cron"
	// ChannelTail carries what live tails on different nodes exchange. Payload: JSON.
	ChannelTail = "picloud_tail"
)

// databaseTimeout bounds the sending of a batch of notifications, and the reads of one poll.
const databaseTimeout = 5 * time.Second

// Config is what a Cluster needs.
type Config struct {
	DB *db.DB
	// Node is this node's name, different from all others'; Version is shown to operators.
	Node, Version string
	Log           *slog.Logger
	// FreePermits is how many permits other nodes may count on: 0 where no event is handled.
	FreePermits func() int32
}

// Handlers are called when other processes have changed something, or may have. All must be set. Two
// goroutines call them, each one handler at a time: the listener's, and the poll's while the listener is
// unhealthy. A handler that blocks holds up every notification behind it, the echo among them.
type Handlers struct {
	// Definitions is called when an app's definitions changed. For app 0 the list of apps changed, or the
	// hold, which the handler loads by LoadHold.
	Definitions func(ctx context.Context, app cloud.AppID)
	// Principals is called when users, members, sessions or keys changed.
	Principals func()
	// Wakeup is called when rows of an app wait, none of which is due before since.
	Wakeup func(app cloud.AppID, since time.Time)
	// Scan is called when rows may wait of which nothing is known. It is full after a connection was made:
	// the server may be another one, with another clock and other rows.
	Scan func(full bool)
	// Inbox is called when answers may wait for this node.
	Inbox func(ctx context.Context)
	// Cron is called when schedules may have changed.
	Cron func()
	// Tail is called with what a live tail sent, on another node or on this one.
	Tail func(payload string)
	// Reload brings all definitions up to date; it is called when the listener connects, and by every poll.
	Reload func(ctx context.Context) error
	// Health is called when it changed, or may have, whether notifications reach this process. While they do
	// not, no cache may be trusted that others can change. Only the listener's goroutine calls it.
	Health func(healthy bool)
}

// Cluster is one node's part in its installation.
type Cluster struct {
	cfg      Config
	handlers Handlers // Start sets them
	health   *health
	notifier *notifier
	presence presence
	// others is how many other nodes listen, as far as it is known.
	others atomic.Int64
	// announced: this node is in the table of nodes. Start writes it.
	announced bool
	// hold is nil until it was loaded.
	hold atomic.Pointer[db.HoldRow]
	// pollEvery is the pause between two polls of a node whose listener is unhealthy.
	pollEvery time.Duration
}

// New returns a Cluster that neither listens nor sends anything until Start and Run.
func New(cfg Config) *Cluster {
	c := &Cluster{cfg: cfg, pollEvery: pollEvery}
	c.notifier = newNotifier(c.sendNotification)
	c.health = newHealth(c.sendEcho)
	return c
}

// Start reads the hold and announces the node. Run comes next.
func (c *Cluster) Start(ctx context.Context, h Handlers) error {
	c.handlers = h
	if err := c.LoadHold(ctx); err != nil {
		return err
	}
	return c.announce(ctx)
}

// Run listens, polls while the listener is unhealthy, sends notifications and a heartbeat. It returns nil
// when ctx has ended, and all that it started with it.
func (c *Cluster) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	parts.Go(func() { c.listen(ctx) })
	parts.Go(func() { c.pollWhileUnhealthy(ctx) })
	parts.Go(func() { c.notifier.run(ctx) })
	parts.Go(func() { c.heartbeat(ctx) })
	parts.Wait()
	return nil
}

// Listening reports whether notifications of other processes reach this one.
func (c *Cluster) Listening() bool { return c.health.isHealthy() }

// Others reports whether other nodes listen, or may do so.
func (c *Cluster) Others() bool { return c.others.Load() > 0 }

// control runs on connections that never wait behind the reads of scripts and pages.
func (c *Cluster) control() *db.Queries { return db.New(c.cfg.DB.Control) }

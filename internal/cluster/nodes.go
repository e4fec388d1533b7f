package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"picloud/db"
	"picloud/internal/cloud"
)

// leaveTimeout bounds Leave.
const leaveTimeout = 2 * time.Second

// announce puts this node into the table of nodes.
func (c *Cluster) announce(ctx context.Context) error {
	err := c.cfg.DB.Queries().NodeStarted(ctx, c.cfg.Node, c.cfg.Version, c.cfg.FreePermits())
	c.announced = err == nil
	return cloud.DatabaseAway("announce node", db.Translate(err))
}

// presence is what this node says of its listener in the table of nodes.
type presence struct {
	// mu guards listener, and is held while the node writes itself down, for databaseTimeout at most: what is
	// written last is what was true last. The poll and the listener write at the same time, when a connection
	// is made while the poll goes on. No other lock is taken under it.
	mu sync.Mutex
	// listener is the server's process behind the listener's connection; nil without one.
	listener *int32
}

// writeDown says in the table of nodes that this node lives, and by which connection others can see it.
func (c *Cluster) writeDown(ctx context.Context, q *db.Queries) error {
	free := c.cfg.FreePermits()

	c.presence.mu.Lock()
	defer c.presence.mu.Unlock()

	return c.writePresence(ctx, q, free)
}

// writePresence is writeDown for a caller that holds the lock.
func (c *Cluster) writePresence(ctx context.Context, q *db.Queries, free int32) error {
	ctx, cancel := context.WithTimeout(ctx, databaseTimeout)
	defer cancel()

	return q.SeenNode(ctx, db.SeenNodeParams{
		Name:        c.cfg.Node,
		Version:     c.cfg.Version,
		Free:        free,
		ListenerPid: c.presence.listener,
	})
}

// startListening writes down that a connection listens.
func (c *Cluster) startListening(ctx context.Context, conn *pgx.Conn) error {
	pid, err := db.BackendPID(ctx, conn)
	if err != nil {
		return err
	}
	free := c.cfg.FreePermits()

	c.presence.mu.Lock()
	defer c.presence.mu.Unlock()

	c.presence.listener = &pid
	return c.writePresence(ctx, db.New(conn), free)
}

// stopListening notes that no connection listens. The poll writes it down.
func (c *Cluster) stopListening() {
	c.presence.mu.Lock()
	defer c.presence.mu.Unlock()

	c.presence.listener = nil
}

// Leave takes the node out of the table of nodes, if Start put it there. Run has returned before.
func (c *Cluster) Leave() {
	if !c.announced {
		return
	}

	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()

	if err := c.cfg.DB.Queries().NodeStopped(ctx, c.cfg.Node); err != nil {
		c.cfg.Log.Warn("leave the table of nodes", "error", db.Translate(err))
	}
}

// meet takes note of a node that has begun to listen, this one or another. While this node thought that it
// was alone it notified nobody of its rows, and the newcomer may have scanned before they were committed: so
// it is asked to scan again.
func (c *Cluster) meet(ctx context.Context, newcomer string) {
	c.countOthers(ctx)
	if newcomer != c.cfg.Node {
		c.notifier.notify(ChannelOutbox, "")
	}
}

// countOthers counts the other nodes that listen.
func (c *Cluster) countOthers(ctx context.Context) {
	listeners, err := c.cfg.DB.CountListeners(ctx)
	if err != nil {
		listeners = 2 // unknown: assume another one, so that notifications are sent
	}
	c.others.Store(max(0, listeners-1)) // this node's own is among them
}

// OthersFree reports whether another node said lately that it has permits. Without an answer it is false.
func (c *Cluster) OthersFree(ctx context.Context) bool {
	if !c.Others() {
		return false
	}
	free, err := c.cfg.DB.Queries().OtherNodesFree(ctx, c.cfg.Node)
	return err == nil && free > 0
}

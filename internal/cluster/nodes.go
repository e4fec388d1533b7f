package cluster

import (
	"context"
	"time"

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

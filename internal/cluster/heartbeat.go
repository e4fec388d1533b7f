package cluster

import (
	"context"
	"time"

	"picloud/db"
)

const (
	// beatEvery is the pause between two heartbeats of a node that is not alone.
	beatEvery = 5 * time.Second
	// beatsAlone and beatsACount are numbers of heartbeats: one that is alone sends every 60th, five minutes
	// apart, and the other nodes are counted at every 12th, each minute.
	beatsAlone  = 60
	beatsACount = 12
)

// heartbeat publishes how many permits are free on this node, and checks the listener's health, until ctx
// ends.
func (c *Cluster) heartbeat(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()

	for beats := 0; ; beats++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if c.Others() || beats%beatsAlone == 0 {
			c.beat(ctx, beats%beatsACount == 0)
		}
	}
}

func (c *Cluster) beat(ctx context.Context, countOthers bool) {
	c.health.check(ctx)
	if !c.Listening() {
		return // the poll writes the heartbeat meanwhile
	}

	err := c.writeDown(ctx, c.cfg.DB.Queries())
	if err != nil && ctx.Err() == nil {
		c.cfg.Log.Warn("heartbeat", "error", db.Translate(err))
	}
	if countOthers {
		c.countOthers(ctx)
	}
}

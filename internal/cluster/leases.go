package cluster

import (
	"context"
	"time"

	"picloud/db"
)

// dropTimeout bounds DropLease: a node that stops does not wait for a database that is away.
const dropTimeout = time.Second

// TakeLease takes a lease, or keeps it, for a time by the database's clock. False: another node holds it. A
// lease that ends later than it could was taken while that clock was ahead, and holds nobody up.
func (c *Cluster) TakeLease(ctx context.Context, name string, d time.Duration) (bool, error) {
	wasAhead, err := c.control().TakeLease(ctx, name, c.cfg.Node, d.Microseconds())
	if db.IsNotFound(err) {
		return false, nil
	}
	if wasAhead {
		c.cfg.Log.Warn("took a lease that ended later than it could: the database's clock was ahead",
			"lease", name)
	}

	return err == nil, err
}

// DropLease lets another node take a lease at once. Without an answer of the database it ends by itself. It
// also works while the node is shutting down.
func (c *Cluster) DropLease(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), dropTimeout)
	defer cancel()
	_ = c.control().DropLease(ctx, name, c.cfg.Node)
}

package main

import (
	"fmt"

	"picloud/db"
)

// checkCapacity refuses a server with too few connections for a node, where everything would seem well until
// the first request that writes; and says when there are fewer than were asked for.
func (n *node) checkCapacity() error {
	if n.db.Pooled() {
		return nil // the pooler shares the server's connections
	}

	granted := n.db.CapacityAtOpen()
	if !granted.Enough() {
		return fmt.Errorf("PostgreSQL grants PiCloud %d connections (%s), and it needs at least %d: "+
			"raise that limit", granted.Usable, granted.Limit, db.MinConnections)
	}

	have := n.db.Connections()
	if have < n.cfg.DBConnections {
		n.log.Warn("using fewer connections to the database than PICLOUD_DB_CONNECTIONS says",
			"wanted", n.cfg.DBConnections, "using", have, "because", granted.Limit)
	}
	if granted.InUse+have > granted.Usable {
		n.log.Warn("PostgreSQL may run out of connections: raise max_connections, or lower "+
			"PICLOUD_DB_CONNECTIONS of the nodes",
			"in use by others", granted.InUse, "of this node", have, "granted", granted.Usable)
	}

	return nil
}

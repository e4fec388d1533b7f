package db

import (
	"context"
	"fmt"
)

// spareConns is how many of the server's connections a node leaves free, if it can: for commands such as
// picloud doctor, and for operators.
const spareConns = 2

// Capacity is how many connections a database grants.
type Capacity struct {
	// Usable is what the server's max_connections, less the reserved ones, and the limits of this user and
	// this database leave.
	Usable int
	// InUse counts the connections that everybody has to the server.
	InUse int
	// Limit says in words where Usable comes from.
	Limit string
}

// Enough reports whether a node can work with what there is.
func (c Capacity) Enough() bool { return c.Usable >= MinConnections }

// fit is how many of the connections that are wanted a node takes.
func (c Capacity) fit(wanted int) int {
	return max(MinConnections, min(wanted, c.Usable-spareConns))
}

// Capacity asks the server.
func (d *DB) Capacity(ctx context.Context) (Capacity, error) {
	limits, err := d.Queries().ConnectionLimits(ctx)
	return capacityOf(limits), Translate(err)
}

func capacityOf(limits ConnectionLimitsRow) Capacity {
	c := Capacity{
		Usable: int(limits.MaxConnections - limits.Reserved),
		InUse:  int(limits.InUse),
		Limit: fmt.Sprintf("max_connections is %d, of which %d are reserved",
			limits.MaxConnections, limits.Reserved),
	}

	for _, own := range []struct {
		limit int32
		whose string
	}{
		{limits.OfDatabase, "database"},
		{limits.OfRole, "user"},
	} {
		if own.limit >= 0 && int(own.limit) < c.Usable {
			c.Usable = int(own.limit)
			c.Limit = fmt.Sprintf("the connection limit of this %s is %d", own.whose, own.limit)
		}
	}

	return c
}

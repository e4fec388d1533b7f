package history

import (
	"context"

	"picloud/db"
)

// Node is a PiCloud process that says that it is there: at its start, then every five minutes, or every five
// seconds when there are others.
type Node = db.Node

// Nodes lists them by name. One that crashed stays for a day.
func (r *Reader) Nodes(ctx context.Context) ([]Node, error) {
	list, err := r.db.Queries().ListNodes(ctx)
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
func (r *Reader) System(ctx context.Context) (System, error) {
	facts, err := r.db.Facts(ctx)
	if err != nil {
		return System{Database: facts}, explain("read facts", err)
	}

	leases, err := r.db.Queries().LeasesByNode(ctx, maxCounted)
	return System{Database: facts, Leases: leases}, explain("list leases", err)
}

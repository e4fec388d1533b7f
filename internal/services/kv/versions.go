package kv

import (
	"context"
	"fmt"
	"sync"

	"picloud/db"
)

// versionBlock is how many versions NextVersionBlock reserves for its caller.
const versionBlock = 1000

// versions hands out entry versions from one sequence of the database, reserved a block at a time. Versions
// are compared for equality only, so a block that a node loses in a crash just leaves a gap.
type versions struct {
	db *db.DB

	// mu guards next and end, and is held during the query for a block: other callers need that block too. No
	// other lock is taken under it.
	mu   sync.Mutex
	next int64
	end  int64 // exclusive
}

// take returns a version that no other write of any node has.
func (v *versions) take(ctx context.Context) (int64, error) {
	v.mu.Lock()
	defer v.mu.Unlock()

	if v.next == v.end {
		first, err := v.db.Queries().NextVersionBlock(ctx)
		if err != nil {
			return 0, fmt.Errorf("take a block of versions: %w", db.Translate(err))
		}
		v.next = first
		v.end = first + versionBlock
	}

	version := v.next
	v.next++
	return version, nil
}

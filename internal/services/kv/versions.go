package kv

import (
	"context"
	"fmt"
	"sync"

	"picloud/db"
)

// versions hands out numbers from one sequence, in blocks of a thousand.
type versions struct {
	db   *db.DB
	mu   sync.Mutex
	next int64
	end  int64
}

func (v *versions) take(ctx context.Context) (int64, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.next == v.end {
		first, err := v.db.Queries().NextVersionBlock(ctx)
		if err != nil {
			return 0, fmt.Errorf("take a block of versions: %w", db.Translate(err))
		}
		v.next, v.end = first, first+1000
	}
	n := v.next
	v.next++
	return n, nil
}

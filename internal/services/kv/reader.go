package kv

import (
	"context"
	"fmt"
	"sync"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

const (
	// maxReaders is how many statements of a reader are under way at once.
	maxReaders = 2
	// maxBatch is how many keys one statement reads.
	maxBatch = 256
	// readTimeout bounds a shared statement, which belongs to no single caller.
	readTimeout = 10 * time.Second
)

// reader reads committed entries. Reads that arrive while all statements are under way share the next one, so
// that the number of statements does not grow with the load.
type reader struct {
	query func(context.Context, db.ReadKeysParams) ([]db.ReadKeysRow, error)

	// mu guards waiting and busy. No other lock is taken under it.
	mu      sync.Mutex
	waiting []*read
	busy    int // goroutines in lead
}

// read is one caller's read. The leading goroutine writes entry and err before it closes doneCh.
type read struct {
	key    cloud.KeyRef
	entry  Entry
	err    error
	doneCh chan struct{}
}

// get reads one entry. When ctx is done it returns at once; the statement goes on for the other callers.
func (r *reader) get(ctx context.Context, key cloud.KeyRef) (Entry, error) {
	rd := &read{key: key, doneCh: make(chan struct{})}
	r.mu.Lock()
	r.waiting = append(r.waiting, rd)
	lead := r.busy < maxReaders
	if lead {
		r.busy++
	}
	r.mu.Unlock()

	if lead {
		go r.lead()
	}

	select {
	case <-rd.doneCh:
		return rd.entry, rd.err
	case <-ctx.Done():
		return Entry{}, context.Cause(ctx)
	}
}

// lead sends statements until no read is waiting.
func (r *reader) lead() {
	for {
		r.mu.Lock()
		n := min(len(r.waiting), maxBatch)
		if n == 0 {
			r.busy--
			r.mu.Unlock()
			return
		}
		batch := r.waiting[:n:n]
		r.waiting = r.waiting[n:]
		r.mu.Unlock()

		r.read(batch)
	}
}

// read answers a batch with one statement. Keys that it does not return are absent.
func (r *reader) read(batch []*read) {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()

	params := db.ReadKeysParams{}
	for k, rd := range batch {
		params.Positions = append(params.Positions, int32(k))
		params.Apps = append(params.Apps, int64(rd.key.App))
		params.Collections = append(params.Collections, rd.key.Collection)
		params.Keys = append(params.Keys, rd.key.Key)
	}

	rows, err := r.query(ctx, params)
	for _, row := range rows {
		entry := Entry{Found: true, Value: row.Value, Version: row.Version}
		if row.ExpiresAt != nil {
			entry.Expires = *row.ExpiresAt
		}
		batch[row.I].entry = entry
	}

	for _, rd := range batch {
		if err != nil {
			rd.err = fmt.Errorf("read key: %w", db.Translate(err))
		}
		close(rd.doneCh)
	}
}

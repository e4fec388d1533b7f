package kv

import (
	"context"
	"fmt"
	"sync"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// reader reads entries; reads that wait at the same moment share a statement.
type reader struct {
	db *db.DB

	mu      sync.Mutex
	waiting []*read
	busy    int
}

type read struct {
	key    cloud.KeyRef
	entry  Entry
	err    error
	doneCh chan struct{}
}

const (
	// maxReaders is the number of statements under way at once.
	maxReaders = 2
	maxBatch   = 256
)

func newReader(d *db.DB) *reader { return &reader{db: d} }

// readTimeout bounds a shared statement, which belongs to no single caller.
const readTimeout = 10 * time.Second

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

// lead sends statements until nobody waits.
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

func (r *reader) read(batch []*read) {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	arg := db.ReadKeysParams{}
	for k, rd := range batch {
		arg.Positions = append(arg.Positions, int32(k))
		arg.Apps = append(arg.Apps, int64(rd.key.App))
		arg.Collections = append(arg.Collections, rd.key.Collection)
		arg.Keys = append(arg.Keys, rd.key.Key)
	}
	rows, err := db.New(r.db.Scripts).ReadKeys(ctx, arg)
	for _, row := range rows {
		e := Entry{Found: true, Value: row.Value, Version: row.Version}
		if row.ExpiresAt != nil {
			e.Expires = *row.ExpiresAt
		}
		batch[row.I].entry = e
	}
	for _, rd := range batch {
		if err != nil {
			rd.err = fmt.Errorf("read key: %w", db.Translate(err))
		}
		close(rd.doneCh)
	}
}

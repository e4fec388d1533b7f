package history

import (
	"context"
	"sync"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// httpQueueAge is how long a size is believed: a burst of requests asks the database once.
const httpQueueAge = time.Second

// HTTPQueue knows how many rows from HTTP each app holds in the outbox, to within a second.
type HTTPQueue struct {
	db *db.DB

	// mu guards sizes; no other lock is taken under it.
	mu    sync.Mutex
	sizes map[cloud.AppID]queueSize
}

type queueSize struct {
	at   time.Time
	size db.HTTPQueueSizeRow
}

// NewHTTPQueue returns an HTTPQueue of one installation.
func NewHTTPQueue(d *db.DB) *HTTPQueue {
	return &HTTPQueue{db: d, sizes: map[cloud.AppID]queueSize{}}
}

// Size is what an app holds of rows from HTTP: their number, and the bytes of their payloads.
func (h *HTTPQueue) Size(ctx context.Context, app cloud.AppID) (db.HTTPQueueSizeRow, error) {
	h.mu.Lock()
	known, ok := h.sizes[app]
	h.mu.Unlock()
	if ok && time.Since(known.at) < httpQueueAge {
		return known.size, nil
	}

	size, err := h.db.Queries().HTTPQueueSize(ctx, int64(app))
	if err != nil {
		return size, db.Translate(err)
	}

	h.mu.Lock()
	defer h.mu.Unlock()

	h.sizes[app] = queueSize{at: time.Now(), size: size}
	return size, nil
}

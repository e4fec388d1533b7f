package history

import (
	"context"
	"sync"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

const (
	// sizeAge is how long a size is believed: a burst of requests asks the database once.
	sizeAge = time.Second
	// sizePause is how many times as long as its reading took a size is believed at least, so that reading
	// sizes never becomes the node's work.
	sizePause = 50
)

// Size is how much of something an app holds.
type Size struct{ N, Bytes int64 }

// AppSizes knows how much of something each app holds, to within a second or so.
type AppSizes struct {
	read func(ctx context.Context, app cloud.AppID) (Size, error)

	// mu guards sizes; no other lock is taken under it.
	mu    sync.Mutex
	sizes map[cloud.AppID]knownSize
}

type knownSize struct {
	until time.Time
	size  Size
}

// NewHTTPQueue knows the rows from HTTP in the outbox, with the bytes of their payloads.
func NewHTTPQueue(d *db.DB) *AppSizes {
	return newAppSizes(func(ctx context.Context, app cloud.AppID) (Size, error) {
		row, err := d.Queries().HTTPQueueSize(ctx, int64(app))
		return Size(row), err
	})
}

// NewStoredAnswers knows the idempotency keys, with the bytes of the answers that are kept for them.
func NewStoredAnswers(d *db.DB) *AppSizes {
	return newAppSizes(func(ctx context.Context, app cloud.AppID) (Size, error) {
		row, err := d.Queries().StoredAnswersSize(ctx, int64(app))
		return Size(row), err
	})
}

// newRecords knows the executions that are on record, with the bytes of their logs.
func newRecords(d *db.DB) *AppSizes {
	return newAppSizes(func(ctx context.Context, app cloud.AppID) (Size, error) {
		row, err := d.Queries().CountRecords(ctx, int64(app))
		return Size(row), err
	})
}

func newAppSizes(read func(ctx context.Context, app cloud.AppID) (Size, error)) *AppSizes {
	return &AppSizes{read: read, sizes: map[cloud.AppID]knownSize{}}
}

// Of gives what an app holds.
func (a *AppSizes) Of(ctx context.Context, app cloud.AppID) (Size, error) {
	a.mu.Lock()
	known, ok := a.sizes[app]
	a.mu.Unlock()
	if ok && time.Now().Before(known.until) {
		return known.size, nil
	}

	began := time.Now()
	size, err := a.read(ctx, app)
	if err != nil {
		return size, db.Translate(err)
	}
	now := time.Now()
	age := max(sizeAge, sizePause*now.Sub(began))

	a.mu.Lock()
	defer a.mu.Unlock()

	a.sizes[app] = knownSize{until: now.Add(age), size: size}
	return size, nil
}

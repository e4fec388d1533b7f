package cron

import (
	"context"
	"time"
)

// FireDue looks at once, beside the looks of Run.
func (c *Clock) FireDue(ctx context.Context) (wait time.Duration, forever bool) {
	return c.fireDue(ctx)
}

// BringBack compares schedules with the database's clock at once.
func (c *Clock) BringBack(ctx context.Context) error {
	c.mu.Lock()
	c.checkedAt = time.Time{}
	c.mu.Unlock()

	return c.bringBack(ctx)
}

// RetryAfterError is the pause after a look that failed.
const RetryAfterError = retryAfterError

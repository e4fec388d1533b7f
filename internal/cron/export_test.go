package cron

import (
	"context"
	"time"
)

// FireDue looks at once, beside the looks of Run.
func (c *Clock) FireDue(ctx context.Context) (wait time.Duration, forever bool) {
	return c.fireDue(ctx)
}

// RetryAfterError is the pause after a look that failed.
const RetryAfterError = retryAfterError

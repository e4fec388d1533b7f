package admin

import (
	"context"
	"time"

	"picloud/internal/history"
)

const (
	// checksLast is how long the page shows what was found before it looks again: the checks read every app's
	// ledger, and make a commit.
	checksLast = 10 * time.Second
	// failureLasts is how long it shows that the checks could not be made. Who waited for them meanwhile gets
	// the same answer, in place of trying in vain one after the other.
	failureLasts = time.Second
	// maxChecks is how long the checks may take.
	maxChecks = 30 * time.Second
)

// lastChecks is the last report that the page has shown. Who asks meanwhile waits for the same one.
type lastChecks struct {
	// turn holds a value while somebody reads or sets the others, also while the checks are made. A mutex
	// would have callers wait whose request has ended.
	turn  chan struct{}
	at    time.Time // when the last checks ended
	found history.Report
	err   error
}

func newLastChecks() *lastChecks { return &lastChecks{turn: make(chan struct{}, 1)} }

// report gives a report that is at most checksLast old, and when it was made. Errors: those of examine, which
// last for failureLasts, and that of ctx.
func (l *lastChecks) report(
	ctx context.Context, examine func(context.Context) (history.Report, error),
) (history.Report, time.Time, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return history.Report{}, time.Time{}, context.Cause(ctx)
	}

	if time.Since(l.at) > l.lasts() {
		limited, stop := context.WithTimeout(ctx, maxChecks)
		defer stop()

		report, err := examine(limited)
		if err != nil && ctx.Err() != nil {
			return report, time.Time{}, err // this caller has gone, which says nothing to the others
		}
		l.found = report
		l.err = err
		l.at = time.Now()
	}

	return l.found, l.at, l.err
}

// lasts is how long what was found is shown.
func (l *lastChecks) lasts() time.Duration {
	if l.err != nil {
		return failureLasts
	}
	return checksLast
}

package history

import (
	"context"
	"math"
	"sync"
	"time"

	"picloud/internal/cloud"
)

const (
	// wholeAge is how long it is believed whether an app's ledger agrees with its whole queue.
	wholeAge = 10 * time.Minute
	// allEvents is more than a queue can have, as the limit of a count.
	allEvents = math.MaxInt32 - 1
)

// wholeCounts knows whether the ledgers of apps with long queues agree with what is really there.
//
// What waits in a long queue is taken from the ledger itself, which agrees with it whatever was lost. To
// count a million events at each question would take a second each time, and never to count them would call
// balanced what nobody has looked at. So who asks about such an app has its whole queue counted, if this
// process has not done so in the last ten minutes: an event that vanished stays vanished, and is found then.
type wholeCounts struct {
	count func(ctx context.Context, app cloud.AppID) (balanced bool, err error)

	// turn holds a value while somebody counts: one count at a time, and who waits for it ends with ctx.
	turn chan struct{}
	// mu guards known; no other lock is taken under it.
	mu    sync.Mutex
	known map[cloud.AppID]wholeCount
}

type wholeCount struct {
	at       time.Time
	balanced bool
}

func newWholeCounts(count func(ctx context.Context, app cloud.AppID) (bool, error)) *wholeCounts {
	return &wholeCounts{count: count, turn: make(chan struct{}, 1), known: map[cloud.AppID]wholeCount{}}
}

// balanced counts an app's queue, unless that was done lately.
func (w *wholeCounts) balanced(ctx context.Context, app cloud.AppID) (bool, error) {
	if last := w.last(app); time.Since(last.at) < wholeAge {
		return last.balanced, nil
	}

	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return false, ctx.Err()
	}

	if last := w.last(app); time.Since(last.at) < wholeAge { // somebody else has counted meanwhile
		return last.balanced, nil
	}
	balanced, err := w.count(ctx, app)
	if err != nil {
		return false, err
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	w.known[app] = wholeCount{at: time.Now(), balanced: balanced}
	return balanced, nil
}

// unbalanced reports an app whose queue did not agree with its ledger when it was last counted, however long
// ago that was.
func (w *wholeCounts) unbalanced(app cloud.AppID) bool {
	last := w.last(app)
	return !last.at.IsZero() && !last.balanced
}

func (w *wholeCounts) last(app cloud.AppID) wholeCount {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.known[app]
}

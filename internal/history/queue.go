package history

import (
	"context"
	"fmt"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// Outbox lists an app's rows, oldest first, younger than the id after: at most limit, and MaxListBytes. more
// says that others follow.
func (r *Reader) Outbox(ctx context.Context, app cloud.AppID, after cloud.ID, limit int) (
	list []db.ListOutboxRow, more bool, err error,
) {
	list, err = r.db.Queries().ListOutbox(ctx, db.ListOutboxParams{
		AppID:    int64(app),
		After:    after,
		Max:      int32(limit) + 1, // one more tells whether there is another page
		MaxBytes: MaxListBytes,
		RowBytes: rowBytes,
	})
	list, more = cutPage(list, limit, func(row *db.ListOutboxRow) int {
		return len(row.Payload) + len(row.LastError)
	})
	return list, more, explain("list outbox", err)
}

// WhyWaiting says in words why a row stands where it stands. hold is why events stand still in the whole
// installation, "" if they do not.
func WhyWaiting(row *db.ListOutboxRow, hold string, now time.Time) string {
	due := row.WakeAt.Sub(now).Round(time.Second)
	switch {
	case hold != "":
		return "on hold: " + hold
	case row.ClaimedBy != nil && row.Due:
		return fmt.Sprintf("its lease on node %s has ended; another node will take it over", *row.ClaimedBy)
	case row.ClaimedBy != nil:
		return fmt.Sprintf("running on node %s", *row.ClaimedBy)
	case !row.TriggerEnabled:
		return "trigger disabled"
	case row.Due:
		return "due; it starts as soon as a permit is free"
	case row.AttemptCount > 0:
		return fmt.Sprintf("attempt %d of %d failed (%s); the next is due in %s",
			row.AttemptCount, row.MaxAttempts, cloud.Shorten(row.LastError), due)
	case row.Interruptions == 0 && row.LastError == "":
		return fmt.Sprintf("one of a replay at a rate; it is due in %s", due)
	default:
		return fmt.Sprintf("it was interrupted %d times; the next try is due in %s", row.Interruptions, due)
	}
}

// QueueFacts is what the queues of the whole installation hold.
type QueueFacts = db.QueueFactsRow

// QueueFacts asks the database. It counts up to two thousand events; how many more there are follows from the
// ledger.
func (r *Reader) QueueFacts(ctx context.Context) (QueueFacts, error) {
	facts, err := r.db.Queries().QueueFacts(ctx, maxCounted+1)
	return facts, explain("read queues", err)
}

// OldestWaiting is how long ago the oldest row of an app that waits was enqueued; 0 if none waits.
func (r *Reader) OldestWaiting(ctx context.Context, app cloud.AppID) (time.Duration, error) {
	us, err := r.db.Queries().OldestWaiting(ctx, int64(app))
	return time.Duration(us) * time.Microsecond, explain("find the oldest row", err)
}

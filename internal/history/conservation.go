package history

import (
	"context"

	"picloud/db"
	"picloud/internal/cloud"
)

// Conservation is an app's ledger against its queue: events that were enqueued, and where they are or ended.
type Conservation struct {
	Enqueued, Waiting, Running, Done, DeadLettered, Skipped, Discarded int64
	// Balanced: every event that was enqueued is in exactly one of the other counts. Of a longer queue, that
	// was so when it was last counted whole.
	Balanced bool
	// Exact: the queue was counted. A longer one is what the ledger leaves of it, and has at least as many
	// events as were looked at.
	Exact bool
}

// maxCounted is how many events of a queue are counted: a million would take a second.
const maxCounted = 2_000

// settle tells where the events are. Of a queue that is too long to be counted it follows from the ledger how
// many wait, unless that is fewer than were seen. The two agree then, and wholeCounts has to say whether they
// really do.
func (c *Conservation) settle() {
	left := c.Enqueued - c.Done - c.DeadLettered - c.Skipped - c.Discarded
	if !c.Exact {
		c.Waiting = max(left, maxCounted+1) - c.Running
	}
	c.Balanced = left == c.Waiting+c.Running
}

// sum sets one of the ledger's sums. Other names are of no interest here.
func (c *Conservation) sum(what string, n int64) {
	switch what {
	case "enqueued":
		c.Enqueued = n
	case "done":
		c.Done = n
	case "dead_lettered":
		c.DeadLettered = n
	case "skipped":
		c.Skipped = n
	case "discarded":
		c.Discarded = n
	}
}

// Conservation reads ledger and queue in one snapshot. A long queue is counted whole if this process has not
// done so in the last ten minutes, a second for a million events.
func (r *Reader) Conservation(ctx context.Context, app cloud.AppID) (Conservation, error) {
	all, err := conservations(ctx, r.db, []cloud.AppID{app}, maxCounted)
	c := all[app]
	if err != nil || c.Exact || !c.Balanced {
		return c, explain("read conservation", err)
	}

	c.Balanced, err = r.whole.balanced(ctx, app)
	return c, explain("count the queue", err)
}

// Conservations reads those of several apps, all in one snapshot. It counts no long queue whole.
func (r *Reader) Conservations(ctx context.Context, apps []cloud.AppID) (
	map[cloud.AppID]Conservation, error,
) {
	all, err := conservations(ctx, r.db, apps, maxCounted)
	for app, c := range all {
		if !c.Exact && r.whole.unbalanced(app) {
			c.Balanced = false
			all[app] = c
		}
	}
	return all, explain("read conservation", err)
}

// conservations counts up to that many events of each app.
func conservations(ctx context.Context, d *db.DB, apps []cloud.AppID, counted int32) (
	map[cloud.AppID]Conservation, error,
) {
	out := make(map[cloud.AppID]Conservation, len(apps))

	// One snapshot: between two reads an event can move from the queue into the ledger.
	err := d.Snapshot(ctx, func(q *db.Queries) error {
		sums, err := q.LedgerSumsOfApps(ctx, appIDs(apps))
		if err != nil {
			return err
		}

		rows, err := q.CountOutboxOfApps(ctx, counted+1, appIDs(apps))
		if err != nil {
			return err
		}

		addSums(out, sums, rows)
		return nil
	})

	for _, app := range apps {
		c := out[app]
		c.settle()
		out[app] = c
	}

	return out, err
}

// addSums adds what the ledger and the outbox say of each app.
func addSums(
	out map[cloud.AppID]Conservation, sums []db.LedgerSumsOfAppsRow, rows []db.CountOutboxOfAppsRow,
) {
	for _, sum := range sums {
		c := out[cloud.AppID(sum.AppID)]
		c.sum(sum.What, sum.N)
		out[cloud.AppID(sum.AppID)] = c
	}

	for _, row := range rows {
		c := out[cloud.AppID(row.AppID)]
		c.Waiting = row.Waiting
		c.Running = row.Running
		c.Exact = row.Exact
		out[cloud.AppID(row.AppID)] = c
	}
}

package history

import (
	"context"

	"picloud/db"
	"picloud/internal/cloud"
)

// Conservation is an app's ledger against its queue: events that were enqueued, and where they are or ended.
type Conservation struct {
	Enqueued, Waiting, Running, Done, DeadLettered, Skipped, Discarded int64
	// Balanced: every event that was enqueued is in exactly one of the other counts.
	Balanced bool
}

// balances reports whether every event is accounted for.
func (c *Conservation) balances() bool {
	return c.Enqueued == c.Waiting+c.Running+c.Done+c.DeadLettered+c.Skipped+c.Discarded
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

// Conservation reads ledger and queue in one snapshot.
func (r *Reader) Conservation(ctx context.Context, app cloud.AppID) (Conservation, error) {
	all, err := r.Conservations(ctx, []cloud.AppID{app})
	return all[app], err
}

// Conservations reads those of several apps, all in one snapshot.
func (r *Reader) Conservations(ctx context.Context, apps []cloud.AppID) (
	map[cloud.AppID]Conservation, error,
) {
	all, err := conservations(ctx, r.db, apps)
	return all, explain("read conservation", err)
}

func conservations(ctx context.Context, d *db.DB, apps []cloud.AppID) (map[cloud.AppID]Conservation, error) {
	out := make(map[cloud.AppID]Conservation, len(apps))

	// One snapshot: between two reads an event can move from the queue into the ledger.
	err := d.Snapshot(ctx, func(q *db.Queries) error {
		sums, err := q.LedgerSumsOfApps(ctx, appIDs(apps))
		if err != nil {
			return err
		}

		rows, err := q.CountOutboxOfApps(ctx, appIDs(apps))
		if err != nil {
			return err
		}

		addSums(out, sums, rows)
		return nil
	})

	for _, app := range apps {
		c := out[app]
		c.Balanced = c.balances()
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
		out[cloud.AppID(row.AppID)] = c
	}
}

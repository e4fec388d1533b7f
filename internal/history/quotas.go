package history

import (
	"context"

	"picloud/db"
	"picloud/internal/cloud"
)

// Quotas says what an app may use, and what it uses of that for which it has a quota. Records are counted to
// within a second or so, KV as of the last commit.
func (r *Reader) Quotas(ctx context.Context, app cloud.AppID) (may, uses cloud.Quotas, err error) {
	q := r.db.Queries()
	row, err := q.QuotasOfApp(ctx, int64(app))
	if db.IsNotFound(err) {
		return may, uses, nil
	}
	if err != nil {
		return may, uses, explain("read quotas", err)
	}

	may = cloud.Quotas{
		KVBytes:           row.KvBytes,
		LogBytes:          row.LogBytes,
		Executions:        row.Executions,
		Scripts:           row.Scripts,
		RequestsPerSecond: row.RequestsPerSecond,
	}
	if may.KVBytes != nil {
		uses.KVBytes = &row.KvUsed
	}
	if may.Scripts != nil {
		n, err := q.CountScripts(ctx, int64(app))
		if err != nil {
			return may, uses, explain("count scripts", err)
		}
		uses.Scripts = &n
	}

	return may, uses, r.addRecordUse(ctx, app, &may, &uses)
}

// addRecordUse counts the records of an app that has a quota of them.
func (r *Reader) addRecordUse(ctx context.Context, app cloud.AppID, may, uses *cloud.Quotas) error {
	if may.Executions == nil && may.LogBytes == nil {
		return nil
	}

	size, err := r.records.Of(ctx, app)
	if err != nil {
		return explain("count executions", err)
	}
	if may.Executions != nil {
		uses.Executions = &size.N
	}
	if may.LogBytes != nil {
		uses.LogBytes = &size.Bytes
	}
	return nil
}

// pruneShare is the part of a quota that may come anew before it is enforced again: counting what an app has
// takes as long as it has much.
const pruneShare = 20

// batch is how many rows a statement prunes at most.
const batch = 1000

// pruner takes away the oldest records, or logs, of apps that have more than their quota. It is used by the
// recorder's goroutine alone; the sweeps do the same for apps that record nothing more.
type pruner struct {
	cfg *Config
	// recorded is what each app with such a quota has recorded since it was last pruned.
	recorded map[cloud.AppID]Size
}

// prune adds what was recorded lately, and enforces the quotas of apps that have recorded enough anew.
func (p *pruner) prune(ctx context.Context, lately map[cloud.AppID]Size) {
	for app, more := range lately {
		quotas := p.cfg.Quotas(app)
		if quotas.Executions == nil && quotas.LogBytes == nil {
			delete(p.recorded, app)
			continue
		}

		size := p.recorded[app]
		size.N += more.N
		size.Bytes += more.Bytes
		p.recorded[app] = size
		if !isDue(quotas.Executions, size.N) && !isDue(quotas.LogBytes, size.Bytes) {
			continue
		}

		delete(p.recorded, app)
		if err := p.pruneApp(ctx, app); err != nil {
			p.cfg.Log.Warn("prune records; the next sweep does it", "app", app, "error", db.Translate(err))
		}
	}
}

// isDue reports whether enough of something was added for its quota to be enforced again.
func isDue(quota *int64, added int64) bool {
	return quota != nil && added > 0 && added >= *quota/pruneShare
}

func (p *pruner) pruneApp(ctx context.Context, app cloud.AppID) error {
	q := p.cfg.DB.Queries()
	for _, prune := range []func(context.Context, int64) (int64, error){q.PruneExecutions, q.PruneLogs} {
		for n := int64(batch); n == batch; {
			var err error
			if n, err = prune(ctx, int64(app)); err != nil {
				return err
			}
		}
	}
	return nil
}

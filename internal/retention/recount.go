package retention

import (
	"context"
	"time"

	"picloud/db"
)

// recountEvery is how often the entries of the apps with a quota of KV bytes are counted, for which they are
// all read.
const recountEvery = 24 * time.Hour

// recountKV puts right what the apps with a quota of KV bytes are said to keep. Commits and sweeps of one
// version add up exactly. But a node of an earlier version knows nothing of entries that are deleted while it
// overwrites them, so that beside it, during an upgrade, a few bytes are counted twice.
func (s *Sweeper) recountKV(ctx context.Context) error {
	now := s.cfg.Now()
	if now.Sub(s.counted) < recountEvery {
		return nil
	}

	// The entries and what is said of them change in the same transactions: one snapshot tells, without a
	// lock, whether they agree.
	apps, err := s.cfg.DB.Queries().MiscountedKV(ctx)
	if err != nil {
		return err
	}

	for _, app := range apps {
		if err := s.recountApp(ctx, app); err != nil {
			return err
		}
	}

	s.counted = now
	return nil
}

// recountApp counts the entries of an app anew. The locks are those of whoever counts: nothing is swept
// meanwhile, and commits that write to the app's KV wait for the row of its quota.
func (s *Sweeper) recountApp(ctx context.Context, app int64) error {
	return s.cfg.DB.Tx(ctx, func(q *db.Queries) error {
		if err := q.LockCountedKV(ctx); err != nil {
			return err
		}
		if _, err := q.LockKVUse(ctx, []int64{app}); err != nil {
			return err
		}

		used, err := q.CountKV(ctx, app)
		if err != nil {
			return err
		}

		s.cfg.Log.Info("counted the bytes of kv anew", "app", app, "bytes", used)
		return q.SetKVUse(ctx, []int64{app}, []int64{used})
	})
}

// Package retention keeps the tables small: it sweeps what has expired, folds the ledger, and makes and drops
// the partitions of executions. It deletes nothing that an operator still has to deal with; unresolved dead
// letters stay.
package retention

import (
	"context"
	"log/slog"
	"time"

	"picloud/db"
)

const (
	// leaseName is the lease of the node that sweeps; another one takes over when it is gone.
	leaseName = "sweep"
	// every is the pause between sweeps, firstAfter that before the first: a start has more urgent work.
	every      = 10 * time.Minute
	firstAfter = time.Minute
	// partitionsAhead is how many days of executions have their partition before they begin.
	partitionsAhead = 3
)

// Leases are those of the whole installation (cluster.Cluster).
type Leases interface {
	TakeLease(ctx context.Context, name string, d time.Duration) (bool, error)
	DropLease(name string)
}

// Config is what a Sweeper needs. Durations say how long things are kept.
type Config struct {
	DB     *db.DB
	Log    *slog.Logger
	Leases Leases
	// Orphans keeps answers for nodes that never took them.
	Orphans func(ctx context.Context) error
	// Draining is closed when the node stops.
	Draining <-chan struct{}
	// Now is this node's clock; nil is time.Now.
	Now func() time.Time

	Executions  time.Duration
	DeadLetters time.Duration // resolved ones
	Abandoned   time.Duration
	Audit       time.Duration // 0: for ever
}

// Sweeper sweeps now and again, on one node of the installation.
type Sweeper struct {
	cfg Config
	// counted is when this process last counted what the apps with a quota keep. Sweep owns it.
	counted time.Time
}

// New returns a Sweeper that sweeps nothing until Run.
func New(cfg Config) *Sweeper {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Sweeper{cfg: cfg}
}

// Run sweeps every ten minutes until ctx ends or the node drains.
func (s *Sweeper) Run(ctx context.Context) error {
	timer := time.NewTimer(firstAfter)
	defer timer.Stop()

	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.cfg.Draining:
			s.cfg.Leases.DropLease(leaseName)
			return nil
		case <-timer.C:
		}

		leads, err := s.cfg.Leases.TakeLease(ctx, leaseName, every+time.Minute)
		if err != nil {
			s.failed(ctx, "lease", err)
		} else if leads {
			s.Sweep(ctx)
		}
		timer.Reset(every)
	}
}

// job is one sweep: a statement that takes a batch of rows, and says how many they were.
type job struct {
	what string
	// full is how many rows there are in a whole batch, the LIMIT of the statement.
	full  int64
	sweep func(context.Context) (int64, error)
}

const (
	// batch and largeBatch are those of most statements. ledgerBatch is that of the ledger, whose rows are
	// small.
	batch       = 1000
	largeBatch  = 5000
	ledgerBatch = 20000
	// maxBatches ends a job that finds whole batches for ever: those of one sweep are more than the events of
	// ten minutes at the highest rate that was measured.
	maxBatches = 5000
)

// run takes batch after batch, as long as they are whole. The rest of a batch is left to the next sweep:
// rows that get old at any moment would keep a job going which ends when it finds none.
func (j job) run(ctx context.Context) error {
	for range maxBatches {
		n, err := j.sweep(ctx)
		if err != nil || n < j.full || ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// jobs lists the sweeps.
func (s *Sweeper) jobs() []job {
	q := s.cfg.DB.Queries()
	jobs := []job{
		{"expired keys", batch, s.sweepExpiredKeys},
		{"executions over a quota", batch, ofEveryApp(q.PruneExecutions)},
		{"logs over a quota", batch, ofEveryApp(q.PruneLogs)},
		{"event payloads", batch, q.SweepPayloads},
		{"ledger", ledgerBatch, q.FoldLedger},
		{"counts of dead letters", batch, q.FoldLetterCounts},
		{"idempotency keys", batch, q.SweepIdempotency},
		{"sessions", batch, q.SweepSessions},
		{"nodes", batch, q.SweepNodes},
		{"dead letters", batch, olderThan(s.cfg.DeadLetters, q.SweepDeadLetters)},
		{"abandoned", batch, olderThan(s.cfg.Abandoned, q.SweepAbandoned)},
		{"statistics", largeBatch, olderThan(s.cfg.Executions, q.SweepStats)},
		{"hours", largeBatch, olderThan(s.cfg.Executions, q.SweepStatsHours)},
		{"slots", largeBatch, olderThan(s.cfg.Executions, q.SweepSlots)},
	}
	if s.cfg.Audit > 0 {
		jobs = append(jobs, job{"audit", batch, olderThan(s.cfg.Audit, q.SweepAudit)})
	}

	return jobs
}

func olderThan(
	keep time.Duration,
	sweep func(context.Context, int64) (int64, error),
) func(context.Context) (int64, error) {
	return func(ctx context.Context) (int64, error) { return sweep(ctx, keep.Microseconds()) }
}

func ofEveryApp(prune func(context.Context, int64) (int64, error)) func(context.Context) (int64, error) {
	return func(ctx context.Context) (int64, error) { return prune(ctx, 0) }
}

// sweepExpiredKeys deletes keys that have expired, and counts them as no longer used. The locks are taken in
// the order of a commit, which decides about the same entries: first that on what is counted.
func (s *Sweeper) sweepExpiredKeys(ctx context.Context) (n int64, err error) {
	err = s.cfg.DB.Tx(ctx, func(q *db.Queries) error {
		if err := q.LockCountedKV(ctx); err != nil {
			return err
		}
		if err := q.LockKVQuotas(ctx); err != nil {
			return err
		}
		n, err = q.SweepExpiredKeys(ctx)
		return err
	})
	return n, err
}

// Sweep does one round of all sweeps, in small batches.
func (s *Sweeper) Sweep(ctx context.Context) {
	for _, j := range s.jobs() {
		if err := j.run(ctx); err != nil {
			s.failed(ctx, j.what, err)
		}
	}

	if err := s.recountKV(ctx); err != nil {
		s.failed(ctx, "bytes of kv", err)
	}
	if err := s.cfg.Orphans(ctx); err != nil {
		s.failed(ctx, "inbox", err)
	}
	if err := s.cfg.DB.EnsurePartitions(ctx, partitionsAhead); err != nil {
		s.failed(ctx, "partitions", err)
	}
	if err := s.dropOldExecutions(ctx); err != nil {
		s.failed(ctx, "old partitions", err)
	}
}

// dropOldExecutions drops the days of executions that are old by the database's clock and by this node's:
// one of them alone may be wrong by weeks, and what is dropped is gone.
func (s *Sweeper) dropOldExecutions(ctx context.Context) error {
	now, err := s.cfg.DB.Queries().DatabaseTime(ctx)
	if err != nil {
		return err
	}
	if here := s.cfg.Now(); here.Before(now) {
		now = here
	}

	return s.cfg.DB.DropPartitions(ctx, now.Add(-s.cfg.Executions))
}

func (s *Sweeper) failed(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		s.cfg.Log.Error("sweep", "what", what, "error", db.Translate(err))
	}
}

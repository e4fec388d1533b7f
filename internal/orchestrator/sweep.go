package orchestrator

import (
	"context"
	"time"

	"picloud/db"
)

// sweepEvery is the pause between sweeps; one node sweeps, and another one takes over when it is gone.
const sweepEvery = 10 * time.Minute

// sweeps keeps the tables small: expired keys, old records, folded ledger, tomorrow's partitions.
func (o *Orchestrator) sweeps() {
	clock := time.NewTimer(time.Minute)
	defer clock.Stop()
	for {
		select {
		case <-o.ctx.Done():
			return
		case <-o.draining:
			o.dropLease("sweep")
			return
		case <-clock.C:
		}
		if leads, err := o.takeLease(o.ctx, "sweep", sweepEvery+time.Minute); err != nil {
			o.sweepFailed(o.ctx, "lease", err)
		} else if leads {
			o.Sweep(o.ctx)
		}
		clock.Reset(sweepEvery)
	}
}

// Sweep does one round of all sweeps, in small batches.
func (o *Orchestrator) Sweep(ctx context.Context) {
	q := o.cfg.DB.Queries()
	retention := func(f func(context.Context, int64) (int64, error), keep time.Duration) func(context.Context) (int64, error) {
		return func(ctx context.Context) (int64, error) { return f(ctx, keep.Microseconds()) }
	}
	jobs := map[string]func(context.Context) (int64, error){
		"expired keys":     q.SweepExpiredKeys,
		"event payloads":   q.SweepPayloads,
		"ledger":           q.FoldLedger,
		"idempotency keys": q.SweepIdempotency,
		"sessions":         q.SweepSessions,
		"dead letters":     retention(q.SweepDeadLetters, o.cfg.DeadLetterRetention),
		"abandoned":        retention(q.SweepAbandoned, o.cfg.AbandonedRetention),
		"statistics":       retention(q.SweepStats, o.cfg.ExecutionRetention),
		"hours":            retention(q.SweepStatsHours, o.cfg.ExecutionRetention),
		"slots":            retention(q.SweepSlots, o.cfg.ExecutionRetention),
		"nodes":            q.SweepNodes,
	}
	if o.cfg.AuditRetention > 0 {
		jobs["audit"] = retention(q.SweepAudit, o.cfg.AuditRetention)
	}
	for what, job := range jobs {
		for n := int64(1); n > 0 && ctx.Err() == nil; {
			var err error
			if n, err = job(ctx); err != nil {
				o.sweepFailed(ctx, what, err)
				break
			}
		}
	}
	if err := o.inbox.orphans(ctx); err != nil {
		o.sweepFailed(ctx, "inbox", err)
	}
	if err := o.cfg.DB.EnsurePartitions(ctx, partitionsAhead); err != nil {
		o.sweepFailed(ctx, "partitions", err)
	}
	if err := o.cfg.DB.DropPartitions(ctx, time.Now().Add(-o.cfg.ExecutionRetention)); err != nil {
		o.sweepFailed(ctx, "old partitions", err)
	}
}

// partitionsAhead is how many days of executions have their partition before they begin.
const partitionsAhead = 3

func (o *Orchestrator) sweepFailed(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		o.cfg.Log.Error("sweep", "what", what, "error", db.Translate(err))
	}
}

package commit

import (
	"context"

	"picloud/db"
	"picloud/internal/cloud"
)

// Counters of an app's ledger. Enqueued rows are waiting, running, or in exactly one of the others.
const (
	Enqueued     = "enqueued"
	Done         = "done"
	DeadLettered = "dead_lettered"
	Skipped      = "skipped"
	Discarded    = "discarded"
)

// ledgerSection counts what a group does to the outbox, in rows of the group's own: a counter that every
// commit updated would make the commits of an app wait for each other.
type ledgerSection struct{ counts map[ledgerKey]int64 }

type ledgerKey struct {
	app     cloud.AppID
	counter string
}

func (s *ledgerSection) count(app cloud.AppID, counter string) {
	if s.counts == nil {
		s.counts = map[ledgerKey]int64{}
	}
	s.counts[ledgerKey{app, counter}]++
}

func (s *ledgerSection) read(*Group, *db.Pipeline) {}

func (s *ledgerSection) write(ctx context.Context, g *Group, q *db.Queries) {
	if len(s.counts) == 0 {
		return
	}

	arg := db.CountLedgerParams{CommitID: g.id}
	for key, n := range s.counts {
		arg.Apps = append(arg.Apps, int64(key.app))
		arg.Counters = append(arg.Counters, key.counter)
		arg.Amounts = append(arg.Amounts, n)
	}
	_ = q.CountLedger(ctx, arg)
}

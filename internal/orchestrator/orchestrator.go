// Package orchestrator is the data plane: it matches requests and events to scripts, gives runs their permits, has them
// executed, commits what they did, and moves the rows of the outbox. It decides; the executor runs, the services collect,
// manager defines, handlers speak HTTP.
//
// The life of an outbox row, who may move it, and what a crash at each arrow leaves behind:
//
//	     a commit inserts it (with the write that raised it: both or neither)
//	              |                                  \ with a free permit: born claimed by the same node
//	              v                                   v
//	+------> [waiting] --ClaimDue, any node--> [claimed: claimed_by, claim_token, wake_at = lease's end]
//	|             ^                                   |             |
//	|             |                                   |             | the node renews every third of the lease;
//	|   lease's end passes (crash, lost node):        |             | a crash leaves the lease to end: claimed anew,
//	|   claimable again, one interruption more  <-----+-------------+ interruptions + 1
//	|                                                 |
//	|                                                 v  the run's commit, only with the claim's token
//	+--- failed, attempts left / conflict / interrupted / shutdown (row updated: later wake_at)
//	                                                  |
//	                       +--------------------------+---------------------------+
//	                       v                          v                           v
//	          [done: row deleted,        [dead letter: row moved,      [skipped: row deleted,
//	           execution row kept]        dead_letter triggers get      execution says why]
//	                                      their rows]
//
// Every arrow is one transaction together with the run's KV writes, the events they raise, the execution row and the
// ledger; a crash before COMMIT leaves the row claimed and nothing else, a crash after it leaves everything. A commit whose
// answer is lost is sent again under the same id, which the ledger holds unique (commit.go).
//
// A node does not run two claims of one row: its own claim tokens are in dispatcher.running, and what it cannot renew for
// two thirds of the lease it cancels itself, before another node may start it.
package orchestrator

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"picloud/db"
	"picloud/internal/cloud"
)

// Run is a run in a sandbox.
type Run interface {
	// Outcome waits for the first outcome and must be called; After waits for that of waitUntil work when the first was Pending.
	Outcome() cloud.Outcome
	After() cloud.Outcome
	// Cancel stops it; Release says whether it committed.
	Cancel()
	Release(committed bool)
}

// Executor starts runs.
type Executor interface {
	Run(ctx context.Context, spec *cloud.RunSpec) (Run, error)
}

// Session collects a run's writes.
type Session interface {
	Call(ctx context.Context, op cloud.HostOp, args cloud.HostArgs) (cloud.HostReply, error)
	Responded()
	// Prepare takes the turns at keys before the run starts again.
	Prepare(ctx context.Context, keys []cloud.KeyRef)
	Changes() cloud.Changes
	After() cloud.Changes
	// Submitted: the changes are in the order of commits. Settled: they were applied, refused or dropped. Finished: the run
	// makes no more calls, and what is still on its way from it counts for nothing.
	Submitted()
	Settled()
	Finished()
}

// Fetcher makes the HTTP requests of one run.
type Fetcher interface {
	Call(ctx context.Context, n uint64, op cloud.HostOp, args cloud.HostArgs) (cloud.HostReply, error)
}

// Opener opens sealed variables and secrets.
type Opener interface {
	Open(v cloud.VariableRef, keyID string, sealed []byte) (string, error)
	// KeyID names the present master key.
	KeyID() string
}

// Config is what an Orchestrator needs. Durations of zero take the defaults of the contract.
type Config struct {
	DB      *db.DB
	IDs     *cloud.IDSource
	Node    string
	Version string
	// Idle: this node answers no endpoint and claims no row; it decides, sweeps and tests scripts.
	Idle     bool
	Executor Executor
	Sessions func(app cloud.AppID) Session
	Fetchers func() Fetcher
	Opener   Opener
	Log      *slog.Logger

	Permits        int // of the gate
	Queue          int // requests that may wait at the gate
	DefaultTimeout time.Duration
	DefaultMemory  int
	MaxDepth       int
	Lease          time.Duration

	ExecutionRetention   time.Duration
	DeadLetterRetention  time.Duration
	AbandonedRetention   time.Duration
	AuditRetention       time.Duration // 0: for ever
	IdempotencyRetention time.Duration

	// Tracer, if set, gets a span of each run.
	Tracer trace.Tracer

	// PeopleChanged is called when another process changed users, members, sessions or keys; Heard says whether such
	// changes are heard at all.
	PeopleChanged func()
	Heard         func(bool)
}

// Orchestrator is the data plane of one node.
type Orchestrator struct {
	cfg         Config
	definitions *definitions
	gate        *gate
	committer   *committer
	dispatcher  *dispatcher
	cron        *cron
	inbox       *inbox
	recorder    *recorder
	peers       atomic.Int64 // other nodes that listen
	ears        *ears
	notify      notifier
	unfreed     unfreed
	tails       tails
	announced   bool // in the table of nodes
	held        atomic.Pointer[db.HoldRow]

	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
	runs   sync.WaitGroup // runs in progress, direct and dispatched
	// draining is closed when no row is claimed any more.
	draining  chan struct{}
	drainOnce sync.Once
}

var errStopped = errors.New("picloud is shutting down")

// New returns an Orchestrator that does nothing until Start.
func New(cfg Config) *Orchestrator {
	o := &Orchestrator{cfg: cfg, draining: make(chan struct{})}
	o.ctx, o.cancel = context.WithCancelCause(context.Background())
	o.definitions = newDefinitions(o)
	o.ears = newEars(o)
	o.gate = newGate(cfg.Permits, cfg.Queue)
	o.committer = newCommitter(o)
	o.dispatcher = newDispatcher(o)
	o.cron = newCron(o)
	o.tails.peers.o = o
	o.inbox = newInbox(o)
	o.recorder = newRecorder(o)
	return o
}

// Start loads the definitions and starts the background work.
func (o *Orchestrator) Start(ctx context.Context) error {
	if err := o.definitions.loadAll(ctx); err != nil {
		return err
	}
	if err := o.loadHold(ctx); err != nil {
		return err
	}
	if err := o.announce(ctx); err != nil {
		return err
	}
	o.wg.Go(o.committer.loop)
	o.wg.Go(o.recorder.loop)
	o.wg.Go(o.listen)
	o.wg.Go(o.ears.loop)
	if !o.cfg.Idle {
		o.wg.Go(o.dispatcher.loop)
		o.wg.Go(o.dispatcher.scout.loop)
	}
	o.wg.Go(o.cron.loop)
	o.wg.Go(o.dispatcher.renewals)
	o.wg.Go(o.sweeps)
	o.wg.Go(o.heartbeat)
	return nil
}

// Quiesce stops claiming rows and firing schedules; requests are still served.
func (o *Orchestrator) Quiesce() { o.drainOnce.Do(func() { close(o.draining) }) }

// Drain stops taking work and waits for the runs in progress, at most until ctx ends; what still runs then is given back.
func (o *Orchestrator) Drain(ctx context.Context) {
	o.Quiesce()
	o.gate.close()
	done := make(chan struct{})
	go func() {
		o.runs.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		o.dispatcher.release()
	}
}

// Stop ends the background work. Drain comes first.
func (o *Orchestrator) Stop() {
	o.Quiesce()
	o.gate.close()
	o.cancel(errStopped)
	o.wg.Wait()
	o.leave()
}

// Refresh loads an app's definitions again, or the list of apps for app 0. It is called after every change made here.
func (o *Orchestrator) Refresh(ctx context.Context, app cloud.AppID) { o.definitions.refresh(ctx, app) }

// MatchingKV counts the triggers that a change in a collection may raise; it is asked before the write is collected.
func (o *Orchestrator) MatchingKV(app cloud.AppID, collection string) int {
	a := o.definitions.app(app)
	if a == nil {
		return 0
	}
	n := 0
	for _, t := range a.triggers {
		if t.Enabled && t.Kind == cloud.SourceKV && cloud.MatchesCollection(t.Collection, collection) {
			n++
		}
	}
	return n
}

// Stats is what /metrics and the system page show of this node.
type Stats struct {
	PermitsFree, PermitsAll int
	// FreeForOthers is what other nodes may count on: 0 where no event is handled.
	FreeForOthers int
	// Listening: what other nodes say reaches this one.
	Listening             bool
	WaitingAtGate         int
	RunningRows           int
	CommitGroups, Commits int64
	Conflicts             int64
	RecordsDropped        int64
	Outcomes              map[cloud.Status]int64
	Slots                 map[string]int64 // of schedules, by state
	Durations             Durations
}

// Stats gives a snapshot of the counters.
func (o *Orchestrator) Stats() Stats {
	s := Stats{PermitsAll: o.cfg.Permits, CommitGroups: o.committer.groups.Load(), Commits: o.committer.commits.Load(),
		Conflicts: o.committer.conflicts.Load()}
	s.PermitsFree, s.WaitingAtGate = o.gate.state()
	s.Listening = o.ears.hearing.Load()
	s.FreeForOthers = int(o.freeForOthers())
	s.RunningRows = o.dispatcher.count()
	s.Outcomes, s.Durations, s.RecordsDropped = o.recorder.totals()
	s.Slots = o.cron.totals()
	return s
}

func (o *Orchestrator) isDraining() bool {
	select {
	case <-o.draining:
		return true
	default:
		return false
	}
}

// Package orchestrator is the data plane of one node. It answers requests (serve.go), brings claimed rows to
// their next state (events.go), and does what operators do by hand (operations.go, replay.go). All of them
// have a script run and committed in one place, runner.perform (run.go).
//
// What it works with are packages of their own: admission gives runs their permits, catalog knows the
// definitions, outbox claims rows, commit applies what runs did, cluster talks to the other nodes, cron fires
// schedules, history records, retention sweeps. This package puts them together (New) and starts and stops
// them. It decides; the executor runs, the services collect, manager defines, handlers speak HTTP.
package orchestrator

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"picloud/db"
	"picloud/internal/admission"
	"picloud/internal/catalog"
	"picloud/internal/cloud"
	"picloud/internal/cluster"
	"picloud/internal/commit"
	"picloud/internal/cron"
	"picloud/internal/history"
	"picloud/internal/outbox"
	"picloud/internal/retention"
)

// Config is what an Orchestrator needs.
type Config struct {
	DB      *db.DB
	IDs     *cloud.IDSource
	Node    string
	Version string
	Log     *slog.Logger
	// DataDir is where PiCloud's own PostgreSQL keeps its data; empty if another server has the database.
	DataDir string
	// Idle says that this node answers no endpoint and claims no row; it decides, sweeps and tests scripts.
	Idle bool

	Executor  Executor
	Sessions  func(app cloud.AppID) Session
	Fetchers  func(app cloud.AppID) Fetcher
	Decrypter Decrypter

	Permits       int // of the gate
	Queue         int // requests that may wait at the gate
	DefaultLimits cloud.Limits
	MaxDepth      int // of chains of events
	Lease         time.Duration

	ExecutionRetention   time.Duration
	DeadLetterRetention  time.Duration
	AbandonedRetention   time.Duration
	AuditRetention       time.Duration // 0: for ever
	IdempotencyRetention time.Duration

	// Tracer, if set, gets a span of each run.
	Tracer trace.Tracer

	// PeopleChanged is called when another process changed users, members, sessions or keys; Healthy says
	// whether such changes arrive at all.
	PeopleChanged func()
	Healthy       func(bool)

	// Checks are the doctor's that other parts make.
	Checks []history.Check
}

// Orchestrator is the data plane of one node. Its exported parts serve handlers and the manager; they work
// between Start and Stop.
type Orchestrator struct {
	Catalog    *catalog.Catalog
	Requests   *Server
	Operations *Operations
	History    *history.Reader
	Tails      *history.Tails
	Schedules  *cron.Clock

	cfg        Config
	gate       *admission.Gate
	cluster    *cluster.Cluster
	committer  *commit.Committer
	dispatcher *outbox.Dispatcher
	recorder   *history.Recorder
	keys       *idempotencyKeys
	inbox      *inbox
	sweeper    *retention.Sweeper

	// ctx ends the background work and the runs, with a cause.
	ctx    context.Context
	cancel context.CancelCauseFunc
	group  errgroup.Group
	// runs counts the runs in progress, direct and dispatched.
	runs sync.WaitGroup
	// draining is closed when no row is claimed any more.
	draining  chan struct{}
	drainOnce sync.Once
}

var errStopped = errors.New("picloud is shutting down")

// Start loads the definitions and starts what lives.
func (o *Orchestrator) Start(ctx context.Context) error {
	if err := o.Catalog.LoadAll(ctx); err != nil {
		return err
	}
	if err := o.cluster.Start(ctx, o.clusterHandlers()); err != nil {
		return err
	}

	for _, run := range []func(context.Context) error{
		o.committer.Run,
		o.recorder.Run,
		o.cluster.Run,
		o.dispatcher.Run,
		o.Schedules.Run,
		o.Tails.Run,
		o.keys.Run,
		o.sweeper.Run,
	} {
		o.group.Go(func() error { return run(o.ctx) })
	}

	return nil
}

// clusterHandlers say who wants to know what other processes did.
func (o *Orchestrator) clusterHandlers() cluster.Handlers {
	return cluster.Handlers{
		Definitions: o.Refresh,
		Principals:  o.cfg.PeopleChanged,
		Wakeup:      o.dispatcher.RowsWait,
		Scan: func(full bool) {
			if full {
				o.dispatcher.ScanAll()
			} else {
				o.dispatcher.ScanWithin(0)
			}
		},
		Inbox:  o.inbox.fetch,
		Cron:   o.Schedules.Wake,
		Tail:   o.Tails.Receive,
		Reload: o.Catalog.LoadAll,
		Health: o.cfg.Healthy,
	}
}

// Refresh loads an app's definitions again, or the list of apps and the hold for app 0. It is called after
// every change made by this process.
func (o *Orchestrator) Refresh(ctx context.Context, app cloud.AppID) {
	if app == 0 {
		if err := o.cluster.LoadHold(context.WithoutCancel(ctx)); err != nil {
			o.cfg.Log.Error("refresh the hold", "error", err)
		}
	}
	o.Catalog.Refresh(ctx, app)
}

// Quiesce stops claiming rows and firing schedules; requests are still served.
func (o *Orchestrator) Quiesce() { o.drainOnce.Do(func() { close(o.draining) }) }

// Drain stops taking work and waits for the runs in progress, at most until ctx ends; what still runs then is
// given back.
func (o *Orchestrator) Drain(ctx context.Context) {
	o.Quiesce()
	o.gate.Close()

	doneCh := make(chan struct{})
	go func() {
		o.runs.Wait()
		close(doneCh)
	}()

	select {
	case <-doneCh:
	case <-ctx.Done():
		o.dispatcher.ReleaseAll()
	}
}

// Stop ends the background work. Drain comes first.
func (o *Orchestrator) Stop() {
	o.Quiesce()
	o.gate.Close()
	o.cancel(errStopped)
	_ = o.group.Wait() // what lives ends without an error when its context does
	o.cluster.Leave()
}

func (o *Orchestrator) isDraining() bool {
	select {
	case <-o.draining:
		return true
	default:
		return false
	}
}

// freeForOthers is how many permits other nodes may count on.
func (o *Orchestrator) freeForOthers() int32 {
	if o.cfg.Idle {
		return 0
	}
	free, _ := o.gate.State()
	return int32(free)
}

// OnHold says why events and schedules stand still in the whole installation; empty: they do not.
func (o *Orchestrator) OnHold() string { return o.cluster.Hold() }

// Examine checks the installation that this node belongs to. It changes nothing.
func (o *Orchestrator) Examine(ctx context.Context) (history.Report, error) {
	report, err := history.Examine(ctx, history.Installation{
		DB:      o.cfg.DB,
		KeyID:   o.cfg.Decrypter.KeyID(),
		DataDir: o.cfg.DataDir,
	})
	if err != nil {
		return report, err
	}

	for _, check := range o.cfg.Checks {
		report.Findings = append(report.Findings, check(ctx))
	}
	return report, nil
}

// Stats is what /metrics and the system page show of this node.
type Stats struct {
	PermitsFree, PermitsAll int
	// FreeForOthers is what other nodes may count on: 0 where no event is handled.
	FreeForOthers int
	// Listening says that notifications of other nodes reach this one.
	Listening      bool
	WaitingAtGate  int
	RunningRows    int
	Commits        commit.Counts
	RecordsDropped int64
	Outcomes       map[cloud.Status]int64
	Slots          map[string]int64 // of schedules, by state
	Durations      history.Durations
}

// Stats gives a snapshot of the counters.
func (o *Orchestrator) Stats() Stats {
	s := Stats{
		PermitsAll:    o.cfg.Permits,
		FreeForOthers: int(o.freeForOthers()),
		Listening:     o.cluster.Listening(),
		RunningRows:   o.dispatcher.Running(),
		Commits:       o.committer.Counts(),
		Slots:         o.Schedules.Totals(),
	}
	s.PermitsFree, s.WaitingAtGate = o.gate.State()
	s.Outcomes, s.Durations, s.RecordsDropped = o.recorder.Totals()

	return s
}

package orchestrator

import (
	"context"

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

// New puts the parts together. Nothing lives until Start.
func New(cfg Config) *Orchestrator {
	o := &Orchestrator{cfg: cfg, draining: make(chan struct{})}
	o.ctx, o.cancel = context.WithCancelCause(context.Background())

	o.gate = admission.New(cfg.Permits, cfg.Queue)
	o.Catalog = catalog.New(catalog.Config{
		DB:            cfg.DB,
		Decrypter:     cfg.Decrypter,
		Log:           cfg.Log,
		DefaultLimits: cfg.DefaultLimits,
	})
	o.cluster = cluster.New(cluster.Config{
		DB:          cfg.DB,
		Node:        cfg.Node,
		Version:     cfg.Version,
		Log:         cfg.Log,
		FreePermits: o.freeForOthers,
	})
	o.buildHistory()

	// The dispatcher has rows run that the committer inserts, by what is built last.
	var events *eventRunner
	o.dispatcher = outbox.NewDispatcher(outbox.Config{
		DB:       cfg.DB,
		IDs:      cfg.IDs,
		Node:     cfg.Node,
		Log:      cfg.Log,
		Gate:     o.gate,
		Lease:    cfg.Lease,
		Idle:     cfg.Idle,
		Draining: o.draining,
		OnHold:   func() bool { return o.cluster.Hold() != "" },
		Run:      func(c *outbox.Claim, p *admission.Permit) { events.run(c, p) },
		Go:       o.runs.Go,
	})
	o.committer = commit.New(commit.Config{
		DB:                   cfg.DB,
		IDs:                  cfg.IDs,
		Log:                  cfg.Log,
		Node:                 cfg.Node,
		Lease:                cfg.Lease,
		IdempotencyRetention: cfg.IdempotencyRetention,
		Definitions:          o.Catalog,
		Starter:              o.dispatcher,
		Peers:                o.cluster,
	})
	o.keys = &idempotencyKeys{
		node:    cfg.Node,
		db:      cfg.DB,
		log:     cfg.Log,
		answers: history.NewStoredAnswers(cfg.DB),
		wakeC:   make(chan struct{}, 1),
	}
	o.inbox = &inbox{
		node:      cfg.Node,
		max:       4 * cfg.Permits,
		db:        cfg.DB,
		ids:       cfg.IDs,
		log:       cfg.Log,
		catalog:   o.Catalog,
		committer: o.committer,
		keys:      o.keys,
		waiters:   map[cloud.ID]*inboxWaiter{},
		left:      map[cloud.ID]*inboxWaiter{},
	}
	events = o.buildRuns()
	o.buildBackground()

	return o
}

func (o *Orchestrator) buildHistory() {
	o.History = history.NewReader(o.cfg.DB, o.Catalog.ScriptID)
	o.Tails = history.NewTails(history.TailsConfig{
		Node:    o.cfg.Node,
		Peers:   o.cluster,
		Channel: cluster.ChannelTail,
		Done:    o.draining,
		Log:     o.cfg.Log,
	})
	o.recorder = history.New(history.Config{
		DB:      o.cfg.DB,
		Node:    o.cfg.Node,
		Log:     o.cfg.Log,
		Publish: o.Tails.PublishRun,
		Quotas:  o.Catalog.QuotasOf,
	})
}

// buildRuns builds what makes runs, and returns what makes those of rows.
func (o *Orchestrator) buildRuns() *eventRunner {
	cfg := &o.cfg
	runCtx := func() context.Context { return o.ctx }
	replayer := &replayer{
		ids:       cfg.IDs,
		db:        cfg.DB,
		catalog:   o.Catalog,
		committer: o.committer,
		reader:    o.History,
		maxDepth:  cfg.MaxDepth,
	}
	runner := &runner{
		node:      cfg.Node,
		ids:       cfg.IDs,
		log:       cfg.Log,
		executor:  cfg.Executor,
		sessions:  cfg.Sessions,
		fetchers:  cfg.Fetchers,
		committer: o.committer,
		recorder:  o.recorder,
		tails:     o.Tails,
		replayer:  replayer,
		tracer:    cfg.Tracer,
	}

	o.Requests = &Server{
		node:        cfg.Node,
		ids:         cfg.IDs,
		gate:        o.gate,
		runner:      runner,
		committer:   o.committer,
		inbox:       o.inbox,
		keys:        o.keys,
		peers:       o.cluster,
		queue:       history.NewHTTPQueue(cfg.DB),
		runs:        &o.runs,
		runCtx:      runCtx,
		takesEvents: func() bool { return !o.isDraining() && o.cluster.Hold() == "" },
	}
	o.Operations = &Operations{
		ids:        cfg.IDs,
		db:         cfg.DB,
		version:    cfg.Version,
		gate:       o.gate,
		catalog:    o.Catalog,
		committer:  o.committer,
		dispatcher: o.dispatcher,
		runner:     runner,
		replayer:   replayer,
		sessions:   cfg.Sessions,
		runs:       &o.runs,
		runCtx:     runCtx,
	}
	return &eventRunner{
		node:      cfg.Node,
		maxDepth:  cfg.MaxDepth,
		runner:    runner,
		catalog:   o.Catalog,
		committer: o.committer,
		inbox:     o.inbox,
		runCtx:    runCtx,
	}
}

func (o *Orchestrator) buildBackground() {
	cfg := &o.cfg
	o.Schedules = cron.New(cron.Config{
		DB:         cfg.DB,
		IDs:        cfg.IDs,
		Log:        cfg.Log,
		Catalog:    o.Catalog,
		Committer:  o.committer,
		Cluster:    o.cluster,
		Draining:   o.draining,
		WakeOthers: func() { o.cluster.Notify(cluster.ChannelCron, "") },
	})
	o.sweeper = retention.New(retention.Config{
		DB:          cfg.DB,
		Log:         cfg.Log,
		Leases:      o.cluster,
		Orphans:     o.inbox.orphans,
		Draining:    o.draining,
		Executions:  cfg.ExecutionRetention,
		DeadLetters: cfg.DeadLetterRetention,
		Abandoned:   cfg.AbandonedRetention,
		Audit:       cfg.AuditRetention,
	})

	// A trigger may have been enabled, or a schedule changed.
	o.Catalog.Subscribe(func() { o.dispatcher.ScanWithin(0) })
	o.Catalog.Subscribe(o.Schedules.Wake)
}

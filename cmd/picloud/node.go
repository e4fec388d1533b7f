package main

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"picloud/db"
	"picloud/db/pglocal"
	"picloud/handlers"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/executor"
	"picloud/internal/history"
	"picloud/internal/manager"
	"picloud/internal/orchestrator"
	"picloud/internal/services/fetch"
	"picloud/internal/services/kv"
	"picloud/internal/services/secrets"
)

// node is a running PiCloud: the parts and the order in which they start and stop. Tests construct it as main
// does.
type node struct {
	cfg *Config
	log *slog.Logger
	ids cloud.IDSource
	// command starts a sandbox child; empty is this binary.
	command []string
	// passwords hashes passwords; nil is the cost of production.
	passwords *auth.Passwords

	lock         *os.File
	postgres     *pglocal.Server
	db           *db.DB
	trials       *commitTrials
	url          string // of the database
	ownData      string // where PiCloud's own PostgreSQL keeps its data; empty with another's
	tracing      *sdktrace.TracerProvider
	executor     *executor.Pool
	kv           *kv.Store
	secrets      *secrets.Box
	orchestrator *orchestrator.Orchestrator
	manager      *manager.Manager
	auth         *auth.Authenticator
	server       *handlers.Server
	listener     net.Listener
	metrics      *http.Server

	madePassword string
	failed       chan error
	stopOnce     sync.Once
	stopping     chan struct{}
}

// start brings everything up; what came up is stopped again if a later part fails.
func start(ctx context.Context, cfg *Config, log *slog.Logger) (*node, error) {
	n := &node{cfg: cfg, log: log}
	if err := n.start(ctx); err != nil {
		n.Stop()
		return nil, err
	}
	return n, nil
}

func (n *node) start(ctx context.Context) error {
	n.failed = make(chan error, 4)
	n.stopping = make(chan struct{})
	if err := n.openDatabase(ctx); err != nil {
		return err
	}

	if err := n.buildExecutor(); err != nil {
		return err
	}
	var err error
	if n.tracing, err = openTracing(ctx, n.cfg.NodeName, n.log); err != nil {
		return err
	}

	n.buildOrchestrator()
	n.buildManager()
	if err := n.manager.CheckKeys(ctx); err != nil {
		return err
	}
	made, err := n.manager.FirstStart(ctx, n.cfg.AdminUsername, n.cfg.AdminPassword)
	if err != nil {
		return fmt.Errorf("make the first owner: %w", err)
	}

	n.madePassword = made
	if err := n.orchestrator.Start(ctx); err != nil {
		return err
	}
	return n.serve()
}

// openDatabase takes the data directory, starts PiCloud's own PostgreSQL unless there is another, and
// migrates.
func (n *node) openDatabase(ctx context.Context) error {
	if err := n.connect(ctx); err != nil {
		return err
	}
	if err := n.checkCapacity(); err != nil {
		return err
	}
	if err := n.migrate(ctx); err != nil {
		return err
	}

	// Records have a place without a partition, so they are no reason not to start; the sweep tries again.
	if err := n.db.EnsurePartitions(ctx, 3); err != nil {
		n.log.Error("make the partitions of executions", "error", err)
	}

	return nil
}

// ownDatabase is the name of PiCloud's database on its own PostgreSQL.
const ownDatabase = "picloud"

// connect opens the database as it is.
func (n *node) connect(ctx context.Context) error {
	if n.cfg.DataDir != "" {
		if err := n.openDataDir(); err != nil {
			return err
		}
	}

	url := n.cfg.DatabaseURL
	if url == "" {
		n.ownData = n.cfg.DataDir
		var err error
		n.postgres, err = pglocal.Start(ctx, pglocal.Options{Dir: n.cfg.clusterDir(),
			MaxConnections: n.cfg.DBConnections + 10, Log: n.log})
		if err != nil {
			return err
		}
		if err := db.CreateDatabase(ctx, n.postgres.UserURL(), ownDatabase); err != nil {
			return err
		}
		url = pglocal.Database(n.postgres.UserURL(), ownDatabase)
		n.watchPostgres()
	}

	var err error
	if n.secrets, err = secrets.NewBox(n.cfg.key); err != nil {
		return err
	}
	n.url = url
	if n.db, err = db.Open(ctx, url, n.cfg.DBConnections); err != nil {
		return err
	}
	n.trials = &commitTrials{try: n.db.TryCommit, log: n.log}
	return nil
}

func (n *node) watchPostgres() {
	go func() {
		<-n.postgres.Exited()

		select {
		case <-n.stopping:
		default:
			if n.failed != nil {
				n.failed <- postgresEnded(n.postgres.LastWords())
			}
		}
	}()
}

// postgresEnded says what became of PiCloud's own PostgreSQL, with its last words, such as those of a full
// disk.
func postgresEnded(words string) error {
	if words != "" {
		words = " (" + words + ")"
	}
	return fmt.Errorf("PiCloud's own PostgreSQL ended unexpectedly%s; "+
		"its log is postgres.log in the data directory", words)
}

// derive makes a key for one purpose from the master key (RFC 5869).
func (n *node) derive(purpose string) []byte {
	k, err := hkdf.Key(sha256.New, n.cfg.key, nil, "picloud "+purpose, keySize)
	if err != nil {
		panic(err) // the length is right
	}
	return k
}

func (n *node) buildExecutor() error {
	cfg := executor.Config{MemoryMiB: n.cfg.ScriptMemory, MaxBody: n.cfg.MaxBody, Log: n.log,
		Code: func(ctx context.Context, app cloud.AppID, build cloud.ID) (string, error) {
			code, err := n.db.Queries().CodeOfBuild(ctx, int64(app), build)
			return code, noCode(err)
		}}
	if n.cfg.Executor != ownSandboxes {
		cfg.Client = &executor.Client{Socket: n.cfg.Executor}
	} else {
		var err error
		if cfg.Launcher, err = launcher(n.command, n.cfg); err != nil {
			return err
		}
	}
	n.executor = executor.New(cfg)
	return nil
}

// noCode is why the code of a script could not be read: a run that needed it says so if the database was
// away, instead of blaming the sandbox.
func noCode(err error) error {
	err = db.Translate(err)
	if errors.Is(err, db.ErrUnavailable) {
		return cloud.DatabaseAway("read the script's code", err)
	}
	return err
}

// pool lets the orchestrator start runs without knowing the executor's types.
type pool struct{ *executor.Pool }

// Run starts a run.
func (p pool) Run(ctx context.Context, spec *cloud.RunSpec) (orchestrator.Run, error) {
	r, err := p.Pool.Run(ctx, spec)
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (n *node) buildOrchestrator() {
	fetcher := fetch.New(fetch.Config{
		AllowPrivate: n.cfg.FetchAllowPrivate,
		MaxBody:      n.cfg.MaxBody,
		Version:      version,
	})
	n.auth = auth.NewAuthenticator(n.db)
	n.orchestrator = orchestrator.New(orchestrator.Config{
		DB:            n.db,
		IDs:           &n.ids,
		Node:          n.cfg.NodeName,
		Version:       version,
		Log:           n.log,
		DataDir:       n.ownData,
		Idle:          !n.cfg.role.scripts,
		Executor:      pool{n.executor},
		Sessions:      func(app cloud.AppID) orchestrator.Session { return n.kv.Open(app) },
		Fetchers:      func(app cloud.AppID) orchestrator.Fetcher { return fetcher.Open(app) },
		Decrypter:     n.secrets,
		Permits:       n.cfg.Concurrency,
		Queue:         n.cfg.Queue,
		DefaultLimits: cloud.Limits{Timeout: n.cfg.ScriptTimeout, MemoryMiB: n.cfg.ScriptMemory},
		MaxDepth:      n.cfg.MaxDepth,
		Lease:         n.cfg.Lease,

		ExecutionRetention:   n.cfg.ExecutionRetention,
		DeadLetterRetention:  n.cfg.DeadLetterRetention,
		AbandonedRetention:   n.cfg.AbandonedRetention,
		AuditRetention:       n.cfg.AuditRetention,
		IdempotencyRetention: n.cfg.IdempotencyRetention,

		Tracer:        n.tracer(),
		PeopleChanged: n.auth.Flush,
		Healthy:       n.auth.Trust,
		Checks:        []history.Check{n.checkSandbox},
	})
	n.kv = kv.New(kv.Config{
		DB:        n.db,
		Triggers:  n.orchestrator.Catalog,
		CursorKey: n.derive("kv cursors"),
		LargeRuns: largeRuns(nodeMemory()),
	})
}

func (n *node) buildManager() {
	cfg := manager.Config{
		DB:              n.db,
		Compiler:        n.executor,
		IDs:             &n.ids,
		Sealer:          n.secrets,
		Passwords:       n.passwords,
		MaxTimeout:      maxScriptTimeout,
		MaxMemoryMiB:    n.cfg.ScriptMemory,
		SessionLifetime: n.cfg.SessionRetention,
		Changed:         func(context.Context, cloud.AppID) {},
		PeopleChanged:   func() {},
		Env:             func(cloud.AppID, string) *cloud.Env { return nil },
	}
	// The commands that only need the manager have no data plane to tell.
	if n.orchestrator != nil {
		cfg.Changed = n.orchestrator.Refresh
		cfg.PeopleChanged = n.auth.Flush
		cfg.Env = n.orchestrator.Catalog.EnvOf
	}
	n.manager = manager.New(cfg)
}

func (n *node) serve() error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newCollector(n.orchestrator, n.executor))
	n.server = handlers.New(handlers.Config{
		Manager:          n.manager,
		Orchestrator:     n.orchestrator,
		KV:               n.kv,
		Auth:             n.auth,
		IDs:              &n.ids,
		Log:              n.log,
		Version:          version,
		Node:             n.cfg.NodeName,
		PublicURL:        n.cfg.PublicURL,
		MaxBody:          n.cfg.MaxBody,
		BodyBudget:       bodyBudget(nodeMemory(), n.cfg.MaxBody),
		ScriptTimeout:    n.cfg.ScriptTimeout,
		ScriptMemory:     n.cfg.ScriptMemory,
		AdminHost:        n.cfg.AdminHost,
		NoAdmin:          !n.cfg.role.admin,
		NoScripts:        !n.cfg.role.scripts,
		TrustedProxies:   n.cfg.proxies,
		CursorKey:        n.derive("cursors"),
		Sandbox:          n.sandboxStats,
		Ready:            n.ready,
		Metrics:          registry,
		MetricsElsewhere: n.cfg.MetricsListen != "",
	})
	l, err := net.Listen("tcp", n.cfg.Listen)
	if err != nil {
		return fmt.Errorf("PICLOUD_LISTEN: %w", err)
	}
	n.listener = l
	go func() {
		if err := n.server.Serve(l); err != nil {
			n.failed <- fmt.Errorf("serve: %w", err)
		}
	}()

	if n.cfg.MetricsListen == "" {
		return nil
	}
	ml, err := net.Listen("tcp", n.cfg.MetricsListen)
	if err != nil {
		return fmt.Errorf("PICLOUD_METRICS_LISTEN: %w", err)
	}

	n.metrics = &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		Handler:           http.HandlerFunc(n.serveMetrics),
		ErrorLog:          slog.NewLogLogger(n.log.Handler(), slog.LevelWarn),
	}
	go func() { _ = n.metrics.Serve(ml) }()
	return nil
}

// serveMetrics answers on the address that PICLOUD_METRICS_LISTEN names.
func (n *node) serveMetrics(w http.ResponseWriter, r *http.Request) {
	body, err := n.server.Metrics()
	if err != nil || r.URL.Path != "/metrics" {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(body)
}

func (n *node) sandboxStats() handlers.SandboxStats {
	s := n.executor.Stats()
	return handlers.SandboxStats{Children: s.Children, Started: s.Started, Died: s.Died}
}

// URL is where the node answers.
func (n *node) URL() string {
	if n.cfg.PublicURL != "" {
		return n.cfg.PublicURL
	}
	addr, ok := n.listener.Addr().(*net.TCPAddr)
	if !ok {
		return n.listener.Addr().String()
	}

	host := "localhost"
	if !addr.IP.IsUnspecified() {
		host = addr.IP.String()
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(addr.Port))
}

// Stop takes no more work, lets runs finish within the grace, and stops everything in the opposite order.
func (n *node) Stop() {
	n.stopOnce.Do(func() {
		if n.stopping != nil {
			close(n.stopping)
		}
		ctx, cancel := context.WithTimeout(context.Background(), n.cfg.ShutdownGrace)
		defer cancel()

		n.stopWork(ctx)
		if n.db != nil {
			n.db.Close()
		}
		if n.postgres != nil {
			if err := n.postgres.Stop(); err != nil {
				n.log.Warn("stop PostgreSQL", "error", err)
			}
		}
		if n.lock != nil {
			_ = n.lock.Close()
		}
	})
}

func (n *node) stopWork(ctx context.Context) {
	if n.orchestrator != nil {
		n.orchestrator.Quiesce()
	}
	if n.server != nil && n.listener != nil {
		_ = n.server.Shutdown(ctx) // nobody comes in any more; who is in is served
	}
	if n.orchestrator != nil {
		n.orchestrator.Drain(ctx)
	}
	if n.metrics != nil {
		_ = n.metrics.Close()
	}

	if n.executor != nil {
		n.executor.Close()
	}
	if n.orchestrator != nil {
		n.orchestrator.Stop()
	}

	if n.tracing != nil {
		if err := n.tracing.Shutdown(ctx); err != nil {
			n.log.Warn("send the last traces", "error", err)
		}
	}
}

package db

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// DB is the pools of one process. Claims, leases and commits have connections of their own, so that they never wait
// behind the reads of scripts and pages.
type DB struct {
	// General serves pages, the API and background work; Scripts serves the KV reads of scripts.
	General *pgxpool.Pool
	Scripts *pgxpool.Pool
	// Commits serves the commits of runs.
	Commits *pgxpool.Pool
	// Control serves claims, lease renewals and notifications. Its commits are not durable: a lost claim is a lease that ends.
	Control *pgxpool.Pool

	url string
	// pooled: between PiCloud and PostgreSQL stands a pooler that gives each transaction another session.
	pooled bool
}

// ErrPooled says why Listen fails there.
var ErrPooled = errors.New("DATABASE_URL leads to a connection pooler in transaction mode, where LISTEN does not last")

// Connections that are set aside for the control of runs.
const (
	commitConns  = 2
	controlConns = 2
	scriptConns  = 2
	listenConns  = 1
)

// steady are the settings of connections that send the same few statements for ever: planned once, each row looked up by
// its key, whatever the statistics of a table that was empty a moment ago say.
var steady = map[string]string{
	"plan_cache_mode": "force_generic_plan", "jit": "off", "enable_seqscan": "off", "enable_bitmapscan": "off",
	"enable_hashjoin": "off", "enable_mergejoin": "off",
}

// MinConnections is the least that Open accepts.
const MinConnections = commitConns + controlConns + scriptConns + listenConns + 2

// Open connects to the database. connections bounds all pools together, the listener's connection included.
func Open(ctx context.Context, url string, connections int) (*DB, error) {
	if connections < MinConnections {
		return nil, fmt.Errorf("%d database connections are too few: at least %d are needed", connections, MinConnections)
	}
	d := &DB{url: url}
	if err := d.meet(ctx); err != nil {
		return nil, err
	}
	var err error
	if d.General, err = d.open(ctx, connections-commitConns-controlConns-scriptConns-listenConns, nil); err != nil {
		return nil, err
	}
	if d.Scripts, err = d.open(ctx, scriptConns, with(steady, "application_name", "picloud scripts")); err != nil {
		return nil, err
	}
	if d.Commits, err = d.open(ctx, commitConns, with(steady, "lock_timeout", "10s", "application_name", "picloud commits")); err != nil {
		return nil, err
	}
	if d.Control, err = d.open(ctx, controlConns, with(steady, "synchronous_commit", "off", "lock_timeout", "5s")); err != nil {
		return nil, err
	}
	return d, nil
}

// meet makes the first connection: it learns whether a pooler stands in between, and whether the database will do.
func (d *DB) meet(ctx context.Context) error {
	cfg, err := pgx.ParseConfig(d.url)
	if err != nil {
		return errURL
	}
	cfg.ConnectTimeout = connectTimeout
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.RuntimeParams["plan_cache_mode"] = steady["plan_cache_mode"]
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if HasCode(err, "08P01") { // protocol_violation: a setting at the start of a session, to one who has no sessions
		d.pooled = true
		delete(cfg.RuntimeParams, "plan_cache_mode")
		conn, err = pgx.ConnectConfig(ctx, cfg)
	}
	if err != nil {
		return fmt.Errorf("reach the database: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var encoding, mode string
	if err := conn.QueryRow(ctx, "SELECT current_setting('server_encoding'), current_setting('plan_cache_mode')").Scan(&encoding, &mode); err != nil {
		return fmt.Errorf("reach the database: %w", err)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the database's encoding is %s: PiCloud needs UTF8 (createdb --encoding=UTF8 --template=template0)", encoding)
	}
	d.pooled = d.pooled || mode != steady["plan_cache_mode"] // or it was told to ignore settings
	return nil
}

// Pooled reports whether sessions last no longer than a transaction, as behind PgBouncer's transaction mode.
func (d *DB) Pooled() bool { return d.pooled }

func with(base map[string]string, more ...string) map[string]string {
	m := maps.Clone(base)
	for k := 0; k+1 < len(more); k += 2 {
		m[more[k]] = more[k+1]
	}
	return m
}

const connectTimeout = 5 * time.Second

var errURL = errors.New("read DATABASE_URL: it is not a PostgreSQL connection string")

func (d *DB) open(ctx context.Context, max int, params map[string]string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(d.url)
	if err != nil {
		return nil, errURL
	}
	cfg.MaxConns = int32(max)
	cfg.MinConns = 0
	cfg.MaxConnIdleTime = 5 * time.Minute
	cfg.HealthCheckPeriod = 5 * time.Minute // the default, every minute, is work for an idle server
	cfg.MaxConnLifetime = 12 * time.Hour
	cfg.ConnConfig.ConnectTimeout = connectTimeout
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	if _, set := cfg.ConnConfig.RuntimeParams["application_name"]; !set {
		cfg.ConnConfig.RuntimeParams["application_name"] = "picloud"
	}
	for k, v := range params {
		if !d.pooled || k == "application_name" {
			cfg.ConnConfig.RuntimeParams[k] = v
		}
	}
	if d.pooled { // a prepared statement would stay behind in a session that is somebody else's next
		cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open pool: %w", err)
	}
	return pool, nil
}

// Close closes every pool.
func (d *DB) Close() {
	for _, p := range []*pgxpool.Pool{d.General, d.Scripts, d.Commits, d.Control} {
		if p != nil {
			p.Close()
		}
	}
}

// Queries runs on the General pool, one statement a transaction.
func (d *DB) Queries() *Queries { return New(d.General) }

// Tx runs f in one transaction and commits it if f returns nil.
func (d *DB) Tx(ctx context.Context, f func(q *Queries) error) error {
	err := pgx.BeginFunc(ctx, d.General, func(tx pgx.Tx) error { return f(New(tx)) })
	return Translate(err)
}

// Snapshot runs f in one read-only transaction that sees one moment.
func (d *DB) Snapshot(ctx context.Context, f func(q *Queries) error) error {
	opts := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, d.General, opts, func(tx pgx.Tx) error { return f(New(tx)) })
	return Translate(err)
}

// Listen opens the connection on which notifications arrive. The caller closes it.
func (d *DB) Listen(ctx context.Context, channels ...string) (*pgx.Conn, error) {
	if d.pooled {
		return nil, ErrPooled
	}
	cfg, err := pgx.ParseConfig(d.url)
	if err != nil {
		return nil, errURL
	}
	cfg.ConnectTimeout = connectTimeout
	cfg.RuntimeParams["application_name"] = listenerName
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect listener: %w", err)
	}
	for _, c := range channels {
		if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{c}.Sanitize()); err != nil {
			_ = conn.Close(ctx)
			return nil, fmt.Errorf("listen on %s: %w", c, err)
		}
	}
	return conn, nil
}

package main

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"time"

	"picloud/db"
	"picloud/db/pglocal"
)

// Config is everything that can be set, by environment or by flags of the same name. Secrets can also come
// from a file: NAME_FILE holds the path.
type Config struct {
	Listen               string        `env:"PICLOUD_LISTEN" default:":8080" help:"Address to answer on."`
	DataDir              string        `env:"PICLOUD_DATA_DIR" help:"PiCloud's own database, keys and logs (default ./picloud-data; as root /var/lib/picloud where PostgreSQL cannot reach that)."`
	DatabaseURL          string        `env:"DATABASE_URL" help:"A PostgreSQL of yours, 15 or later, UTF8. Without it PiCloud runs its own."`
	DBConnections        int           `env:"PICLOUD_DB_CONNECTIONS" name:"db-connections" help:"Connections to the database (default 2 x CPUs + 8)."`
	AdminUsername        string        `env:"PICLOUD_ADMIN_USERNAME" default:"admin" help:"First owner of an empty database."`
	AdminPassword        string        `env:"PICLOUD_ADMIN_PASSWORD" help:"Password of the first owner; without it a random one is made and printed once." secret:"true"`
	PublicURL            string        `env:"PICLOUD_PUBLIC_URL" name:"public-url" help:"Address at which the world reaches PiCloud, for display."`
	AdminHost            string        `env:"PICLOUD_ADMIN_HOST" help:"The only host of /admin and /api; scripts then answer on every other."`
	TrustedProxies       []string      `env:"PICLOUD_TRUSTED_PROXIES" help:"Addresses or prefixes whose X-Forwarded-* headers count, comma-separated."`
	Concurrency          int           `env:"PICLOUD_CONCURRENCY" help:"Runs at once on this node (default 16 x CPUs)."`
	Queue                int           `env:"PICLOUD_QUEUE" help:"Requests that may wait for a permit; 0: 8 x concurrency."`
	ScriptTimeout        time.Duration `env:"PICLOUD_SCRIPT_TIMEOUT" default:"10s" help:"Time of a run whose script sets none."`
	ScriptMemory         int           `env:"PICLOUD_SCRIPT_MEMORY" default:"128" help:"MiB of a sandbox process; the most a script can ask for."`
	MaxBody              int           `env:"PICLOUD_MAX_BODY" default:"10485760" help:"Bytes of a request or response body."`
	MaxDepth             int           `env:"PICLOUD_MAX_DEPTH" default:"8" help:"Events that may cause each other in a chain."`
	Lease                time.Duration `env:"PICLOUD_LEASE" default:"15s" help:"How long a node that stopped answering keeps its rows."`
	ShutdownGrace        time.Duration `env:"PICLOUD_SHUTDOWN_GRACE" default:"15s" help:"How long runs may go on after SIGTERM."`
	MetricsListen        string        `env:"PICLOUD_METRICS_LISTEN" help:"An address of its own for /metrics, without credentials."`
	SecretKey            string        `env:"PICLOUD_SECRET_KEY" help:"Master key: 32 bytes in base64. Without it one is made in the data directory." secret:"true"`
	FetchAllowPrivate    bool          `env:"PICLOUD_FETCH_ALLOW_PRIVATE" help:"Let scripts fetch loopback and private addresses (development)."`
	LogFormat            string        `env:"PICLOUD_LOG_FORMAT" default:"text" enum:"text,json" help:"Format of the log on standard error."`
	NodeName             string        `env:"PICLOUD_NODE_NAME" help:"Name of this node, unique in a cluster (default host name and process id)."`
	UnprivilegedUser     string        `env:"PICLOUD_UNPRIVILEGED_USER" help:"One user for the sandbox processes of all apps, when PiCloud is root (default a user for each app, see sandbox-uids)."`
	SandboxUIDs          string        `env:"PICLOUD_SANDBOX_UIDS" name:"sandbox-uids" help:"First and last user of sandbox processes when PiCloud is root, one for each app; nobody else may have them (default 2100000000-2100999999)."`
	Executor             string        `env:"PICLOUD_EXECUTOR" help:"Unix socket of picloud executor. With own, this process starts its sandboxes itself (default own for serve, else /run/picloud/executor.sock)."`
	ExecutionRetention   time.Duration `env:"PICLOUD_EXECUTION_RETENTION" default:"336h" help:"How long executions are kept."`
	DeadLetterRetention  time.Duration `env:"PICLOUD_DEAD_LETTER_RETENTION" default:"720h" help:"How long resolved dead letters are kept; unresolved ones stay."`
	AbandonedRetention   time.Duration `env:"PICLOUD_ABANDONED_RETENTION" default:"168h" help:"How long abandoned executions are kept."`
	AuditRetention       time.Duration `env:"PICLOUD_AUDIT_RETENTION" default:"0s" help:"How long the audit trail is kept; 0 is for ever."`
	SessionRetention     time.Duration `env:"PICLOUD_SESSION_RETENTION" default:"720h" help:"How long a session lasts."`
	IdempotencyRetention time.Duration `env:"PICLOUD_IDEMPOTENCY_RETENTION" default:"24h" help:"How long an Idempotency-Key answers again."`

	// What complete makes of the settings above; role is set by the command before.
	proxies []netip.Prefix // of TrustedProxies
	key     []byte         // the master key; nil until openDataDir has read it from a file
	role    role
	// adopts says that a new data directory is made for the user of the service, also by root.
	adopts bool
}

// role is which of PiCloud's parts a process runs.
type role struct {
	name string
	// admin: the dashboard and the API. scripts: their endpoints, and what is due in the outbox.
	admin, scripts bool
}

var (
	roleServe        = role{name: "serve", admin: true, scripts: true}
	roleManager      = role{name: "manager", admin: true}
	roleOrchestrator = role{name: "orchestrator", scripts: true}
)

// Values of PICLOUD_EXECUTOR: sandboxes as children of this process, or the socket of picloud executor.
const (
	ownSandboxes   = "own"
	executorSocket = "/run/picloud/executor.sock"
)

// loadSecretFiles takes NAME_FILE where a secret itself is not set.
func loadSecretFiles() error {
	t := reflect.TypeFor[Config]()
	for f := range t.NumField() {
		name := t.Field(f).Tag.Get("env")
		if t.Field(f).Tag.Get("secret") == "" && name != "DATABASE_URL" {
			continue
		}
		file := os.Getenv(name + "_FILE")
		if file == "" {
			continue
		}

		if os.Getenv(name) != "" {
			return fmt.Errorf("%s and %s_FILE are both set: keep one", name, name)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("%s_FILE: cannot read %s", name, file)
		}
		if err := os.Setenv(name, strings.TrimSpace(string(b))); err != nil {
			return err
		}
	}

	return nil
}

// complete fills in what depends on the machine and checks everything; its errors are sentences for the
// operator.
func (c *Config) complete() error {
	c.setDefaults()

	// The order is that of the messages: an operator with several mistakes is told of the first.
	for _, check := range []func() error{
		c.checkBounds, c.checkAddresses, c.checkUIDs, c.parseProxies, c.parseKey,
		c.checkRole, c.checkMasterKey, c.chooseDataDir,
	} {
		if err := check(); err != nil {
			return err
		}
	}

	return nil
}

// setDefaults fills in what depends on the machine or on other settings.
func (c *Config) setDefaults() {
	cpus := runtime.NumCPU()
	setDefault(&c.DBConnections, 2*cpus+8)
	setDefault(&c.Concurrency, 16*cpus)
	setDefault(&c.Queue, 8*c.Concurrency)

	if c.NodeName == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "node"
		}
		c.NodeName = fmt.Sprintf("%s-%d", host, os.Getpid())
	}

	if c.role.name == "" {
		c.role = roleServe
	}
	if c.Executor == "" {
		c.Executor = ownSandboxes
		if c.role != roleServe {
			c.Executor = executorSocket
		}
	}
}

// within reports whether least <= v <= most.
func within[T cmp.Ordered](v, least, most T) bool { return least <= v && v <= most }

// checkBounds checks numbers and times.
func (c *Config) checkBounds() error {
	retentions := min(c.DeadLetterRetention, c.AbandonedRetention, c.IdempotencyRetention, c.SessionRetention)
	for _, bound := range []struct {
		ok   bool
		text string
	}{
		{within(c.DBConnections, db.MinConnections, 1000),
			fmt.Sprintf("PICLOUD_DB_CONNECTIONS must be from %d to 1000", db.MinConnections)},
		{within(c.Concurrency, 1, 10_000), "PICLOUD_CONCURRENCY must be from 1 to 10000"},
		{within(c.Queue, 0, 1_000_000), "PICLOUD_QUEUE must be from 0 to 1000000"},
		{within(c.ScriptTimeout, 10*time.Millisecond, maxScriptTimeout),
			"PICLOUD_SCRIPT_TIMEOUT must be from 10ms to 300s"},
		{within(c.ScriptMemory, 16, 8192), "PICLOUD_SCRIPT_MEMORY must be from 16 to 8192 (MiB)"},
		{within(c.MaxBody, 1024, 32<<20), "PICLOUD_MAX_BODY must be from 1024 to 33554432 (bytes)"},
		{within(c.MaxDepth, 1, 100), "PICLOUD_MAX_DEPTH must be from 1 to 100"},
		{within(c.Lease, time.Second, 10*time.Minute), "PICLOUD_LEASE must be from 1s to 10m"},
		{within(c.ShutdownGrace, 0, 10*time.Minute), "PICLOUD_SHUTDOWN_GRACE must be from 0s to 10m"},
		{c.ExecutionRetention >= time.Hour, "PICLOUD_EXECUTION_RETENTION must be at least 1h"},
		{retentions > 0 && c.AuditRetention >= 0,
			"retentions must be positive (PICLOUD_AUDIT_RETENTION may be 0: for ever)"},
	} {
		if !bound.ok {
			return errors.New(bound.text)
		}
	}

	return nil
}

// checkUIDs checks the range of users of the sandboxes. Whether they are free matters only to who starts one.
func (c *Config) checkUIDs() error {
	_, _, err := parseUIDs(c.SandboxUIDs)
	return err
}

// parseProxies makes prefixes of the trusted proxies; a single address is a prefix of its whole length.
func (c *Config) parseProxies() error {
	for _, p := range c.TrustedProxies {
		prefix, err := parsePrefix(strings.TrimSpace(p))
		if err != nil {
			return fmt.Errorf("PICLOUD_TRUSTED_PROXIES: %q is neither an address nor a prefix", p)
		}
		c.proxies = append(c.proxies, prefix)
	}

	return nil
}

// parseKey decodes the master key, if it is given by the environment and not by a file of the data directory.
func (c *Config) parseKey() error {
	if c.SecretKey == "" {
		return nil
	}
	key, err := base64.StdEncoding.DecodeString(c.SecretKey)
	if err != nil || len(key) != keySize {
		return errors.New("PICLOUD_SECRET_KEY must be 32 bytes in base64: openssl rand -base64 32")
	}

	c.key = key
	return nil
}

// checkRole refuses a service of a cluster that would have a database of its own.
func (c *Config) checkRole() error {
	if c.role != roleServe && c.DatabaseURL == "" {
		return fmt.Errorf("picloud %s needs DATABASE_URL: it shares one PostgreSQL with the other services "+
			"(picloud serve can run its own)", c.role.name)
	}
	return nil
}

// checkMasterKey refuses a start that would make a new master key each time: the values sealed under the last
// one would be lost with it.
func (c *Config) checkMasterKey() error {
	if c.DatabaseURL != "" && c.DataDir == "" && c.key == nil {
		return errors.New("DATABASE_URL is set, but neither PICLOUD_SECRET_KEY nor PICLOUD_DATA_DIR: " +
			"set one of them, so that the master key is the same after a restart")
	}
	return nil
}

const (
	keySize          = 32 // bytes: AES-256, and HMAC-SHA-256
	maxScriptTimeout = 300 * time.Second
)

func setDefault(v *int, d int) {
	if *v == 0 {
		*v = d
	}
}

func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	return netip.ParsePrefix(s)
}

// chooseDataDir takes ./picloud-data unless PiCloud's own PostgreSQL could not enter it.
func (c *Config) chooseDataDir() error {
	if c.DataDir == "" && c.DatabaseURL != "" {
		return nil // nothing is kept on this machine
	}
	chosen := c.DataDir != ""
	if !chosen {
		c.DataDir = "picloud-data"
	}

	dir, err := pglocal.Resolve(c.DataDir)
	if err != nil {
		return fmt.Errorf("PICLOUD_DATA_DIR: %w", err)
	}
	c.DataDir = dir
	if c.DatabaseURL != "" {
		return nil
	}

	if c.adopts {
		if err := adoptDataDir(c.DataDir); err != nil {
			return err
		}
	}

	acc, err := pglocal.AccountOf(c.clusterDir())
	if err != nil {
		return err
	}
	if acc.Reaches(c.DataDir) {
		return nil
	}

	// Somewhere else is all right as a default, but not against what was asked for.
	if chosen {
		return fmt.Errorf("PICLOUD_DATA_DIR: PostgreSQL runs as %q, which cannot enter a parent of %s: "+
			"choose a directory that it can reach, such as /var/lib/picloud", acc.Name, c.DataDir)
	}

	c.DataDir = "/var/lib/picloud"
	return nil
}

// clusterDir is where PiCloud's own PostgreSQL has its data.
func (c *Config) clusterDir() string { return filepath.Join(c.DataDir, "postgres") }

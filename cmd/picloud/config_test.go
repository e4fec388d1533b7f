package main

import (
	"bytes"
	"encoding/base64"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// alone is a service of a cluster without the cluster's database.
func alone(as role) func(*Config) {
	return func(c *Config) {
		c.role = as
		c.DatabaseURL = ""
	}
}

// What is out of bounds, contradicts itself or cannot be read is refused with a sentence that names the
// variable, and the values at the bounds are not.
func TestConfigIsChecked(t *testing.T) {
	t.Parallel()

	const ok = ""
	for name, c := range map[string]struct {
		set  func(*Config)
		says string
	}{
		"as tests have it": {func(*Config) {}, ok},

		"few connections":        {func(c *Config) { c.DBConnections = 2 }, "PICLOUD_DB_CONNECTIONS must be from "},
		"many connections":       {func(c *Config) { c.DBConnections = 1001 }, "PICLOUD_DB_CONNECTIONS"},
		"most connections":       {func(c *Config) { c.DBConnections = 1000 }, ok},
		"concurrency below 1":    {func(c *Config) { c.Concurrency = -1 }, "PICLOUD_CONCURRENCY must be from 1 to 10000"},
		"concurrency above":      {func(c *Config) { c.Concurrency = 10_001 }, "PICLOUD_CONCURRENCY"},
		"greatest concurrency":   {func(c *Config) { c.Concurrency = 10_000 }, ok},
		"negative queue":         {func(c *Config) { c.Queue = -1 }, "PICLOUD_QUEUE must be from 0 to 1000000"},
		"queue above":            {func(c *Config) { c.Queue = 1_000_001 }, "PICLOUD_QUEUE"},
		"short timeout":          {func(c *Config) { c.ScriptTimeout = 9 * time.Millisecond }, "from 10ms to 300s"},
		"shortest timeout":       {func(c *Config) { c.ScriptTimeout = 10 * time.Millisecond }, ok},
		"longest timeout":        {func(c *Config) { c.ScriptTimeout = 300 * time.Second }, ok},
		"long timeout":           {func(c *Config) { c.ScriptTimeout = 301 * time.Second }, "PICLOUD_SCRIPT_TIMEOUT"},
		"little memory":          {func(c *Config) { c.ScriptMemory = 15 }, "PICLOUD_SCRIPT_MEMORY must be from 16 to 8192"},
		"much memory":            {func(c *Config) { c.ScriptMemory = 8193 }, "PICLOUD_SCRIPT_MEMORY"},
		"small bodies":           {func(c *Config) { c.MaxBody = 1023 }, "PICLOUD_MAX_BODY must be from 1024 to 33554432"},
		"largest bodies":         {func(c *Config) { c.MaxBody = 32 << 20 }, ok},
		"large bodies":           {func(c *Config) { c.MaxBody = 32<<20 + 1 }, "PICLOUD_MAX_BODY"},
		"no depth":               {func(c *Config) { c.MaxDepth = 0 }, "PICLOUD_MAX_DEPTH must be from 1 to 100"},
		"great depth":            {func(c *Config) { c.MaxDepth = 101 }, "PICLOUD_MAX_DEPTH"},
		"short lease":            {func(c *Config) { c.Lease = 999 * time.Millisecond }, "PICLOUD_LEASE must be from 1s to 10m"},
		"long lease":             {func(c *Config) { c.Lease = 11 * time.Minute }, "PICLOUD_LEASE"},
		"no grace":               {func(c *Config) { c.ShutdownGrace = 0 }, ok},
		"negative grace":         {func(c *Config) { c.ShutdownGrace = -1 }, "PICLOUD_SHUTDOWN_GRACE must be from 0s to 10m"},
		"long grace":             {func(c *Config) { c.ShutdownGrace = 11 * time.Minute }, "PICLOUD_SHUTDOWN_GRACE"},
		"executions for minutes": {func(c *Config) { c.ExecutionRetention = time.Minute }, "PICLOUD_EXECUTION_RETENTION"},
		"no dead letters":        {func(c *Config) { c.DeadLetterRetention = 0 }, "retentions must be positive"},
		"no abandoned":           {func(c *Config) { c.AbandonedRetention = 0 }, "retentions must be positive"},
		"no sessions":            {func(c *Config) { c.SessionRetention = 0 }, "retentions must be positive"},
		"no idempotency":         {func(c *Config) { c.IdempotencyRetention = -1 }, "retentions must be positive"},
		"audit for ever":         {func(c *Config) { c.AuditRetention = 0 }, ok},
		"negative audit":         {func(c *Config) { c.AuditRetention = -1 }, "retentions must be positive"},

		"nowhere to listen": {func(c *Config) { c.Listen = "" }, "PICLOUD_LISTEN must be host:port"},
		"no port":           {func(c *Config) { c.Listen = "localhost" }, "PICLOUD_LISTEN must be host:port"},
		"port above":        {func(c *Config) { c.Listen = ":65536" }, "PICLOUD_LISTEN must be host:port"},
		"empty port":        {func(c *Config) { c.Listen = "localhost:" }, "PICLOUD_LISTEN must be host:port"},
		"port by name":      {func(c *Config) { c.Listen = "[::1]:http" }, ok},
		"metrics nowhere":   {func(c *Config) { c.MetricsListen = "9090" }, "PICLOUD_METRICS_LISTEN must be"},
		"metrics elsewhere": {func(c *Config) { c.MetricsListen = ":9090" }, ok},
		"admin host":        {func(c *Config) { c.AdminHost = "Admin.example.com." }, ok},
		"admin address":     {func(c *Config) { c.AdminHost = "fd00::1" }, ok},
		"admin URL":         {func(c *Config) { c.AdminHost = "https://admin.test" }, "PICLOUD_ADMIN_HOST must be a host"},
		"admin port":        {func(c *Config) { c.AdminHost = "admin.test:8443" }, "PICLOUD_ADMIN_HOST must be a host"},
		"admin in brackets": {func(c *Config) { c.AdminHost = "[fd00::1]" }, "PICLOUD_ADMIN_HOST must be a host"},
		"two admin hosts":   {func(c *Config) { c.AdminHost = "a.test b.test" }, "PICLOUD_ADMIN_HOST must be a host"},
		"public URL":        {func(c *Config) { c.PublicURL = "https://[fd00::1]:8443/pi" }, ok},
		"public host":       {func(c *Config) { c.PublicURL = "admin.test" }, "PICLOUD_PUBLIC_URL must be the whole"},
		"public port":       {func(c *Config) { c.PublicURL = "admin.test:8080" }, "PICLOUD_PUBLIC_URL must be the whole"},
		"public script":     {func(c *Config) { c.PublicURL = "javascript:alert(1)" }, "PICLOUD_PUBLIC_URL must be"},

		"proxies":            {func(c *Config) { c.TrustedProxies = []string{"10.0.0.0/8", " ::1 "} }, ok},
		"everywhere":         {func(c *Config) { c.TrustedProxies = []string{"10.0.0.1", "everywhere"} }, `"everywhere" is neither`},
		"key not in base64":  {func(c *Config) { c.SecretKey = "abc" }, "PICLOUD_SECRET_KEY must be 32 bytes in base64"},
		"key of 31 bytes":    {func(c *Config) { c.SecretKey = base64.StdEncoding.EncodeToString(make([]byte, 31)) }, "32 bytes"},
		"no key, no place":   {func(c *Config) { c.SecretKey = "" }, "neither PICLOUD_SECRET_KEY nor PICLOUD_DATA_DIR"},
		"manager alone":      {alone(roleManager), "picloud manager needs DATABASE_URL"},
		"orchestrator alone": {alone(roleOrchestrator), "picloud orchestrator needs DATABASE_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			err := testConfig("postgres://x/y", c.set).complete()
			switch {
			case c.says == ok && err != nil:
				t.Errorf("refused: %v", err)
			case c.says != ok && err == nil:
				t.Errorf("accepted, want %q", c.says)
			case err != nil && !strings.Contains(err.Error(), c.says):
				t.Errorf("%q, want %q", err, c.says)
			}
		})
	}
}

// What is not set is filled in from the machine and from other settings.
func TestConfigDefaults(t *testing.T) {
	t.Parallel()
	c := testConfig("postgres://x/y", func(c *Config) {
		c.DBConnections = 0
		c.Concurrency = 0
		c.AdminHost = "Admin.Example.COM"
		c.TrustedProxies = []string{"10.0.0.0/8", " ::ffff:192.0.2.1 "}
	})
	if err := c.complete(); err != nil {
		t.Fatal(err)
	}

	cpus := runtime.NumCPU()
	same(t, "connections", c.DBConnections, 2*cpus+8)
	same(t, "concurrency", c.Concurrency, 16*cpus)
	same(t, "queue", c.Queue, 8*16*cpus)
	same(t, "admin host", c.AdminHost, "admin.example.com")
	same(t, "role", c.role, roleServe)
	same(t, "executor", c.Executor, ownSandboxes)
	same(t, "data directory", c.DataDir, "")
	if !bytes.Equal(c.key, bytes.Repeat([]byte{7}, keySize)) {
		t.Errorf("key %x", c.key)
	}
	if host, err := os.Hostname(); err == nil && !strings.HasPrefix(c.NodeName, host+"-") {
		t.Errorf("node name %q", c.NodeName)
	}

	want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32")}
	if !slices.Equal(c.proxies, want) {
		t.Errorf("proxies %v, want %v", c.proxies, want)
	}
}

// A service of a cluster has its sandboxes from the executor, unless it is told otherwise.
func TestConfigExecutor(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		role      role
		set, want string
	}{
		"serve":              {roleServe, "", ownSandboxes},
		"serve by a socket":  {roleServe, "/tmp/x.sock", "/tmp/x.sock"},
		"manager":            {roleManager, "", executorSocket},
		"orchestrator":       {roleOrchestrator, "", executorSocket},
		"orchestrator's own": {roleOrchestrator, ownSandboxes, ownSandboxes},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig("postgres://x/y", func(cfg *Config) {
				cfg.role = c.role
				cfg.Executor = c.set
			})
			if err := cfg.complete(); err != nil {
				t.Fatal(err)
			}
			same(t, "executor", cfg.Executor, c.want)
		})
	}
}

// The data directory is absolute, and one that PostgreSQL's user cannot enter is refused, or replaced if
// nobody chose it.
func TestConfigDataDir(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.Chmod(filepath.Dir(dir), 0o700); err != nil {
		t.Fatal(err)
	}

	chosen := testConfig("postgres://x/y", func(c *Config) { c.DataDir = "relative" })
	if err := chosen.complete(); err != nil {
		t.Fatal(err)
	}
	if !filepath.IsAbs(chosen.DataDir) || filepath.Base(chosen.DataDir) != "relative" {
		t.Errorf("data directory %q", chosen.DataDir)
	}

	own := testConfig("", func(*Config) {})
	if err := own.complete(); err != nil {
		t.Fatal(err)
	}
	unreachable := testConfig("", func(c *Config) { c.DataDir = filepath.Join(dir, "data") })
	err := unreachable.complete()
	if os.Geteuid() != 0 {
		same(t, "an ordinary user's directory", filepath.Base(own.DataDir), "picloud-data")
		same(t, "an error", err, nil)
		return
	}

	same(t, "root's directory", own.DataDir, "/var/lib/picloud")
	if err == nil || !strings.Contains(err.Error(), "cannot enter a parent of "+dir) {
		t.Errorf("a directory that PostgreSQL cannot enter: %v", err)
	}
}

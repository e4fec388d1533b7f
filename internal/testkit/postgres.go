package testkit

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"picloud/db"
	"picloud/db/pglocal"
	"picloud/internal/testkit/wire"
	"picloud/migrations"
)

// server is the PostgreSQL of one test binary, with a migrated database to clone.
var server struct {
	once sync.Once
	err  error
	dir  string
	pg   *pglocal.Server
	n    atomic.Int64
}

const template = "picloud_template"

// Main runs the tests of a package that uses Database, and stops what they started.
func Main(m *testing.M) int {
	code := m.Run()
	if server.pg != nil {
		_ = server.pg.Stop()
		_ = os.RemoveAll(server.dir)
	}
	return code
}

// EmptyDatabase makes a database in which there is nothing, and gives its URL.
func EmptyDatabase(t testing.TB) string {
	t.Helper()
	_ = Database(t) // starts the server
	name := fmt.Sprintf("t%d", server.n.Add(1))
	sqlExec(t, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8'")
	t.Cleanup(func() { sqlExec(t, fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", name)) })
	return urlOf(name)
}

// Database gives an empty, migrated database of a real PostgreSQL; it is dropped when the test ends.
func Database(t testing.TB) string {
	t.Helper()
	server.once.Do(startServer)
	if server.err != nil {
		t.Fatalf("start PostgreSQL: %v", server.err)
	}
	name := fmt.Sprintf("t%d", server.n.Add(1))
	sqlExec(t, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s STRATEGY FILE_COPY", name, template))
	t.Cleanup(func() { sqlExec(t, fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", name)) })
	return urlOf(name)
}

// Wire puts a wire in front of a database, and gives the URL of the database behind it.
func Wire(t testing.TB, dsn string) (*wire.Wire, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "wire-") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	w, err := wire.New(dir, u.Query().Get("host"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close(); _ = os.RemoveAll(dir) })
	u.RawQuery = url.Values{"host": {dir}}.Encode()
	return w, u.String()
}

func sqlExec(t testing.TB, sql string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, server.pg.URL())
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func urlOf(name string) string { return pglocal.Database(server.pg.URL(), name) }

func startServer() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "picloud-test-")
	if err != nil {
		server.err = err
		return
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		server.err = err
		return
	}
	server.dir = dir
	// Tests end processes, not the machine: nothing needs to reach the disk.
	server.pg, server.err = pglocal.Start(ctx, pglocal.Options{Dir: filepath.Join(dir, "postgres"), MaxConnections: 300,
		Settings: map[string]string{"fsync": "off", "full_page_writes": "off"}, Log: slog.New(slog.DiscardHandler)})
	if server.err != nil {
		return
	}
	if server.err = db.CreateDatabase(ctx, server.pg.URL(), template); server.err != nil {
		return
	}
	d, err := db.Open(ctx, urlOf(template), db.MinConnections)
	if err != nil {
		server.err = err
		return
	}
	defer d.Close()
	if server.err = d.Migrate(ctx, migrations.FS); server.err == nil {
		server.err = d.EnsurePartitions(ctx, 3)
	}
}

package testkit

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"picloud/db/pglocal"
	"picloud/internal/testkit/wire"
)

// server is what this test binary uses of the shared PostgreSQL; it joins when a test wants the first
// database.
var server struct {
	once   sync.Once
	err    error
	member *membership
	prefix string // of this binary's databases: others have theirs on the same server
	n      atomic.Int64
}

const (
	template = "picloud_template"
	// cloneOfTemplate copies the files, which takes a tenth of the time of writing them to the log, as is the
	// default.
	cloneOfTemplate = "TEMPLATE " + template + " STRATEGY file_copy"
)

// Main runs the tests of a package that uses Database, and ends its part in the shared server. It is also
// where the server's keeper begins: a package that uses Database has a TestMain that calls Main, or Server
// and Leave.
func Main(m *testing.M) int {
	Server()
	defer Leave()
	code := m.Run()
	closeIdle()
	return code
}

// MainWithoutLeaks is Main for a package whose tests must leave no goroutine behind. cleanups end what its
// tests share.
func MainWithoutLeaks(m *testing.M, cleanups ...func()) int {
	code := Main(m)

	for _, cleanup := range cleanups {
		cleanup()
	}

	if code != 0 {
		return code
	}

	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Server turns the process into the keeper of the shared PostgreSQL, and does not return, if that is what it
// was started for.
func Server() {
	if dir := os.Getenv(keeperVariable); dir != "" {
		os.Exit(keep(dir))
	}
}

// Leave ends this binary's part in the shared PostgreSQL, which stops when nobody uses it.
func Leave() {
	if server.member != nil {
		server.member.leave()
	}
}

// EmptyDatabase makes a database in which there is nothing, and gives its URL. It is dropped when the test
// ends.
func EmptyDatabase(t testing.TB) string {
	t.Helper()
	return temporaryDatabase(t, "TEMPLATE template0 ENCODING 'UTF8'")
}

// Database gives an empty, migrated database of a real PostgreSQL; it is dropped when the test ends.
func Database(t testing.TB) string {
	t.Helper()
	return temporaryDatabase(t, cloneOfTemplate)
}

func temporaryDatabase(t testing.TB, like string) string {
	t.Helper()
	url, drop := createDatabase(t, like)
	t.Cleanup(func() { drop(t) })
	return url
}

func createDatabase(t testing.TB, like string) (url string, drop func(t testing.TB)) {
	t.Helper()
	server.once.Do(func() {
		server.prefix = strings.ToLower(rand.Text()[:8])
		dir, err := serverDir()
		if err == nil {
			server.member, err = join(dir)
		}
		server.err = err
	})
	if server.err != nil {
		t.Fatalf("start PostgreSQL: %v", server.err)
	}

	name := fmt.Sprintf("t%s_%d", server.prefix, server.n.Add(1))
	sqlExec(t, fmt.Sprintf("CREATE DATABASE %s %s", name, like))
	drop = func(t testing.TB) {
		t.Helper()
		sqlExec(t, fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", name))
	}
	return pglocal.Database(server.member.url, name), drop
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
	t.Cleanup(func() {
		w.Close()
		_ = os.RemoveAll(dir)
	})

	u.RawQuery = url.Values{"host": {dir}}.Encode()
	return w, u.String()
}

func sqlExec(t testing.TB, sql string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, server.member.url)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer func() { _ = conn.Close(ctx) }()

	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

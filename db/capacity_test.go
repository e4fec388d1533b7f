package db_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"picloud/db"
	"picloud/internal/testkit"
)

// A node uses no more connections than there are, and leaves some for commands.
func TestCapacity(t *testing.T) {
	t.Parallel()
	row := func(maximum, reserved, role, database int32) db.ConnectionLimitsRow {
		return db.ConnectionLimitsRow{MaxConnections: maximum, Reserved: reserved, OfRole: role, OfDatabase: database}
	}

	for _, c := range []struct {
		name   string
		limits db.ConnectionLimitsRow
		usable int
		enough bool
		fit    int // of 12
		limit  string
	}{
		{"plenty", row(100, 3, -1, -1), 97, true, 12, "max_connections is 100, of which 3 are reserved"},
		{"just enough", row(17, 3, -1, -1), 14, true, 12, "max_connections"},
		{"fewer", row(16, 3, -1, -1), 13, true, 11, "max_connections"},
		{"the least", row(12, 3, -1, -1), 9, true, 9, "max_connections"},
		{"too few", row(10, 3, -1, -1), 7, false, 9, "max_connections is 10"},
		{"of the user", row(100, 3, 10, -1), 10, true, 9, "the connection limit of this user is 10"},
		{"of the database", row(100, 3, 11, 8), 8, false, 9, "the connection limit of this database is 8"},
		{"none at all", row(100, 3, 0, -1), 0, false, 9, "the connection limit of this user is 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := db.CapacityOf(c.limits)
			if got.Usable != c.usable || got.Enough() != c.enough || got.Fit(12) != c.fit ||
				!strings.HasPrefix(got.Limit, c.limit) {
				t.Errorf("%+v, enough %v, fit %d", got, got.Enough(), got.Fit(12))
			}
		})
	}
}

// role makes a user of a database with some options, and gives the address by which they connect.
func role(t *testing.T, address, options string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}

	name := "role_of_" + db.Name(address)
	run(t, address, fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD 'secret' %s", name, options))
	t.Cleanup(func() { run(t, address, fmt.Sprintf("DROP OWNED BY %s; DROP ROLE %s", name, name)) })
	u.User = url.UserPassword(name, "secret")
	return u.String()
}

// run runs statements, also when the test has ended.
func run(t *testing.T, address, sql string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()

	if _, err := conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// Readers that hold every connection which the server grants give them up to a commit.
func TestCommitsBeforeReaders(t *testing.T) {
	t.Parallel()
	limited := open(t, role(t, testkit.EmptyDatabase(t), "CONNECTION LIMIT 5"))
	if got := limited.CapacityAtOpen(); got.Usable != 5 || got.Enough() {
		t.Errorf("the capacity is %+v", got)
	}

	// Fill the limit with idle readers: two of scripts, two of pages, and one more that stays.
	held := make([]*pgxpool.Conn, 0, 4)
	for _, pool := range []*pgxpool.Pool{limited.Scripts, limited.Scripts, limited.General, limited.General} {
		conn, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	listener, err := limited.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close(t.Context()) }()

	for _, conn := range held {
		conn.Release()
	}

	first := limited.TryCommit(t.Context())
	if !db.HasCode(first, "53300") || db.NoCommit(first) != "the database has no connection left for commits" {
		t.Fatalf("the first commit: %v", first)
	}
	// The server notices the end of a connection a moment later.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	for limited.TryCommit(ctx) != nil {
		if ctx.Err() != nil {
			t.Fatal("no commit got a reader's connection")
		}
	}
}

// A trial writes and leaves no trace, also where the user may make no temporary table; a server that does not
// write refuses it.
func TestTryCommit(t *testing.T) {
	t.Parallel()
	address := testkit.EmptyDatabase(t)
	d := open(t, address)
	before := 0
	wal := "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"
	if err := d.General.QueryRow(t.Context(), wal).Scan(&before); err != nil {
		t.Fatal(err)
	}

	for range 3 { // the table is there already
		if err := d.TryCommit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	after := 0
	if err := d.General.QueryRow(t.Context(), wal).Scan(&after); err != nil || after <= before {
		t.Errorf("nothing was written: %d, then %d: %v", before, after, err)
	}
	if empty, err := d.Empty(t.Context()); err != nil || !empty {
		t.Errorf("empty %v: %v", empty, err)
	}

	run(t, address, fmt.Sprintf("REVOKE TEMPORARY ON DATABASE %s FROM PUBLIC", db.Name(address)))
	user := role(t, address, "")
	if err := open(t, user).TryCommit(t.Context()); err != nil {
		t.Errorf("without temporary tables: %v", err)
	}

	run(t, address, fmt.Sprintf("ALTER ROLE %s SET default_transaction_read_only = on", "role_of_"+db.Name(address)))
	err := open(t, user).TryCommit(t.Context())
	if got := db.NoCommit(err); !strings.HasPrefix(got, "the database is read-only") {
		t.Errorf("read-only: %q: %v", got, err)
	}
}

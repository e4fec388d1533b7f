package db_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"picloud/db"
	"picloud/internal/testkit"
)

func open(t *testing.T, url string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), url, db.MinConnections)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// PostgreSQL's own programs get the address by their environment, with the password and without a command
// line.
func TestAddress(t *testing.T) {
	t.Parallel()
	env, err := db.ClientEnv("postgres://ann:s3cret@h.test:6432/cloud?sslmode=require")
	want := []string{
		"PGHOST=h.test", "PGPORT=6432", "PGUSER=ann", "PGPASSWORD=s3cret", "PGDATABASE=cloud",
		"PGSSLMODE=require",
	}
	if err != nil || !slices.Equal(env, want) {
		t.Errorf("the environment is %q: %v", env, err)
	}

	env, err = db.ClientEnv("postgres://ann:s3cret@/cloud?host=a.test,b.test&port=1,2&target_session_attrs=read-write" +
		"&options=-c%20geqo%3Doff&search_path=a%20b&connect_timeout=3&application_name=a+b%20c")
	want2 := []string{
		"PGHOST=a.test,b.test", "PGPORT=1,2", "PGUSER=ann", "PGPASSWORD=s3cret", "PGDATABASE=cloud",
		`PGOPTIONS=-c geqo=off -c search_path=a\ b`, "PGAPPNAME=a+b c", "PGCONNECT_TIMEOUT=3", "PGTARGETSESSIONATTRS=read-write",
	}
	if err != nil || !slices.Equal(env, want2) {
		t.Errorf("the environment of two hosts is %q: %v", env, err)
	}

	env, err = db.ClientEnv(`host=a.test,b.test port=1,2 user=ann password='s3 cr\'et' dbname=cloud sslmode = disable ` +
		`target_session_attrs='read-write' options='-c geqo=off' search_path='a b' connect_timeout=3`)
	want2[3] = "PGPASSWORD=s3 cr'et"
	want2 = slices.Insert(slices.Delete(want2, 6, 7), 7, "PGSSLMODE=disable")
	if err != nil || !slices.Equal(env, want2) {
		t.Errorf("the environment of two hosts as keys and values is %q: %v", env, err)
	}

	env, err = db.ClientEnv("host=h.test port=6432 user=ann password=s3cret dbname=cloud")
	if err != nil || !slices.Equal(env, want[:5]) {
		t.Errorf("the environment of keys and values is %q: %v", env, err)
	}
	if _, err := db.ClientEnv("postgres://h.test:port/"); err == nil {
		t.Error("an address with a word for a port was read")
	}

	if name := db.Name("postgres://h.test/cloud"); name != "cloud" {
		t.Errorf("the database is %q", name)
	}
	if name := db.Name("postgres://h.test:port/"); name != "" {
		t.Errorf("the database is %q", name)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name, url   string
		connections int
		text        string
	}{
		{"few connections", "postgres://h.test/", db.MinConnections - 1, "at least 9 are needed"},
		{
			"no address", "postgres://h.test:port/", db.MinConnections,
			"it is not a PostgreSQL connection string",
		},
		{"nobody there", "postgres:///x?host=/nowhere", db.MinConnections, "reach the database"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := db.Open(t.Context(), c.url, c.connections)
			if err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// The queries of the server's own catalogs say what is there.
func TestServer(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	empty := open(t, testkit.EmptyDatabase(t))
	if is, err := empty.Empty(ctx); err != nil || !is {
		t.Errorf("a new database is empty: %v %v", is, err)
	}

	full := open(t, testkit.Database(t))
	if is, err := full.Empty(ctx); err != nil || is {
		t.Errorf("a migrated database is empty: %v %v", is, err)
	}
	if full.Pooled() {
		t.Error("a direct connection is taken for a pooler's")
	}

	facts, err := full.Facts(ctx)
	if err != nil || facts.Version == "" || facts.Size < 1<<20 || facts.Connections < 1 ||
		facts.MaxConnections == "" {
		t.Errorf("the facts are %+v: %v", facts, err)
	}
}

// What a transaction's function says itself is not taken for the database's silence.
func TestTxErrors(t *testing.T) {
	t.Parallel()
	d := open(t, testkit.EmptyDatabase(t))
	own := errors.New("no such user")

	for name, in := range map[string]func(context.Context, func(*db.Queries) error) error{
		"Tx": d.Tx, "Snapshot": d.Snapshot,
	} {
		err := in(t.Context(), func(*db.Queries) error { return fmt.Errorf("look: %w", own) })
		if !errors.Is(err, own) || errors.Is(err, db.ErrUnavailable) {
			t.Errorf("%s: own error: %v", name, err)
		}

		err = in(t.Context(), func(q *db.Queries) error {
			_, err := q.UserByName(t.Context(), "nobody") // there is no such table either
			return err
		})
		if !db.HasCode(err, "42P01") || errors.Is(err, db.ErrUnavailable) {
			t.Errorf("%s: refused: %v", name, err)
		}
		if err := in(t.Context(), func(*db.Queries) error { return pgx.ErrNoRows }); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("%s: no row: %v", name, err)
		}
		if err := in(t.Context(), func(*db.Queries) error { return io.ErrUnexpectedEOF }); !errors.Is(err, db.ErrUnavailable) {
			t.Errorf("%s: a connection that broke: %v", name, err)
		}
	}
}

// Several nodes may make the same database.
func TestCreateDatabase(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	const name = `made by "two"`

	ended := make(chan error, 2)
	for range cap(ended) {
		go func() { ended <- db.CreateDatabase(t.Context(), url, name) }()
	}

	for range cap(ended) {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}

	d := open(t, url)
	if _, err := d.General.Exec(t.Context(), "DROP DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
		t.Error(err)
	}
}

// Executions are kept by day; whole days go, and what lies in no day's partition by its own time.
func TestPartitions(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t, testkit.Database(t))
	names := func() []string {
		t.Helper()
		list, err := d.Queries().DailyPartitions(ctx)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(list)
		return list
	}

	today := time.Now().UTC().Truncate(24 * time.Hour)
	name := func(days int) string { return "executions_" + today.AddDate(0, 0, days).Format("20060102") }

	if err := d.EnsurePartitions(ctx, 5); err != nil {
		t.Fatal(err)
	}

	list := names()
	if !slices.Contains(list, name(-1)) || !slices.Contains(list, name(5)) || slices.Contains(list, name(6)) {
		t.Errorf("the partitions are %v", list)
	}

	// An execution of long ago lies in no partition of a day.
	_, err := d.General.Exec(ctx, `
		INSERT INTO executions (app_id, id, script_id, script, version, source, status, attempt, depth,
			root_id, node, started_at, duration_us)
		SELECT 1, ('00000000-0000-7000-8000-00000000000' || n)::uuid, gen_random_uuid(), 's', 1, 'http',
			'succeeded', 1, 0, gen_random_uuid(), 'n',
			CASE n WHEN 1 THEN timestamptz '2020-01-01' ELSE clock_timestamp() END, 1
		FROM generate_series(1, 2) n`)
	if err != nil {
		t.Fatal(err)
	}

	// The end of yesterday is not before itself; a moment later it is.
	for _, c := range []struct {
		before time.Time
		stays  bool
	}{{today, true}, {today.Add(time.Nanosecond), false}} {
		if err := d.DropPartitions(ctx, c.before); err != nil {
			t.Fatal(err)
		}
		if list := names(); slices.Contains(list, name(-1)) != c.stays || !slices.Contains(list, name(0)) {
			t.Errorf("before %s: the partitions are %v", c.before, list)
		}
	}

	var left int
	if err := d.General.QueryRow(ctx, "SELECT count(*) FROM executions_default").Scan(&left); err != nil ||
		left != 1 {
		t.Errorf("%d executions are left: %v", left, err)
	}
}

// Executions of days without a partition, as a node records whose clock is days ahead, move to the partition
// of their day when that is made.
func TestPartitionOfRecordedDay(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t, testkit.Database(t))
	today := time.Now().UTC().Truncate(24 * time.Hour)
	insert := func(days int, at time.Duration) {
		t.Helper()
		ms := fmt.Sprintf("%012x", today.AddDate(0, 0, days).Add(at).UnixMilli())
		_, err := d.General.Exec(ctx, insertExecution, ms+"70008000000000000000")
		if err != nil {
			t.Fatal(err)
		}
	}
	count := func(table string, want int) {
		t.Helper()
		var n int
		err := d.General.QueryRow(ctx, "SELECT count(*) FROM "+pgx.Identifier{table}.Sanitize()).Scan(&n)
		if err != nil || n != want {
			t.Errorf("%s has %d executions, want %d: %v", table, n, want, err)
		}
	}
	name := func(days int) string { return "executions_" + today.AddDate(0, 0, days).Format("20060102") }

	insert(8, 0)
	insert(8, 24*time.Hour-time.Millisecond)
	insert(9, 0)
	insert(30, 0)
	count("executions_default", 4)

	if err := d.EnsurePartitions(ctx, 10); err != nil {
		t.Fatal(err)
	}
	count(name(8), 2)
	count(name(9), 1)
	count("executions_default", 1)
	count("executions", 4)

	// The partition is like any other.
	insert(8, time.Hour)
	count(name(8), 3)
	if err := d.EnsurePartitions(ctx, 10); err != nil {
		t.Fatal(err)
	}
	if err := d.DropPartitions(ctx, today.AddDate(0, 0, 11)); err != nil {
		t.Fatal(err)
	}
	count("executions", 0)
}

// Whoever reads executions for long, as a backup does, keeps partitions from being made and dropped, and
// nobody from recording. What was left is done when the reader is gone.
func TestPartitionsBesideALongRead(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t, testkit.Database(t))
	before, err := d.Queries().DailyPartitions(ctx)
	if err != nil {
		t.Fatal(err)
	}

	reader, err := d.General.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Rollback(context.Background()) }()
	if _, err := reader.Exec(ctx, "SELECT count(*) FROM executions"); err != nil {
		t.Fatal(err)
	}

	recordedC := make(chan error, 1)
	go func() { recordedC <- record(ctx, d, 50) }()

	for _, change := range []func() error{
		func() error { return d.EnsurePartitions(ctx, 6) },
		func() error { return d.DropPartitions(ctx, time.Now().AddDate(1, 0, 0)) },
	} {
		if err := change(); err != nil {
			t.Error(err)
		}
	}
	if err := <-recordedC; err != nil {
		t.Errorf("while somebody reads: %v", err)
	}
	if names, _ := d.Queries().DailyPartitions(ctx); !slices.Equal(names, before) {
		t.Errorf("the partitions changed under a reader: %v", names)
	}

	_ = reader.Rollback(ctx)
	if err := d.EnsurePartitions(ctx, 6); err != nil {
		t.Error(err)
	}
	if names, _ := d.Queries().DailyPartitions(ctx); len(names) <= len(before) {
		t.Errorf("after the reader is gone there are %v", names)
	}
	if err := d.DropPartitions(ctx, time.Now().AddDate(1, 0, 0)); err != nil {
		t.Error(err)
	}
	if names, _ := d.Queries().DailyPartitions(ctx); len(names) > 0 {
		t.Errorf("after all have been dropped there are %v", names)
	}
}

// record records so many executions of today, each within the time that a request would wait.
func record(ctx context.Context, d *db.DB, n int) error {
	for range n {
		err := pgx.BeginFunc(ctx, d.General, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '2s'")
			if err != nil {
				return err
			}
			_, err = tx.Exec(ctx, insertExecution, fmt.Sprintf("%012x", time.Now().UnixMilli())+"7000"+
				fmt.Sprintf("%016x", 1<<63|rand.Uint64()))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

const insertExecution = `
	INSERT INTO executions (app_id, id, script_id, script, version, source, status, attempt, depth,
		root_id, node, started_at, duration_us)
	VALUES (1, $1::text::uuid, gen_random_uuid(), 's', 1, 'http', 'succeeded', 1, 0, gen_random_uuid(), 'n',
		clock_timestamp(), 1)`

// A partition that cannot be made keeps no other from being made.
func TestPartitionThatCannotBeMade(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t, testkit.Database(t))
	name := func(days int) string { return "executions_" + time.Now().UTC().AddDate(0, 0, days).Format("20060102") }
	if _, err := d.General.Exec(ctx, "CREATE DOMAIN "+name(6)+" AS integer"); err != nil {
		t.Fatal(err)
	}

	err := d.EnsurePartitions(ctx, 7)
	names, listErr := d.Queries().DailyPartitions(ctx)
	if err == nil || listErr != nil || !slices.Contains(names, name(7)) {
		t.Errorf("got %v, and the partitions %v %v", err, names, listErr)
	}
}

var errRollback = errors.New("roll back")

// A transaction takes effect as a whole, and a snapshot sees one moment.
func TestTransactions(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t, testkit.Database(t))
	insert := func(q *db.Queries) error {
		_, err := q.InsertApp(ctx, "a", "A", "")
		return err
	}

	err := d.Tx(ctx, func(q *db.Queries) error { return errors.Join(insert(q), errRollback) })
	if !errors.Is(err, errRollback) {
		t.Errorf("got %v", err)
	}

	err = d.Snapshot(ctx, func(q *db.Queries) error {
		before, err := q.CountDefinitions(ctx)
		if err != nil {
			return err
		}
		if err := d.Tx(ctx, insert); err != nil {
			return err
		}

		after, err := q.CountDefinitions(ctx)
		if before.Apps != 0 || after.Apps != 0 {
			t.Errorf("a snapshot sees %d apps, and then %d", before.Apps, after.Apps)
		}

		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Tx(ctx, insert); !errors.Is(err, db.ErrDuplicate) {
		t.Errorf("a second app of that name: %v", err)
	}
}

// Notifications arrive on the channels that were asked for.
func TestListen(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t, testkit.Database(t))
	conn, err := d.Listen(ctx, "picloud_definitions", "picloud_principals")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()

	if err := d.Queries().NotifyDefinitions(ctx, "7"); err != nil {
		t.Fatal(err)
	}

	got, err := conn.WaitForNotification(ctx)
	if err != nil || got.Channel != "picloud_definitions" || got.Payload != "7" {
		t.Errorf("got %+v: %v", got, err)
	}
}

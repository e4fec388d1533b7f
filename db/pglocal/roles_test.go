package pglocal

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// The program's role is an ordinary one: by SQL it can neither read files nor run programs, as a superuser
// can. A cluster whose only role was a superuser becomes such a one, and everything in the database goes over
// to the ordinary role.
func TestRoles(t *testing.T) {
	if testing.Short() {
		t.Skip("makes two clusters and starts five servers")
	}
	t.Parallel()
	ctx := t.Context()
	parent, err := os.MkdirTemp("", "pglocal-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(parent) })
	if err := os.Chmod(parent, 0o755); err != nil {
		t.Fatal(err)
	}

	options := func(name string) Options {
		return Options{
			Dir:            filepath.Join(parent, name, "postgres"),
			MaxConnections: 10,
			Settings:       map[string]string{"fsync": "off"},
			Log:            slog.New(slog.DiscardHandler),
		}
	}
	for _, name := range []string{"new", "old"} {
		if err := os.Mkdir(filepath.Join(parent, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	makeFormerCluster(t, options("old"))

	for _, name := range []string{"new", "old", "old"} { // the second start of the old one has nothing to do
		s, err := Start(ctx, options(name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}

		const mine = "SELECT rolsuper::text || rolcreaterole::text || current_user FROM pg_roles WHERE rolname = current_user"
		if got := ask(t, s.UserURL(), mine); got != "falsefalsepicloud" {
			t.Errorf("%s: the role is %s", name, got)
		}

		for _, sql := range []string{"SELECT pg_read_file('/proc/self/environ')", "COPY (SELECT 1) TO PROGRAM 'true'"} {
			if err := refused(t, s.UserURL(), sql); err == nil || !strings.Contains(err.Error(), "SQLSTATE 42501") {
				t.Errorf("%s: %s: %v", name, sql, err)
			}
		}

		if name == "old" {
			database := Database(s.UserURL(), userRole)
			ask(t, database, `ALTER TABLE kept ADD COLUMN IF NOT EXISTS more int; ALTER VIEW seen SET (security_barrier);
				INSERT INTO kept DEFAULT VALUES; CREATE OR REPLACE FUNCTION three() RETURNS int LANGUAGE sql AS 'SELECT 3';
				ALTER TYPE colour ADD VALUE IF NOT EXISTS 'blue'; CREATE TABLE IF NOT EXISTS drawer.another (n int)`)
			owners := ask(t, database, `SELECT DISTINCT relowner::regrole::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
				WHERE nspname IN ('public', 'drawer') UNION SELECT datdba::regrole::text FROM pg_database WHERE datname = 'picloud'`)
			if owners != userRole {
				t.Errorf("the owners are %s", owners)
			}
			if err := refused(t, strings.Replace(s.UserURL(), userRole+":", formerRole+":", 1), "SELECT 1"); err == nil {
				t.Error("the former superuser can still log in")
			}
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	}
}

// makeFormerCluster makes a cluster as PiCloud did when a superuser was its only role, with some of each kind
// of object in the database.
func makeFormerCluster(t *testing.T, o Options) {
	t.Helper()
	acc, err := ServerAccount()
	if err != nil {
		t.Fatal(err)
	}
	p, err := placeOf(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	bin, err := Find(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(p.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := acc.Give(p.dir); err != nil {
		t.Fatal(err)
	}
	if err := runInitdb(t.Context(), bin, acc, p, userRole, p.dir); err != nil {
		t.Fatal(err)
	}

	s := &Server{place: p, exited: make(chan struct{}), log: o.Log}
	if err := s.makeSocketDir(acc); err != nil {
		t.Fatal(err)
	}
	if err := s.start(t.Context(), bin, acc, o); err != nil {
		t.Fatal(err)
	}
	password, err := p.readPassword(userRole)
	if err != nil {
		t.Fatal(err)
	}
	url := address(userRole, password, s.run)
	ask(t, url, "CREATE DATABASE picloud")
	ask(t, Database(url, userRole), `CREATE TABLE kept (n int GENERATED ALWAYS AS IDENTITY, s serial) PARTITION BY RANGE (n);
		CREATE TABLE kept_1 PARTITION OF kept DEFAULT; CREATE INDEX ON kept (n); CREATE SEQUENCE alone; CREATE VIEW seen AS SELECT n FROM kept;
		CREATE TYPE colour AS ENUM ('red'); CREATE DOMAIN small AS int CHECK (VALUE < 10); CREATE TYPE pair AS (a int, b int);
		CREATE FUNCTION three() RETURNS int LANGUAGE sql AS 'SELECT 2'; CREATE SCHEMA drawer; CREATE TABLE drawer.one (n int)`)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}

// refused runs a statement and returns its error.
func refused(t *testing.T, url, sql string) error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(t.Context(), sql)
	return err
}

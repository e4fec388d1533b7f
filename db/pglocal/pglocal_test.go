package pglocal

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

// A pid file is read while the server writes it, and may be damaged.
func TestReadPidFile(t *testing.T) {
	t.Parallel()

	const whole = "4711\n/data\n1790000000\n5432\n/tmp/picloud-pg-1\n\n  123 4\nready   \n"
	for _, c := range []struct {
		name, text string
		want       *pidFile
	}{
		{"whole", whole, &pidFile{pid: 4711, socketDir: "/tmp/picloud-pg-1", ready: true}},
		{
			"starting", strings.Replace(whole, "ready", "starting", 1),
			&pidFile{pid: 4711, socketDir: "/tmp/picloud-pg-1"},
		},
		{"first lines", "4711\n/data\n", &pidFile{pid: 4711}},
		{"empty", "", nil},
		{"no number", "x\n", nil},
		{"init", "1\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(pidFileName(dir), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}

			got, err := readPidFile(dir)
			if err != nil || (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
				t.Errorf("got %+v, %v", got, err)
			}
			if url, err := Running(dir); err != nil || url != "" {
				t.Errorf("a server runs there: %s %v", url, err)
			}
		})
	}

	if got, err := readPidFile(t.TempDir()); got != nil || err != nil {
		t.Errorf("without a file: %+v %v", got, err)
	}
}

func TestClusterVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if version, err := clusterVersion(dir); version != 0 || err != nil {
		t.Errorf("no cluster: %d %v", version, err)
	}

	for text, want := range map[string]int{"17\n": 17, "x": 0} {
		if err := os.WriteFile(filepath.Join(dir, "PG_VERSION"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if version, err := clusterVersion(dir); version != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d %v", text, version, err)
		}
	}
}

// Only the name of the database changes, whatever the password looks like.
func TestAddress(t *testing.T) {
	t.Parallel()
	url := address("picloud", "p/w?", "/tmp/picloud-pg-1")
	if want := "postgres://picloud:p%2Fw%3F@/postgres?host=%2Ftmp%2Fpicloud-pg-1&port=5432"; url != want {
		t.Errorf("got %s", url)
	}

	// A space in the data directory's path is not a +.
	if spaced := address("picloud", "p", "/a b"); spaced != "postgres://picloud:p@/postgres?host=%2Fa%20b&port=5432" {
		t.Errorf("got %s", spaced)
	}

	want := "postgres://picloud:p%2Fw%3F@/cloud?host=%2Ftmp%2Fpicloud-pg-1&port=5432"
	if got := Database(url, "cloud"); got != want {
		t.Errorf("got %s", got)
	}
}

// A server keeps its data over a stop, a crash of its program and a start by another one, and leaves
// nothing behind.
func TestServer(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a cluster and starts three servers")
	}
	defer goleak.VerifyNone(t)
	ctx := t.Context()
	parent, err := os.MkdirTemp("", "pglocal-") // t.TempDir is closed to the server's user
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(parent) }()
	if err := os.Chmod(parent, 0o755); err != nil {
		t.Fatal(err)
	}

	// The data directory is a symbolic link: a process knows its directory by its real name only.
	if err := os.Mkdir(filepath.Join(parent, "a disk"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a disk", filepath.Join(parent, "link")); err != nil {
		t.Fatal(err)
	}

	dir := filepath.Join(parent, "link", "postgres")
	start := func() *Server {
		t.Helper()
		s, err := Start(ctx, Options{
			Dir:            dir,
			MaxConnections: 20,
			Settings:       map[string]string{"fsync": "off"},
			Log:            slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}

		return s
	}

	first := start()
	if want := filepath.Join(parent, "a disk", "postgres.run"); first.run != want {
		t.Errorf("the socket is in %s, want %s: a private /tmp would hide it", first.run, want)
	}
	ask(t, first.URL(), "CREATE TABLE kept (n int)")
	if got := ask(t, first.URL(),
		"SELECT current_setting('fsync') || current_setting('listen_addresses')"); got != "off" {
		t.Errorf("the settings are %q", got)
	}
	if url, err := Running(dir); err != nil || url != first.UserURL() {
		t.Errorf("running: %s %v", url, err)
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}

	select {
	case <-first.Exited():
	default:
		t.Error("the server goes on after Stop")
	}

	if url, err := Running(dir); err != nil || url != "" {
		t.Errorf("running after Stop: %s %v", url, err)
	}

	// The second server is not stopped: the third start finds it, as after a crash of the program.
	second := start()
	third := start()
	<-second.Exited()
	if second.PID() == third.PID() {
		t.Error("one server has been started twice")
	}
	if got := ask(t, third.URL(), "SELECT count(*)::text FROM kept"); got != "0" {
		t.Errorf("the table has %s rows", got)
	}
	if err := third.Stop(); err != nil {
		t.Fatal(err)
	}

	for _, s := range []*Server{first, second, third} {
		if _, err := os.Stat(s.run); err == nil {
			t.Errorf("%s is left behind", s.run)
		}
	}
}

// ask runs a statement and returns its one value, if it has one.
func ask(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if strings.Contains(sql, ";") {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		return ""
	}

	rows, err := conn.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}

	values, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}

	return strings.Join(values, " ")
}

// A directory with something else in it is never taken for the place of a cluster.
func TestStartRefuses(t *testing.T) {
	t.Parallel()
	parent, err := os.MkdirTemp("", "pglocal-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(parent) })
	if err := os.Chmod(parent, 0o755); err != nil {
		t.Fatal(err)
	}

	dir := filepath.Join(parent, "postgres")
	if err := os.MkdirAll(filepath.Join(dir, "photos"), 0o755); err != nil {
		t.Fatal(err)
	}

	_, err = Start(t.Context(), Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "is not empty and holds no PostgreSQL cluster") {
		t.Errorf("got %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the directory has %v: %v", entries, err)
	}
}

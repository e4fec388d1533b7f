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

func TestParseMajor(t *testing.T) {
	t.Parallel()

	for version, want := range map[string]int{
		"postgres (PostgreSQL) 17.2 (Debian 17.2-1.pgdg120+1)": 17,
		"postgres (PostgreSQL) 18beta1":                        18,
		"postgres (PostgreSQL) 15":                             15,
		"postgres (PostgreSQL) devel":                          0,
		"postgres":                                             0,
		"":                                                     0,
	} {
		if got := parseMajor(version); got != want {
			t.Errorf("%q is %d, want %d", version, got, want)
		}
	}
}

// Of several installations the newest is taken, or the one that made the data.
func TestFind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	install := func(name, version string) string {
		t.Helper()
		bin := filepath.Join(dir, name)
		if err := os.Mkdir(bin, 0o755); err != nil {
			t.Fatal(err)
		}

		script := "#!/bin/sh\necho 'postgres (PostgreSQL) " + version + "'\n"
		for _, program := range []string{"initdb", "postgres"} {
			if err := os.WriteFile(filepath.Join(bin, program), []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
		}

		return bin
	}

	dirs := []string{install("a", "16.1"), install("b", "18.0"), install("old", "14.9"),
		filepath.Join(dir, "none")}
	all := installed(dirs)
	if len(all) != 2 || all[0].Major != 18 || all[1].Major != 16 || all[1].Dir != dirs[0] {
		t.Errorf("installed: %+v", all)
	}

	newest, err := Find(0)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Find(newest.Major); err != nil || got != newest {
		t.Errorf("version %d: %+v %v", newest.Major, got, err)
	}

	_, err = Find(99)
	if err == nil || !strings.Contains(err.Error(), "the data directory was made by PostgreSQL 99") {
		t.Errorf("version 99: %v", err)
	}
}

// A client program is taken for the server's version, or a later one: an earlier one cannot read the server.
func TestPickTool(t *testing.T) {
	t.Parallel()
	all := []Binaries{{"18", 18}, {"17", 17}, {"15", 15}}

	for _, c := range []struct {
		server int
		want   string
	}{{0, "18"}, {15, "15"}, {16, "17"}, {17, "17"}, {18, "18"}, {19, ""}} {
		if best, newest := pickTool(all, c.server); best.Dir != c.want || newest.Dir != "18" {
			t.Errorf("server %d: %v %v", c.server, best, newest)
		}
	}
	if best, newest := pickTool(nil, 15); best.Dir != "" || newest.Dir != "" {
		t.Errorf("without any: %v %v", best, newest)
	}

	_, err := Tool("pg_dump", 99)
	if err == nil || !strings.Contains(err.Error(), "install the package postgresql-client-99") {
		t.Errorf("for a server of version 99: %v", err)
	}
	if _, err := Tool("pg_nothing", 15); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("a program that is not there: %v", err)
	}
}

// PostgreSQL and its programs get nothing of PiCloud's environment, which has the master key and passwords.
func TestEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"PICLOUD_SECRET_KEY": "x", "DATABASE_URL": "x", "AWS_SECRET_ACCESS_KEY": "x", "PATH": "/bin",
		"PGSSLMODE": "require", "PGHOSTADDR": "x", "HOME": "/root",
	} {
		t.Setenv(name, value)
	}

	for _, name := range append([]string{"KRB5CCNAME", "KRB5_CONFIG", "SSL_CERT_FILE", "SSL_CERT_DIR"}, passedOn[1:]...) {
		t.Setenv(name, "") // so that it is as before afterwards
		_ = os.Unsetenv(name)
	}

	if got := strings.Join(serverEnvironment(), " "); got != "PATH=/bin LC_ALL=C" {
		t.Errorf("the server's environment is %s", got)
	}
	got := strings.Join(ClientEnvironment(), " ")
	if !strings.HasPrefix(got, "PATH=/bin LC_ALL=C HOME=/root") || !strings.Contains(got, " PGSSLMODE=require") ||
		strings.Contains(got, "=x") {
		t.Errorf("the clients' environment is %s", got)
	}
}

// A directory is reached if each of its parents can be entered; those that do not exist will be made.
func TestReaches(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	private := filepath.Join(dir, "private")
	if err := os.Mkdir(private, 0o700); err != nil {
		t.Fatal(err)
	}

	stranger := Account{Name: "stranger", UID: 12345, GID: 12345, other: true}
	me := Account{Name: "me", UID: os.Getuid(), GID: os.Getgid(), other: true}

	for _, c := range []struct {
		name string
		acc  Account
		dir  string
		want bool
	}{
		{"the present user", Account{}, filepath.Join(private, "pg"), true},
		{"owner", me, filepath.Join(private, "pg"), true},
		{"stranger", stranger, filepath.Join(private, "pg"), false},
		{"stranger below what is not there", stranger, filepath.Join(private, "a", "b", "pg"), false},
		{"stranger elsewhere", stranger, "/nowhere/at/all", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := c.acc.Reaches(c.dir); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// The socket lies in the data directory, where every command of the installation sees it. Where that path is
// too long for a socket it lies in the service's runtime directory.
func TestSocketDir(t *testing.T) {
	t.Parallel()
	long := "/" + strings.Repeat("d", maxSocketDir)

	for _, c := range []struct{ home, runtime, dir, parent string }{
		{"/var/lib/picloud", "", "/var/lib/picloud/postgres.run", ""},
		{"/var/lib/picloud", "/run/picloud", "/var/lib/picloud/postgres.run", ""},
		{long, "/run/picloud:/run/other", "", "/run/picloud"},
		{long, "", "", "/tmp"},
		{long, long, "", "/tmp"},
	} {
		dir, parent := place{home: c.home, name: "postgres"}.socketDir(c.runtime)
		if dir != c.dir || parent != c.parent {
			t.Errorf("%.30s %.30s: %s, %s", c.home, c.runtime, dir, parent)
		}
		if longest := max(len(dir), len(parent)+len("/picloud-pg-0123456789")); longest > maxSocketDir {
			t.Errorf("%.30s: the path can have %d bytes", c.home, longest)
		}
	}
}

// A path is resolved as far as it exists.
func TestResolve(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "disk"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("disk", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}

	for path, want := range map[string]string{
		"disk":           "disk",
		"link":           "disk",
		"link/postgres":  "disk/postgres",
		"link/a/b":       "disk/a/b",
		"nowhere/at/all": "nowhere/at/all",
	} {
		got, err := Resolve(filepath.Join(dir, path))
		if err != nil || got != filepath.Join(dir, want) {
			t.Errorf("%s: %s %v", path, got, err)
		}
	}
}

// As root the server of what is a service's runs as the service's user: the cluster's owner, or that of the
// directory which will hold the cluster.
func TestAccountOf(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	standard, err := ServerAccount()
	if err != nil {
		t.Fatal(err)
	}

	const service, other = 54321, 54322
	for _, c := range []struct {
		name             string
		home, dir, wants int
	}{
		{"root's", 0, 0, standard.UID},
		{"nothing there", -1, -1, standard.UID},
		{"a service's", service, service, service},
		{"a service's new one", service, -1, service},
		{"root's with a cluster", 0, other, other},
		{"a service's with another's cluster", service, other, other},
	} {
		home := filepath.Join(t.TempDir(), "home")
		dir := filepath.Join(home, "postgres")

		for path, uid := range map[string]int{home: c.home, dir: c.dir} {
			if uid < 0 {
				continue
			}
			if err := os.MkdirAll(path, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(path, uid, uid); err != nil {
				t.Fatal(err)
			}
		}

		acc, err := AccountOf(dir)
		if err != nil || acc.UID != c.wants || !acc.other {
			t.Errorf("%s: %+v %v, want %d", c.name, acc, err, c.wants)
		}
	}
}

// A file that root makes in a service's directory is the service's.
func TestInherit(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}

	const service = 54321
	home := t.TempDir()
	if err := os.Chown(home, service, service); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(t.TempDir(), "root's")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}

	// A link that the service's user made must not give away what it points to.
	secret := filepath.Join(home, "secret")
	if err := os.Symlink(target, secret); err != nil {
		t.Fatal(err)
	}
	if err := Inherit(secret); err != nil {
		t.Fatal(err)
	}
	if _, ok := OwnerOf(target); ok {
		t.Error("the target of a link was given away")
	}

	if err := WritePrivate(secret, "text"); err != nil {
		t.Fatal(err)
	}
	acc, ok := OwnerOf(secret)
	info, err := os.Lstat(secret)
	if !ok || err != nil || acc.UID != service || info.Mode() != 0o600 {
		t.Errorf("the file is %+v %v %v", acc, info.Mode(), err)
	}
	if b, err := os.ReadFile(target); err != nil || len(b) != 0 {
		t.Errorf("the link was followed: %q %v", b, err)
	}
}

// The permissions of the first class to which a user belongs count, even if those of a later one are wider.
func TestMayEnter(t *testing.T) {
	t.Parallel()
	owner := Account{UID: os.Getuid(), GID: 12345}
	group := Account{UID: 12345, GID: os.Getgid()}

	other := Account{UID: 12345, GID: 12345}
	for _, c := range []struct {
		mode                os.FileMode
		owner, group, other bool
	}{
		{0o700, true, false, false},
		{0o070, false, true, false},
		{0o007, false, false, true},
		{0o755, true, true, true},
		{0o666, false, false, false},
	} {
		dir := filepath.Join(t.TempDir(), "d")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, c.mode); err != nil {
			t.Fatal(err)
		}

		info, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := [3]bool{owner.mayEnter(info), group.mayEnter(info),
			other.mayEnter(info)}; got != [3]bool{c.owner, c.group, c.other} {
			t.Errorf("mode %o: %v", c.mode, got)
		}
	}
}

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
	if err := os.Mkdir(filepath.Join(parent, "disk"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("disk", filepath.Join(parent, "link")); err != nil {
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
	if want := filepath.Join(parent, "disk", "postgres.run"); first.run != want {
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

// Package pglocal runs PiCloud's own PostgreSQL: it finds the binaries of the machine, makes a cluster in the data
// directory, starts the server on a unix socket only, and stops it with the program. A server that a crashed PiCloud left
// behind is stopped before a new one starts. It does not know what the database is for.
package pglocal

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// minMajor is the oldest PostgreSQL that the schema works on.
const minMajor = 15

// startTimeout bounds crash recovery; a large write-ahead log takes its time.
const startTimeout = 2 * time.Minute

// Server is a running PostgreSQL.
type Server struct {
	dir    string // cluster
	run    string // socket directory
	url    string
	cmd    *exec.Cmd
	exited chan struct{}
	log    *slog.Logger
}

// Options say how to run a server.
type Options struct {
	// Dir holds the cluster; it is made when missing. Its parent must be reachable for the server's user.
	Dir string
	// MaxConnections is the server's limit.
	MaxConnections int
	// Settings are added to the command line, name to value.
	Settings map[string]string
	Log      *slog.Logger
}

// Account is the system user that PostgreSQL runs as. The zero value is the present user.
type Account struct {
	Name     string
	UID, GID int
	other    bool
}

// ServerAccount picks the user for the server: PostgreSQL refuses root.
func ServerAccount() (Account, error) {
	if os.Geteuid() != 0 {
		return Account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil && uid != 0 {
			return Account{Name: name, UID: uid, GID: gid, other: true}, nil
		}
	}
	return Account{}, errors.New("PostgreSQL refuses to run as root and this system has neither a user \"postgres\" nor \"nobody\": " +
		"create one, or start PiCloud as an ordinary user")
}

// Reaches reports whether the account can enter every parent of a directory that does not exist yet, or the directory.
func (a Account) Reaches(dir string) bool {
	if !a.other {
		return true
	}
	for p := filepath.Dir(dir); ; p = filepath.Dir(p) {
		if info, err := os.Stat(p); err == nil {
			st, ok := info.Sys().(*syscall.Stat_t)
			if !ok {
				return true
			}
			mode := info.Mode().Perm()
			switch {
			case int(st.Uid) == a.UID:
				if mode&0o100 == 0 {
					return false
				}
			case int(st.Gid) == a.GID:
				if mode&0o010 == 0 {
					return false
				}
			case mode&0o001 == 0:
				return false
			}
		}
		if p == filepath.Dir(p) {
			return true
		}
	}
}

// SysProcAttr makes a child run as the account.
func (a Account) SysProcAttr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C in the terminal is PiCloud's to handle
	if a.other {
		attr.Credential = &syscall.Credential{Uid: uint32(a.UID), Gid: uint32(a.GID)}
	}
	return attr
}

// Binaries is a directory with initdb and postgres of one major version.
type Binaries struct {
	Dir   string
	Major int
}

// Find looks for PostgreSQL in PATH, Debian's and Homebrew's places. want is the major version of existing data, 0 for
// any; the newest wins.
func Find(want int) (Binaries, error) {
	var dirs []string
	for _, name := range []string{"postgres", "initdb"} {
		if p, err := exec.LookPath(name); err == nil {
			if p, err = filepath.EvalSymlinks(p); err == nil {
				dirs = append(dirs, filepath.Dir(p))
			}
		}
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin",
		"/usr/local/opt/postgresql@*/bin", "/opt/homebrew/bin"} {
		found, _ := filepath.Glob(pattern)
		dirs = append(dirs, found...)
	}
	if dir := os.Getenv("PICLOUD_TEST_POSTGRES"); dir != "" { // make test-postgres tries one after the other
		dirs = []string{dir}
	}
	var all []Binaries
	for _, d := range dirs {
		if _, err := os.Stat(filepath.Join(d, "initdb")); err != nil {
			continue
		}
		if major := majorOf(filepath.Join(d, "postgres")); major >= minMajor {
			all = append(all, Binaries{Dir: d, Major: major})
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Major > all[j].Major })
	for _, b := range all {
		if want == 0 || b.Major == want {
			return b, nil
		}
	}
	if want != 0 && len(all) > 0 {
		return Binaries{}, fmt.Errorf("the data directory was made by PostgreSQL %d, and this machine has %d: install the package "+
			"postgresql-%d, or set DATABASE_URL", want, all[0].Major, want)
	}
	return Binaries{}, fmt.Errorf("no PostgreSQL %d or later was found: run \"%s\", or set DATABASE_URL", max(minMajor, want), installCommand())
}

func installCommand() string {
	if runtime.GOOS == "darwin" {
		return "brew install postgresql@17"
	}
	if _, err := exec.LookPath("dnf"); err == nil {
		return "sudo dnf install postgresql-server"
	}
	return "sudo apt-get install -y postgresql"
}

func majorOf(postgres string) int {
	out, err := exec.Command(postgres, "--version").Output()
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(out))
	if len(fields) < 3 {
		return 0
	}
	end := strings.IndexFunc(fields[2], func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(fields[2])
	}
	n, _ := strconv.Atoi(fields[2][:end])
	return n
}

// Running is the address of the maintenance database of a server that another process has started on a cluster; empty if
// there is none.
func Running(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, "postmaster.pid"))
	if err != nil {
		return "", nil //nolint:nilerr // no file, no server
	}
	lines := strings.Split(string(b), "\n") // utils/pidfile.h
	if len(lines) < 8 || strings.TrimSpace(lines[7]) != "ready" {
		return "", nil
	}
	if pid, err := strconv.Atoi(lines[0]); err != nil || !isPostmasterOf(pid, dir) {
		return "", nil //nolint:nilerr // left behind
	}
	password, err := os.ReadFile(filepath.Join(filepath.Dir(dir), ".pg-password"))
	if err != nil {
		return "", fmt.Errorf("read database password: %w", err)
	}
	return address(strings.TrimSpace(string(password)), lines[4]), nil
}

func address(password, socketDir string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword("picloud", password), Path: "/postgres", RawQuery: url.Values{"host": {socketDir}}.Encode()}
	return u.String()
}

// Start makes the cluster if need be, ends what a crash left, and starts the server.
func Start(ctx context.Context, o Options) (*Server, error) {
	acc, err := ServerAccount()
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("resolve data directory: %w", err)
	}
	if !acc.Reaches(dir) {
		return nil, fmt.Errorf("PostgreSQL runs as %q, which cannot enter a parent of %s: choose a data directory that it can reach, "+
			"such as /var/lib/picloud", acc.Name, dir)
	}
	have, err := clusterVersion(dir)
	if err != nil {
		return nil, err
	}
	bin, err := Find(have)
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, exited: make(chan struct{}), log: o.Log}
	if have == 0 {
		if err := initCluster(ctx, bin, acc, dir); err != nil {
			return nil, err
		}
	}
	if err := s.stopLeftover(ctx); err != nil {
		return nil, err
	}
	if err := s.socketDir(acc); err != nil {
		return nil, err
	}
	if err := s.start(ctx, bin, acc, o); err != nil {
		_ = os.RemoveAll(s.run)
		return nil, err
	}
	return s, nil
}

func clusterVersion(dir string) (int, error) {
	b, err := os.ReadFile(filepath.Join(dir, "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read cluster version: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0, fmt.Errorf("read cluster version: %w", err)
	}
	return n, nil
}

// initCluster makes the cluster beside its place and moves it there, so that a crash in between leaves none by halves.
func initCluster(ctx context.Context, bin Binaries, acc Account, dir string) error {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty and holds no PostgreSQL cluster: choose another data directory", dir)
	}
	half := dir + ".new"
	if err := os.RemoveAll(half); err != nil {
		return fmt.Errorf("clear unfinished cluster: %w", err)
	}
	if err := os.MkdirAll(half, 0o700); err != nil {
		return fmt.Errorf("make cluster directory: %w", err)
	}
	if acc.other {
		if err := os.Chown(half, acc.UID, acc.GID); err != nil {
			return fmt.Errorf("give cluster directory to %s: %w", acc.Name, err)
		}
	}
	// Peer authentication would tie the data to one system user; the password is only read by this one.
	password := randomHex()
	file := filepath.Join(filepath.Dir(dir), ".pg-password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		return fmt.Errorf("write database password: %w", err)
	}
	handover, err := os.CreateTemp("", "picloud-init-") // initdb reads the password as the server's user
	if err != nil {
		return fmt.Errorf("write database password: %w", err)
	}
	defer func() { _ = os.Remove(handover.Name()) }()
	_, _ = handover.WriteString(password + "\n")
	if acc.other {
		_ = handover.Chown(acc.UID, acc.GID)
	}
	if err := handover.Close(); err != nil {
		return fmt.Errorf("write database password: %w", err)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin.Dir, "initdb"), "-D", half, "-U", "picloud", "-E", "UTF8", "--locale=C",
		"--auth-local=scram-sha-256", "--auth-host=scram-sha-256", "--pwfile="+handover.Name(), "--no-instructions", "--data-checksums")
	cmd.Dir = "/"
	cmd.SysProcAttr = acc.SysProcAttr()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, lastLine(out.String()))
	}
	_ = os.Remove(dir) // an empty directory in the way
	if err := os.Rename(half, dir); err != nil {
		return fmt.Errorf("move new cluster into place: %w", err)
	}
	return nil
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

func randomHex() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// stopLeftover ends the server of a PiCloud that was killed. The caller holds the lock of the data directory, so no
// living PiCloud owns it.
func (s *Server) stopLeftover(ctx context.Context) error {
	file := filepath.Join(s.dir, "postmaster.pid")
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read postmaster.pid: %w", err)
	}
	lines := strings.Split(string(b), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || pid <= 1 || !isPostmasterOf(pid, s.dir) {
		return nil // a pid of before a reboot: PostgreSQL itself sees that nobody is there
	}
	if len(lines) > 4 && strings.Contains(lines[4], "picloud-pg-") {
		defer func() { _ = os.RemoveAll(strings.TrimSpace(lines[4])) }()
	}
	s.log.Info("stopping the PostgreSQL that an earlier run left behind", "pid", pid)
	if err := syscall.Kill(pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) { // fast shutdown
		return fmt.Errorf("stop left-over PostgreSQL: %w", err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for syscall.Kill(pid, 0) == nil {
		if time.Now().After(deadline) {
			_ = syscall.Kill(pid, syscall.SIGQUIT) // immediate: recovery follows
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			return nil
		}
	}
	return nil
}

// isPostmasterOf guards against a pid that now belongs to another program.
func isPostmasterOf(pid int, dir string) bool {
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil {
		// No /proc: ask ps for the command line.
		out, err := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
		return err == nil && strings.Contains(string(out), dir)
	}
	return cwd == dir
}

// socketDir makes a private directory with a short name: a unix socket's path is limited to about 100 bytes.
func (s *Server) socketDir(acc Account) error {
	run, err := os.MkdirTemp("/tmp", "picloud-pg-")
	if err != nil {
		return fmt.Errorf("make socket directory: %w", err)
	}
	s.run = run
	if acc.other {
		if err := os.Chown(run, acc.UID, acc.GID); err != nil {
			return fmt.Errorf("give socket directory to %s: %w", acc.Name, err)
		}
	}
	return nil
}

func (s *Server) start(ctx context.Context, bin Binaries, acc Account, o Options) error {
	password, err := os.ReadFile(filepath.Join(filepath.Dir(s.dir), ".pg-password"))
	if err != nil {
		return fmt.Errorf("read database password: %w", err)
	}
	settings := map[string]string{
		"listen_addresses": "", "unix_socket_directories": s.run, "unix_socket_permissions": "0700",
		"max_connections": strconv.Itoa(o.MaxConnections), "max_locks_per_transaction": "256",
		"logging_collector": "off", "log_destination": "stderr", "log_min_messages": "warning",
		"shared_buffers": "128MB", "max_wal_size": "1GB", "wal_compression": "on", "jit": "off",
		"autovacuum_naptime": "180s", "idle_in_transaction_session_timeout": "60s", "timezone": "UTC", "log_timezone": "UTC",
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "bgwriter_delay": "10s", "wal_writer_delay": "1s",
	}
	for k, v := range o.Settings {
		settings[k] = v
	}
	args := []string{"-D", s.dir}
	names := make([]string, 0, len(settings))
	for k := range settings {
		names = append(names, k)
	}
	sort.Strings(names)
	for _, k := range names {
		args = append(args, "-c", k+"="+settings[k])
	}
	logFile, err := os.OpenFile(filepath.Join(filepath.Dir(s.dir), "postgres.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open PostgreSQL's log: %w", err)
	}
	defer func() { _ = logFile.Close() }()
	s.cmd = exec.Command(filepath.Join(bin.Dir, "postgres"), args...)
	s.cmd.Dir = s.dir
	s.cmd.Env = append(os.Environ(), "LC_ALL=C", "PGDATA="+s.dir)
	s.cmd.Stdout, s.cmd.Stderr = logFile, logFile
	s.cmd.SysProcAttr = acc.SysProcAttr()
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	s.url = address(strings.TrimSpace(string(password)), s.run)
	return s.waitReady(ctx)
}

// waitReady follows postmaster.pid, whose eighth line says "ready" (utils/pidfile.h).
func (s *Server) waitReady(ctx context.Context) error {
	deadline := time.Now().Add(startTimeout)
	for {
		b, err := os.ReadFile(filepath.Join(s.dir, "postmaster.pid"))
		if err == nil {
			lines := strings.Split(string(b), "\n")
			if len(lines) >= 8 && lines[0] == strconv.Itoa(s.cmd.Process.Pid) && strings.TrimSpace(lines[7]) == "ready" {
				return nil
			}
		}
		select {
		case <-s.exited:
			return fmt.Errorf("PostgreSQL ended while starting: see %s", filepath.Join(filepath.Dir(s.dir), "postgres.log"))
		case <-ctx.Done():
			_ = s.Stop()
			return context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			_ = s.Stop()
			return fmt.Errorf("PostgreSQL did not become ready within %s", startTimeout)
		}
	}
}

// Database is the connection string of a database on a server, given that of its maintenance database.
func Database(url, name string) string { return strings.Replace(url, "/postgres?", "/"+name+"?", 1) }

// URL is the connection string of the maintenance database.
func (s *Server) URL() string { return s.url }

// PID is the postmaster's process id.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Exited is closed when the server is gone.
func (s *Server) Exited() <-chan struct{} { return s.exited }

// Stop shuts the server down fast: clients are disconnected, everything committed is on disk.
func (s *Server) Stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-s.exited:
	case <-time.After(30 * time.Second):
		_ = s.cmd.Process.Signal(syscall.SIGQUIT)
		<-s.exited
	}
	return os.RemoveAll(s.run)
}

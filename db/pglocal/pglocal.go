// Package pglocal runs PiCloud's own PostgreSQL: it finds the binaries of the machine, makes a cluster in the data
// directory, starts the server on a unix socket only, and stops it with the program. A server that a crashed PiCloud left
// behind is stopped before a new one starts. It does not know what the database is for.
package pglocal

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

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

func address(password, socketDir string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword("picloud", password), Path: "/postgres", RawQuery: url.Values{"host": {socketDir}}.Encode()}
	return u.String()
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

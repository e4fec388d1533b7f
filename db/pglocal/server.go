// Package pglocal runs PiCloud's own PostgreSQL: it finds the binaries of the machine, makes a cluster in
// the data directory, starts the server on a unix socket in that directory only, and stops it with the
// program. A server that
// a crashed PiCloud left behind is stopped before a new one starts. It does not know what the database is
// for.
package pglocal

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// startTimeout bounds a start with crash recovery: a long write-ahead log takes its time.
	startTimeout = 2 * time.Minute
	// readyPoll is how often a server that starts is asked whether it is ready.
	readyPoll = 5 * time.Millisecond

	// Signals of the postmaster (PostgreSQL, 18.5). A fast shutdown disconnects the clients and writes
	// everything to the disk. An immediate one does not, so the next start recovers.
	fastShutdown      = syscall.SIGINT
	immediateShutdown = syscall.SIGQUIT

	// socketDirPrefix begins the names of the directories with sockets.
	socketDirPrefix = "picloud-pg-"
	// port is in the name of the socket. It is written out everywhere, so that no PGPORT counts.
	port = "5432"
)

// Server is a running PostgreSQL.
type Server struct {
	place place
	// run is the socket's directory.
	run string
	// url and userURL are addresses of the maintenance database, for the superuser and the ordinary role.
	url     string
	userURL string
	cmd     *exec.Cmd
	// exited is closed when the process has ended.
	exited chan struct{}
	// logFrom is where in the log what this server writes begins.
	logFrom int64
	log     *slog.Logger
}

// Options say how to run a server.
type Options struct {
	// Dir holds the cluster, which is made if it is missing. The server's user must be able to enter its
	// parents.
	Dir string
	// MaxConnections is the server's limit.
	MaxConnections int
	// Settings are added to the server's own, by name.
	Settings map[string]string
	Log      *slog.Logger
}

// Start makes the cluster if need be, ends the server that a crash left behind, and starts one. It returns
// when the server accepts connections.
func Start(ctx context.Context, o Options) (*Server, error) {
	acc, err := AccountOf(o.Dir)
	if err != nil {
		return nil, err
	}
	place, err := placeOf(o.Dir)
	if err != nil {
		return nil, err
	}
	if !acc.Reaches(place.dir) {
		return nil, fmt.Errorf("PostgreSQL runs as %q, which cannot enter a parent of %s: "+
			"choose a data directory that it can reach, such as /var/lib/picloud", acc.Name, place.dir)
	}

	if err := place.finishUpgrade(); err != nil {
		return nil, err
	}
	have, err := clusterVersion(place.dir)
	if err != nil {
		return nil, err
	}

	bin, err := Find(have)
	if err != nil {
		return nil, err
	}
	return startAt(ctx, place, bin, acc, o)
}

// startAt starts a server of given binaries at a place, where it makes the cluster if there is none.
func startAt(ctx context.Context, place place, bin Binaries, acc Account, o Options) (*Server, error) {
	have, err := clusterVersion(place.dir)
	if err != nil {
		return nil, err
	}
	if have == 0 {
		if err := initCluster(ctx, bin, acc, place); err != nil {
			return nil, err
		}
	}

	server := &Server{place: place, exited: make(chan struct{}), log: o.Log}
	if err := server.stopLeftover(ctx); err != nil {
		return nil, err
	}
	if err := server.makeSocketDir(acc); err != nil {
		return nil, err
	}
	if err := server.start(ctx, bin, acc, o); err != nil {
		_ = os.RemoveAll(server.run)
		return nil, err
	}
	if err := server.settleRoles(ctx); err != nil {
		_ = server.Stop()
		return nil, err
	}

	return server, nil
}

// makeSocketDir makes a private directory for the socket. What a server that crashed left there is removed:
// its lock has the number of a process that may be another's by now.
func (s *Server) makeSocketDir(acc Account) error {
	dir, parent := s.place.socketDir(os.Getenv("RUNTIME_DIRECTORY"))

	var err error
	if dir == "" {
		dir, err = os.MkdirTemp(parent, socketDirPrefix)
	} else if err = os.RemoveAll(dir); err == nil {
		err = os.Mkdir(dir, 0o700)
	}
	if err != nil {
		return fmt.Errorf("make socket directory: %w", err)
	}

	s.run = dir
	return acc.Give(dir)
}

// start runs the server and waits until it is ready.
func (s *Server) start(ctx context.Context, bin Binaries, acc Account, o Options) error {
	logFile, err := s.openLog()
	if err != nil {
		return err
	}
	defer func() { _ = logFile.Close() }() // the server has a descriptor of its own

	s.cmd = exec.Command(filepath.Join(bin.Dir, "postgres"), s.arguments(o)...)
	s.cmd.Dir = s.place.dir
	s.cmd.Env = append(serverEnvironment(), "PGDATA="+s.place.dir)
	s.cmd.Stdout = logFile
	s.cmd.Stderr = logFile
	s.cmd.SysProcAttr = acc.SysProcAttr()
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}

	go func() {
		_ = s.cmd.Wait()
		close(s.exited)
	}()

	return s.waitReady(ctx)
}

// openLog opens the file that the server writes its messages to.
func (s *Server) openLog() (*os.File, error) {
	name := s.place.logFile()
	flags := os.O_CREATE | os.O_APPEND | os.O_WRONLY | syscall.O_NOFOLLOW
	file, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open PostgreSQL's log: %w", err)
	}
	if err := Inherit(name); err != nil {
		_ = file.Close()
		return nil, err
	}

	s.logFrom, err = file.Seek(0, io.SeekEnd)
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("read PostgreSQL's log: %w", err)
	}
	return file, nil
}

// arguments is the server's command line: its settings, with those of the options added, in order.
func (s *Server) arguments(o Options) []string {
	settings := map[string]string{
		// A unix socket in a private directory, and no network.
		"listen_addresses":        "",
		"unix_socket_directories": s.run,
		"unix_socket_permissions": "0700",
		"port":                    port,

		"max_connections":                     strconv.Itoa(o.MaxConnections),
		"max_locks_per_transaction":           "256", // each partition takes locks
		"idle_in_transaction_session_timeout": "60s",
		"timezone":                            "UTC",

		"log_destination":   "stderr",
		"log_min_messages":  "warning",
		"log_timezone":      "UTC",
		"logging_collector": "off",

		// Everything committed is on the disk.
		"fsync":              "on",
		"full_page_writes":   "on",
		"synchronous_commit": "on",
		"wal_compression":    "on",
		"max_wal_size":       "1GB",
		"shared_buffers":     "128MB",
		"jit":                "off",

		// An idle server wakes seldom.
		"autovacuum_naptime": "180s",
		"bgwriter_delay":     "10s",
		"wal_writer_delay":   "1s",
	}

	for name, value := range o.Settings {
		settings[name] = value
	}

	names := make([]string, 0, len(settings))
	for name := range settings {
		names = append(names, name)
	}
	slices.Sort(names)

	args := []string{"-D", s.place.dir}
	for _, name := range names {
		args = append(args, "-c", name+"="+settings[name])
	}

	return args
}

// waitReady waits until the pid file says that the server accepts connections. It stops the server if it
// gives up.
func (s *Server) waitReady(ctx context.Context) error {
	deadline := time.Now().Add(startTimeout)
	for {
		// The file may still be that of an earlier server.
		file, err := readPidFile(s.place.dir)
		if err == nil && file != nil && file.ready && file.pid == s.cmd.Process.Pid {
			return nil
		}

		select {
		case <-s.exited:
			return fmt.Errorf("PostgreSQL ended while starting%s: see %s",
				because(s.LastWords()), s.place.logFile())
		case <-ctx.Done():
			_ = s.Stop()
			return context.Cause(ctx)
		case <-time.After(readyPoll):
		}

		if time.Now().After(deadline) {
			_ = s.Stop()
			return fmt.Errorf("PostgreSQL did not become ready within %s", startTimeout)
		}
	}
}

// Running returns UserURL of a server that another process started on a cluster, empty if there is none.
func Running(dir string) (string, error) {
	place, err := placeOf(dir)
	if err != nil {
		return "", err
	}
	file, err := readPidFile(place.dir)
	if err != nil || file == nil || !file.ready || !isPostmasterOf(file.pid, place.dir) {
		return "", nil //nolint:nilerr // without a file that can be read there is no server to be used
	}

	password, err := place.readPassword(userRole)
	if err != nil {
		return "", err
	}

	return address(userRole, password, file.socketDir), nil
}

func address(role, password, socketDir string) string {
	query := url.Values{"host": {socketDir}, "port": {port}}.Encode()
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(role, password),
		Path:     "/postgres",
		RawQuery: strings.ReplaceAll(query, "+", "%20"), // a connection string is not a form
	}
	return u.String()
}

// Database returns the address of a database on a server, given that of its maintenance database.
func Database(url, name string) string { return strings.Replace(url, "/postgres?", "/"+name+"?", 1) }

// URL is the address of the maintenance database for the superuser. It contains the password.
func (s *Server) URL() string { return s.url }

// UserURL is the address of the maintenance database for the ordinary role, which can make databases of its
// own and nothing else. It contains the password.
func (s *Server) UserURL() string { return s.userURL }

// PID is the postmaster's process id.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Exited is closed when the server has ended.
func (s *Server) Exited() <-chan struct{} { return s.exited }

// Stop shuts the server down fast: clients are disconnected, and everything committed is on the disk.
func (s *Server) Stop() error {
	_ = s.cmd.Process.Signal(fastShutdown)
	select {
	case <-s.exited:
	case <-time.After(shutdownTimeout):
		_ = s.cmd.Process.Signal(immediateShutdown)
		<-s.exited
	}

	return os.RemoveAll(s.run)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"picloud/internal/executor"
)

// The three services of a cluster are the parts of serve, each in a process of its own: manager, orchestrator
// and executor.

// ManagerCmd runs the control plane: the dashboard and the API. Its test runs are all the scripts that it
// runs.
type ManagerCmd struct{ Config }

// Run serves until SIGINT or SIGTERM.
func (c *ManagerCmd) Run() error { return runNode(&c.Config, roleManager) }

// OrchestratorCmd runs the data plane of one node: endpoints, events and schedules.
type OrchestratorCmd struct{ Config }

// Run serves until SIGINT or SIGTERM.
func (c *OrchestratorCmd) Run() error { return runNode(&c.Config, roleOrchestrator) }

// ExecutorCmd runs the sandboxes of this machine for the other services. It knows neither the database nor a
// secret.
type ExecutorCmd struct {
	Socket           string `env:"PICLOUD_EXECUTOR" name:"executor" default:"/run/picloud/executor.sock" help:"Unix socket to answer on; who may write to it may start sandboxes."`
	UnprivilegedUser string `env:"PICLOUD_UNPRIVILEGED_USER" help:"One user for the sandbox processes of all apps, when the executor is root (default a user for each app)."`
	SandboxUIDs      string `env:"PICLOUD_SANDBOX_UIDS" name:"sandbox-uids" help:"First and last user of sandbox processes when the executor is root, one for each app (default 2100000000-2100999999)."`
	LogFormat        string `env:"PICLOUD_LOG_FORMAT" default:"text" enum:"text,json" help:"text or json."`
}

// Run serves until SIGINT or SIGTERM. What still runs then is interrupted: the orchestrator is stopped first.
func (c *ExecutorCmd) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	if err := executor.RefuseTracing(); err != nil {
		return err
	}
	start, err := launcher(nil, c.config())
	if err != nil {
		return err
	}
	l, err := listenUnix(c.Socket)
	if err != nil {
		return err
	}

	s := &executor.Service{Launcher: start, Log: openLog(os.Stderr, c.LogFormat)}
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l) }()
	fmt.Printf("PiCloud %s starts sandboxes for those who ask at %s\n", version, c.Socket)
	c.sayConfinement(ctx)

	select {
	case <-ctx.Done():
		err = nil
	case err = <-failed:
	}

	_ = l.Close()
	s.Close()
	return err
}

// config is what a launcher asks about.
func (c *ExecutorCmd) config() *Config {
	return &Config{UnprivilegedUser: c.UnprivilegedUser, SandboxUIDs: c.SandboxUIDs}
}

// sayConfinement prints what stands between the sandboxes and this machine.
func (c *ExecutorCmd) sayConfinement(ctx context.Context) {
	start, err := launcher(nil, c.config())
	if err != nil {
		return // it was possible a moment ago
	}
	pool := executor.New(executor.Config{
		Launcher:  start,
		MemoryMiB: probeMemory,
		Log:       openLog(os.Stderr, c.LogFormat),
	})
	defer pool.Close()
	fmt.Println(findConfinement(ctx, pool).Text)
}

// listenUnix listens on a socket that its owner's group may use. A socket that nobody answers on is replaced.
func listenUnix(path string) (*net.UnixListener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("PICLOUD_EXECUTOR: make the socket's directory: %w", err)
	}
	if c, err := net.Dial("unix", path); err == nil {
		_ = c.Close()
		return nil, fmt.Errorf(
			"another executor answers on %s: stop it, or set PICLOUD_EXECUTOR to another path",
			path,
		)
	}

	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("PICLOUD_EXECUTOR: replace the old socket: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("PICLOUD_EXECUTOR: %w", err)
	}

	return l, os.Chmod(path, 0o660) // who may write to it may start sandboxes: the owner and the group
}

package executor_test

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/executor"
)

// startService starts a service whose sandboxes lie in a given way, and returns its socket and a function
// that ends it.
func startService(t *testing.T, how string) (socket string, stop func()) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "executor-") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket = filepath.Join(dir, "s")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}

	s := &executor.Service{
		Launcher: &executor.Launcher{Command: []string{os.Args[0], "lie", how}},
		Log:      slog.New(slog.DiscardHandler),
	}
	servedCh := make(chan error, 1)
	go func() { servedCh <- s.Serve(listener) }()
	return socket, func() {
		_ = listener.Close()
		if err := <-servedCh; err != nil {
			t.Errorf("serve: %v", err)
		}
		s.Close()
	}
}

func newClientPool(socket string) *executor.Pool {
	return executor.New(executor.Config{
		Client:    &executor.Client{Socket: socket},
		MemoryMiB: 128,
		MaxBody:   1 << 20,
		Log:       slog.New(slog.DiscardHandler),
		Code:      noCode,
	})
}

// A run in a sandbox of a service is as one in a sandbox of this process, and a child that dies of its script
// is blamed on it.
func TestServiceRuns(t *testing.T) {
	t.Parallel()

	for how, want := range map[string]cloud.Status{
		"claims": cloud.Failed,
		"end":    cloud.Crashed,
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			socket, stop := startService(t, how)
			defer stop()
			p := newClientPool(socket)
			defer p.Close()

			spec := newSpec()
			spec.Deadline = time.Now().Add(notTimed)
			run, err := p.Run(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			if o := run.Outcome(); o.Status != want || o.Collateral {
				t.Errorf("outcome %+v, want %s", o, want)
			}
			run.Release(false)
		})
	}
}

// When the service ends, its sandboxes do, and with them their runs; later ones find no service.
func TestServiceEnds(t *testing.T) {
	t.Parallel()
	socket, stop := startService(t, "silence")
	p := newClientPool(socket)
	defer p.Close()
	spec := newSpec()
	spec.Script.Limits.Timeout = notTimed
	spec.Deadline = spec.Deadline.Add(notTimed)
	run, err := p.Run(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}

	stop()
	if o := run.Outcome(); o.Status == cloud.Succeeded || o.Error.Message == "" {
		t.Errorf("outcome %+v", o)
	}

	if testing.Short() {
		return // a client retries for two seconds
	}
	_, err = p.Run(t.Context(), newSpec())
	if err == nil || !strings.Contains(err.Error(), "process ended") {
		t.Errorf("a run without a service: %v", err)
	}
}

// A closed pool refuses runs.
func TestClosedPool(t *testing.T) {
	t.Parallel()
	p := newClientPool("/nowhere")
	p.Close()
	if _, err := p.Run(t.Context(), newSpec()); err != executor.ErrClosed {
		t.Errorf("run: %v", err)
	}
	if err := p.Ready(t.Context()); err == nil {
		t.Error("it is ready")
	}

	p.Close() // a second time does nothing
}

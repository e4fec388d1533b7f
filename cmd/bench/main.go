// Command bench measures PiCloud on this machine: requests, KV, events, latency, start-up and idling, beside a static Fiber
// handler as the ceiling and the same script in one process. It prints figures and ratios; it never fails for being slow.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sort"
	"time"

	"picloud/db"
	"picloud/db/pglocal"
)

func main() {
	binary := flag.String("binary", "bin/picloud", "picloud to measure")
	seconds := flag.Duration("for", 3*time.Second, "length of one measurement")
	rounds := flag.Int("rounds", 3, "rounds; medians are printed")
	events := flag.Int("events", 100_000, "rows to drain")
	idle := flag.Duration("idle", 60*time.Second, "length of the idle measurement")
	only := flag.String("only", "", "one step alone: start, requests, peers, kv, drain, latency, pages or idle")
	flag.Parse()
	if err := run(*binary, *seconds, *rounds, *events, *idle, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is a PiCloud under measurement with a PostgreSQL of its own, durable as in production.
type bench struct {
	seconds time.Duration
	rounds  int
	pg      *pglocal.Server
	db      *db.DB
	p       *picloud
	routed  bool // the scripts of deployRequests have their route
}

func run(binary string, seconds time.Duration, rounds, events int, idle time.Duration, only string) error {
	dir, err := os.MkdirTemp("", "picloud-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	ctx := context.Background()
	b := &bench{seconds: seconds, rounds: rounds}
	b.pg, err = pglocal.Start(ctx, pglocal.Options{Dir: filepath.Join(dir, "postgres"), MaxConnections: 100, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { _ = b.pg.Stop() }()
	if b.p, err = startPicloud(binary, b.pg.URL()); err != nil {
		return err
	}
	defer func() { b.p.stop() }()
	if b.db, err = db.Open(ctx, b.pg.URL(), db.MinConnections); err != nil {
		return err
	}
	defer b.db.Close()
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"start", b.startUp}, {"requests", b.requests}, {"peers", b.besidePeers}, {"kv", b.kv}, {"drain", func(ctx context.Context) error { return b.drain(ctx, events) }},
		{"latency", b.latency}, {"pages", b.pages}, {"idle", func(context.Context) error { return b.idle(idle) }},
	} {
		if only != "" && only != step.name {
			continue
		}
		if err := step.do(ctx); err != nil {
			return err
		}
	}
	return nil
}

func median(v []float64) float64 {
	sort.Float64s(v)
	return v[len(v)/2]
}

func quantile(v []time.Duration, q float64) time.Duration {
	if len(v) == 0 {
		return 0
	}
	sort.Slice(v, func(i, j int) bool { return v[i] < v[j] })
	return v[min(len(v)-1, int(q*float64(len(v))))]
}

func heading(s string) { fmt.Printf("\n%s\n", s) }

// Command bench measures PiCloud on this machine beside its peers: requests, KV, events, latency, start-up,
// memory and idling. It prints figures and ratios; it never fails for being slow. Peers come by make
// bench-peers.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"time"

	"picloud/db"
	"picloud/db/pglocal"
)

// options are what the command line says.
type options struct {
	binary  string
	seconds time.Duration // of one measurement
	idle    time.Duration // of the idle measurement
	held    time.Duration // of the run under a foreign snapshot
	rounds  int
	events  int
	only    string // a step; empty: all of them
	script  string // of the step requests; empty: all of them
	attack  string // of the step neighbours; empty: all of them
}

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/picloud", "picloud to measure")
	flag.DurationVar(&o.seconds, "for", 3*time.Second, "length of one measurement, in whole seconds")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds; medians are printed")
	flag.IntVar(&o.events, "events", 100_000, "rows to drain")
	flag.DurationVar(&o.idle, "idle", 60*time.Second, "length of the idle measurement")
	flag.DurationVar(&o.held, "held", 5*time.Minute,
		"length of the run under a foreign snapshot; an hour is the goal's")
	flag.StringVar(&o.only, "only", "",
		"one step alone: start, requests, drain, latency, triggers, fair, held, idle, pages, growth, "+
			"crowds or neighbours")
	flag.StringVar(&o.script, "script", "", "of the step requests one row alone, by its script")
	flag.StringVar(&o.attack, "attack", "",
		"of the step neighbours one row alone, by the beginning of its name")
	static := flag.String("static", "", "serve a static answer at this address: the ceiling")
	flag.Parse()

	var err error
	if *static != "" {
		if _, err = serveStatic(*static); err == nil {
			select {}
		}
	} else {
		err = run(&o)
	}

	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is a PiCloud under measurement with a PostgreSQL of its own, durable as in production.
type bench struct {
	*options
	dir      string // of what is written while it runs
	pg       *pglocal.Server
	db       *db.DB
	p        *picloud
	upstream string // address that is fetched
	deployed bool   // the works are
	flooding bool   // the flooder is deployed
	setting  bool   // the script set is
	loads    int    // of wrk so far: each has keys of its own
}

func run(o *options) error {
	if _, err := exec.LookPath("wrk"); err != nil {
		return fmt.Errorf("wrk is missing: make bench installs it")
	}
	if o.seconds < time.Second || o.seconds%time.Second != 0 {
		return fmt.Errorf("-for %s: wrk measures whole seconds", o.seconds)
	}

	dir, err := os.MkdirTemp("", "picloud-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	ctx := context.Background()
	b := &bench{options: o, dir: dir}
	if _, err := b.keep("load.lua", loadLua); err != nil {
		return err
	}

	if b.upstream, err = serveStatic("127.0.0.1:0"); err != nil {
		return err
	}
	b.pg, err = pglocal.Start(ctx, pglocal.Options{
		Dir:            filepath.Join(dir, "postgres"),
		MaxConnections: 150,
		Log:            slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer func() { _ = b.pg.Stop() }()

	if b.p, err = startPicloud(o.binary, b.pg.URL()); err != nil {
		return err
	}
	defer func() { b.p.stop() }()

	if b.db, err = db.Open(ctx, b.pg.URL(), db.MinConnections); err != nil {
		return err
	}
	defer b.db.Close()

	return b.steps(ctx)
}

// steps does what is measured, in this order: later steps find what earlier ones left in the database.
func (b *bench) steps(ctx context.Context) error {
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"start", b.startUp},
		{"requests", b.requests},
		{"drain", b.drain},
		{"latency", b.latency},
		{"triggers", b.triggers},
		{"fair", b.fairShare},
		{"held", b.heldSnapshot},
		{"idle", b.idling},
		{"pages", b.pages},
		{"growth", b.growth},
		{"crowds", b.crowds},
		{"neighbours", b.neighbours},
	} {
		if b.only != "" && b.only != step.name {
			continue
		}
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

func median(v []float64) float64 {
	sort.Float64s(v)
	return v[len(v)/2]
}

// quantile of durations, in nanoseconds.
func quantile(v []time.Duration, q float64) float64 {
	if len(v) == 0 {
		return 0
	}
	sort.Slice(v, func(i, j int) bool { return v[i] < v[j] })
	return float64(v[min(len(v)-1, int(q*float64(len(v))))])
}

func heading(s string) { fmt.Printf("\n%s\n", s) }

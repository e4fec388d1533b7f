// Command faultlab breaks a real PiCloud on purpose and checks what it promises. For each fault it makes an
// installation of its own - a PostgreSQL, one to three nodes, an app under load and another beside it - and
// in every round it puts load on, injects the fault, mends it, waits until nothing moves any more and
// compares what the database holds with a ledger that the load generator kept. Everything stays on this
// machine's loopback; it ends only what it started.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/picloud", "picloud to break")
	flag.StringVar(&o.previous, "previous", "",
		"picloud of an earlier version, for the fault rolling-upgrade")
	flag.Int64Var(&o.seed, "seed", time.Now().UnixNano()%1_000_000, "where the random choices start")
	flag.IntVar(&o.rounds, "rounds", 20, "rounds of each fault")
	flag.BoolVar(&o.short, "short", false, "the selection that make test runs")
	flag.IntVar(&o.parallel, "parallel", 2, "installations at once")
	flag.StringVar(&o.file, "report", "", "Markdown file for the report, rewritten after each fault")
	only := flag.String("only", "", "names of faults, comma-separated")
	list := flag.Bool("list", false, "list the faults")
	flag.Parse()

	if *list {
		for _, f := range faults {
			fmt.Printf("%-22s %s\n", f.name, f.what)
		}
		return
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, &o, pick(*only, o.short)); err != nil {
		fmt.Fprintln(os.Stderr, "faultlab:", err)
		os.Exit(1)
	}
}

// options are the same for every fault.
type options struct {
	binary   string // picloud to break
	previous string // picloud of an earlier version; empty: there is none
	seed     int64  // where the random choices start
	rounds   int    // of each fault
	short    bool   // the selection of make test, with fewer rounds and shorter pauses
	parallel int    // installations at once
	file     string // of the report; empty: none is written

	// pattern is what each installation begins with; nil: each one is made from nothing.
	pattern *pattern
}

// pick chooses the faults that are named, or all of them.
func pick(only string, short bool) []*fault {
	var chosen []*fault
	for k := range faults {
		f := &faults[k]
		if only == "" && (!short || f.shortRounds > 0) || slices.Contains(strings.Split(only, ","), f.name) {
			chosen = append(chosen, f)
		}
	}
	return chosen
}

var errBroken = errors.New("a promise was broken")

// run puts the faults through their rounds, some at once, and writes the report.
func run(ctx context.Context, o *options, chosen []*fault) error {
	if len(chosen) == 0 {
		return errors.New("no such fault: see -list")
	}

	for _, binary := range []*string{&o.binary, &o.previous} {
		if *binary == "" {
			continue
		}
		abs, err := filepath.Abs(*binary)
		if err != nil {
			return err
		}
		*binary = abs
	}

	p, err := makePattern(ctx, o)
	if err != nil {
		return err
	}
	defer p.remove()
	o.pattern = p

	rep := &report{options: o, started: time.Now(), faults: chosen, results: map[string]*result{}}
	queue := ordered(chosen)
	var lanes sync.WaitGroup

	for range o.parallel {
		lanes.Go(func() {
			for f := range queue {
				if ctx.Err() != nil {
					return
				}
				rep.add(runFault(ctx, o, f))
			}
		})
	}

	lanes.Wait()
	if ctx.Err() != nil {
		return errors.New("stopped")
	}

	for _, res := range rep.results {
		if len(res.broken) > 0 {
			return errBroken
		}
	}
	return nil
}

// ordered is a queue of the faults: what takes longest begins first.
func ordered(chosen []*fault) <-chan *fault {
	queue := make(chan *fault, len(chosen))
	for _, long := range []bool{true, false} {
		for _, f := range chosen {
			if f.long == long {
				queue <- f
			}
		}
	}

	close(queue)
	return queue
}

// runFault makes an installation and puts a fault through its rounds.
func runFault(ctx context.Context, o *options, f *fault) *result {
	res := &result{fault: f, began: time.Now()}
	defer func() { res.took = time.Since(res.began) }()

	if f.needs != nil {
		if why := f.needs(o); why != "" {
			res.skipped = why
			return res
		}
	}

	l, err := newLab(ctx, o, f, res)
	if err != nil {
		res.fail(0, "the installation did not start: %v", err)
		return res
	}
	defer l.close()

	rounds := o.rounds
	if o.short {
		rounds = max(1, f.shortRounds)
	}

	for n := 1; n <= rounds && ctx.Err() == nil && len(res.broken) == 0; n++ {
		l.round(ctx, n)
		res.rounds = n
	}

	if len(res.broken) > 0 {
		l.keepLogs()
	}
	return res
}

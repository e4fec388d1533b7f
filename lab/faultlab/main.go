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
	binary := flag.String("binary", "bin/picloud", "picloud to break")
	previous := flag.String("previous", "", "picloud of an earlier version, for the fault rolling-upgrade")
	seed := flag.Int64("seed", time.Now().UnixNano()%1_000_000, "where the random choices start")
	rounds := flag.Int("rounds", 20, "rounds of each fault")
	parallel := flag.Int("parallel", 2, "installations at once")
	only := flag.String("only", "", "names of faults, comma-separated")
	short := flag.Bool("short", false, "the selection that make test runs")
	file := flag.String("report", "", "Markdown file for the report, rewritten after each fault")
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

	if err := run(ctx, &options{binary: *binary, previous: *previous, seed: *seed, rounds: *rounds, short: *short}, pick(*only, *short), *parallel, *file); err != nil {
		fmt.Fprintln(os.Stderr, "faultlab:", err)
		os.Exit(1)
	}
}

// options are the same for every fault.
type options struct {
	binary, previous string
	seed             int64
	rounds           int
	short            bool
	pattern          *pattern // nil: each installation is made from nothing
}

func pick(only string, short bool) []*fault {
	var chosen []*fault
	for k := range faults {
		f := &faults[k]
		if only == "" && (!short || f.short) || slices.Contains(strings.Split(only, ","), f.name) {
			chosen = append(chosen, f)
		}
	}

	return chosen
}

var errBroken = errors.New("a promise was broken")

// run tries the faults, some at once, and writes the report.
func run(ctx context.Context, o *options, chosen []*fault, parallel int, file string) error {
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

	rep := &report{options: o, started: time.Now(), faults: chosen, results: map[string]*result{}, file: file}
	queue := ordered(chosen)
	var lanes sync.WaitGroup

	for range parallel {
		lanes.Go(func() {
			for f := range queue {
				if ctx.Err() != nil {
					return
				}
				rep.add(try(ctx, o, f))
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

// try makes an installation and puts a fault through its rounds.
func try(ctx context.Context, o *options, f *fault) *result {
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

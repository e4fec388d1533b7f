package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
)

// result is what came of a fault. The goroutine that runs the fault writes it.
type result struct {
	fault   *fault
	began   time.Time
	took    time.Duration
	rounds  int
	skipped string // why the fault was not injected; empty: it was
	logs    string // directory of the logs of an installation that broke a promise

	mu     sync.Mutex // guards broken
	broken []string

	// Sums of all rounds.
	requests, events  int
	keys, retries     int // keyed requests, and how often they were asked again
	other, otherWrong int // requests of the other app, and those that failed
	lost, doubled     int

	slots   int           // of the schedule, from the first round to the last
	settled time.Duration // the longest that a round took to come to rest
	slowest time.Duration // answer of the other app
}

// fail notes a broken promise.
func (res *result) fail(round int, format string, args ...any) {
	res.mu.Lock()
	defer res.mu.Unlock()

	if len(res.broken) < 20 {
		at := time.Now().UTC().Format("15:04:05")
		res.broken = append(res.broken, fmt.Sprintf("round %d, %s: ", round, at)+fmt.Sprintf(format, args...))
	}
}

func (res *result) print(w io.Writer) {
	verdict := "kept"
	switch {
	case res.skipped != "":
		verdict = "not tried: " + res.skipped
	case len(res.broken) > 0:
		verdict = "BROKEN"
	}

	_, _ = fmt.Fprintf(w, "%-18s %3d rounds in %5.0f s: %d requests, %d events, %d keys (%d asked again), "+
		"%d slots; lost %d, doubled %d; other app %d of %d failed; at rest after %.1f s: %s\n",
		res.fault.name, res.rounds, res.took.Seconds(), res.requests, res.events, res.keys, res.retries,
		res.slots, res.lost, res.doubled, res.otherWrong, res.other, res.settled.Seconds(), verdict)

	for _, b := range res.broken {
		_, _ = fmt.Fprintf(w, "    %s\n", b)
	}

	if res.logs != "" {
		_, _ = fmt.Fprintf(w, "    logs: %s\n", res.logs)
	}
}

// report is the whole run.
type report struct {
	options *options
	started time.Time
	faults  []*fault

	mu      sync.Mutex // guards results and the writing of the file
	results map[string]*result
}

// add notes and prints what came of a fault.
func (rep *report) add(res *result) {
	rep.mu.Lock()
	defer rep.mu.Unlock()

	rep.results[res.fault.name] = res
	res.print(os.Stdout)

	if rep.options.file == "" {
		return
	}
	if err := rep.write(rep.options.file); err != nil {
		fmt.Fprintln(os.Stderr, "faultlab:", err)
	}
}

// preamble says what the lab does, above the table.
const preamble = `# Faults

What became of PiCloud's promises when things broke: the report of ` + "`make faultlab`" + `. For each fault
the lab starts an installation of its own (PostgreSQL with fsync on, one to three nodes, a lease of %s), and
in every round puts load on it - %d clients that make events, one in twenty of them poison, %d that repeat
keyed requests until they are answered, a schedule that fires every second, and a second app beside it -,
injects the fault, mends it, and waits until nothing moves. Then it compares:

- what was acknowledged is in the database; every event was handled once, or is one dead letter;
- what has an Idempotency-Key was done once; a counter that every request increments has lost no update;
- every second of the schedule is a row, and what fired was handled once;
- both apps' ledgers balance, nothing is shown as running, no sandbox outlives its node, no event has two
  executions that succeeded;
- where the fault is a script's or a client's, not one request of the other app failed.

Begun %s, seed %d, %d CPUs, %s.

` +
	"| fault | rounds | requests | events | keys, asked again | lost | doubled " +
	"| other app, failed | at rest after | |\n" +
	"|---|---|---|---|---|---|---|---|---|---|\n"

// write writes the report of the faults so far.
func (rep *report) write(file string) error {
	var b bytes.Buffer
	began := rep.started.UTC().Format("2006-01-02 15:04 UTC")
	_, _ = fmt.Fprintf(&b, preamble, lease, producers, payers, began, rep.options.seed,
		runtime.NumCPU(), runtime.Version())

	var sum result
	for _, f := range rep.faults {
		res := rep.results[f.name]
		if res == nil {
			continue
		}
		res.writeRow(&b)
		sum.lost += res.lost
		sum.doubled += res.doubled
		sum.requests += res.requests
		sum.events += res.events
		sum.rounds += res.rounds
	}
	_, _ = fmt.Fprintf(&b, "\nTogether: %d rounds, %d requests, %d events: **%d lost, %d doubled**.\n",
		sum.rounds, sum.requests, sum.events, sum.lost, sum.doubled)

	for _, f := range rep.faults {
		if res := rep.results[f.name]; res != nil && len(res.broken) > 0 {
			_, _ = fmt.Fprintf(&b, "\n## Broken: %s\n\n```\n%s\n```\n",
				f.name, strings.Join(res.broken, "\n"))
		}
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// writeRow writes the fault's row of the table.
func (res *result) writeRow(w io.Writer) {
	f := res.fault
	if res.skipped != "" {
		_, _ = fmt.Fprintf(w, "| %s: %s | - | | | | | | | | not tried: %s |\n", f.name, f.what, res.skipped)
		return
	}

	verdict := "kept"
	if len(res.broken) > 0 {
		verdict = "**broken**"
	}
	_, _ = fmt.Fprintf(w, "| %s: %s | %d | %d | %d | %d, %d | %d | %d | %d, %d | %.1f s | %s |\n",
		f.name, f.what, res.rounds, res.requests, res.events, res.keys, res.retries,
		res.lost, res.doubled, res.other, res.otherWrong, res.settled.Seconds(), verdict)
}

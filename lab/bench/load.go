package main

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const connections = 64

// loadLua tells wrk what to send.
//
//go:embed load.lua
var loadLua []byte

// work is what is asked of a server: the same of PiCloud and of its peers.
type work struct {
	name, path string
	body       []byte
	headers    []string // Name: value
	distinct   bool     // each request has a key of its own in its query
	paths      []string // to be asked for in turn, instead of path
}

// load is one measurement.
type load struct {
	answers  int64
	rate     float64 // answers a second
	p50, p99 time.Duration
	errors   int64 // broken connections, timeouts, statuses over 399
}

// wrk sends requests over so many connections for so many whole seconds (https://github.com/wg/wrk).
func (b *bench) wrk(addr string, conns int, d time.Duration, w *work) (load, error) {
	b.loads++
	args := []string{
		"-t2",
		"-c" + strconv.Itoa(conns),
		"-d" + strconv.Itoa(int(d.Seconds())),
		"--timeout", "30s",
		"-s", filepath.Join(b.dir, "load.lua"),
	}

	for _, h := range w.headers {
		args = append(args, "-H", h)
	}
	args = append(args, "http://"+addr+w.path, "--")

	what, err := b.whatToSend(w)
	if err != nil {
		return load{}, err
	}
	out, err := exec.Command("wrk", append(args, what...)...).CombinedOutput()
	if err != nil {
		return load{}, fmt.Errorf("wrk: %w: %s", err, out)
	}
	return parseLoad(string(out))
}

// whatToSend are the arguments of load.lua.
func (b *bench) whatToSend(w *work) ([]string, error) {
	switch {
	case w.distinct: // 12 characters, whichever thread and load sends them
		return []string{"distinct", fmt.Sprintf("%04d", b.loads)}, nil

	case w.paths != nil:
		file, err := b.keep(w.name, []byte(strings.Join(w.paths, "\n")+"\n"))
		return []string{"paths", file, strconv.Itoa(b.loads)}, err

	case w.body != nil:
		file, err := b.keep(w.name, w.body)
		return []string{"same", "POST", file}, err

	default:
		return []string{"same", "GET"}, nil
	}
}

// parseLoad reads the line that load.lua ends with: answers, and microseconds.
func parseLoad(out string) (load, error) {
	_, line, _ := strings.Cut(out, "RESULT ")
	var l load
	var took, p50, p99 int64
	if _, err := fmt.Sscan(line, &l.answers, &took, &p50, &p99, &l.errors); err != nil {
		return load{}, fmt.Errorf("wrk said no result: %s", out)
	}
	l.rate = float64(l.answers) / (time.Duration(took) * time.Microsecond).Seconds()
	l.p50 = time.Duration(p50) * time.Microsecond
	l.p99 = time.Duration(p99) * time.Microsecond
	return l, nil
}

// keep writes a file that wrk reads.
func (b *bench) keep(name string, content []byte) (string, error) {
	path := filepath.Join(b.dir, strings.NewReplacer(" ", "-", "/", "-").Replace(name))
	return path, os.WriteFile(path, content, 0o600)
}

// side is one of those that are measured in turn.
type side struct {
	subject
	work  *work
	conns int
}

// summary is the medians of a side's rounds.
type summary struct {
	rate, p50, p99  float64 // p50 and p99 in nanoseconds
	cpu, pg         float64 // nanoseconds an answer, of the process tree and of PostgreSQL
	answers, errors int64   // of all rounds, warm-up included
}

// rounds are a side's figures, one of each a round.
type rounds struct {
	rate, p50, p99, cpu, pg []float64
}

func (r *rounds) summary() summary {
	return summary{
		rate: median(r.rate),
		p50:  median(r.p50),
		p99:  median(r.p99),
		cpu:  median(r.cpu),
		pg:   median(r.pg),
	}
}

// interleave measures sides in turn, after a warm-up of each.
func (b *bench) interleave(sides ...side) ([]summary, error) {
	all := make([]rounds, len(sides))
	answers := make([]int64, len(sides))
	failures := make([]int64, len(sides))

	for round := range b.rounds + 1 {
		for k, s := range sides {
			own := cpu(s.pid)
			pg := cpu(b.pg.PID())
			l, err := b.wrk(s.addr, s.conns, b.seconds, s.work)
			if err != nil {
				return nil, err
			}
			answers[k] += l.answers
			failures[k] += l.errors
			if round == 0 {
				continue
			}

			n := float64(max(1, l.answers))
			r := &all[k]
			r.rate = append(r.rate, l.rate)
			r.p50 = append(r.p50, float64(l.p50))
			r.p99 = append(r.p99, float64(l.p99))
			r.cpu = append(r.cpu, float64(cpu(s.pid)-own)/n)
			r.pg = append(r.pg, float64(cpu(b.pg.PID())-pg)/n)
		}
	}

	out := make([]summary, len(sides))
	for k := range sides {
		out[k] = all[k].summary()
		out[k].answers = answers[k]
		out[k].errors = failures[k]
	}
	return out, nil
}

// print shows a side's figures, and PiCloud's as multiples of them.
func (s *summary) print(name string, own *summary) {
	fmt.Printf("  %-38s %8.0f/s  p50 %7s  p99 %7s  CPU %6s + PostgreSQL %6s",
		name, s.rate, short(s.p50), short(s.p99), short(s.cpu), short(s.pg))
	if own != nil && own != s {
		fmt.Printf("   PiCloud: rate x %.2f, p99 x %.2f, CPU x %.2f",
			own.rate/s.rate, own.p99/s.p99, (own.cpu+own.pg)/(s.cpu+s.pg))
	}
	if s.errors > 0 {
		fmt.Printf("   %d ERRORS of %d", s.errors, s.answers)
	}
	fmt.Println()
}

// short writes a duration in three or four characters and its unit.
func short(nanoseconds float64) string {
	if d := nanoseconds / 1e6; d >= 10 {
		return fmt.Sprintf("%.1fms", d)
	}
	return fmt.Sprintf("%.0fus", nanoseconds/1e3)
}

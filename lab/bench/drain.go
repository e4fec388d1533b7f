package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// drained is what one drain came to: rows a second, and seconds of CPU time for 10,000 rows.
type drained struct {
	rate, cpu, pg float64
}

// contender is one of those that drain rows in turn.
type contender struct {
	name string
	run  func() (drained, error)
	// What its rounds came to. A contender that is not installed has none.
	rates, cpu, pg []float64
	missing        bool
}

// drain measures how fast due rows are run: by PiCloud, each with its execution row and its entry in the
// ledger; by its peers; and by statements that are written for nothing else.
func (b *bench) drain(ctx context.Context) error {
	heading(fmt.Sprintf("Events, %d rows inserted before", b.events))
	contenders, err := b.ownContenders(ctx)
	if err != nil {
		return err
	}

	for _, p := range eventPeers() {
		run := func() (drained, error) { return b.drainPeer(&p, b.events/p.part) }
		contenders = append(contenders, &contender{name: p.name, run: run})
	}
	contenders = append(contenders, &contender{
		name: "written by hand, commits of 100 with a key each",
		run:  func() (drained, error) { return b.drainByHand(ctx, b.events) },
	})

	for range b.rounds {
		for _, c := range contenders {
			if err := c.round(); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}

	noop := median(contenders[0].rates)

	writing := median(contenders[1].rates)
	for _, c := range contenders {
		if c.missing {
			continue
		}
		rate := median(c.rates)
		fmt.Printf("  %-48s %8.0f/s  CPU of 10,000: %.2fs + PostgreSQL %.2fs   "+
			"PiCloud: no-op x %.2f, with a key x %.2f\n",
			c.name, rate, median(c.cpu), median(c.pg), noop/rate, writing/rate)
	}
	return nil
}

// ownContenders deploys the two handlers that PiCloud is measured with.
func (b *bench) ownContenders(ctx context.Context) ([]*contender, error) {
	var own []*contender
	for _, handler := range []struct{ name, what, source string }{
		{"noop", "PiCloud, no-op handler", `export default { kv() {} }`},
		{"noopkv", "PiCloud, handler writes one key",
			`import { kv } from "picloud"; const c = kv.collection("drained");` +
				` export default { kv: (e) => c.set(e.key, 1) }`},
	} {
		if err := b.p.deploy(handler.name, handler.source); err != nil {
			return nil, err
		}
		made, err := b.p.api("POST", "/apps/default/triggers", map[string]any{
			"kind":       "kv",
			"script":     handler.name,
			"collection": "bench-" + handler.name,
		})
		if err != nil {
			return nil, err
		}

		trigger, _ := made["id"].(string)
		run := func() (drained, error) { return b.drainOwn(ctx, trigger, b.events) }
		own = append(own, &contender{name: handler.what, run: run})
	}
	return own, nil
}

// round measures the contender once more, if it is installed.
func (c *contender) round() error {
	if c.missing {
		return nil
	}
	d, err := c.run()
	if errors.Is(err, errMissing) {
		c.missing = true
		fmt.Printf("  without %s: make bench-peers installs it\n", c.name)
		return nil
	}
	if err != nil {
		return err
	}

	c.rates = append(c.rates, d.rate)
	c.cpu = append(c.cpu, d.cpu)
	c.pg = append(c.pg, d.pg)
	return nil
}

// drainOwn lets PiCloud run n rows of a trigger.
func (b *bench) drainOwn(ctx context.Context, trigger string, n int) (drained, error) {
	if err := b.insertRows(ctx, "default", trigger, n); err != nil {
		return drained{}, err
	}

	watch := b.startWatch(b.p.cmd.Process.Pid)
	if err := b.enable("default", trigger, true); err != nil {
		return drained{}, err
	}
	if err := b.untilEmpty(ctx); err != nil {
		return drained{}, err
	}
	return watch.drained(n), nil
}

// stopwatch knows what a process and PostgreSQL had used when a drain began.
type stopwatch struct {
	b       *bench
	pid     int
	began   time.Time
	own, pg time.Duration // CPU time
}

func (b *bench) startWatch(pid int) *stopwatch {
	return &stopwatch{b: b, pid: pid, own: cpu(pid), pg: cpu(b.pg.PID()), began: time.Now()}
}

// drained is what n rows took since the start.
func (s *stopwatch) drained(n int) drained {
	tenThousands := float64(n) / 10_000
	return drained{
		rate: float64(n) / time.Since(s.began).Seconds(),
		cpu:  (cpu(s.pid) - s.own).Seconds() / tenThousands,
		pg:   (cpu(s.b.pg.PID()) - s.pg).Seconds() / tenThousands,
	}
}

// byHandTables are what drainByHand works on.
var byHandTables = []string{
	"CREATE TABLE IF NOT EXISTS by_hand (id bigint PRIMARY KEY, payload text NOT NULL)",
	"CREATE TABLE IF NOT EXISTS by_hand_kv (key text PRIMARY KEY, value jsonb NOT NULL)",
	`CREATE TABLE IF NOT EXISTS by_hand_executions
		(id uuid PRIMARY KEY, row_id bigint NOT NULL, status text NOT NULL, at timestamptz NOT NULL)`,
}

// byHandCommit takes a hundred rows and leaves what a run leaves.
const byHandCommit = `WITH gone AS (DELETE FROM by_hand WHERE id IN
		(SELECT id FROM by_hand ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED) RETURNING id),
	kv AS (INSERT INTO by_hand_kv SELECT 'k' || id, '1' FROM gone
		ON CONFLICT (key) DO UPDATE SET value = excluded.value)
	INSERT INTO by_hand_executions SELECT gen_random_uuid(), id, 'succeeded', clock_timestamp() FROM gone`

// drainByHand is the floor: no handler, no sandbox, no retries; rows deleted, a key and an execution row
// written, a commit for a hundred.
func (b *bench) drainByHand(ctx context.Context, n int) (drained, error) {
	insert := fmt.Sprintf("INSERT INTO by_hand SELECT g, repeat('x', 60) FROM generate_series(1, %d) g", n)
	for _, sql := range slices.Concat(byHandTables, []string{insert}) {
		if _, err := b.db.General.Exec(ctx, sql); err != nil {
			return drained{}, err
		}
	}

	watch := b.startWatch(os.Getpid())
	var workers errgroup.Group

	for range 4 {
		workers.Go(func() error { return b.takeByHand(ctx) })
	}
	err := workers.Wait()
	return watch.drained(n), err
}

// takeByHand commits hundreds until no row is left.
func (b *bench) takeByHand(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, b.pg.URL())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()

	for {
		tag, err := conn.Exec(ctx, byHandCommit)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// drained is what a drain came to.
type drained struct {
	rate, cpu, pg float64 // rows a second; seconds of CPU time for 10,000
}

// drain measures how fast rows that are due are run: by PiCloud, each with its execution row and its place in the ledger;
// by its peers; and by statements written for nothing else.
func (b *bench) drain(ctx context.Context) error {
	n := b.events
	heading(fmt.Sprintf("Events, %d rows inserted before", n))
	type contender struct {
		name string
		run  func() (drained, error)
	}

	var all []contender
	for _, c := range []struct{ name, what, src string }{
		{"noop", "PiCloud, no-op handler", `export default { kv() {} }`},
		{"noopkv", "PiCloud, handler writes one key", `import { kv } from "picloud"; const c = kv.collection("drained"); export default { kv: (e) => c.set(e.key, 1) }`},
	} {
		if err := b.p.deploy(c.name, c.src); err != nil {
			return err
		}
		t, err := b.p.api("POST", "/apps/default/triggers", map[string]any{"kind": "kv", "script": c.name, "collection": "bench-" + c.name})
		if err != nil {
			return err
		}
		id, _ := t["id"].(string)
		all = append(all, contender{c.what, func() (drained, error) { return b.drainOwn(ctx, id, n) }})
	}

	for _, p := range eventPeers() {
		all = append(all, contender{p.name, func() (drained, error) { return b.drainPeer(&p, n/p.part) }})
	}

	all = append(all, contender{"written by hand, commits of 100 with a key each", func() (drained, error) { return b.drainByHand(ctx, n) }})
	rates, own, pg := map[string][]float64{}, map[string][]float64{}, map[string][]float64{}

	for range b.rounds {
		for _, c := range all {
			d, err := c.run()
			if errors.Is(err, errMissing) {
				if len(rates[c.name]) == 0 {
					fmt.Printf("  without %s: make bench-peers installs it\n", c.name)
					rates[c.name] = append(rates[c.name], 0)
				}
				continue
			}
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			rates[c.name], own[c.name], pg[c.name] = append(rates[c.name], d.rate), append(own[c.name], d.cpu), append(pg[c.name], d.pg)
		}
	}

	base := [2]float64{median(rates[all[0].name]), median(rates[all[1].name])}
	for _, c := range all {
		if len(own[c.name]) == 0 {
			continue
		}
		r := median(rates[c.name])
		fmt.Printf("  %-48s %8.0f/s  CPU of 10,000: %.2fs + PostgreSQL %.2fs   PiCloud: no-op x %.2f, with a key x %.2f\n", c.name, r, median(own[c.name]), median(pg[c.name]),
			base[0]/r, base[1]/r)
	}

	return nil
}

// drainOwn lets PiCloud run rows of a trigger.
func (b *bench) drainOwn(ctx context.Context, trigger string, n int) (drained, error) {
	if err := b.insertRows(ctx, "default", trigger, n); err != nil {
		return drained{}, err
	}
	c0, g0, began := cpu(b.p.cmd.Process.Pid), cpu(b.pg.PID()), time.Now()
	if err := b.enable("default", trigger, true); err != nil {
		return drained{}, err
	}
	if err := b.untilEmpty(ctx); err != nil {
		return drained{}, err
	}

	return b.drainedOf(n, began, b.p.cmd.Process.Pid, c0, g0), nil
}

func (b *bench) drainedOf(n int, began time.Time, pid int, c0, g0 time.Duration) drained {
	per := float64(n) / 10_000
	return drained{float64(n) / time.Since(began).Seconds(), (cpu(pid) - c0).Seconds() / per, (cpu(b.pg.PID()) - g0).Seconds() / per}
}

// drainByHand is the floor: no handler, no sandbox, no retries; rows deleted, a key and an execution row written, a commit
// for a hundred.
func (b *bench) drainByHand(ctx context.Context, n int) (drained, error) {
	for _, sql := range []string{
		"CREATE TABLE IF NOT EXISTS by_hand (id bigint PRIMARY KEY, payload text NOT NULL)", "CREATE TABLE IF NOT EXISTS by_hand_kv (key text PRIMARY KEY, value jsonb NOT NULL)",
		"CREATE TABLE IF NOT EXISTS by_hand_executions (id uuid PRIMARY KEY, row_id bigint NOT NULL, status text NOT NULL, at timestamptz NOT NULL)",
		fmt.Sprintf("INSERT INTO by_hand SELECT g, repeat('x', 60) FROM generate_series(1, %d) g", n),
	} {
		if _, err := b.db.General.Exec(ctx, sql); err != nil {
			return drained{}, err
		}
	}

	c0, g0, began := cpu(os.Getpid()), cpu(b.pg.PID()), time.Now()
	var g errgroup.Group

	for range 4 {
		g.Go(func() error {
			conn, err := pgx.Connect(ctx, b.pg.URL())
			if err != nil {
				return err
			}
			defer func() { _ = conn.Close(ctx) }()

			for {
				tag, err := conn.Exec(ctx, `WITH gone AS (DELETE FROM by_hand WHERE id IN (SELECT id FROM by_hand ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED) RETURNING id),
					kv AS (INSERT INTO by_hand_kv SELECT 'k' || id, '1' FROM gone ON CONFLICT (key) DO UPDATE SET value = excluded.value)
					INSERT INTO by_hand_executions SELECT gen_random_uuid(), id, 'succeeded', clock_timestamp() FROM gone`)
				if err != nil || tag.RowsAffected() == 0 {
					return err
				}
			}
		})
	}

	err := g.Wait()
	return b.drainedOf(n, began, os.Getpid(), c0, g0), err
}

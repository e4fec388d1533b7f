package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/valyala/fasthttp"
)

// drain measures how fast rows that are due are run, each with its execution row and its place in the ledger.
func (b *bench) drain(ctx context.Context, n int) error {
	heading(fmt.Sprintf("Events, %d rows inserted before", n))
	for _, c := range []struct{ name, what, src string }{
		{"noop", "no-op handler", `export default { kv() {} }`},
		{"noopkv", "handler writes one key", `import { kv } from "picloud"; const c = kv.collection("drained"); export default { kv: (e) => c.set(e.key, 1) }`},
	} {
		if err := b.p.deploy(c.name, c.src); err != nil {
			return err
		}
		t, err := b.p.api("POST", "/apps/default/triggers", map[string]any{"kind": "kv", "script": c.name, "collection": "bench-" + c.name})
		if err != nil {
			return err
		}
		id, _ := t["id"].(string)
		var rates []float64
		var used, pgUsed []float64
		for range b.rounds {
			if _, err := b.p.api("PATCH", "/apps/default/triggers/"+id, map[string]any{"enabled": false}); err != nil {
				return err
			}
			if err := b.insertRows(ctx, id, n); err != nil {
				return err
			}
			c0, g0 := cpu(b.p.cmd.Process.Pid), cpu(b.pg.PID())
			began := time.Now()
			if _, err := b.p.api("PATCH", "/apps/default/triggers/"+id, map[string]any{"enabled": true}); err != nil {
				return err
			}
			if err := b.untilEmpty(ctx); err != nil {
				return err
			}
			rates = append(rates, float64(n)/time.Since(began).Seconds())
			per := float64(n) / 10_000
			used = append(used, (cpu(b.p.cmd.Process.Pid)-c0).Seconds()/per)
			pgUsed = append(pgUsed, (cpu(b.pg.PID())-g0).Seconds()/per)
		}
		fmt.Printf("  %-34s %8.0f/s  CPU per 10,000: %.2fs + PostgreSQL %.2fs\n", c.what, median(rates), median(used), median(pgUsed))
	}
	return nil
}

// insertRows makes rows that wait for a disabled trigger, with their entry in the ledger.
func (b *bench) insertRows(ctx context.Context, trigger string, n int) error {
	return pgx.BeginFunc(ctx, b.db.Reads, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO outbox (app_id, id, source, op, trigger_id, script_id, payload, root_id, depth, execution_id, max_attempts,
				backoff, base_ms, max_ms, jitter, wake_at)
			SELECT t.app_id, gen_random_uuid(), 'kv', 'insert', t.id, t.script_id, '{"op":"insert","collection":"c","key":"k' || g || '","value":1}',
				x.id, 1, x.id, 5, 'exponential', 1000, 300000, 0.2, clock_timestamp() + interval '200 years'
			FROM triggers t, generate_series(1, $2::int) g,
				LATERAL (SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7' ||
					substr(md5(g::text || clock_timestamp()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid AS id) x
			WHERE t.id = $1::uuid`, trigger, n)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO ledger (commit_id, app_id, what, n) SELECT gen_random_uuid(), app_id, 'enqueued', $2 FROM triggers WHERE id = $1::uuid`, trigger, n)
		return err
	})
}

func (b *bench) untilEmpty(ctx context.Context) error {
	for {
		var some bool
		if err := b.db.Reads.QueryRow(ctx, "SELECT EXISTS (SELECT FROM outbox)").Scan(&some); err != nil {
			return err
		}
		if !some {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// latency measures from the sending of a request that sets a key to the start of the handler that its event runs.
func (b *bench) latency(ctx context.Context) error {
	heading("KV set to handler started, durable commit included")
	if err := b.p.deploy("set", `import { kv } from "picloud"; const c = kv.collection("latency"); export default { fetch: (r) => c.set("k", 1), kv() {} }`); err != nil {
		return err
	}
	if _, err := b.p.api("POST", "/apps/default/triggers", map[string]any{"kind": "kv", "script": "set", "collection": "latency"}); err != nil {
		return err
	}
	addr := strings.TrimPrefix(b.p.url, "http://")
	for _, rate := range []int{50, 500} {
		sent := map[string]time.Time{}
		type pair struct {
			id string
			at time.Time
		}
		n := rate * 5
		done := make(chan pair, n)
		client := &fasthttp.HostClient{Addr: addr, MaxConns: 512}
		tick := time.NewTicker(time.Second / time.Duration(rate))
		for range n {
			<-tick.C
			go func() {
				req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
				req.SetRequestURI("http://" + addr + "/f/default/set")
				at := time.Now()
				if err := client.Do(req, res); err != nil {
					done <- pair{}
					return
				}
				done <- pair{string(res.Header.Peek("X-Execution-Id")), at}
			}()
		}
		tick.Stop()
		for range n {
			p := <-done
			sent[p.id] = p.at
		}
		if err := b.untilEmpty(ctx); err != nil {
			return err
		}
		rows, err := b.db.Reads.Query(ctx, `SELECT e.root_id::text, e.started_at FROM executions e JOIN scripts s ON s.app_id = e.app_id AND s.id = e.script_id
			WHERE s.name = 'set' AND e.source = 'kv'`)
		if err != nil {
			return err
		}
		var lat []time.Duration
		var id string
		var at time.Time
		if _, err := pgx.ForEachRow(rows, []any{&id, &at}, func() error {
			if t, ok := sent[id]; ok {
				lat = append(lat, at.Sub(t))
			}
			return nil
		}); err != nil {
			return err
		}
		fmt.Printf("  %3d a second: p50 %s  p99 %s  (%d of %d)\n", rate, short(quantile(lat, 0.5)), short(quantile(lat, 0.99)), len(lat), n)
	}
	return nil
}

// idle measures what an idle PiCloud and its PostgreSQL use, once the sandboxes have ended.
func (b *bench) idle(d time.Duration) error {
	heading(fmt.Sprintf("Idle for %s", d))
	if d == 0 {
		return nil
	}
	time.Sleep(35 * time.Second) // sandbox children end, records are written
	pid := b.p.cmd.Process.Pid
	c0, g0 := cpu(pid), cpu(b.pg.PID())
	time.Sleep(d)
	per := func(x time.Duration) float64 { return x.Seconds() * 1000 / d.Seconds() }
	fmt.Printf("  CPU: PiCloud %.2f ms a second, its PostgreSQL %.2f ms a second\n", per(cpu(pid)-c0), per(cpu(b.pg.PID())-g0))
	fmt.Printf("  memory: %.0f MiB resident (proportional)\n", resident(pid))
	return nil
}

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// eventPeer is a queue that PiCloud is measured beside. Its program takes what to do, how it is set, and a number.
type eventPeer struct {
	name, mode string
	command    []string
	part       int // of the rows it is given one in so many, being slow
	writes     bool
}

func eventPeers() []eventPeer {
	river := []string{filepath.Join("bin", "peers", "river")}
	script := []string{"node", filepath.Join(peerFiles, "events.mjs")}
	return []eventPeer{
		{"River, defaults", "default", river, 20, false},
		{"River, best settings", "best", river, 1, false},
		{"River, a transaction per job", "transaction", river, 20, true},
		{"Graphile Worker, defaults", "default", append(script, "graphile"), 20, false},
		{"Graphile Worker, best settings", "best", append(script, "graphile"), 1, false},
		{"pg-boss, best settings", "best", append(script, "boss"), 1, false},
	}
}

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

var errMissing = errors.New("not installed")

// startEventPeer starts a peer's program, which says "ready" when it has done what is not measured.
func (b *bench) startEventPeer(p *eventPeer, what string, arg ...string) (cmd *exec.Cmd, in io.WriteCloser, out *bufio.Reader, err error) {
	if _, err := exec.LookPath(p.command[0]); err != nil {
		return nil, nil, nil, errMissing
	}
	if p.command[0] == "node" {
		if _, err := os.Stat(filepath.Join(peerFiles, "node_modules")); err != nil {
			return nil, nil, nil, errMissing
		}
	}
	cmd = exec.Command(p.command[0], append(append(append([]string{}, p.command[1:]...), what, p.mode), arg...)...)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+b.pg.URL())
	cmd.Stderr = os.Stderr
	if in, err = cmd.StdinPipe(); err != nil {
		return nil, nil, nil, err
	}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, nil, err
	}
	out = bufio.NewReader(pipe)
	if line, err := out.ReadString('\n'); err != nil || line != "ready\n" {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, nil, nil, fmt.Errorf("it said %q instead of ready", line)
	}
	return cmd, in, out, nil
}

// drainPeer lets a peer run its rows.
func (b *bench) drainPeer(p *eventPeer, n int) (drained, error) {
	cmd, in, out, err := b.startEventPeer(p, "drain", strconv.Itoa(n))
	if err != nil {
		return drained{}, err
	}
	defer func() { _ = cmd.Wait() }()
	c0, g0, began := cpu(cmd.Process.Pid), cpu(b.pg.PID()), time.Now()
	if _, err := io.WriteString(in, "go\n"); err != nil {
		return drained{}, err
	}
	if line, err := out.ReadString('\n'); err != nil || line != "done\n" {
		return drained{}, fmt.Errorf("it said %q instead of done", line)
	}
	d := b.drainedOf(n, began, cmd.Process.Pid, c0, g0)
	_ = in.Close()
	return d, nil
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

func (b *bench) enable(app, trigger string, on bool) error {
	_, err := b.p.api("PATCH", "/apps/"+app+"/triggers/"+trigger, map[string]any{"enabled": on})
	return err
}

// insertRows disables a trigger and makes rows that wait until it is enabled, with their entry in the ledger.
func (b *bench) insertRows(ctx context.Context, app, trigger string, n int) error {
	if err := b.enable(app, trigger, false); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, b.db.General, func(tx pgx.Tx) error {
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
		if err := b.db.General.QueryRow(ctx, "SELECT EXISTS (SELECT FROM outbox)").Scan(&some); err != nil {
			return err
		}
		if !some {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// latency measures from the sending of a request that sets a key, or the insert of a peer's job, to the start of its handler.
func (b *bench) latency(ctx context.Context) error {
	heading("KV set to handler started, durable commit included; of the peers insert to handler started")
	commit, err := b.commitTime(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("  one durable commit: p50 %s\n", short(commit))
	if err := b.deploySet(); err != nil {
		return err
	}
	for _, rate := range []int{50, 500} {
		p50s, p99s := map[string][]float64{}, map[string][]float64{}
		for range b.rounds {
			lat, err := b.setLatency(ctx, rate, rate*latencySeconds)
			if err != nil {
				return err
			}
			p50s["PiCloud"], p99s["PiCloud"] = append(p50s["PiCloud"], quantile(lat, 0.5)), append(p99s["PiCloud"], quantile(lat, 0.99))
			for _, p := range eventPeers() {
				if p.writes {
					continue
				}
				p50, p99, err := b.peerLatency(&p, rate)
				if errors.Is(err, errMissing) {
					continue
				}
				if err != nil {
					return fmt.Errorf("%s: %w", p.name, err)
				}
				p50s[p.name], p99s[p.name] = append(p50s[p.name], p50), append(p99s[p.name], p99)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(p50s)) {
			fmt.Printf("  %3d a second: %-30s p50 %7s  p99 %7s\n", rate, name, short(median(p50s[name])), short(median(p99s[name])))
		}
	}
	return nil
}

// peerLatency has a peer send events at a rate, and gives what they took in nanoseconds.
func (b *bench) peerLatency(p *eventPeer, rate int) (p50, p99 float64, err error) {
	cmd, in, out, err := b.startEventPeer(p, "latency", strconv.Itoa(rate), strconv.Itoa(rate*latencySeconds))
	if err != nil {
		return 0, 0, err
	}
	_, _ = io.WriteString(in, "go\n")
	_, err = fmt.Fscan(out, &p50, &p99)
	_ = in.Close()
	_ = cmd.Wait()
	return p50 * 1e6, p99 * 1e6, err
}

// commitTime is what one durable commit takes.
func (b *bench) commitTime(ctx context.Context) (float64, error) {
	if _, err := b.db.General.Exec(ctx, "CREATE TABLE IF NOT EXISTS commits (id bigint GENERATED ALWAYS AS IDENTITY, v text)"); err != nil {
		return 0, err
	}
	var took []time.Duration
	for range 1000 {
		began := time.Now()
		if _, err := b.db.General.Exec(ctx, "INSERT INTO commits (v) VALUES ('x')"); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
	}
	return quantile(took, 0.5), nil
}

// deploySet deploys a script that sets a key and is triggered by it.
func (b *bench) deploySet() error {
	if b.setting {
		return nil
	}
	b.setting = true
	if err := b.p.deploy("set", `import { kv } from "picloud"; const c = kv.collection("latency"); export default { fetch: () => c.set("k", 1), kv() {} }`); err != nil {
		return err
	}
	_, err := b.p.api("POST", "/apps/default/triggers", map[string]any{"kind": "kv", "script": "set", "collection": "latency"})
	return err
}

// latencySeconds is how long events are sent at a rate; the first second is a warm-up.
const latencySeconds = 11

// setLatency calls the script set of the app default n times at a rate, and measures all calls but those of the first second.
func (b *bench) setLatency(ctx context.Context, rate, n int) ([]time.Duration, error) {
	type pair struct {
		id  string
		at  time.Time
		err error
	}
	doneC := make(chan pair, n)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 512}}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for k := range n {
		<-tick.C
		go func() {
			at := time.Now()
			res, err := client.Get(b.p.url + "/f/default/set")
			if err != nil {
				doneC <- pair{err: err}
				return
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			if k < rate {
				doneC <- pair{}
				return
			}
			doneC <- pair{id: res.Header.Get("X-Execution-Id"), at: at}
		}()
	}
	sent := map[string]time.Time{}
	for range n {
		p := <-doneC
		if p.err != nil {
			return nil, p.err
		}
		if p.id != "" {
			sent[p.id] = p.at
		}
	}
	var lat []time.Duration
	for began := time.Now(); len(lat) < len(sent); time.Sleep(100 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			return nil, fmt.Errorf("%d of %d events were run", len(lat), len(sent))
		}
		lat = lat[:0]
		rows, err := b.db.General.Query(ctx, `SELECT e.root_id::text, e.started_at FROM executions e JOIN scripts s ON s.app_id = e.app_id AND s.id = e.script_id
			WHERE e.app_id = 1 AND s.name = 'set' AND e.source = 'kv'`)
		if err != nil {
			return nil, err
		}
		var id string
		var at time.Time
		if _, err := pgx.ForEachRow(rows, []any{&id, &at}, func() error {
			if t, ok := sent[id]; ok {
				lat = append(lat, at.Sub(t))
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return lat, nil
}

// triggers compares setting a key that nobody watches with one that triggers a handler, alone and among 1,000 triggers.
func (b *bench) triggers(ctx context.Context) error {
	heading("One KV set and its triggers, one call after the other with a pause")
	apps := []string{"none", "one", "thousand"}
	for _, app := range apps {
		if _, err := b.p.api("POST", "/apps", map[string]any{"slug": app, "name": app}); err != nil {
			return err
		}
		if _, err := b.p.api("PUT", "/apps/"+app+"/scripts/set", map[string]any{"source": `import { kv } from "picloud"; const c = kv.collection("watched");
export default { fetch: async (r) => { await c.set(r.url.slice(-12), 1) }, kv() {} }`}); err != nil {
			return err
		}
		if app == "none" {
			continue
		}
		if _, err := b.p.api("POST", "/apps/"+app+"/triggers", map[string]any{"kind": "kv", "script": "set", "collection": "watched"}); err != nil {
			return err
		}
	}
	if _, err := b.db.General.Exec(ctx, `INSERT INTO triggers (app_id, id, kind, script_id, enabled, collection, max_attempts, backoff, base_ms, max_ms, jitter, registered_by, registered_name)
		SELECT t.app_id, gen_random_uuid(), kind, script_id, true, 'c' || g, max_attempts, backoff, base_ms, max_ms, jitter, registered_by, registered_name
		FROM triggers t JOIN apps a ON a.id = t.app_id AND a.slug = 'thousand', generate_series(1, 999) g`); err != nil {
		return err
	}
	if err := b.restart(); err != nil { // it knows what came behind its back
		return err
	}
	took := map[string][]time.Duration{}
	for n := range 200 * b.rounds {
		for _, app := range apps {
			began := time.Now()
			if err := b.p.get(fmt.Sprintf("/f/%s/set?k=%012d", app, n)); err != nil {
				return err
			}
			if n >= 20 { // the first ones start processes
				took[app] = append(took[app], time.Since(began))
			}
			time.Sleep(5 * time.Millisecond) // what it triggered is over
		}
	}
	none, one, thousand := quantile(took["none"], 0.5), quantile(took["one"], 0.5), quantile(took["thousand"], 0.5)
	fmt.Printf("  p50: no trigger %s, one %s (%.2f x), 1,000 of which one matches %s (%.2f x one)\n", short(none), short(one), one/none, short(thousand), thousand/one)
	return b.untilEmpty(ctx)
}

// fairShare measures one app's events, 10 a second, alone and while another's flood is drained.
func (b *bench) fairShare(ctx context.Context) error {
	heading(fmt.Sprintf("Fair share: 10 events/s of one app beside %d rows of another", b.events))
	if err := b.deploySet(); err != nil {
		return err
	}
	if err := b.flooder(); err != nil {
		return err
	}
	quiet, err := b.setLatency(ctx, 10, 110)
	if err != nil {
		return err
	}
	var trigger string
	if err := b.db.General.QueryRow(ctx, "SELECT t.id::text FROM triggers t JOIN apps a ON a.id = t.app_id WHERE a.slug = 'flood'").Scan(&trigger); err != nil {
		return err
	}
	if err := b.insertRows(ctx, "flood", trigger, b.events); err != nil {
		return err
	}
	if err := b.enable("flood", trigger, true); err != nil {
		return err
	}
	flooded, err := b.setLatency(ctx, 10, 110)
	if err != nil {
		return err
	}
	var left int
	if err := b.db.General.QueryRow(ctx, "SELECT count(*) FROM outbox").Scan(&left); err != nil {
		return err
	}
	fmt.Printf("  quiet: p50 %s  p99 %s\n", short(quantile(quiet, 0.5)), short(quantile(quiet, 0.99)))
	fmt.Printf("  beside the flood, of which %d rows were left: p50 %s  p99 %s, %.1f x the quiet p99\n", left, short(quantile(flooded, 0.5)), short(quantile(flooded, 0.99)),
		quantile(flooded, 0.99)/quantile(quiet, 0.99))
	return b.untilEmpty(ctx)
}

// heldSnapshot measures 1,000 events a second while a foreign transaction keeps its snapshot, so that nothing that was
// deleted since can be vacuumed.
func (b *bench) heldSnapshot(ctx context.Context) error {
	heading(fmt.Sprintf("1,000 events/s under a foreign snapshot, %s", b.held))
	conn, err := b.db.General.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	if _, err := tx.Exec(ctx, "SELECT count(*) FROM outbox"); err != nil {
		return err
	}
	stop, err := b.events1000(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	const windows = 10
	time.Sleep(b.held)
	fmt.Printf("  %.0f events/s were sent; from the start of the run that sets the key to the start of the handler, in tenths of the time:\n", stop())
	for k := range windows {
		from := began.Add(b.held * time.Duration(k) / windows)
		var n int
		var p50, p99 float64
		if err := b.db.General.QueryRow(ctx, `SELECT count(*), coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms), 0), coalesce(percentile_cont(0.99) WITHIN GROUP (ORDER BY ms), 0)
			FROM (SELECT extract(epoch FROM e.started_at) * 1000 - ('x' || substr(replace(e.root_id::text, '-', ''), 1, 12))::bit(48)::bigint AS ms
			FROM executions e JOIN apps a ON a.id = e.app_id AND a.slug = 'flood' WHERE e.source = 'kv' AND e.started_at >= $1 AND e.started_at < $2) x`,
			from, from.Add(b.held/windows)).Scan(&n, &p50, &p99); err != nil {
			return err
		}
		fmt.Printf("    %2d: %6d events  p50 %7s  p99 %7s\n", k+1, n, short(p50*1e6), short(p99*1e6))
	}
	return nil
}

package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// fault is one way to break an installation.
type fault struct {
	name string
	what string
	// nodes of the installation. standby: PostgreSQL has a synchronous one. patroni: two PostgreSQL under
	// Patroni and etcd.
	nodes   int
	standby bool
	patroni bool
	// diskMiB: PostgreSQL's data lie on a tmpfs of this size.
	diskMiB int
	env     []string
	// unharmed: no request of the other app may fail meanwhile.
	unharmed bool
	// short: part of the selection of make test, with so many rounds.
	short       bool
	shortRounds int
	// long: a round takes half a minute and more.
	long bool
	// needs says why the fault cannot be tried here; empty: it can.
	needs func(o *options) string
	// inject brings the fault about and mends it.
	inject func(ctx context.Context, r *round) error
}

// faults are all that the lab knows.
var faults = []fault{
	{name: "kill-node", nodes: 2, short: true, shortRounds: 2, inject: killNode,
		what: "SIGKILL of one of two nodes, which comes back"},
	{name: "sigterm", nodes: 2, short: true, shortRounds: 1, inject: terminateNode,
		what: "SIGTERM of one of two nodes under load, which comes back"},
	{name: "kill-sandbox", nodes: 1, short: true, shortRounds: 1, inject: killSandboxes,
		what: "SIGKILL of ten sandbox processes, one after the other"},
	{name: "kill-postgres", nodes: 1, short: true, shortRounds: 2, inject: endPostgres(syscall.SIGQUIT),
		what: "immediate stop of PostgreSQL, which recovers"},
	{name: "restart-postgres", nodes: 2, inject: endPostgres(syscall.SIGINT),
		what: "restart of PostgreSQL"},
	{name: "failover", nodes: 2, standby: true, short: true, shortRounds: 1, inject: failOver,
		what: "SIGKILL of PostgreSQL; its synchronous standby is promoted, and the old primary follows it"},
	{name: "patroni", long: true, nodes: 2, patroni: true, needs: needsPatroni, inject: failOverPatroni,
		what: "the leader of a real Patroni cluster is killed together with its Patroni, or switched over in order"},
	{name: "pause-node", long: true, nodes: 2, short: true, shortRounds: 1, inject: pauseNode,
		what: "SIGSTOP of one of two nodes for 30 s, fifteen leases long, then SIGCONT"},
	{name: "cut-before-commit", nodes: 1, short: true, shortRounds: 1, inject: cutCommits(true),
		what: "connections cut before COMMIT reaches the server, three in ten"},
	{name: "cut-after-commit", nodes: 1, short: true, shortRounds: 2, inject: cutCommits(false),
		what: "connections cut after COMMIT, its answer lost, three in ten"},
	{name: "partition", nodes: 2, inject: partition,
		what: "one of two nodes cannot talk to PostgreSQL for 3 to 8 s, then its connections are cut"},
	{name: "blackhole-listen", nodes: 2, short: true, shortRounds: 1, inject: blackholeListen,
		what: "the connection on which a node hears of the others is silent, without an error; a deployment must reach it all the same"},
	{name: "latency", nodes: 1, inject: latency,
		what: "200 ms to 5 s between a node and PostgreSQL, each way"},
	{name: "lock-held", nodes: 2, short: true, shortRounds: 1, inject: holdLock,
		what: "a foreign session holds a lock on a table or on the hottest row for 1 to 6 s"},
	{name: "old-snapshot", nodes: 1, inject: oldSnapshot,
		what: "a foreign transaction keeps its snapshot open through all rounds, for minutes"},
	{name: "full-disk", nodes: 1, diskMiB: 400, needs: needsRoot, inject: fillDisk,
		what: "the disk of the database is full for 1 to 4 s"},
	{name: "open-files", nodes: 1, short: true, shortRounds: 1, inject: starveFiles,
		what: "the node may open no more files, and forty clients connect"},
	{name: "clock", nodes: 2, needs: buildSkewed, short: true, shortRounds: 1, inject: skewClocks,
		what: "the clocks of two nodes are minutes apart, and one jumps while it runs"},
	{name: "duplicates", nodes: 2, short: true, shortRounds: 1, inject: duplicates,
		what: "every keyed request arrives six times at once, on both nodes"},
	{name: "poison-scripts", nodes: 1, short: true, shortRounds: 1, unharmed: true, inject: callAtOnce(20, "loop", "hog", "deep", "big"),
		what: "scripts that loop, take all memory, recurse and answer without end"},
	{name: "flood", long: true, nodes: 2, short: true, shortRounds: 1, unharmed: true, inject: flood,
		what: "100,000 rows due at once"},
	{name: "slow-script", nodes: 1, short: true, shortRounds: 1, unharmed: true, inject: callAtOnce(150, "slow", "slow"),
		what: "300 calls of a script that sleeps 2 s, far above its app's share"},
	{name: "hung-clients", nodes: 1, short: true, shortRounds: 1, unharmed: true, inject: hungClients,
		what: "200 clients that send half a body or never read their answer"},
	{name: "slow-loris", nodes: 1, short: true, shortRounds: 1, unharmed: true, inject: slowLoris,
		what: "200 clients that send their headers a byte at a time"},
	{name: "rolling-upgrade", nodes: 2, needs: needsPrevious, inject: roll,
		what: "both nodes go to the version before and back, one at a time, under load"},
}

func killNode(ctx context.Context, r *round) error {
	n := r.anyNode()
	n.end(syscall.SIGKILL)
	r.pause(0, 1500)
	return n.restarts(ctx)
}

func terminateNode(ctx context.Context, r *round) error {
	n := r.anyNode()
	began := time.Now()
	n.end(syscall.SIGTERM)
	if took := time.Since(began); took > 15*time.Second {
		return fmt.Errorf("%s needed %s to stop", n.name, took)
	}

	r.pause(0, 500)
	return n.restarts(ctx)
}

func killSandboxes(_ context.Context, r *round) error {
	killed := 0
	for end := time.Now().Add(10 * time.Second); killed < 10; {
		if pids := r.nodes[0].sandboxes(); len(pids) > 0 {
			_ = syscall.Kill(pids[r.rng.IntN(len(pids))], syscall.SIGKILL)
			killed++
		}
		if time.Now().After(end) {
			return fmt.Errorf("only %d sandboxes were there to be killed", killed)
		}
		r.pause(20, 150)
	}

	return nil
}

// startPostgres brings PostgreSQL back and tells the wires where it listens now.
func (l *lab) startPostgres(ctx context.Context) error {
	if err := l.pg.start(ctx); err != nil {
		return err
	}
	l.connectWires()
	return nil
}

func endPostgres(sig syscall.Signal) func(ctx context.Context, r *round) error {
	return func(ctx context.Context, r *round) error {
		r.pg.end(sig)
		r.pause(0, 1500)
		return r.startPostgres(ctx)
	}
}

func failOver(ctx context.Context, r *round) error {
	r.pg.end(syscall.SIGKILL)
	r.pause(0, 500)
	if err := r.standby.promote(ctx); err != nil {
		return fmt.Errorf("promote: %w", err)
	}
	r.pg, r.standby = r.standby, r.pg
	return r.attachStandby(ctx)
}

func pauseNode(ctx context.Context, r *round) error {
	n := r.anyNode()
	n.signal(syscall.SIGSTOP)
	defer n.signal(syscall.SIGCONT)

	pause := 30 * time.Second
	if r.o.short {
		pause = 6 * time.Second
	}

	wait(ctx, pause)
	return nil
}

func cutCommits(before bool) func(ctx context.Context, r *round) error {
	return func(_ context.Context, r *round) error {
		w := r.nodes[0].wire()
		cut, count := &w.After, &w.CutAfter
		if before {
			cut, count = &w.Before, &w.CutBefore
		}
		cuts := count.Load()
		cut.Store(30)
		r.pause(1500, 3000)
		cut.Store(0)
		if count.Load() == cuts {
			return fmt.Errorf("nothing was cut")
		}
		return nil
	}
}

func partition(_ context.Context, r *round) error {
	w := r.anyNode().wire()
	w.Block("*")
	r.pause(3000, 8000)
	w.CutAll()
	w.Release()
	return nil
}

func blackholeListen(ctx context.Context, r *round) error {
	near, far := r.nodes[0], r.nodes[1]
	far.wire().Block("picloud listener")
	defer func() { far.wire().CutAll(); far.wire().Release() }()

	word := fmt.Sprintf("round %d", r.number)
	if _, err := r.apiOf(ctx, near, "PUT", "/apps/other/scripts/news", map[string]any{"source": "export default () => " + fmt.Sprintf("%q", word)}, nil); err != nil {
		return err
	}

	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if body, err := get(ctx, far.url()+"/f/other/news"); err == nil && body == word {
			return nil
		}
		if time.Since(began) > 25*time.Second {
			return fmt.Errorf("after 25 s the node that hears nothing still runs the old script")
		}
	}
}

func latency(_ context.Context, r *round) error {
	w := r.nodes[0].wire()
	w.Delay.Store(int64(200+r.rng.IntN(4800)) * int64(time.Millisecond))
	r.pause(4000, 8000)
	w.Delay.Store(0)
	return nil
}

func holdLock(ctx context.Context, r *round) error {
	conn, err := pgx.Connect(ctx, r.pg.url())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()

	lock := []string{"LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE", "LOCK TABLE kv IN EXCLUSIVE MODE", "LOCK TABLE executions IN SHARE MODE",
		"SELECT 1 FROM kv WHERE collection = 'total' FOR UPDATE", "SELECT 1 FROM apps FOR UPDATE"}[r.number%5]
	if _, err := conn.Exec(ctx, "BEGIN"); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, lock); err != nil {
		return err
	}

	r.pause(1000, 6000)
	_, err = conn.Exec(ctx, "ROLLBACK")
	return err
}

// oldSnapshot opens a snapshot in the first round that stays until the installation is taken down.
func oldSnapshot(ctx context.Context, r *round) error {
	if r.number == 1 {
		conn, err := pgx.Connect(ctx, r.pg.url())
		if err != nil {
			return err
		}

		for _, s := range []string{"BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM outbox"} {
			if _, err := conn.Exec(ctx, s); err != nil {
				return err
			}
		}
	}

	r.pause(8000, 10000)
	return nil
}

func fillDisk(ctx context.Context, r *round) error {
	filler := r.pg.dir + "/filler"
	f, err := os.Create(filler)
	if err != nil {
		return err
	}

	block := make([]byte, 256<<10)
	for size := len(block); size >= 1024; { // to the last kilobyte
		if _, err := f.Write(block[:size]); err != nil {
			size /= 2
		}
	}

	_ = f.Close()
	r.pause(1000, 4000)
	if err := os.Remove(filler); err != nil {
		return err
	}

	if wait(ctx, time.Second); r.pg.alive() {
		return nil
	}
	return r.startPostgres(ctx) // it gave up
}

func duplicates(_ context.Context, r *round) error {
	var wg sync.WaitGroup
	for n := range 40 {
		key := fmt.Sprintf("%sd-%d", r.prefix, n)
		r.load.ledger.mu.Lock()
		r.load.ledger.keys[key] = false
		r.load.ledger.mu.Unlock()

		for range 6 {
			wg.Go(func() {
				for !r.load.payOnce(key) {
					time.Sleep(20 * time.Millisecond)
				}
			})
		}
		r.pause(10, 60)
	}

	wg.Wait()
	return nil
}

func flood(ctx context.Context, r *round) error {
	total := 100_000
	if r.o.short {
		total = 8_000
	}

	for from := 0; from < total; from += 1000 {
		for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			status, body := r.load.send("POST", fmt.Sprintf("/f/default/flood?round=%d&from=%d", r.number, from), "Idempotency-Key", fmt.Sprintf("flood-%d-%d", r.number, from))
			if status == 200 {
				break
			}
			if time.Now().After(end) || ctx.Err() != nil {
				return fmt.Errorf("flood: %d %s", status, body)
			}
		}
	}

	r.floods = total
	return nil
}

// roll takes both nodes to the version before and back.
func roll(ctx context.Context, r *round) error {
	for _, binary := range []string{r.o.previous, r.o.binary} {
		for _, n := range r.nodes {
			n.end(syscall.SIGTERM)
			n.binary = binary
			if err := n.restarts(ctx); err != nil {
				return err
			}
			r.pause(300, 800)
		}
	}

	return nil
}

func needsPrevious(o *options) string {
	if _, err := os.Stat(o.previous); err != nil {
		return "needs -previous, a picloud of an earlier version"
	}
	return ""
}

func needsRoot(*options) string {
	if os.Geteuid() != 0 {
		return "needs root, to mount a small tmpfs"
	}
	return ""
}

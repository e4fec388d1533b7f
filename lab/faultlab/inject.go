package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

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

// startPostgres starts PostgreSQL again and connects the wires to where it listens now.
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
		cut := &w.After
		count := &w.CutAfter
		if before {
			cut = &w.Before
			count = &w.CutBefore
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
	near := r.nodes[0]
	far := r.nodes[1]
	far.wire().Block("picloud listener")
	defer func() {
		far.wire().CutAll()
		far.wire().Release()
	}()

	word := fmt.Sprintf("round %d", r.number)
	script := map[string]any{"source": fmt.Sprintf("export default () => %q", word)}
	if _, err := r.apiOf(ctx, near, "PUT", "/apps/other/scripts/news", script, nil); err != nil {
		return err
	}

	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if body, err := get(ctx, far.url()+"/f/other/news"); err == nil && body == word {
			return nil
		}
		if time.Since(began) > 25*time.Second {
			return fmt.Errorf("after 25 s the node whose listener is silent still runs the old script")
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

	locks := []string{
		"LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE",
		"LOCK TABLE kv IN EXCLUSIVE MODE",
		"LOCK TABLE executions IN SHARE MODE",
		"SELECT 1 FROM kv WHERE collection = 'total' FOR UPDATE",
		"SELECT 1 FROM apps FOR UPDATE",
	}
	lock := locks[r.number%len(locks)]
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

	// A PostgreSQL that cannot write its log gives up.
	wait(ctx, time.Second)
	if r.pg.alive() {
		return nil
	}
	return r.startPostgres(ctx)
}

// duplicates sends forty keyed requests six times each, until every one of them is answered.
func duplicates(_ context.Context, r *round) error {
	var wg sync.WaitGroup
	for n := range 40 {
		key := fmt.Sprintf("%sd-%d", r.prefix, n)
		r.load.ledger.promise(key)

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

// flood raises its events a thousand at a time. A call whose answer was lost is sent again with its key.
func flood(ctx context.Context, r *round) error {
	total := 100_000
	if r.o.short {
		total = 8_000
	}

	for from := 0; from < total; from += 1000 {
		for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			path := fmt.Sprintf("/f/default/flood?round=%d&from=%d", r.number, from)
			key := fmt.Sprintf("flood-%d-%d", r.number, from)
			status, body := r.load.send("POST", path, "Idempotency-Key", key)
			if status == http.StatusOK {
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

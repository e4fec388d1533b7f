package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"picloud/internal/testkit"
	"picloud/internal/testkit/wire"
)

// However often the connection breaks around COMMIT, each run takes effect exactly once and its caller hears
// of it.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	cut, dsn := testkit.Wire(t, newDatabase(t))
	w := joinFixture(t, dsn)
	w.deploy("w", `import { kv } from "picloud"; export default { async fetch(r) {
		await kv.collection("k").set(new URL(r.url).searchParams.get("id"), 1);
		await kv.collection("total").increment("n");
	} }`)

	w.deploy("h", `import { kv } from "picloud"; export default { async kv(e) { await kv.collection("handled").increment(e.key) } }`)
	w.trigger(map[string]any{"kind": "kv", "script": "h", "collection": "k"})
	cut.Before.Store(15)
	cut.After.Store(15)
	const n = 300
	var wg sync.WaitGroup

	var ok atomic.Int64
	for worker := range 6 {
		wg.Go(func() {
			for k := range n / 6 {
				res, err := http.Post(fmt.Sprintf("%s/f/default/w?id=%d-%d", w.base, worker, k), "", nil)
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if res.StatusCode != 204 {
					t.Errorf("status %d: %s", res.StatusCode, body)
					continue
				}
				ok.Add(1)
			}
		})
	}

	wg.Wait()
	w.eventually("all handled", func() bool { return len(w.allKeys("handled")) == n })
	cut.Before.Store(0)
	cut.After.Store(0)
	if got := w.kv("total", "n"); ok.Load() != n || got != float64(n) || len(w.allKeys("k")) != n {
		t.Errorf("%d acknowledged, total %v, %d keys, want %d", ok.Load(), got, len(w.allKeys("k")), n)
	}

	for k, v := range w.allKeys("handled") {
		if v != 1.0 {
			t.Errorf("event %s handled %v times", k, v)
		}
	}

	w.balanced()
	t.Logf("cut before COMMIT %d times, after it %d times", cut.CutBefore.Load(), cut.CutAfter.Load())
	if cut.CutBefore.Load() == 0 || cut.CutAfter.Load() == 0 {
		t.Error("nothing was cut: the test tested nothing")
	}
}

// The database stays away: before COMMIT was sent nothing was kept, and the caller may try again; after it
// nobody can tell, and the caller is told that.
func TestDatabaseStaysAway(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		set    func(*wire.Wire)
		status int
		code   string
		kept   any
	}{
		"before": {func(c *wire.Wire) { c.Before.Store(100) }, 503, "unavailable", nil},
		"after":  {func(c *wire.Wire) { c.After.Store(100); c.Vanish.Store(true) }, 500, "outcome-unknown", 1.0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cut, dsn := testkit.Wire(t, newDatabase(t))
			w := joinFixture(t, dsn)
			w.deploy("w", `import { kv } from "picloud"; export default { fetch: () => kv.collection("c").set("k", 1) }`)
			w.do("GET", "/f/default/w?warm", nil).want(204)
			w.api("DELETE", "/apps/default/kv/c/k", nil).want(204)
			c.set(cut)
			r := w.do("GET", "/f/default/w", nil).want(c.status)
			same(t, "code", r.str("code"), c.code)
			same(t, "there is a Retry-After", r.header.Get("Retry-After") != "", c.status == 503)
			same(t, "there is an X-Execution-Id", r.header.Get("X-Execution-Id") != "", true)

			cut.Before.Store(0)
			cut.After.Store(0)
			cut.Vanish.Store(false)
			w.eventually("the database is back", func() bool { return w.api("GET", "/apps", nil).status == 200 })
			if got := w.kv("c", "k"); got != c.kept {
				t.Errorf("kept %v, want %v", got, c.kept)
			}
		})
	}
}

// Nobody can tell whether a group of commits took effect, and the database comes back only after that was
// said: none of them is made a second time under another id.
func TestUnknownGroup(t *testing.T) {
	t.Parallel()
	direct := newDatabase(t)
	cut, dsn := testkit.Wire(t, direct)
	w := joinFixture(t, dsn, func(c *Config) { c.FetchAllowPrivate = true })
	start := newCheckpoint(t)
	w.api("PUT", "/apps/default/scripts/w", map[string]any{"limits": map[string]any{"timeout_ms": unhurried}, "source": `import { kv } from "picloud";
		export default { async fetch(r) {
			await fetch("` + start.url + `/wait/");
			return kv.collection("c").increment(new URL(r.url).searchParams.get("id"))
		} }`}).want(201)
	ctx := context.Background()
	other, err := pgx.Connect(ctx, direct)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close(ctx) }()

	// The first commit waits for the lock, and the others gather behind it.
	if _, err := other.Exec(ctx, "BEGIN; LOCK TABLE kv IN EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	const runs = 24
	cut.Spare.Store(1) // the first one's
	cut.After.Store(100)
	cut.Vanish.Store(true)
	answered := make(chan map[int]int, 1)
	go func() {
		answered <- storm(t, runs, []*fixture{w}, func(k int) string { return fmt.Sprintf("/f/default/w?id=%d", k) })
	}()

	for range runs {
		start.await("/wait/")
	}
	start.release()
	time.Sleep(time.Second) // they come to their commits, but for those that find the machine busy
	if _, err := other.Exec(ctx, "ROLLBACK"); err != nil {
		t.Error(err)
	}
	got := <-answered
	cut.After.Store(0)
	cut.Vanish.Store(false)
	w.eventually("the database is back", func() bool { return w.api("GET", "/apps", nil).status == 200 })

	for key, n := range w.allKeys("c") {
		if n != 1.0 {
			t.Errorf("%s was done %v times", key, n)
		}
	}

	if got[500] < 2 {
		t.Errorf("no group was left unknown, the test tested nothing: statuses %v", got)
	}
	w.balanced()
}

package orchestrator

import (
	"testing"
	"testing/synctest"
	"time"

	"picloud/internal/cloud"
)

// A run whose commit is under way lends its permit, within limits; one that is repeated takes it back without waiting; every
// permit is given back once.
func TestPermitLent(t *testing.T) {
	const app = cloud.AppID(1)
	g := newGate(8, 8)
	run := func(dispatched bool) *permit {
		t.Helper()
		if dispatched {
			if !g.tryAcquire(app) {
				t.Fatal("no permit")
			}
		} else if err := g.acquire(app); err != nil {
			t.Fatal(err)
		}
		return &permit{gate: g, app: app, dispatched: dispatched}
	}
	var permits []*permit
	var through []func()
	for k := range g.all { // as many that wrote as there are permits
		p := run(k%2 == 0)
		permits, through = append(permits, p), append(through, p.lend(true))
		if free, _ := g.state(); free != g.all {
			t.Fatalf("%d permits are free while the commit is under way, of %d", free, g.all)
		}
	}
	p := run(true)
	permits, through = append(permits, p), append(through, p.lend(true))
	if free, _ := g.state(); free != g.all-1 {
		t.Fatalf("a run that wrote too many lent its permit: %d free", free)
	}
	q := run(true) // it wrote nothing
	permits, through = append(permits, q), append(through, q.lend(false))
	if free, _ := g.state(); free != g.all-1 {
		t.Fatalf("a run that wrote nothing kept its permit: %d free", free)
	}
	for _, f := range through {
		f()
	}
	permits[0].takeBack()
	permits[1].takeBack()
	if free, _ := g.state(); free != g.all-3 {
		t.Fatalf("two permits were taken back: %d free", free)
	}
	for _, p := range permits {
		p.release()
		p.release()
	}
	if free, waiting := g.state(); free != g.all || waiting != 0 || g.lent != 0 || g.dispatched != 0 || len(g.held) != 0 {
		t.Fatalf("at the end: %d free, %d lent, %d dispatched, held %v", free, g.lent, g.dispatched, g.held)
	}
}

// Whoever gets no permit is refused two seconds after it began to wait, and not before, however many wait.
func TestGateWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 8)
		if err := g.acquire(1); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		type end struct {
			at  time.Duration
			err error
		}
		ends := map[cloud.AppID]chan end{}
		for _, app := range []cloud.AppID{1, 2, 3} { // half a second after each other
			ch := make(chan end, 1)
			ends[app] = ch
			go func() {
				err := g.acquire(app)
				ch <- end{time.Since(begin), err}
			}()
			time.Sleep(500 * time.Millisecond)
		}
		for app, want := range map[cloud.AppID]time.Duration{1: maxGateWait, 2: maxGateWait + 500*time.Millisecond} {
			if got := <-ends[app]; got.err == nil || got.at != want {
				t.Errorf("app %d waited %s and got %v, want a refusal after %s", app, got.at, got.err, want)
			}
		}
		g.release(1)
		if got := <-ends[3]; got.err != nil || got.at >= maxGateWait+time.Second {
			t.Errorf("a permit came in time, and yet: %v after %s", got.err, got.at)
		}
		g.release(3)
		time.Sleep(maxGateWait)
		if free, waiting := g.state(); free != 1 || waiting != 0 || g.ticking {
			t.Errorf("at the end: %d free, %d wait, ticking %t", free, waiting, g.ticking)
		}
	})
}

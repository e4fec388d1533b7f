package orchestrator

import (
	"context"
	"testing"

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
		} else if err := g.acquire(context.Background(), app); err != nil {
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

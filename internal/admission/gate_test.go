package admission

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"picloud/internal/cloud"
)

// A run whose commit is under way lends its permit, within limits; one that is repeated takes it back without
// waiting; every permit is given back once.
func TestPermitLent(t *testing.T) {
	t.Parallel()

	const app = cloud.AppID(1)
	g := New(8, 8)
	run := func(dispatched bool) *Permit {
		t.Helper()
		if dispatched {
			if !g.TryAcquire(app) {
				t.Fatal("no permit")
			}
		} else if err := g.acquire(app); err != nil {
			t.Fatal(err)
		}
		return &Permit{gate: g, app: app, dispatched: dispatched}
	}
	var permits []*Permit

	var through []func()
	for k := range g.all { // as many that wrote as there are permits
		p := run(k%2 == 0)
		permits, through = append(permits, p), append(through, p.Lend(true))
		if free, _ := g.State(); free != g.all {
			t.Fatalf("%d permits are free while the commit is under way, of %d", free, g.all)
		}
	}
	p := run(true)
	permits, through = append(permits, p), append(through, p.Lend(true))
	if free, _ := g.State(); free != g.all-1 {
		t.Fatalf("a run that wrote too many lent its permit: %d free", free)
	}
	q := run(true) // it wrote nothing
	permits, through = append(permits, q), append(through, q.Lend(false))
	if free, _ := g.State(); free != g.all-1 {
		t.Fatalf("a run that wrote nothing kept its permit: %d free", free)
	}

	for _, f := range through {
		f()
	}
	permits[0].TakeBack()
	permits[1].TakeBack()
	if free, _ := g.State(); free != g.all-3 {
		t.Fatalf("two permits were taken back: %d free", free)
	}

	for _, p := range permits {
		p.Release()
		p.Release()
	}
	if free, waiting := g.State(); free != g.all || waiting != 0 || g.lent != 0 || g.dispatched != 0 || len(g.held) != 0 {
		t.Fatalf("at the end: %d free, %d lent, %d dispatched, held %v", free, g.lent, g.dispatched, g.held)
	}
}

// Whoever gets no permit is refused two seconds after it began to wait, and not before, however many wait.
func TestGateWait(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		g := New(1, 8)
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

		for app, want := range map[cloud.AppID]time.Duration{1: MaxWait, 2: MaxWait + 500*time.Millisecond} {
			if got := <-ends[app]; got.err == nil || got.at != want {
				t.Errorf("app %d waited %s and got %v, want a refusal after %s", app, got.at, got.err, want)
			}
		}
		g.release(1, false)
		if got := <-ends[3]; got.err != nil || got.at >= MaxWait+time.Second {
			t.Errorf("a permit came in time, and yet: %v after %s", got.err, got.at)
		}
		g.release(3, false)
		time.Sleep(MaxWait)
		if free, waiting := g.State(); free != 1 || waiting != 0 || g.ticking {
			t.Errorf("at the end: %d free, %d wait, ticking %t", free, waiting, g.ticking)
		}
	})
}

// An app that has taken all it can get, and filled the queue as well, keeps no other from starting or from
// waiting.
func TestGateKeepsRoom(t *testing.T) {
	t.Parallel()

	g := New(8, 4)
	for range 6 {
		if err := g.acquire(1); err != nil {
			t.Fatal(err)
		}
	}
	got := make(chan error, 10)

	wait := func(app cloud.AppID) { go func() { got <- g.acquire(app) }() }
	for n := range 4 {
		wait(1)

		for g.waitingNow() <= n {
			time.Sleep(time.Millisecond)
		}
	}
	if g.TryAcquire(1) || g.Reserve(8) != 0 {
		t.Error("the last permits are for those who have fewer")
	}
	if err := g.acquire(1); err == nil {
		t.Error("the queue is full")
	}
	if err := g.acquire(2); err != nil {
		t.Errorf("an app that has no permit: %v", err)
	}
	wait(2) // the last one is for a third: it waits, and the last of the others is refused
	if err := <-got; err == nil {
		t.Error("somebody got a permit that nobody gave back")
	}

	for range 3 { // the last ones are not for requests, and one is for the dispatcher, which found none
		g.release(1, false)
	}
	if err := <-got; err != nil {
		t.Errorf("the app with fewer permits must be next: %v", err)
	}
	if n := g.waitingNow(); n != 3 {
		t.Errorf("%d wait", n)
	}
	g.Close()

	for range 3 {
		<-got
	}
}

// A permit that becomes free goes to the app that has the fewest.
func TestGateIsFair(t *testing.T) {
	t.Parallel()

	g := New(2, 100)
	for range 2 {
		if err := g.acquire(1); err != nil {
			t.Fatal(err)
		}
	}
	order := make(chan cloud.AppID, 10)
	var wg sync.WaitGroup
	wait := func(app cloud.AppID, n int) {
		for range n {
			before := g.waitingNow()
			wg.Go(func() {
				if g.acquire(app) == nil {
					order <- app
				}
			})

			for g.waitingNow() == before {
				time.Sleep(time.Millisecond)
			}
		}
	}
	wait(1, 3) // the flood came first
	wait(2, 2)

	var got []cloud.AppID
	for range 4 {
		g.release(1, false)
		got = append(got, <-order)
	}
	if got[0] != 2 {
		t.Errorf("the app with no permit must be next: %v", got)
	}
	g.release(2, false)
	wg.Wait()
	<-order
	if g.TryAcquire(1) || g.Reserve(5) != 0 {
		t.Error("more permits than there are")
	}
	// However many requests wait, the dispatcher has its quarter, and gives way beyond it.
	wait(1, 4)
	if g.Reserve(5) != 0 {
		t.Error("a permit from nowhere")
	}
	g.release(1, false)
	if n := g.Reserve(5); n != 1 {
		t.Errorf("the dispatcher got %d permits, want its one", n)
	}
	g.Assign(9)
	g.release(2, false)
	if n := g.Reserve(5); n != 0 {
		t.Errorf("the dispatcher got %d permits beyond its quarter", n)
	}
	<-order
	g.ReleaseDispatched(9)

	for range 2 {
		g.release(1, false)
	}
	g.Close()
	wg.Wait()
	if g.acquire(1) == nil {
		t.Error("a closed gate lets in")
	}
}

func (g *Gate) waitingNow() int {
	_, n := g.State()
	return n
}

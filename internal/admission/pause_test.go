package admission

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"picloud/internal/cloud"
)

// started takes a permit for a run that must get one at once.
func started(t *testing.T, g *Gate, app cloud.AppID) *Permit {
	t.Helper()
	begin := time.Now()
	p, err := g.Acquire(app)
	if err != nil {
		t.Fatalf("app %d: %v", app, err)
	}
	if waited := time.Since(begin); waited != 0 {
		t.Fatalf("app %d waited %s", app, waited)
	}
	return p
}

// However many runs of an app wait for something, others compute meanwhile: paused runs hold no permit, no
// more of the places than a third, and no more than they leave.
func TestSleepersKeepNobodyWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(32, 8)

		var sleepers []*Permit
		for app := cloud.AppID(1); app <= 3; app++ {
			room := g.Room(app)
			if want := []int{42, 42, 22}[app-1]; room != want {
				t.Errorf("app %d has room for %d runs, want %d", app, room, want)
			}

			for range room {
				p := started(t, g, app)
				p.Pause()
				sleepers = append(sleepers, p)
			}
		}

		other := started(t, g, 4)
		if free, _ := g.State(); free != 31 {
			t.Errorf("%d permits are free, want 31", free)
		}

		// The first app's next run waits for a place, and another app's is not behind it.
		refused := make(chan error, 1)
		go func() {
			_, err := g.Acquire(1)
			refused <- err
		}()
		synctest.Wait()
		another := started(t, g, 5)
		if err := <-refused; !errors.Is(err, ErrSaturated) {
			t.Errorf("a run beyond the app's places: %v", err)
		}

		for _, p := range append(sleepers, other, another) {
			p.Release()
		}
		checkEmpty(t, g)
	})
}

// checkEmpty looks at a gate whose runs are over.
func checkEmpty(t *testing.T, g *Gate) {
	t.Helper()
	if free, waiting := g.State(); free != g.all || waiting != 0 || g.running != 0 || len(g.runs) != 0 ||
		len(g.held) != 0 || g.dispatched != 0 || len(g.resuming) != 0 {
		t.Errorf("at the end: free %d, waiting %d, runs %v, held %v, dispatched %d, resuming %v",
			free, waiting, g.runs, g.held, g.dispatched, g.resuming)
	}
}

// A run that goes on waits for a permit like those that begin, before its app's own requests, and without
// their limit of time.
func TestResume(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(2, 8)
		sleeper := started(t, g, 1)
		sleeper.Pause()
		sleeper.Pause() // a second one changes nothing
		computing := []*Permit{started(t, g, 1), started(t, g, 2)}

		resumed := make(chan error, 1)
		go func() { resumed <- sleeper.Resume(t.Context()) }()
		begun := make(chan error, 1)
		go func() {
			_, err := g.Acquire(1)
			begun <- err
		}()
		time.Sleep(2 * MaxWait)
		if err := <-begun; !errors.Is(err, ErrSaturated) {
			t.Errorf("a request that waited %s: %v", 2*MaxWait, err)
		}

		select {
		case err := <-resumed:
			t.Fatalf("resumed without a permit: %v", err)
		default:
		}

		computing[1].Release()
		if err := <-resumed; err != nil {
			t.Errorf("resumed with %v", err)
		}
		if err := sleeper.Resume(t.Context()); err != nil { // a second one changes nothing
			t.Errorf("resumed again with %v", err)
		}

		sleeper.Release()
		computing[0].Release()
		checkEmpty(t, g)
	})
}

// A paused run whose time is over gives its place back, and takes no permit that comes late. A shutdown lets
// paused runs go on.
func TestPausedRunEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(1, 8)
		if !g.TryAcquire(1) {
			t.Fatal("no permit")
		}
		sleeper := g.Dispatched(1)
		sleeper.Pause()
		computing := started(t, g, 2)

		over := errors.New("the run is over")
		ctx, cancel := context.WithCancelCause(t.Context())
		resumed := make(chan error, 1)
		go func() { resumed <- sleeper.Resume(ctx) }()
		synctest.Wait()
		cancel(over)
		if err := <-resumed; !errors.Is(err, over) {
			t.Errorf("resumed with %v", err)
		}

		go func() { resumed <- sleeper.Resume(t.Context()) }()
		synctest.Wait()
		g.Close()
		if err := <-resumed; err != nil {
			t.Errorf("at the shutdown: %v", err)
		}

		sleeper.Pause()
		sleeper.Release()
		sleeper.Release()
		computing.Release()
		checkEmpty(t, g)
	})
}

// A shutdown lets all paused runs of an app go on, however many they are.
func TestManyPausedRunsAtShutdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(4, 8)

		var paused []*Permit
		for range 3 {
			p := started(t, g, 1)
			p.Pause()
			paused = append(paused, p)
		}

		var computing []*Permit
		for app := cloud.AppID(2); app <= 5; app++ {
			computing = append(computing, started(t, g, app))
		}

		resumed := make(chan error, len(paused))
		for _, p := range paused {
			go func() { resumed <- p.Resume(t.Context()) }()
		}
		synctest.Wait()

		g.Close()

		for range paused {
			if err := <-resumed; err != nil {
				t.Errorf("at the shutdown: %v", err)
			}
		}

		for _, p := range append(paused, computing...) {
			p.Release()
		}
		checkEmpty(t, g)
	})
}

// A run that goes on gets a permit at once if its app may have one, whoever else waits for more than they may
// have.
func TestResumePastOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(16, 8)

		var permits []*Permit
		for range 12 {
			permits = append(permits, started(t, g, 1))
		}
		go func() { _, _ = g.Acquire(1) }() // it waits: of the last four its app may have none
		permits = append(permits, started(t, g, 2))
		paused := started(t, g, 2)
		paused.Pause()
		synctest.Wait()

		began := time.Now()
		if err := paused.Resume(t.Context()); err != nil || time.Since(began) > 0 {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		g.Close()

		for _, p := range append(permits, paused) {
			p.Release()
		}
	})
}

// However many requests wait, a permit that becomes free goes to the dispatcher until it has its share.
func TestDispatcherGetsItsShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(16, 64)

		var permits []*Permit
		for range 12 {
			permits = append(permits, started(t, g, 1))
		}

		for range 20 {
			go func() { _, _ = g.Acquire(1) }()
		}
		synctest.Wait()
		if n := g.Reserve(4); n != 0 {
			t.Fatalf("%d permits are there for the dispatcher", n)
		}

		for k := range 4 {
			permits[k].Release()

			select {
			case <-g.Freed():
			default:
				t.Fatalf("release %d: the dispatcher was not told", k+1)
			}
			if n := g.Reserve(4); n != 1 {
				t.Fatalf("release %d: %d permits for the dispatcher, want 1", k+1, n)
			}
			if k < 3 && g.Reserve(4) != 0 {
				t.Fatalf("release %d: it got more than was free", k+1)
			}
		}
		if held := g.HeldByDispatched(); held != g.dispatchedQuota() {
			t.Errorf("dispatched runs hold %d permits, want %d", held, g.dispatchedQuota())
		}
		g.Close()
	})
}

// A run that is made again after a pause takes its permit back, with the place it still has.
func TestTakeBackAfterPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(2, 8)
		p := started(t, g, 1)
		p.Pause()
		p.TakeBack()
		if free, _ := g.State(); free != 1 || g.runs[1] != 1 {
			t.Errorf("%d permits are free, and %d runs in being; want 1 and 1", free, g.runs[1])
		}
		p.Release()
		checkEmpty(t, g)
	})
}

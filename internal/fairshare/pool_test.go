package fairshare

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

// An owner alone gets half of the pool, the next one half of the rest; and one that comes then still finds
// one.
func TestPoolLeavesRoom(t *testing.T) {
	t.Parallel()

	p := New[int](512)
	for app, want := range []int64{256, 128, 64, 32, 16, 8, 4, 2, 1, 1} {
		app++
		for p.mayTake(app, 1) {
			if err := p.Take(t.Context(), app, 1); err != nil {
				t.Fatal(err)
			}
		}
		if p.held[app] != want {
			t.Errorf("app %d got %d places, want %d", app, p.held[app], want)
		}
	}
}

// A place that becomes free goes to the waiting owner that has the fewest, so that owners which take all they
// can end with equal shares, whoever came first.
func TestPoolIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := New[int](8)
		var wg sync.WaitGroup
		want := func(app, n int) {
			for range n {
				wg.Go(func() {
					if err := p.Take(t.Context(), app, 1); err != nil {
						t.Error(err)
					}
				})
			}
			synctest.Wait()
		}

		want(1, 9)
		want(2, 7)

		for _, shares := range [][2]int64{{4, 2}, {3, 3}, {3, 3}} {
			if p.held[1] != shares[0] || p.held[2] != shares[1] {
				t.Errorf("the apps hold %v, want %v", p.held, shares)
			}
			p.Give(1, 1)
		}

		// Who has no place does not stand behind those who wait for more.
		want(3, 1)
		if p.held[3] != 1 || p.Waiting(1) == 0 || p.Waiting(2) == 0 {
			t.Errorf("held %v, waiting %v", p.held, p.waiting)
		}

		for len(p.held) > 0 {
			for app := range p.held {
				p.Give(app, 1)
			}
		}
		wg.Wait()
		if p.free != 8 || len(p.waiting) != 0 {
			t.Errorf("at the end %d places are free, and %v wait", p.free, p.waiting)
		}
	})
}

// The end of a context ends its wait, and a place that came at the same moment is not lost.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		over := errors.New("the run is over")
		for _, withPlace := range []bool{false, true} {
			// Which of two ready channels is seen first is left to chance.
			for range 20 {
				p := New[int](2)
				_ = p.Take(t.Context(), 1, 1)

				ctx, cancel := context.WithCancelCause(t.Context())
				done := make(chan error, 1)
				go func() { done <- p.Take(ctx, 1, 1) }()
				synctest.Wait()
				if p.Waiting(1) != 1 {
					t.Fatalf("waiting %v", p.waiting)
				}

				if withPlace {
					p.Give(1, 1)
				}
				cancel(over)

				switch err := <-done; {
				case err == nil && withPlace, err == over && !withPlace:
					p.Give(1, 1)
				case err != over:
					t.Fatalf("got %v", err)
				}
				if p.free != 2 || len(p.held) != 0 || len(p.waiting) != 0 {
					t.Fatalf("%d are free, held %v, waiting %v", p.free, p.held, p.waiting)
				}
			}
		}
	})
}

// Who wants much is not passed for ever by those who want little, and who gives up lets those behind it have
// theirs.
func TestLargeRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := New[string](100)
		if !p.TryTake("a", 50) || p.TryTake("a", 1) {
			t.Fatal("an owner alone may have half, and no more")
		}

		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		large := make(chan error, 1)
		go func() { large <- p.Take(ctx, "b", 60) }()
		synctest.Wait()

		small := make(chan error, 1)
		go func() { small <- p.Take(t.Context(), "b", 10) }()
		synctest.Wait()
		if p.Waiting("b") != 2 {
			t.Fatalf("%d of b wait, want both", p.Waiting("b"))
		}

		cancel(gone)
		if err := <-large; err != gone {
			t.Errorf("the large request ended with %v", err)
		}
		if err := <-small; err != nil || p.Held("b") != 10 {
			t.Errorf("the small request ended with %v, and b holds %d", err, p.Held("b"))
		}
	})
}

// What is in use already may be charged past the pool's size; nobody gets anything until it is given back.
func TestCharge(t *testing.T) {
	t.Parallel()

	p := New[string](10)
	p.Charge("a", 30)
	if p.Free() != -20 || p.TryTake("b", 1) {
		t.Errorf("%d are free, and another owner may take one", p.Free())
	}

	p.Give("a", 25)
	if p.TryTake("a", 1) || !p.TryTake("b", 5) {
		t.Error("of the 5 that are free b may take all, and a, which holds 5, none")
	}
}

// Owners that hold alike take turns, however many requests one of them has sent before the others came.
func TestOwnersTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := New[string](1)
		if !p.TryTake("a", 1) {
			t.Fatal("an empty pool has nothing")
		}

		granted := make(chan string, 5)
		for _, owner := range []string{"a", "a", "a", "b", "c"} {
			go func() {
				if p.Take(t.Context(), owner, 1) == nil {
					granted <- owner
				}
			}()
			synctest.Wait()
		}

		var order string

		holder := "a"
		for range 5 {
			p.Give(holder, 1)
			holder = <-granted
			order += holder
		}
		if order != "abcaa" {
			t.Errorf("they came in the order %s, want abcaa", order)
		}
	})
}

// A bounded pool refuses who would wait behind too many, and nobody who need not wait.
func TestBoundedPool(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := New[string](4).Bounded(3, 2)
		ctx, cancel := context.WithCancelCause(t.Context())
		wait := func(owner string) {
			go func() { _ = p.Take(ctx, owner, 1) }()
			synctest.Wait()
		}
		refused := func(owner string) bool {
			return errors.Is(p.Take(ctx, owner, 1), ErrTooManyWait)
		}

		for range 2 + 2 { // two hold a place each, two wait
			wait("a")
		}
		if p.Held("a") != 2 || p.Waiting("a") != 2 || !refused("a") {
			t.Errorf("a holds %d, %d of it wait", p.Held("a"), p.Waiting("a"))
		}
		if err := p.Take(ctx, "b", 1); err != nil {
			t.Errorf("b, for which there is a place: %v", err)
		}
		wait("b")
		if p.Waiting("b") != 1 || !refused("b") || !refused("a") {
			t.Errorf("%d of b wait, and three are all that may", p.Waiting("b"))
		}

		// Who gives up makes room for another.
		cancel(errors.New("gone"))
		synctest.Wait()
		ctx = t.Context()
		wait("a")
		if p.Waiting("a") != 1 {
			t.Errorf("%d of a wait", p.Waiting("a"))
		}
		p.Give("a", 2)
		p.Give("b", 1)
		synctest.Wait()
		if p.Waiting("a") != 0 {
			t.Errorf("%d of a wait, though there is a place", p.Waiting("a"))
		}
	})
}

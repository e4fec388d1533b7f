package fetch

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"picloud/internal/cloud"
)

// An app alone gets half of the places, the next one half of the rest; and one that comes then still finds
// one.
func TestPlacesLeaveRoom(t *testing.T) {
	t.Parallel()

	p := newPlaces(maxInFlight)
	for app, want := range []int{256, 128, 64, 32, 16, 8, 4, 2, 1, 1} {
		app := cloud.AppID(app + 1)
		for p.mayTake(app) {
			if err := p.take(t.Context(), app); err != nil {
				t.Fatal(err)
			}
		}
		if p.held[app] != want {
			t.Errorf("app %d got %d places, want %d", app, p.held[app], want)
		}
	}
}

// A place that becomes free goes to the waiting app that has the fewest, so that apps which take all they can
// end with equal shares, whoever came first.
func TestPlacesAreShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlaces(8)
		var wg sync.WaitGroup
		want := func(app cloud.AppID, n int) {
			for range n {
				wg.Go(func() {
					if err := p.take(t.Context(), app); err != nil {
						t.Error(err)
					}
				})
			}
			synctest.Wait()
		}

		want(1, 9)
		want(2, 7)

		for _, shares := range [][2]int{{4, 2}, {3, 3}, {3, 3}} {
			if p.held[1] != shares[0] || p.held[2] != shares[1] {
				t.Errorf("the apps hold %v, want %v", p.held, shares)
			}
			p.give(1)
		}

		// Who has no place does not stand behind those who wait for more.
		want(3, 1)
		if p.held[3] != 1 || len(p.waiting[1]) == 0 || len(p.waiting[2]) == 0 {
			t.Errorf("held %v, waiting %v", p.held, p.waiting)
		}

		for len(p.held) > 0 {
			for app := range p.held {
				p.give(app)
			}
		}
		wg.Wait()
		if p.free != 8 || len(p.waiting) != 0 {
			t.Errorf("at the end %d places are free, and %v wait", p.free, p.waiting)
		}
	})
}

// The end of a run ends its wait, and a place that came at the same moment is not lost.
func TestPlacesGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		over := errors.New("the run is over")
		for _, withPlace := range []bool{false, true} {
			// Which of two ready channels is seen first is left to chance.
			for range 20 {
				p := newPlaces(2)
				_ = p.take(t.Context(), 1)

				ctx, cancel := context.WithCancelCause(t.Context())
				done := make(chan error, 1)
				go func() { done <- p.take(ctx, 1) }()
				synctest.Wait()
				if len(p.waiting[1]) != 1 {
					t.Fatalf("waiting %v", p.waiting)
				}

				if withPlace {
					p.give(1)
				}
				cancel(over)

				switch err := <-done; {
				case err == nil && withPlace, err == over && !withPlace:
					p.give(1)
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

// However many requests of one app hang, another's starts at once.
func TestHangingUpstream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hanging := make(chan struct{}, maxInFlight)
		f := newMemoryFetcher(t, func(req *http.Request) string {
			if req.URL.Path == "/hang" {
				hanging <- struct{}{}
				<-t.Context().Done()
			}
			return ""
		})

		for range 20 { // runs of one app
			s := f.Open(1)
			for n := range uint64(maxPerRun) {
				go func() { _, _ = get(t.Context(), s, n, "http://x.test/hang", follow) }()
			}
		}
		synctest.Wait()
		if len(hanging) != maxInFlight/2 {
			t.Fatalf("%d requests of the app hang, want %d", len(hanging), maxInFlight/2)
		}

		began := time.Now()
		_, err := get(t.Context(), f.Open(2), 1, "http://x.test/", follow)
		if waited := time.Since(began); err != nil || waited != 0 {
			t.Errorf("another app's request: %v after %s", err, waited)
		}
	})
}

package timerwheel

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestWheel(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		const while = 10 * time.Millisecond
		type call struct {
			who *int
			at  time.Duration
		}
		begin := time.Now()
		var mu sync.Mutex
		var calls []call
		q := New(while, func(who *int) {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, call{who, time.Since(begin)})
		})
		members := make([]Entry[*int], 60)

		who := make([]int, len(members))
		for k := range members { // one each millisecond; every third stays
			who[k] = k
			q.Add(&members[k], &who[k])
			time.Sleep(time.Millisecond)
			if k%3 != 0 && !q.Remove(&members[k]) {
				t.Errorf("member %d was called at once", k)
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(calls) != len(members)/3 {
			t.Fatalf("%d calls, want %d", len(calls), len(members)/3)
		}

		for n, c := range calls {
			k := *c.who
			added := time.Duration(k) * time.Millisecond
			if k != 3*n || c.at < added+while || c.at > added+2*while {
				t.Errorf("member %d, added after %s, was call %d after %s", k, added, n, c.at)
			}
			if q.Remove(&members[k]) {
				t.Errorf("member %d was called and could be removed", k)
			}
		}
		if q.ticking || q.timer.Stop() {
			t.Error("the clock goes on with nobody to call")
		}

		// A member that was called, or removed, may come again.
		calls = nil
		q.Add(&members[0], &who[0])
		q.Add(&members[1], &who[1])
		if !q.Remove(&members[1]) || q.Remove(&members[1]) || !q.Remove(&members[0]) || q.ticking {
			t.Error("members are removed once, and the last one stops the clock")
		}
		q.Add(&members[1], &who[1])
		time.Sleep(time.Second)
		synctest.Wait()
		if len(calls) != 1 || calls[0].who != &who[1] {
			t.Errorf("calls %v, want one of member 1", calls)
		}
	})
}

// Whoever comes is removed or called, never both, however many come at once.
func TestWheelCrowd(t *testing.T) {
	t.Parallel()

	var called atomic.Int64
	q := New(100*time.Microsecond, func(calls *atomic.Int64) { calls.Add(1); called.Add(1) })
	var wg sync.WaitGroup

	var removed, added atomic.Int64
	for range 8 {
		wg.Go(func() {
			for n := range 2000 {
				var m Entry[*atomic.Int64]
				var calls atomic.Int64
				q.Add(&m, &calls)
				added.Add(1)
				if n%50 == 0 {
					time.Sleep(300 * time.Microsecond)
				}
				if q.Remove(&m) {
					removed.Add(1)
					if calls.Load() != 0 {
						t.Error("a member was removed and called")
					}
				}
			}
		})
	}
	wg.Wait()

	for end := time.Now().Add(5 * time.Second); called.Load()+removed.Load() < added.Load() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if called.Load()+removed.Load() != added.Load() || called.Load() == 0 || removed.Load() == 0 {
		t.Errorf("of %d members %d were removed and %d called", added.Load(), removed.Load(), called.Load())
	}
}

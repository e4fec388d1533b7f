package later

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const while = 10 * time.Millisecond
		type call struct {
			who *int
			at  time.Duration
		}
		begin := time.Now()
		var mu sync.Mutex
		var calls []call
		q := NewQueue(while, func(who any) {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, call{who.(*int), time.Since(begin)})
		})
		members := make([]Member, 60)
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
		if q.ticking || q.clock.Stop() {
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

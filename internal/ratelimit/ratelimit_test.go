package ratelimit

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

var (
	start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	// three in a minute: one comes back every 20 s.
	three = Policy{Requests: 3, Per: time.Minute}
)

// All requests may come at once; then one comes back after its share of the time, and all after the whole.
func TestTake(t *testing.T) {
	t.Parallel()
	l := New[string]()

	for _, c := range []struct {
		at   time.Duration
		want State
	}{
		{0, State{Left: 2, Full: 20 * time.Second}},
		{0, State{Left: 1, Full: 40 * time.Second}},
		{0, State{Left: 0, Full: 60 * time.Second}},
		{0, State{Wait: 20 * time.Second, Full: 60 * time.Second}},
		{15 * time.Second, State{Wait: 5 * time.Second, Full: 45 * time.Second}},
		{20 * time.Second, State{Left: 0, Full: 60 * time.Second}},
		{80 * time.Second, State{Left: 2, Full: 20 * time.Second}},
		{500 * time.Second, State{Left: 2, Full: 20 * time.Second}},
	} {
		if got := l.Take("route", three, "caller", start.Add(c.at)); got != c.want {
			t.Errorf("after %s: %+v, want %+v", c.at, got, c.want)
		}
	}
}

// A look is what Take would say, and costs nothing.
func TestLook(t *testing.T) {
	t.Parallel()
	l := New[string]()

	for range 10 {
		if got := l.Look("route", three, "caller", start); got.Wait != 0 || got.Left != 3 {
			t.Fatalf("a look costs something: %+v", got)
		}
	}

	for range 3 {
		l.Take("route", three, "caller", start)
	}
	if got := l.Look("route", three, "caller", start); got.Wait != 20*time.Second {
		t.Errorf("nothing is left, but a look says %+v", got)
	}
}

// Callers, and limits, do not take from each other; a limit that is changed begins anew.
func TestTakeApart(t *testing.T) {
	t.Parallel()
	l := New[string]()

	for range 3 {
		l.Take("a", three, "one", start)
	}

	if got := l.Take("a", three, "two", start); got.Wait != 0 {
		t.Errorf("another caller waits %s", got.Wait)
	}
	if got := l.Take("b", three, "one", start); got.Wait != 0 {
		t.Errorf("at another limit the caller waits %s", got.Wait)
	}
	if got := l.Take("a", three, "one", start); got.Wait == 0 {
		t.Error("the caller itself need not wait")
	}

	more := Policy{Requests: 4, Per: time.Minute}
	if got := l.Take("a", more, "one", start); got.Left != 3 {
		t.Errorf("after the change of the limit %d are left", got.Left)
	}
}

// However uneven the share, exactly as many requests pass as the limit says.
func TestTakeUneven(t *testing.T) {
	t.Parallel()

	for _, p := range []Policy{
		{1, time.Second}, {7, time.Second}, {999_983, time.Second}, {1_000_000, time.Second}, {13, 24 * time.Hour},
	} {
		l := New[string]()

		n := 0
		for l.Take("a", p, "", start).Wait == 0 {
			n++
		}
		if n != p.Requests {
			t.Errorf("%d of %d pass in %s", n, p.Requests, p.Per)
		}
	}
}

// Requests that come together do not pass together.
func TestTakeTogether(t *testing.T) {
	t.Parallel()
	l := New[string]()

	var wg sync.WaitGroup
	passed := make(chan struct{}, 100)

	for range 100 {
		wg.Go(func() {
			if l.Take("a", three, "", start).Wait == 0 {
				passed <- struct{}{}
			}
		})
	}
	wg.Wait()

	if len(passed) != 3 {
		t.Errorf("%d of 3 passed", len(passed))
	}
}

// Many callers take bounded memory, and none of them ever waits longer for it.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	l := New[string]()

	for k := range 3 * maxCallers {
		if got := l.Take("a", three, fmt.Sprint("caller ", k), start); got.Wait != 0 {
			t.Fatalf("caller %d waits %s for its first request", k, got.Wait)
		}
	}
	if n := len(l.limits["a"].full); n > maxCallers {
		t.Errorf("%d callers are remembered", n)
	}
}

// Whoever has all requests again is forgotten while others come, and so is a limit of which nobody is known.
func TestForgets(t *testing.T) {
	t.Parallel()
	l := New[string]()

	for k := range 1000 {
		l.Take("a", three, fmt.Sprint("early ", k), start)
	}

	later := start.Add(time.Minute)
	for k := range 1000 {
		l.Take("a", three, fmt.Sprint("late ", k), later)
	}
	if n := len(l.limits["a"].full); n > 1010 {
		t.Errorf("%d callers are remembered, of whom 1000 have used anything", n)
	}

	l.Take("b", three, "", later.Add(time.Minute))
	if l.limits["a"] != nil {
		t.Error("a limit that nobody has used lately is remembered")
	}
}

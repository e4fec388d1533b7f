package sandbox

import (
	"runtime"
	"testing"
	"time"
)

// A child has one thread, a second while a run computes for long and for some time after, and one again.
func TestThreads(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	s := &server{runs: map[uint64]*run{}}
	expect := func(when string, want int) {
		t.Helper()
		s.mu.Lock()
		s.adjustThreads()
		s.mu.Unlock()

		for end := time.Now().Add(5 * time.Second); runtime.GOMAXPROCS(0) != want; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: %d threads, want %d", when, runtime.GOMAXPROCS(0), want)
			}
		}
	}
	later := func() {
		s.mu.Lock()
		s.threads.till = s.threads.till.Add(-twoFor)
		s.mu.Unlock()
	}
	r := newRun(s, 1, nil, nil)
	s.runs[1] = r
	expect("a run that waits", 1)
	r.usage.resumed.Store(int64(time.Since(processStart)) - int64(time.Second))
	expect("a run that computes", 2)
	later()
	expect("it still does", 2)
	r.usage.resumed.Store(0)
	expect("it waits again", 2)
	later()
	expect("a while later", 1)
	r.usage.cpu = 2 * longRun
	s.finish(r, false)
	expect("it was long when it ended", 2)
	later()
	s.compiling()
	expect("the compiler", 2)
}

// The runtime's monitor is kept awake while there are runs, and then let sleep.
func TestMonitor(t *testing.T) {
	s := &server{runs: map[uint64]*run{1: nil}}
	monitored := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.threads.monitored
	}
	s.mu.Lock()
	s.monitor()
	s.mu.Unlock()
	time.Sleep(3 * monitorEvery)
	if !monitored() {
		t.Error("a run is there, and nobody looks at it")
	}
	s.mu.Lock()
	delete(s.runs, 1)
	s.mu.Unlock()

	for end := time.Now().Add(5 * time.Second); monitored(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing runs, and the timer goes on")
		}
	}
}

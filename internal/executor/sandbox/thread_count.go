package sandbox

import (
	"runtime"
	"sync"
	"time"

	"picloud/internal/executor/sandbox/rawsys"
)

// A child computes on one thread while its runs are short: they take turns, and no thread is woken for
// another run, which costs as much as a short run itself. When one computes for long it gets a second
// thread, so that the others need not wait.

const (
	// longRun is the CPU time from which on a run is long.
	longRun = 2 * time.Millisecond
	// twoFor is how long after a long run a child keeps its second thread.
	twoFor = 10 * time.Second
	// monitorEvery is how often the runtime's monitor, which sleeps until the next timer is due, is woken
	// while there are runs. It preempts what has computed for 10 ms, so that the connection is read and a
	// second thread given.
	monitorEvery = 50 * time.Millisecond
)

// threads is on how many threads a child computes. Its fields are guarded by the server's lock, but for
// setting.
type threads struct {
	two  bool
	till time.Time // until when there are two: twoFor after a long run

	monitored bool // a tick will come
	ran       bool // a run was started since the last tick

	// setting makes the goroutines that set the number of threads do it one after the other, each to what
	// is right when its turn comes. The server's lock is taken under it.
	setting sync.Mutex
}

// compiling gives a compiler its second thread.
func (s *server) compiling() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.threads.till = time.Now().Add(twoFor)
	s.adjustThreads()
}

// adjustThreads is called with the lock held when something comes for a run, which then waits for those
// that compute.
func (s *server) adjustThreads() {
	now := time.Now()
	for _, r := range s.runs {
		if r.usage.computing(now) >= longRun {
			s.threads.till = now.Add(twoFor)
			break
		}
	}

	if two := now.Before(s.threads.till); two != s.threads.two {
		s.threads.two = two
		go s.setThreads() // which waits for the collector
	}
}

// setThreads sets the number of threads to what is wanted now, which may have changed since it was called.
func (s *server) setThreads() {
	s.threads.setting.Lock()
	defer s.threads.setting.Unlock()

	n := 1
	s.mu.Lock()
	if s.threads.two {
		n = 2
	}

	s.mu.Unlock()

	runtime.GOMAXPROCS(n)
}

// monitor keeps the runtime's monitor awake while there are runs, as raw system calls do not (see package
// rawsys). The caller holds the lock.
func (s *server) monitor() {
	s.threads.ran = true
	if s.threads.monitored {
		return
	}

	s.threads.monitored = true
	time.AfterFunc(monitorEvery, s.tick)
	rawsys.WakeMonitor()
}

// tick is called by the timer that keeps the runtime's monitor awake, and starts it again while there are
// runs.
func (s *server) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &s.threads
	if t.monitored = t.ran || len(s.runs) > 0; t.monitored {
		t.ran = false
		time.AfterFunc(monitorEvery, s.tick)
	}
}

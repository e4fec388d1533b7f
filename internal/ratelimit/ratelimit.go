// Package ratelimit counts requests, in memory and for this node alone. It says whether one more is allowed
// and how many are left; who is asked to wait, and how he is told, is its users' business.
//
// It counts by the generic cell rate algorithm. Of a caller one moment is known: when all its requests will
// be its own again. Each request moves that moment by its share of the time into the future, and may not move
// it further than all of them together would. A moment that is past says nothing, and is forgotten.
package ratelimit

import (
	"hash/maphash"
	"sync"
	"time"
)

const (
	// maxCallers bounds the callers of whom something is known, for each limit, and so the memory that many
	// addresses or made-up headers can take.
	maxCallers = 10_000
	// looked is how many callers a new one looks at, to forget those who have all their requests again.
	looked = 8
)

// Policy is how many requests are allowed in some time. Both are positive.
type Policy struct {
	Requests int
	Per      time.Duration
}

// share is the time after which one request comes back.
func (p Policy) share() time.Duration { return max(p.Per/time.Duration(p.Requests), 1) }

// State is what a caller has left.
type State struct {
	// Wait is the time until the next request is allowed; 0: this one is.
	Wait time.Duration
	// Left is how many more requests are allowed now, Full the time until all of them are again.
	Left int
	Full time.Duration
}

// Limiter counts the requests of several limits, each of which has a name. It is safe for concurrent use.
type Limiter[N comparable] struct {
	seed maphash.Seed

	// mu guards limits and everything below. It is a leaf.
	mu     sync.Mutex
	limits map[N]*limit
}

// limit is what is known of the callers of one limit.
type limit struct {
	policy Policy
	// full says when each caller, by the hash of its name, has all its requests again; latest is the last of
	// these moments.
	full   map[uint64]time.Time
	latest time.Time
}

// New returns a Limiter that has counted nothing.
func New[N comparable]() *Limiter[N] {
	return &Limiter[N]{seed: maphash.MakeSeed(), limits: map[N]*limit{}}
}

// Take counts a request of a caller, unless it must wait. A limit whose policy is another than before begins
// anew.
func (l *Limiter[N]) Take(name N, p Policy, caller string, now time.Time) State {
	return l.ask(name, p, caller, true, now)
}

// Look tells what Take would, and counts nothing.
func (l *Limiter[N]) Look(name N, p Policy, caller string, now time.Time) State {
	return l.ask(name, p, caller, false, now)
}

func (l *Limiter[N]) ask(name N, p Policy, caller string, count bool, now time.Time) State {
	key := maphash.String(l.seed, caller)
	share := p.share()
	all := share * time.Duration(p.Requests)

	l.mu.Lock()
	defer l.mu.Unlock()

	counted := l.limit(name, p, now)
	used := max(counted.full[key].Sub(now), 0)
	if wait := used + share - all; wait > 0 {
		return State{Wait: wait, Full: used}
	}

	if count {
		used += share
		counted.remember(key, now.Add(used), now)
	}
	return State{Left: int((all - used) / share), Full: used}
}

// limit finds what is known of a limit. A new one forgets those of which all callers have all their requests
// again: they say nothing, and perhaps belong to something that was deleted.
func (l *Limiter[N]) limit(name N, p Policy, now time.Time) *limit {
	if known := l.limits[name]; known != nil && known.policy == p {
		return known
	}

	for other, known := range l.limits {
		if !known.latest.After(now) {
			delete(l.limits, other)
		}
	}
	created := &limit{policy: p, full: map[uint64]time.Time{}}
	l.limits[name] = created

	return created
}

// remember notes when a caller has all its requests again.
func (l *limit) remember(key uint64, full, now time.Time) {
	if _, known := l.full[key]; !known {
		l.forget(now)
	}
	l.full[key] = full
	if full.After(l.latest) {
		l.latest = full
	}
}

// forget drops those of a few callers who have all their requests again, and where there are too many callers
// the one who loses least: nobody ever waits longer because of the others.
func (l *limit) forget(now time.Time) {
	var soonest uint64
	var at time.Time

	n := 0
	for key, full := range l.full {
		if n == 0 || full.Before(at) {
			soonest = key
			at = full
		}
		if !full.After(now) {
			delete(l.full, key)
		}
		if n++; n == looked {
			break
		}
	}
	if len(l.full) >= maxCallers {
		delete(l.full, soonest)
	}
}

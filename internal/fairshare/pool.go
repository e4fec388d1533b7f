// Package fairshare shares something of which there is only so much (places, bytes) between owners who do not
// know each other: apps, clients. It knows neither what is shared nor who they are.
package fairshare

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// ErrTooManyWait refuses who would wait in a pool where as many wait already as may.
var ErrTooManyWait = errors.New("too many wait already")

// Pool has a size in units of its user. An owner may hold as much as is still free: alone it gets half, and n
// owners that take all they can end with one part in n+1 each. So there is something for an owner that has
// nothing, however much the others hold. Who finds too little waits, or is refused; what is given back goes
// to the waiting owner that holds least, and owners that hold alike take turns. A Pool is safe for concurrent
// use.
type Pool[K comparable] struct {
	// mu guards everything below. It is a leaf: no other lock is taken under it.
	mu      sync.Mutex
	free    int64
	held    map[K]int64
	waiting map[K]*line
	// waits counts the requests of all lines. It may be maxWaits at most, and a line maxLine long; 0 is no
	// bound.
	waits, maxWaits, maxLine int
	// turns counts the turns that were given to lines.
	turns uint64
}

// line is the requests of an owner that wait, the longest wait first. There is at least one.
type line struct {
	requests []*request
	turn     uint64 // the smallest comes first
}

// request is somebody who waits for some units.
type request struct {
	units   int64
	grantCh chan struct{} // closed when the units are theirs
}

// New returns a pool of a size.
func New[K comparable](size int64) *Pool[K] {
	return &Pool[K]{free: size, held: map[K]int64{}, waiting: map[K]*line{}}
}

// Bounded lets so many requests wait at most, of all owners together and of each; 0 is no bound. It is called
// before the pool is used, and returns it.
func (p *Pool[K]) Bounded(all, ofOne int) *Pool[K] {
	p.maxWaits = all
	p.maxLine = ofOne
	return p
}

// Take waits for units for an owner, which Give returns. More than half of the pool is never granted to
// anybody. Errors: the cause of a context that is done; ErrTooManyWait, in a pool that is Bounded.
func (p *Pool[K]) Take(ctx context.Context, owner K, units int64) error {
	w, err := p.ask(owner, units)
	if err != nil || w == nil {
		return err
	}

	select {
	case <-w.grantCh:
		return nil
	case <-ctx.Done():
		if !p.giveUp(owner, w) {
			p.Give(owner, units) // they came at the same moment
		}
		return context.Cause(ctx)
	}
}

// ask takes the units, and returns nil then, or begins to wait.
func (p *Pool[K]) ask(owner K, units int64) (*request, error) {
	p.mu.Lock()
	defer p.mu.Unlock()

	if p.mayTake(owner, units) && p.isFirst(owner) {
		p.hold(owner, units)
		return nil, nil
	}

	l := p.waiting[owner]
	if p.maxWaits > 0 && p.waits >= p.maxWaits || p.maxLine > 0 && l != nil && len(l.requests) >= p.maxLine {
		return nil, ErrTooManyWait
	}
	if l == nil {
		l = &line{turn: p.nextTurn()}
		p.waiting[owner] = l
	}
	w := &request{units: units, grantCh: make(chan struct{})}
	l.requests = append(l.requests, w)
	p.waits++

	return w, nil
}

// TryTake takes units for an owner if Take would not wait.
func (p *Pool[K]) TryTake(owner K, units int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()

	if !p.mayTake(owner, units) || !p.isFirst(owner) {
		return false
	}
	p.hold(owner, units)

	return true
}

// Charge takes units for an owner though it may not have them: they are in use already. The owner gets
// nothing more before as much has been given back.
func (p *Pool[K]) Charge(owner K, units int64) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.hold(owner, units)
}

// Give returns units of an owner.
func (p *Pool[K]) Give(owner K, units int64) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.free += units
	p.held[owner] -= units
	if p.held[owner] == 0 {
		delete(p.held, owner)
	}

	p.grant()
}

// grant gives what is free to those who wait. The caller holds mu.
func (p *Pool[K]) grant() {
	for len(p.waiting) > 0 {
		owner := p.neediest()
		l := p.waiting[owner]
		w := l.requests[0]

		// Who wants less does not pass whoever comes first, or who wants much would never get it.
		if !p.mayTake(owner, w.units) {
			return
		}

		l.turn = p.nextTurn() // behind the others
		p.remove(owner, 0)
		p.hold(owner, w.units)
		close(w.grantCh)
	}
}

// giveUp takes a request out of the list of those that wait. It reports false if it was granted.
func (p *Pool[K]) giveUp(owner K, w *request) bool {
	p.mu.Lock()
	defer p.mu.Unlock()

	l := p.waiting[owner]
	if l == nil {
		return false
	}
	at := slices.Index(l.requests, w)
	if at < 0 {
		return false
	}
	p.remove(owner, at)
	p.grant() // those behind it may want less

	return true
}

// Free is what nobody holds; below 0 if more was charged than there was.
func (p *Pool[K]) Free() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.free
}

// Held is what an owner holds.
func (p *Pool[K]) Held(owner K) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.held[owner]
}

// Waiting is how many wait for an owner's units.
func (p *Pool[K]) Waiting(owner K) int {
	p.mu.Lock()
	defer p.mu.Unlock()

	if l := p.waiting[owner]; l != nil {
		return len(l.requests)
	}
	return 0
}

// isFirst reports whether an owner that comes now passes all who wait: it holds less than any of them.
func (p *Pool[K]) isFirst(owner K) bool {
	if len(p.waiting) == 0 {
		return true
	}
	return p.waiting[owner] == nil && p.held[owner] < p.held[p.neediest()]
}

func (p *Pool[K]) mayTake(owner K, units int64) bool { return p.held[owner]+units <= p.free }

func (p *Pool[K]) hold(owner K, units int64) {
	p.free -= units
	p.held[owner] += units
}

// neediest is the waiting owner that holds least; of equal ones the one whose turn comes first.
func (p *Pool[K]) neediest() K {
	var neediest K
	var least int64
	var first *line

	for owner, l := range p.waiting {
		holds := p.held[owner]
		if first == nil || holds < least || holds == least && l.turn < first.turn {
			neediest, least, first = owner, holds, l
		}
	}

	return neediest
}

// remove takes a request out of its owner's line.
func (p *Pool[K]) remove(owner K, at int) {
	l := p.waiting[owner]
	l.requests = slices.Delete(l.requests, at, at+1)
	p.waits--
	if len(l.requests) == 0 {
		delete(p.waiting, owner)
	}
}

func (p *Pool[K]) nextTurn() uint64 {
	p.turns++
	return p.turns
}

// Package fairshare shares something of which there is only so much (places, bytes) between owners who do not
// know each other: apps, clients. It knows neither what is shared nor who they are.
package fairshare

import (
	"context"
	"slices"
	"sync"
)

// Pool has a size in units of its user. An owner may hold as much as is still free: alone it gets half, and n
// owners that take all they can end with one part in n+1 each. So there is something for an owner that has
// nothing, however much the others hold. Who finds too little waits, or is refused; what is given back goes
// to the waiting owner that holds least. A Pool is safe for concurrent use.
type Pool[K comparable] struct {
	// mu guards everything below. It is a leaf: no other lock is taken under it.
	mu      sync.Mutex
	free    int64
	held    map[K]int64
	waiting map[K][]*request // the longest wait first
	// seq numbers the requests that wait, in the order they came.
	seq uint64
}

// request is somebody who waits for some units.
type request struct {
	units   int64
	seq     uint64
	grantCh chan struct{} // closed when the units are theirs
}

// New returns a pool of a size.
func New[K comparable](size int64) *Pool[K] {
	return &Pool[K]{free: size, held: map[K]int64{}, waiting: map[K][]*request{}}
}

// Take waits for units for an owner, which Give returns. More than half of the pool is never granted to
// anybody. The error is the cause of a context that is done.
func (p *Pool[K]) Take(ctx context.Context, owner K, units int64) error {
	w := p.ask(owner, units)
	if w == nil {
		return nil
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
func (p *Pool[K]) ask(owner K, units int64) *request {
	p.mu.Lock()
	defer p.mu.Unlock()

	if p.mayTake(owner, units) && p.isFirst(owner) {
		p.hold(owner, units)
		return nil
	}

	p.seq++
	w := &request{units: units, seq: p.seq, grantCh: make(chan struct{})}
	p.waiting[owner] = append(p.waiting[owner], w)

	return w
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
		w := p.waiting[owner][0]

		// Who wants less does not pass whoever comes first, or who wants much would never get it.
		if !p.mayTake(owner, w.units) {
			return
		}

		p.setWaiting(owner, p.waiting[owner][1:])
		p.hold(owner, w.units)
		close(w.grantCh)
	}
}

// giveUp takes a request out of the list of those that wait. It reports false if it was granted.
func (p *Pool[K]) giveUp(owner K, w *request) bool {
	p.mu.Lock()
	defer p.mu.Unlock()

	at := slices.Index(p.waiting[owner], w)
	if at < 0 {
		return false
	}
	p.setWaiting(owner, slices.Delete(p.waiting[owner], at, at+1))
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

	return len(p.waiting[owner])
}

// isFirst reports whether an owner that comes now passes all who wait: it holds less than any of them.
func (p *Pool[K]) isFirst(owner K) bool {
	if len(p.waiting) == 0 {
		return true
	}
	return len(p.waiting[owner]) == 0 && p.held[owner] < p.held[p.neediest()]
}

func (p *Pool[K]) mayTake(owner K, units int64) bool { return p.held[owner]+units <= p.free }

func (p *Pool[K]) hold(owner K, units int64) {
	p.free -= units
	p.held[owner] += units
}

// neediest is the waiting owner that holds least; of equal ones the one that has waited longest.
func (p *Pool[K]) neediest() K {
	var neediest K

	var least int64

	var first *request
	for owner, list := range p.waiting {
		holds := p.held[owner]
		if first == nil || holds < least || holds == least && list[0].seq < first.seq {
			neediest, least, first = owner, holds, list[0]
		}
	}

	return neediest
}

func (p *Pool[K]) setWaiting(owner K, list []*request) {
	if len(list) == 0 {
		delete(p.waiting, owner)
	} else {
		p.waiting[owner] = list
	}
}

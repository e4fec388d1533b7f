package admission

import "picloud/internal/cloud"

// Permit is one that a run holds. Its methods are called by one goroutine at a time.
type Permit struct {
	gate       *Gate
	app        cloud.AppID
	dispatched bool
	// released says that the run holds no permit; paused, that it has its place among the runs in being
	// nevertheless.
	released bool
	paused   bool
}

// Dispatched makes a Permit of one that TryAcquire took or Assign gave to an app.
func (g *Gate) Dispatched(app cloud.AppID) *Permit {
	return &Permit{gate: g, app: app, dispatched: true}
}

// Lend gives the permit back while the commit of a run that has finished is under way: others start
// meanwhile, and more of them share the next commit. As many runs may wait for their commits as there are
// permits if they wrote, since the runtimes of those wait too, and eight times as many otherwise. The
// function it returns must be called when the commit is through.
func (p *Permit) Lend(wrote bool) (done func()) {
	g := p.gate
	g.mu.Lock()
	limit := 8 * g.all
	if wrote {
		limit = g.all
	}
	lends := g.lent < limit
	if lends {
		g.lent++
	}
	g.mu.Unlock()

	if !lends {
		return func() {}
	}
	p.Release()
	return func() {
		g.mu.Lock()
		g.lent--
		g.mu.Unlock()
	}
}

// TakeBack takes the permit again for a run that is repeated. It does not wait, so for a moment more permits
// may be held than there are.
func (p *Permit) TakeBack() {
	if !p.released {
		return
	}
	p.released = false

	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()

	if p.paused {
		p.paused = false
		p.gate.take(p.app)
	} else {
		p.gate.start(p.app)
	}
	if p.dispatched {
		p.gate.dispatched++
	}
}

// Release gives the permit back, and the place of its run. A second call does nothing.
func (p *Permit) Release() {
	if p.paused {
		p.paused = false
		p.gate.endPaused(p.app)
		return
	}
	if p.released {
		return
	}
	p.released = true
	p.gate.release(p.app, p.dispatched)
}

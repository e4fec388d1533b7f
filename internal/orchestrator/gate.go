package orchestrator

import (
	"sync"
	"time"

	"picloud/internal/cloud"
)

// maxGateWait bounds how long a request waits for a permit.
const maxGateWait = 2 * time.Second

var errSaturated = cloud.Errorf(cloud.CodeUnavailable, "all permits of this server are taken; try again")

// gate bounds the runs of this node. A permit that becomes free goes to the waiting app that has the fewest. A quarter of
// the permits can be had by dispatched runs however many requests wait, so that neither starves the other. The last eighth
// is for apps that hold none: an app whose scripts never end keeps nobody else from starting.
type gate struct {
	mu      sync.Mutex
	all     int
	free    int
	spare   int
	queue   int // waiters allowed
	waiting int
	held    map[cloud.AppID]int
	waiters map[cloud.AppID][]*gateWaiter
	told    sync.Pool   // of *gateWaiter, for others
	clock   *time.Timer // runs while somebody waits, for whoever has waited longest
	ticking bool
	closed  bool
	// dispatched counts the permits of dispatched runs; hungry: the dispatcher found none.
	dispatched int
	hungry     bool
	lent       int // runs whose commit is under way and whose permit is another's
	// freed tells the dispatcher, which waits for any permit, that there is one.
	freed chan struct{}
}

// gateWaiter is told once whether it has a permit.
type gateWaiter struct {
	grantCh chan bool
	since   time.Time
}

func newGate(permits, queue int) *gate {
	g := &gate{all: permits, free: permits, spare: permits / 8, queue: queue, held: map[cloud.AppID]int{}, waiters: map[cloud.AppID][]*gateWaiter{},
		freed: make(chan struct{}, 1), told: sync.Pool{New: func() any { return &gateWaiter{grantCh: make(chan bool, 1)} }}}
	g.clock = time.AfterFunc(time.Hour, g.expire)
	g.clock.Stop()
	return g
}

// acquire waits for a permit, at most maxGateWait.
func (g *gate) acquire(app cloud.AppID) error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return errSaturated
	}
	if g.mayTake(app) && (g.waiting == 0 || g.held[app] == 0 && len(g.waiters[app]) == 0) {
		g.take(app)
		g.mu.Unlock()
		return nil
	}
	if g.waiting >= g.queue && !g.pushOut(app) {
		g.mu.Unlock()
		return errSaturated
	}
	w := g.told.Get().(*gateWaiter)
	w.since = time.Now()
	g.waiters[app] = append(g.waiters[app], w)
	g.waiting++
	if !g.ticking {
		g.ticking = true
		g.clock.Reset(maxGateWait)
	}
	g.mu.Unlock()
	ok := <-w.grantCh
	g.told.Put(w)
	if !ok {
		return errSaturated
	}
	return nil
}

// expire refuses those who have waited long enough. One clock serves all who wait: one each would be set and stopped for
// every request of a server under load.
func (g *gate) expire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	next := time.Duration(-1)
	for app, list := range g.waiters {
		for len(list) > 0 {
			left := maxGateWait - now.Sub(list[0].since)
			if left > 0 {
				if next < 0 || left < next {
					next = left
				}
				break
			}
			list[0].grantCh <- false
			list = list[1:]
			g.waiting--
		}
		g.setWaiters(app, list)
	}
	if g.ticking = next > 0; g.ticking {
		g.clock.Reset(next)
	}
}

// pushOut makes room in a full queue for an app that has fewer waiters than another, whose last one is refused.
func (g *gate) pushOut(app cloud.AppID) bool {
	var longest cloud.AppID
	for other, list := range g.waiters {
		if len(list) > len(g.waiters[longest]) {
			longest = other
		}
	}
	list := g.waiters[longest]
	if len(list) < len(g.waiters[app])+2 {
		return false
	}
	list[len(list)-1].grantCh <- false
	g.setWaiters(longest, list[:len(list)-1])
	g.waiting--
	return true
}

// mayTake: an app that holds permits leaves the last ones to others.
func (g *gate) mayTake(app cloud.AppID) bool {
	return g.free > g.spare || g.free > 0 && g.held[app] == 0
}

// full reports whether the next acquire would be refused at once.
func (g *gate) full() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.free <= g.spare && g.waiting >= g.queue
}

// tryAcquire takes a permit for a dispatched run, only if nobody waits for one. releaseDispatched gives it back.
func (g *gate) tryAcquire(app cloud.AppID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || g.waiting > 0 || !g.mayTake(app) {
		return false
	}
	g.take(app)
	g.dispatched++
	return true
}

// quota is what dispatched runs may have while requests wait.
func (g *gate) quota() int { return max(1, g.all/4) }

// reserve takes up to n permits for claims whose apps are not known yet; assign or unreserve follows for each.
func (g *gate) reserve(n int) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return 0
	}
	if g.waiting > 0 {
		n = min(n, g.quota()-g.dispatched)
	}
	n = max(0, min(n, g.free-g.spare))
	g.hungry = n == 0
	g.free -= n
	g.dispatched += n
	g.held[0] += n
	return n
}

// assign turns a reserved permit into one of an app.
func (g *gate) assign(app cloud.AppID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.drop(0)
	g.held[app]++
}

// unreserve gives a reserved permit back without waking the dispatcher, which is the one who gives it.
func (g *gate) unreserve() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.drop(0)
	g.free++
	g.dispatched--
	g.grant()
}

func (g *gate) take(app cloud.AppID) {
	g.free--
	g.held[app]++
}

func (g *gate) drop(app cloud.AppID) {
	if g.held[app]--; g.held[app] <= 0 {
		delete(g.held, app)
	}
}

func (g *gate) setWaiters(app cloud.AppID, list []*gateWaiter) {
	if len(list) == 0 {
		delete(g.waiters, app)
	} else {
		g.waiters[app] = list
	}
}

// release gives a request's permit back.
func (g *gate) release(app cloud.AppID) { g.giveBack(app, 0) }

// releaseDispatched gives a dispatched run's permit back.
func (g *gate) releaseDispatched(app cloud.AppID) { g.giveBack(app, 1) }

// permit is one that a run holds; its methods are called by one goroutine at a time.
type permit struct {
	gate       *gate
	app        cloud.AppID
	dispatched bool
	given      bool // back
}

// lend gives the permit back while the commit of a run that has finished is under way: others start meanwhile, and more of
// them share the next commit. So many runs may wait for their commits as there are permits if they wrote, since the runtimes
// of those wait too, and eight times as many otherwise. What it returns must be called when the commit is through.
func (p *permit) lend(wrote bool) (through func()) {
	g := p.gate
	g.mu.Lock()
	limit := 8 * g.all
	if wrote {
		limit = g.all
	}
	lent := g.lent < limit
	if lent {
		g.lent++
	}
	g.mu.Unlock()
	if !lent {
		return func() {}
	}
	p.release()
	return func() {
		g.mu.Lock()
		g.lent--
		g.mu.Unlock()
	}
}

// takeBack takes a permit again for a run that is repeated. It does not wait, so that for a moment more may be held than there
// are.
func (p *permit) takeBack() {
	if !p.given {
		return
	}
	p.given = false
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	p.gate.take(p.app)
	if p.dispatched {
		p.gate.dispatched++
	}
}

// release gives the permit back, once.
func (p *permit) release() {
	if p.given {
		return
	}
	p.given = true
	if p.dispatched {
		p.gate.releaseDispatched(p.app)
	} else {
		p.gate.release(p.app)
	}
}

// giveBack frees a permit: for the waiting app with the fewest permits, else for the dispatcher.
func (g *gate) giveBack(app cloud.AppID, dispatched int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.drop(app)
	g.dispatched -= dispatched
	g.free++
	g.grant()
	if g.free > g.spare {
		select {
		case g.freed <- struct{}{}:
		default:
		}
	}
}

func (g *gate) grant() {
	keep := 0
	if g.hungry && g.dispatched < g.quota() {
		keep = 1
	}
	for g.free > keep && g.waiting > 0 {
		var next cloud.AppID
		best := -1
		for app := range g.waiters {
			if best < 0 || g.held[app] < best || g.held[app] == best && app < next {
				next, best = app, g.held[app]
			}
		}
		if best > 0 && g.free-keep <= g.spare {
			return
		}
		list := g.waiters[next]
		g.setWaiters(next, list[1:])
		g.waiting--
		g.take(next)
		list[0].grantCh <- true
	}
}

func (g *gate) state() (free, waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.free, g.waiting
}

// close refuses everybody who waits, and those who come.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.clock.Stop()
	for app, list := range g.waiters {
		for _, w := range list {
			w.grantCh <- false
		}
		delete(g.waiters, app)
	}
	g.waiting = 0
}

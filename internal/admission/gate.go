// Package admission decides how many runs are under way in this node, and whose. A run that computes needs a
// permit of the gate; who finds none waits, fair by app, or is refused. A run that waits (for a timer,
// another server, its caller) gives its permit back meanwhile; how many runs are in being, with a permit or
// without, is bounded apart. It knows nothing of what a run does.
package admission

import (
	"slices"
	"sync"
	"time"

	"picloud/internal/cloud"
)

// MaxWait bounds how long a request waits for a permit.
const MaxWait = 2 * time.Second

// ErrSaturated refuses a run for which there was no permit in time.
var ErrSaturated = cloud.Errorf(cloud.CodeUnavailable, "all permits of this server are taken; try again")

// Gate bounds the runs of this node. A permit that becomes free goes to the waiting app that has the fewest.
// A quarter of the permits can be had by dispatched runs however many requests wait, so that neither starves
// the other. Of the last quarter an app may have as many as it leaves, so that one whose scripts never end
// keeps nobody else from starting, nor has them start one by one. There are four times as many places for
// runs in being: an app may have as many as are still free, and a third at most, so that there are some for
// an app that has none.
type Gate struct {
	all   int
	spare int // permits of which an app cannot take more than it leaves
	queue int // requests that may wait
	// places are for the runs in being, of which one app may have placesPerApp.
	places, placesPerApp int

	// freed tells the dispatcher, which waits for any permit, that there is one.
	freed chan struct{}
	// idleWaiters are waiters whose channel is empty, to be used again.
	idleWaiters sync.Pool

	// mu guards everything below. It is a leaf: no other lock is taken under it.
	mu         sync.Mutex
	free       int
	held       map[cloud.AppID]int // permits by app; those reserved for claims count for app 0
	dispatched int                 // permits of dispatched runs, reserved ones included
	lent       int                 // runs whose commit is under way and whose permit somebody else may use
	waiters    map[cloud.AppID][]*waiter
	waiting    int
	// runs are those in being, by app; those reserved for claims count for app 0. running is their sum.
	runs    map[cloud.AppID]int
	running int
	// resuming are runs in being that wait for a permit to go on.
	resuming map[cloud.AppID][]*waiter
	// hungry says that the dispatcher found no permit when it looked last.
	hungry bool
	closed bool
	// timer refuses whoever has waited longest; it runs while somebody waits.
	timer   *time.Timer
	ticking bool
}

// waiter is a request that waits for a permit. It is told once whether it got one.
type waiter struct {
	grantCh chan bool
	since   time.Time
	// dispatched says that it is a dispatched run that resumes.
	dispatched bool
}

// New returns a gate with so many permits, at which at most queue requests wait.
func New(permits, queue int) *Gate {
	places := 4 * permits
	g := &Gate{
		all:          permits,
		spare:        permits / 4,
		queue:        queue,
		places:       places,
		placesPerApp: max(places/3, permits),
		free:         permits,
		freed:        make(chan struct{}, 1),
		held:         map[cloud.AppID]int{},
		waiters:      map[cloud.AppID][]*waiter{},
		runs:         map[cloud.AppID]int{},
		resuming:     map[cloud.AppID][]*waiter{},
	}
	g.idleWaiters.New = func() any { return &waiter{grantCh: make(chan bool, 1)} }

	g.timer = time.AfterFunc(time.Hour, g.expire)
	g.timer.Stop()

	return g
}

// Acquire waits for a permit for a request's run, at most MaxWait. The error is ErrSaturated.
func (g *Gate) Acquire(app cloud.AppID) (*Permit, error) {
	if err := g.acquire(app); err != nil {
		return nil, err
	}
	return &Permit{gate: g, app: app}, nil
}

func (g *Gate) acquire(app cloud.AppID) error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return ErrSaturated
	}

	// Others may wait for the last permits, which are not for them: an app that holds none may take one past
	// them.
	first := !g.isContended() || g.held[app] == 0 && len(g.waiters[app]) == 0
	if first && g.mayStart(app) {
		g.start(app)
		g.mu.Unlock()
		return nil
	}

	if g.waiting >= g.queue && !g.evict(app) {
		g.mu.Unlock()
		return ErrSaturated
	}
	w := g.enqueue(app)
	g.grant() // it may be the neediest
	g.mu.Unlock()

	granted := <-w.grantCh
	g.idleWaiters.Put(w)
	if !granted {
		return ErrSaturated
	}

	return nil
}

// enqueue adds a waiter of an app. The caller holds mu.
func (g *Gate) enqueue(app cloud.AppID) *waiter {
	w := g.idleWaiters.Get().(*waiter)
	w.since = time.Now()
	g.waiters[app] = append(g.waiters[app], w)
	g.waiting++

	if !g.ticking {
		g.ticking = true
		g.timer.Reset(MaxWait)
	}

	return w
}

// expire refuses those who have waited MaxWait. One timer serves all who wait: one each would be set and
// stopped for every request of a server under load.
func (g *Gate) expire() {
	g.mu.Lock()
	defer g.mu.Unlock()

	now := time.Now()

	next := time.Duration(-1)
	for app, list := range g.waiters {
		for len(list) > 0 {
			left := MaxWait - now.Sub(list[0].since)
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

	g.ticking = next > 0
	if g.ticking {
		g.timer.Reset(next)
	}
}

// evict makes room in a full queue for an app that has fewer waiters than another: the last waiter of the
// longest list is refused. It reports whether there is room now. The caller holds mu.
func (g *Gate) evict(app cloud.AppID) bool {
	var longest cloud.AppID
	for other, list := range g.waiters {
		if len(list) > len(g.waiters[longest]) {
			longest = other
		}
	}

	// With one waiter less the other app must still have more than this one gets, or the two would evict each
	// other.
	list := g.waiters[longest]
	if len(list) < len(g.waiters[app])+2 {
		return false
	}

	last := len(list) - 1
	list[last].grantCh <- false
	g.setWaiters(longest, list[:last])
	g.waiting--

	return true
}

// Full reports whether the next Acquire would be refused at once.
func (g *Gate) Full() bool {
	g.mu.Lock()
	defer g.mu.Unlock()

	isFull := g.free <= g.spare || g.running >= g.places
	return isFull && g.waiting >= g.queue
}

// TryAcquire takes a permit for a dispatched run, only if nobody waits for one. ReleaseDispatched gives it
// back, unless Dispatched made a Permit of it.
func (g *Gate) TryAcquire(app cloud.AppID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()

	if g.closed || g.isContended() || !g.mayStart(app) {
		return false
	}
	g.start(app)
	g.dispatched++

	return true
}

// Reserve takes up to n permits for claims whose apps are not known yet, and says how many. Assign or
// Unreserve follows for each of them.
func (g *Gate) Reserve(n int) int {
	g.mu.Lock()
	defer g.mu.Unlock()

	if g.closed {
		return 0
	}
	if g.isContended() {
		n = min(n, g.dispatchedQuota()-g.dispatched)
	}
	n = max(0, min(n, g.free-g.spare, g.places-g.running))

	// Without a place, a permit that is kept back would be of no use.
	g.hungry = n == 0 && g.dispatched < g.dispatchedQuota() && g.running < g.places
	for range n {
		g.start(0)
	}
	g.dispatched += n

	return n
}

// Assign turns a reserved permit into one of an app.
func (g *Gate) Assign(app cloud.AppID) {
	g.mu.Lock()
	defer g.mu.Unlock()

	g.end(0)
	g.start(app)
}

// Room is how many more runs of an app may be in being, if the places that are reserved are free.
func (g *Gate) Room(app cloud.AppID) int {
	g.mu.Lock()
	defer g.mu.Unlock()

	has := g.runs[app]
	left := g.places - g.running + g.runs[0]

	// With each run that it gets, an app has one more, and one less is left.
	return max(0, min(g.placesPerApp-has, (left-has+1)/2))
}

// Sated says that the dispatcher looks for no permit any more.
func (g *Gate) Sated() {
	g.mu.Lock()
	defer g.mu.Unlock()

	g.hungry = false
	g.grant()
}

// HeldByDispatched is how many permits dispatched runs hold, reserved ones included.
func (g *Gate) HeldByDispatched() int {
	g.mu.Lock()
	defer g.mu.Unlock()

	return g.dispatched
}

// Unreserve gives reserved permits back. It does not wake the dispatcher, which is the one who calls it.
func (g *Gate) Unreserve(n int) {
	if n == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()

	for range n {
		g.end(0)
	}
	g.dispatched -= n
	g.grant()
}

// ReleaseDispatched gives back what TryAcquire took.
func (g *Gate) ReleaseDispatched(app cloud.AppID) { g.release(app, true) }

// Freed has an element when a permit has become free since it was last read; one reader waits for it.
func (g *Gate) Freed() <-chan struct{} { return g.freed }

// State says how many permits are free and how many requests wait.
func (g *Gate) State() (free, waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()

	return g.free, g.waiting
}

// Permits is how many there are.
func (g *Gate) Permits() int { return g.all }

// Close refuses everybody who waits, and those who come. Runs in being go on.
func (g *Gate) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()

	g.closed = true
	g.timer.Stop()

	for app, list := range g.waiters {
		for _, w := range list {
			w.grantCh <- false
		}
		delete(g.waiters, app)
	}
	g.waiting = 0

	for app, list := range g.resuming {
		for _, w := range slices.Clone(list) { // resume takes it off the list
			g.resume(app, w)
		}
	}
}

// dispatchedQuota is how many permits dispatched runs may have while requests wait.
func (g *Gate) dispatchedQuota() int { return max(1, g.all/4) }

// mayTake reports whether a permit is free for an app: of the last ones none takes more than it leaves.
func (g *Gate) mayTake(app cloud.AppID) bool {
	return g.free > g.spare || g.held[app] < g.free
}

// isContended reports whether somebody waits for a permit. Who waits while more than the spare ones are free
// waits for a place of their app. The caller holds mu.
func (g *Gate) isContended() bool {
	return g.free <= g.spare && (g.waiting > 0 || len(g.resuming) > 0)
}

// mayStart reports whether a run of an app may come into being, with a permit.
func (g *Gate) mayStart(app cloud.AppID) bool { return g.mayTake(app) && g.hasPlace(app) }

// hasPlace reports whether there is a place for another run of an app.
func (g *Gate) hasPlace(app cloud.AppID) bool {
	has := g.runs[app]
	return has < g.placesPerApp && has < g.places-g.running
}

// start takes a permit and a place for a run; end gives both back.
func (g *Gate) start(app cloud.AppID) {
	g.take(app)
	g.runs[app]++
	g.running++
}

func (g *Gate) end(app cloud.AppID) {
	g.drop(app)
	g.leave(app)
}

// leave gives back the place of a run that holds no permit.
func (g *Gate) leave(app cloud.AppID) {
	g.running--
	g.runs[app]--
	if g.runs[app] <= 0 {
		delete(g.runs, app)
	}
}

func (g *Gate) take(app cloud.AppID) {
	g.free--
	g.held[app]++
}

func (g *Gate) drop(app cloud.AppID) {
	g.free++
	g.held[app]--
	if g.held[app] <= 0 {
		delete(g.held, app)
	}
}

func (g *Gate) setWaiters(app cloud.AppID, list []*waiter) {
	if len(list) == 0 {
		delete(g.waiters, app)
	} else {
		g.waiters[app] = list
	}
}

// release ends a run: its permit and its place are free for the waiting app with the fewest permits, else for
// the dispatcher.
func (g *Gate) release(app cloud.AppID, dispatched bool) {
	g.mu.Lock()
	defer g.mu.Unlock()

	g.end(app)
	g.freePermit(dispatched)
}

// freePermit hands a permit on that was given back. The caller holds mu.
func (g *Gate) freePermit(dispatched bool) {
	if dispatched {
		g.dispatched--
	}
	g.grant()
	g.signalFreed()
}

// signalFreed tells the dispatcher of what is left. The caller holds mu.
func (g *Gate) signalFreed() {
	if g.free <= g.spare {
		return
	}

	select {
	case g.freed <- struct{}{}:
	default:
	}
}

// grant hands free permits to those who wait. The caller holds mu.
func (g *Gate) grant() {
	// Requests must not take every permit before the dispatcher gets the share it is owed, for which the last
	// ones are not: it does not know whose rows it will claim.
	keep := 0
	if g.hungry && g.dispatched < g.dispatchedQuota() {
		keep = g.spare + 1
	}

	for g.free > keep {
		app, found := g.neediest()
		if !found || !g.mayTake(app) {
			return
		}

		// A run that has begun comes before one that has not.
		if list := g.resuming[app]; len(list) > 0 {
			g.resume(app, list[0])
			continue
		}

		list := g.waiters[app]
		g.setWaiters(app, list[1:])
		g.waiting--
		g.start(app)
		list[0].grantCh <- true
	}
}

// neediest finds the app that holds the fewest permits among those that wait and may have one; of equal ones
// the one with the smaller id.
func (g *Gate) neediest() (app cloud.AppID, found bool) {
	consider := func(other cloud.AppID) {
		n, least := g.held[other], g.held[app]
		if !found || n < least || n == least && other < app {
			app, found = other, true
		}
	}

	for other := range g.resuming {
		consider(other)
	}

	for other := range g.waiters {
		if g.hasPlace(other) {
			consider(other)
		}
	}

	return app, found
}

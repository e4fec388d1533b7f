package executor

import (
	"slices"
	"time"

	"picloud/internal/cloud"
)

// All children together have a budget of memory. A child's limit is what it may need at worst; most need
// far less. So a child starts at once while the limits of all fit into the budget. When they do not, what
// the children really have counts, and only those that are expected to need their limit are charged for all
// of it: one for a run that is repeated alone, because its memory was short, and one that compiles. What
// does not fit then waits, idle children end to make room, and the app that has least comes first.
//
// Children that were let in by what they had may grow. While the limits of all exceed the budget the pool
// looks at what they have ten times a second, and ends what goes beyond (see overrun).

const (
	// startMiB is what a child that starts is expected to need.
	startMiB = 32
	// leastMiB is what an idle child counts at least: what the system keeps about a process.
	leastMiB = 4
	// overrunPeriod is the time between two looks at what children have grown to.
	overrunPeriod = 100 * time.Millisecond
)

// budget bounds the memory of all children of a pool, in MiB. Its fields are guarded by Pool.mu, but for
// total, which does not change.
type budget struct {
	total    int // 0: no bound
	waiting  []*child
	watching bool // the next overrun check is due
}

// defaultBudget is the budget on a machine with so many bytes of memory: half of them.
func defaultBudget(memory uint64) int { return int(memory / 2 >> 20) }

// errNoMemory is what a run is told that waited for memory in vain.
func errNoMemory() error {
	return cloud.Errorf(cloud.CodeUnavailable, "this server's memory for sandboxes was in use, "+
		"and not enough of it became free in time; nothing was run")
}

// isReserved reports whether a child is charged for its whole limit.
func (c *child) isReserved() bool { return c.exclusive || c.key.compile }

// worst is what a child may need, in MiB. No child counts more than half of the budget, so that a small
// machine can run two.
func (b *budget) worst(c *child) int { return min(c.key.memoryMiB+ownMiB, b.total/2) }

// need is what a child that starts is charged when limits do not fit.
func (b *budget) need(c *child) int {
	if c.isReserved() {
		return b.worst(c)
	}
	return min(startMiB, b.worst(c))
}

// charge is what a child that was admitted counts when limits do not fit.
func (b *budget) charge(c *child) int {
	if c.isReserved() {
		return b.worst(c)
	}
	return c.measure()
}

// measure is what a child has in memory of its own, in MiB. While that is not known, or it has done nothing
// yet, it is what a child needs in order to start. pool.mu is held.
func (c *child) measure() int {
	least := leastMiB
	if c.total == 0 {
		least = startMiB
	}
	if mib, ok := c.resident(); ok {
		return max(mib, least)
	}
	return max(int(min(c.peakKiB>>10, int64(c.key.memoryMiB+ownMiB))), startMiB)
}

// admitted lists the children that have a process or are about to. p.mu is held.
func (p *Pool) admitted() []*child {
	var all []*child
	for _, list := range p.children {
		for _, c := range list {
			if c.admitted {
				all = append(all, c)
			}
		}
	}

	return all
}

// sum adds what each of some children counts.
func sum(children []*child, count func(*child) int) int {
	n := 0
	for _, c := range children {
		n += count(c)
	}
	return n
}

// limitsFit reports whether all children may have their limits, and one more if it is not nil. p.mu is held.
func (p *Pool) limitsFit(all []*child, more *child) bool {
	worst := sum(all, p.budget.worst)
	if more != nil {
		worst += p.budget.worst(more)
	}
	return p.budget.total == 0 || worst <= p.budget.total
}

// missing is how much memory must become free before a child can start, in MiB; 0 or less: none. One that is
// alone always can. p.mu is held.
func (p *Pool) missing(c *child) int {
	all := p.admitted()
	if len(all) == 0 || p.limitsFit(all, c) {
		return 0
	}
	return sum(all, p.budget.charge) + p.budget.need(c) - p.budget.total
}

// admit starts the children that wait, as far as there is memory, and ends idle ones to make room for the
// next. p.mu is held.
func (p *Pool) admit() {
	for !p.closed {
		c := p.nextWaiting()
		if c == nil {
			return
		}

		missing := p.missing(c)
		if missing > 0 {
			p.endIdle(missing)
			return // the end of a child calls again
		}
		p.launchChild(c)
	}
}

// nextWaiting is the child that comes first: of the apps that may have another, that with the least memory,
// and then the one that has waited longest. p.mu is held.
func (p *Pool) nextWaiting() *child {
	if len(p.budget.waiting) == 0 {
		return nil
	}
	if p.budget.total == 0 {
		return p.budget.waiting[0]
	}

	var first *child
	least := 0

	usage := p.usage()
	for _, c := range p.budget.waiting {
		if !usage.mayHave(c, p.budget.worst(c)) {
			continue
		}
		if has := usage.all[c.key.app]; first == nil || has < least {
			first = c
			least = has
		}
	}

	return first
}

// usage is what the apps have, in MiB.
type usage struct {
	all map[cloud.AppID]int
	// alone is what the children have that are for one run each, and runsAlone how many they are.
	alone, runsAlone map[cloud.AppID]int
	// share is the most that those of one app may have.
	share int
	// maxAlone is how many children for one run each an app may have: one for each processor.
	maxAlone int
}

// usage adds up what the apps have. Each app's share is such that one more app than there are would have as
// much: whoever comes next finds room. p.mu is held.
func (p *Pool) usage() usage {
	u := usage{all: map[cloud.AppID]int{}, alone: map[cloud.AppID]int{}, runsAlone: map[cloud.AppID]int{}}

	apps := map[cloud.AppID]bool{}
	for key, list := range p.children {
		for _, c := range list {
			if c.jobs > 0 {
				apps[key.app] = true
			}
			if !c.admitted {
				continue
			}
			u.all[key.app] += p.budget.charge(c)
			if c.exclusive {
				u.alone[key.app] += p.budget.worst(c)
				u.runsAlone[key.app]++
			}
		}
	}

	u.share = p.budget.total / (len(apps) + 1)
	u.maxAlone = p.max
	return u
}

// mayHave reports whether an app may have one more child: one that is shared always, one for a run alone
// within the app's share, the first in any case. More of these than processors would only take the time of
// other apps' processes.
func (u *usage) mayHave(c *child, worst int) bool {
	has := u.alone[c.key.app]
	fits := has+worst <= u.share && u.runsAlone[c.key.app] < u.maxAlone
	return !c.exclusive || has == 0 || fits
}

// waitsNoMore takes a child out of those that wait, if it is among them. Pool.mu is held.
func (b *budget) waitsNoMore(c *child) {
	if k := slices.Index(b.waiting, c); k >= 0 {
		b.waiting = slices.Delete(b.waiting, k, k+1)
	}
}

// launchChild lets a child's process start. p.mu is held.
func (p *Pool) launchChild(c *child) {
	p.budget.waitsNoMore(c)
	p.makeRoom()
	c.admitted = true
	p.stats.Started++
	p.wg.Add(1)
	go c.run()
	p.watchOverrun()
}

// withdraw takes a child back that nobody waits for any more. p.mu is held.
func (p *Pool) withdraw(c *child) {
	p.budget.waitsNoMore(c)
	p.drop(c)
	p.admit()
}

// endIdle ends children without work until so much memory is about to become free, in MiB; those that have
// been idle longest go first. p.mu is held.
func (p *Pool) endIdle(mib int) {
	all := p.admitted()
	for _, c := range all {
		if c.retiring && c.jobs == 0 {
			mib -= p.budget.charge(c) // its process is about to be gone
		}
	}

	slices.SortFunc(all, func(a, b *child) int { return a.idleSince.Compare(b.idleSince) })

	for _, c := range all {
		if mib <= 0 {
			return
		}
		if c.jobs > 0 || c.retiring {
			continue
		}

		mib -= p.budget.charge(c)
		c.retiring = true
		c.kill()
	}
}

// watchOverrun starts to look at what children grow to, if their limits do not fit. p.mu is held.
func (p *Pool) watchOverrun() {
	if p.budget.watching || p.closed || p.limitsFit(p.admitted(), nil) {
		return
	}
	p.budget.watching = true
	time.AfterFunc(overrunPeriod, p.overrun)
}

// overrun ends children when all of them have more memory than the budget: idle ones first, then the largest
// shared one of the app that has most. Its runs are repeated alone, where each is charged for its limit.
func (p *Pool) overrun() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.budget.watching = false

	all := p.admitted()
	excess := sum(all, (*child).measure) - p.budget.total
	if excess > 0 {
		p.endIdle(excess)
		p.evict(all, excess)
	}
	p.watchOverrun()
}

// evict ends one child that has work, unless the memory of those that are ending is enough. p.mu is held.
func (p *Pool) evict(all []*child, excess int) {
	has := map[cloud.AppID]int{}
	for _, c := range all {
		if c.retiring && c.jobs == 0 || c.evicted {
			excess -= c.measure()
			continue
		}
		has[c.key.app] += c.measure()
	}
	if excess <= 0 {
		return
	}

	var largest *child
	for _, c := range all {
		if c.isReserved() || c.evicted || c.retiring && c.jobs == 0 {
			continue
		}
		if largest == nil || has[c.key.app] > has[largest.key.app] ||
			c.key.app == largest.key.app && c.measure() > largest.measure() {
			largest = c
		}
	}
	if largest != nil {
		largest.evicted = true
		largest.retiring = true
		largest.kill()
	}
}

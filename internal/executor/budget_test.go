package executor

import (
	"errors"
	"testing"
	"time"

	"picloud/internal/cloud"
)

// newTestChild is a child of a pool whose process nobody starts: what it has is what it reported last.
func newTestChild(p *Pool, app cloud.AppID, memoryMiB, hasMiB int) *child {
	c := newChild(p, childKey{app: app, memoryMiB: memoryMiB}, false)
	c.admitted = true
	c.total = 1
	c.peakKiB = int64(hasMiB) << 10
	p.children[c.key] = append(p.children[c.key], c)
	return c
}

func newTestPool(budgetMiB int) *Pool {
	return New(Config{Launcher: &Launcher{}, BudgetMiB: budgetMiB, MemoryMiB: 128})
}

// While all limits fit, what children have does not matter; when they do not, it is all that matters of shared
// ones, and the limit of the others. One child can always start.
func TestMissingMemory(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		budget  int
		shared  []int // what shared children have, in MiB
		alone   int   // children of a run each
		isAlone bool  // the new one
		want    int
	}{
		"nobody there":               {budget: 100, want: 0},
		"no bound":                   {budget: 0, shared: []int{9000, 9000}, want: 0},
		"limits fit":                 {budget: 592, shared: []int{120, 120, 120}, want: 0},
		"only what they have fits":   {budget: 591, shared: []int{40, 40, 40}, want: 0},
		"what they have is too much": {budget: 591, shared: []int{148, 148, 148, 148}, want: 33},
		"alone, it needs its limit":  {budget: 591, shared: []int{148, 148, 148}, isAlone: true, want: 1},
		"others alone are charged":   {budget: 400, alone: 2, want: 0},
		"others alone fill it":       {budget: 320, alone: 2, want: 8},
		"a small machine":            {budget: 100, alone: 1, isAlone: true, want: 0},
		"a small machine, filled":    {budget: 100, alone: 2, isAlone: true, want: 50},
	} {
		p := newTestPool(c.budget)

		p.budget.total = c.budget // 0 is the machine's for New
		for k, has := range c.shared {
			newTestChild(p, cloud.AppID(k+1), 128, has)
		}

		for range c.alone {
			newTestChild(p, 9, 128, 40).exclusive = true
		}

		one := newChild(p, childKey{app: 10, memoryMiB: 128}, c.isAlone)
		if got := max(p.missing(one), 0); got != c.want {
			t.Errorf("%s: %d MiB are missing, want %d", name, got, c.want)
		}
		p.Close()
	}
}

// What a child claims to have, beyond what its process could, is not believed.
func TestMeasureIsBounded(t *testing.T) {
	t.Parallel()
	p := newTestPool(1000)
	defer p.Close()

	c := newTestChild(p, 1, 128, 0)
	c.peakKiB = 1 << 62
	if got := c.measure(); got != 128+ownMiB {
		t.Errorf("%d MiB", got)
	}
	if c.peakKiB = 100; c.measure() != startMiB {
		t.Errorf("%d MiB", c.measure())
	}
}

// The app with least memory comes first, then who has waited longest; a run alone must fit into the share of
// its app, which leaves room for one more app than there are.
func TestNextWaiting(t *testing.T) {
	t.Parallel()
	p := newTestPool(900)
	defer p.Close()

	wait := func(app cloud.AppID, alone bool) *child {
		c := newChild(p, childKey{app: app, memoryMiB: 128}, alone)
		c.jobs = 1
		p.children[c.key] = append(p.children[c.key], c)
		p.budget.waiting = append(p.budget.waiting, c)
		return c
	}
	next := func(want *child) {
		t.Helper()
		if got := p.nextWaiting(); got != want {
			t.Errorf("next is %+v, want %+v", got, want)
		}
	}
	next(nil)

	// App 1 has two runs alone, 296 of 900 MiB: of half the budget a third is a little too much.
	for range 2 {
		c := newTestChild(p, 1, 128, 90)
		c.exclusive = true
		c.jobs = 1
	}
	third := wait(1, true)
	p.max = 3
	next(third) // 444 <= 450
	p.max = 2
	next(nil) // the app has one for each processor
	p.max = 3

	// With another app the share is 300.
	other := newTestChild(p, 2, 128, 90)
	other.jobs = 1
	next(nil)
	if other.jobs = 0; p.nextWaiting() != third {
		t.Error("an idle app takes from the others' share")
	}
	other.jobs = 1

	second := wait(2, false)
	next(second)
	newest := wait(3, true)
	next(newest)
	wait(3, true)
	next(newest)
	p.budget.waiting = p.budget.waiting[:2]
	next(second)
}

// Idle children end for others, longest idle first, no more than needed, and none that works.
func TestEndIdle(t *testing.T) {
	t.Parallel()
	p := newTestPool(1000)
	defer p.Close()

	now := time.Now()

	children := make([]*child, 4)
	for k := range children {
		c := newTestChild(p, cloud.AppID(k+1), 128, 50)
		c.idleSince = now.Add(time.Duration(-k) * time.Second)
		children[k] = c
	}
	children[3].jobs = 1 // the oldest

	ended := func(want ...bool) {
		t.Helper()

		for k, c := range children {
			if c.killed != want[k] {
				t.Errorf("child %d was ended: %v, want %v", k, c.killed, want[k])
			}
		}
	}
	p.endIdle(50)
	ended(false, false, true, false)
	p.endIdle(50) // which is about to become free
	ended(false, false, true, false)
	p.endIdle(51)
	ended(false, true, true, false)
	p.endIdle(1000)
	ended(true, true, true, false)
}

// When all have too much, the largest shared child of the app with most goes, one at a time.
func TestEvict(t *testing.T) {
	t.Parallel()
	p := newTestPool(200)
	defer p.Close()

	small := newTestChild(p, 1, 128, 100)
	large := newTestChild(p, 2, 128, 60)
	larger := newTestChild(p, 2, 64, 70)
	alone := newTestChild(p, 3, 256, 270)
	alone.exclusive = true

	all := []*child{small, large, larger, alone}
	for _, c := range all {
		c.jobs = 1
	}

	p.evict(all, 60)
	p.evict(all, 60) // what is about to become free is enough
	if !larger.evicted || large.evicted || small.evicted || alone.evicted {
		t.Error("the wrong child was ended")
	}
	p.evict(all, 80)
	if !small.evicted || alone.evicted {
		t.Error("no second child was ended, or one that is charged for its limit")
	}
}

// Closing the pool ends those who wait for memory.
func TestCloseEndsWaiting(t *testing.T) {
	t.Parallel()
	p := newTestPool(100)
	c := newChild(p, childKey{app: 1, memoryMiB: 128}, true)
	c.jobs = 1
	p.children[c.key] = append(p.children[c.key], c)
	p.budget.waiting = append(p.budget.waiting, c)

	p.Close()
	if _, err := p.await(t.Context(), c, time.Time{}); !errors.Is(err, ErrClosed) {
		t.Errorf("who waited: %v", err)
	}
	if _, err := p.acquire(t.Context(), c.key, true); !errors.Is(err, ErrClosed) {
		t.Errorf("who comes later: %v", err)
	}
}

// Package executor is the parent's side of the sandbox: it starts, feeds, watches, kills and replaces the
// child processes in which scripts run (internal/executor/sandbox is the child's side). It knows what a run
// needs and what its outcome was; it knows nothing of HTTP routes, outbox rows or the database.
//
// A child belongs to one app and one memory limit. Runs of that app share it until it dies, grows, or is idle
// for a while:
//
//	waiting -> starting -> ready <-> busy -> retiring -> dead
//
// It waits if all children together would have too much memory (budget.go): its process is started later. A
// child is retired, so that it ends after its last run, when its memory is full (child_memory.go) or after
// very many runs. It can die in any state, of a run's memory or of a broken protocol, and takes all of its
// runs along; diagnose finds the run that is to blame in the child's dump.
//
// Locks are taken in the order Pool.mu, child.mu, wire.Writer's. Run.mu, bodyStream.mu and stderrHead.mu are
// leaves: no lock of this package is taken under them, nor are they taken under any.
package executor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/timerwheel"
)

// Config is what a Pool needs.
type Config struct {
	// Launcher starts the children, or Client, if that is set.
	Launcher *Launcher
	Client   *Client
	// Code returns the code of a build.
	Code func(ctx context.Context, app cloud.AppID, build cloud.ID) (string, error)
	// MemoryMiB is the memory limit of scripts that have none of their own.
	MemoryMiB int
	// BudgetMiB bounds the memory of all children together; 0 is half of what this process may use.
	BudgetMiB int
	// MaxBody is the most bytes of a response's body.
	MaxBody int
	Log     *slog.Logger
}

// Limits that are not configured.
const (
	// interruptGrace is how long a run has to end after its interrupt, before its child is killed.
	interruptGrace = 250 * time.Millisecond
	// idleTimeout is how long a child without work lives.
	idleTimeout    = 30 * time.Second
	compileTimeout = 20 * time.Second
	// inspectTimeout is what a run has by default: a module that takes longer cannot answer anyway.
	inspectTimeout   = 10 * time.Second
	compileMemoryMiB = 256
	// startTimeout bounds the start of a child on a loaded machine.
	startTimeout = 10 * time.Second
	// crowded is the number of jobs in each child of a key at which another child is started, up to one per
	// CPU.
	crowded = 16
	// maxRunsPerChild retires a child: whatever leaks in the engine goes with it.
	maxRunsPerChild = 500_000
)

// Pool has all children of this process. It is safe for concurrent use.
type Pool struct {
	cfg     Config
	max     int // shared children of one key
	maxAll  int // children of all keys; beyond it an idle one ends for each that starts
	nextRun atomic.Uint64
	start   starter
	// unarmed are the runs whose deadlines have no timer yet (see minTimerAge).
	unarmed *timerwheel.Wheel[*Run]

	losses losses

	// mu guards the fields below, and of every child those that are named so.
	mu       sync.Mutex
	budget   budget
	children map[childKey][]*child
	closed   bool
	wg       sync.WaitGroup // of the children's goroutines
	stats    Stats
}

// Stats counts what the pool did since it started.
type Stats struct {
	Children int   // alive now
	Started  int64 // children
	Died     int64 // children that ended while they had work
}

// childKey is what the runs that share a child have in common.
type childKey struct {
	app       cloud.AppID
	memoryMiB int
	compile   bool // children that compile never run handlers
}

// ErrClosed is returned once Close was called.
var ErrClosed = errors.New("the executor is closed")

// New returns a pool; children start when they are needed.
func New(cfg Config) *Pool {
	p := &Pool{
		cfg:      cfg,
		max:      runtime.NumCPU(),
		maxAll:   maxChildren(MachineMemory()),
		children: map[childKey][]*child{},
		start:    cfg.Launcher,
		unarmed:  timerwheel.New(minTimerAge, (*Run).armInterrupt),
	}
	if cfg.Client != nil {
		p.start = cfg.Client
	}

	if p.budget.total = cfg.BudgetMiB; p.budget.total == 0 {
		p.budget.total = defaultBudget(MachineMemory())
	}
	return p
}

// maxChildren is how many children a machine with so many bytes of memory may have. A child of a small script
// takes some 7 MiB, so idle ones fill a quarter of the memory at most.
func maxChildren(memory uint64) int { return int(min(max(memory/(28<<20), 16), 256)) }

// Stats returns a snapshot of the counters.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()

	stats := p.stats
	stats.Children = len(p.admitted())
	return stats
}

// Close kills every child and waits until they are gone. Runs that are under way end as their children die;
// later calls return ErrClosed.
func (p *Pool) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}

	p.closed = true
	for _, c := range p.admitted() {
		c.kill()
	}

	for _, c := range p.budget.waiting {
		close(c.dead) // nothing else will
	}
	p.mu.Unlock()

	p.wg.Wait()
	p.start.close()
}

// acquire returns a child that is ready, with a place in it for one job, which the caller gives back by
// release. alone asks for a child that nobody shares. It waits for memory until ctx ends, and then returns an
// error that says so.
func (p *Pool) acquire(ctx context.Context, key childKey, alone bool) (*child, error) {
	return p.acquireUntil(ctx, place{key: key, alone: alone})
}

// place is what a job needs of a child.
type place struct {
	key   childKey
	build cloud.ID // that it runs; the zero id if it is no run
	alone bool
	// deadline is until when it waits for memory; the zero time if it is as long as its context lasts.
	deadline time.Time
}

// acquireUntil is acquire of a place.
func (p *Pool) acquireUntil(ctx context.Context, want place) (*child, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}

	c := p.place(want)
	p.mu.Unlock()

	return p.await(ctx, c, want.deadline)
}

// place takes a place in a child: in one that there is, or in a new one, which may have to wait for memory.
// p.mu is held.
func (p *Pool) place(want place) *child {
	if !want.alone {
		if c := p.choose(want.key, want.build); c != nil {
			return c.take(want.build)
		}
	}

	c := newChild(p, want.key, want.alone)
	p.children[want.key] = append(p.children[want.key], c)
	p.budget.waiting = append(p.budget.waiting, c)
	c.take(want.build)
	p.admit()
	return c
}

// take takes a place in a child for a run of a build. pool.mu is held.
func (c *child) take(build cloud.ID) *child {
	if _, known := c.builds[build]; !known {
		c.builds[build] = struct{}{}
	}
	c.jobs++
	c.idleTimer.Stop()
	return c
}

// await waits until a child is ready in which the caller has a place. Without a deadline only ctx ends the
// wait for memory.
func (p *Pool) await(ctx context.Context, c *child, deadline time.Time) (*child, error) {
	select {
	case <-c.ready: // as nearly always
		return c, nil
	default:
	}

	var late <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		late = timer.C
	}

	for {
		select {
		case <-c.ready:
			return c, nil
		case <-c.dead:
			return nil, c.startError()
		case <-late:
			if p.giveUp(c, false) {
				return nil, errNoMemory()
			}
			late = nil // it has its memory, and is about to be ready
		case <-ctx.Done():
			if p.giveUp(c, true) {
				return nil, errNoMemory()
			}
			return nil, context.Cause(ctx)
		}
	}
}

// giveUp gives the place in a child back that is not ready. It reports whether the child has waited for
// memory. One that has not is left alone unless leave is set.
func (p *Pool) giveUp(c *child, leave bool) bool {
	p.mu.Lock()
	hasWaited := !c.admitted
	p.mu.Unlock()

	if hasWaited || leave {
		p.release(c, 0)
	}
	return hasWaited
}

// add starts a child at once that is not charged; the caller has its only place.
func (p *Pool) add(ctx context.Context, key childKey) (*child, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}

	c := newChild(p, key, true)
	c.jobs = 1
	p.children[key] = append(p.children[key], c)
	p.launchChild(c)
	p.mu.Unlock()

	return p.await(ctx, c, time.Time{})
}

// makeRoom ends the child that has been idle longest if there are maxAll. If all have work there will be
// more: no app waits for another's. p.mu is held.
func (p *Pool) makeRoom() {
	var oldest *child

	all := p.admitted()
	for _, c := range all {
		isIdle := c.jobs == 0 && !c.retiring
		if isIdle && (oldest == nil || c.idleSince.Before(oldest.idleSince)) {
			oldest = c
		}
	}

	if len(all) >= p.maxAll && oldest != nil {
		oldest.retiring = true
		oldest.kill()
	}
}

// release gives a place in a child back. peakKiB is the most that the child has had resident, as a run
// reported, and 0 if none did.
func (p *Pool) release(c *child, peakKiB int64) {
	p.mu.Lock()
	defer p.mu.Unlock()

	c.jobs--
	if !c.admitted {
		if c.jobs == 0 && !p.closed {
			p.withdraw(c)
		}
		return
	}

	c.total++
	c.peakKiB = max(c.peakKiB, peakKiB)
	if c.total >= maxRunsPerChild {
		c.retiring = true
	}

	switch {
	case c.jobs > 0:
	case c.exclusive || c.retiring:
		c.kill()
	default:
		c.idleSince = time.Now()
		c.idleTimer.Reset(idleTimeout)
		if len(p.budget.waiting) > 0 {
			p.admit() // which may end it
		}
	}
}

// remove takes a dead child off the list, and lets the next start that waits for its memory.
func (p *Pool) remove(c *child) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.drop(c)
	if c.jobs > 0 {
		p.stats.Died++
	}
	p.admit()
}

// drop takes a child off the list. p.mu is held.
func (p *Pool) drop(c *child) {
	list := p.children[c.key]
	if k := slices.Index(list, c); k >= 0 {
		list = slices.Delete(list, k, k+1)
	}
	if len(list) == 0 {
		delete(p.children, c.key)
	} else {
		p.children[c.key] = list
	}
}

// Probe starts a sandbox process for no app, and returns what stands between it and the machine.
func (p *Pool) Probe(ctx context.Context) (Confinement, error) {
	c, err := p.add(ctx, childKey{memoryMiB: p.cfg.MemoryMiB})
	if err != nil {
		return Confinement{}, fmt.Errorf("probe the sandbox: %w", err)
	}
	defer p.release(c, 0)
	return c.confinement(), nil
}

// Ready reports whether a sandbox process can be started: unless one is alive, it starts one for no app.
func (p *Pool) Ready(ctx context.Context) error {
	if p.Stats().Children > 0 {
		return nil
	}

	_, err := p.Probe(ctx)
	return err
}

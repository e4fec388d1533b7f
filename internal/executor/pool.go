// Package executor is the parent's side of the sandbox: it starts, feeds, watches, kills and replaces the
// child processes in which scripts run (internal/executor/sandbox is the child's side). It knows what a run
// needs and what its outcome was; it knows nothing of HTTP routes, outbox rows or the database.
//
// A child belongs to one app and one memory limit. Runs of that app share it until it dies, grows, or is idle
// for a while:
//
//	starting -> ready <-> busy -> retiring -> dead
//
// A child is retired, so that it ends after its last run, when its memory has grown or after very many runs.
// It can die in any state, of a run's memory or of a broken protocol, and takes all of its runs along;
// diagnose finds the run that is to blame in the child's dump.
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
	inspectTimeout   = 5 * time.Second
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

	// mu guards the fields below, and jobs, total, retiring and idleSince of every child.
	mu       sync.Mutex
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
	for _, list := range p.children {
		stats.Children += len(list)
	}
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
	for _, list := range p.children {
		for _, c := range list {
			c.kill()
		}
	}
	p.mu.Unlock()

	p.wg.Wait()
	p.start.close()
}

// acquire returns a child that is ready, with a place in it for one job, which the caller gives back by
// release. alone asks for a child that nobody shares.
func (p *Pool) acquire(ctx context.Context, key childKey, alone bool) (*child, error) {
	if alone {
		return p.add(ctx, key, true)
	}

	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}

	c := p.reuse(key)
	p.mu.Unlock()
	if c == nil {
		return p.add(ctx, key, false)
	}

	select {
	case <-c.ready:
		return c, nil
	case <-c.dead:
		return nil, c.startError()
	}
}

// reuse takes a place in the child of a key that has the fewest jobs. It returns nil if another child should
// be started. p.mu is held.
func (p *Pool) reuse(key childKey) *child {
	var best *child

	shared := 0
	for _, c := range p.children[key] {
		if c.exclusive || c.retiring {
			continue
		}
		shared++
		if best == nil || c.jobs < best.jobs {
			best = c
		}
	}

	if best == nil || best.jobs >= crowded && shared < p.max {
		return nil
	}

	best.jobs++
	best.idleTimer.Stop()
	return best
}

// add starts a child; the caller has its first place.
func (p *Pool) add(ctx context.Context, key childKey, exclusive bool) (*child, error) {
	c := newChild(p, key, exclusive)
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}

	c.jobs = 1
	p.makeRoom()
	p.children[key] = append(p.children[key], c)
	p.stats.Started++
	p.wg.Add(1)
	p.mu.Unlock()

	go c.run()

	select {
	case <-c.ready:
		return c, nil
	case <-c.dead:
		return nil, c.startError()
	case <-ctx.Done():
		p.release(c, 0)
		return nil, context.Cause(ctx)
	}
}

// makeRoom ends the child that has been idle longest if there are maxAll. If all have work there will be
// more: no app waits for another's. p.mu is held.
func (p *Pool) makeRoom() {
	n := 0

	var oldest *child
	for _, list := range p.children {
		n += len(list)
		for _, c := range list {
			isIdle := c.jobs == 0 && !c.retiring
			if isIdle && (oldest == nil || c.idleSince.Before(oldest.idleSince)) {
				oldest = c
			}
		}
	}

	if n >= p.maxAll && oldest != nil {
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
	c.total++
	if c.total >= maxRunsPerChild || c.hasGrown(peakKiB) {
		c.retiring = true
	}

	switch {
	case c.jobs > 0:
	case c.exclusive || c.retiring:
		c.kill()
	default:
		c.idleSince = time.Now()
		c.idleTimer.Reset(idleTimeout)
	}
}

// remove takes a dead child off the list.
func (p *Pool) remove(c *child) {
	p.mu.Lock()
	defer p.mu.Unlock()

	list := p.children[c.key]
	if k := slices.Index(list, c); k >= 0 {
		list = slices.Delete(list, k, k+1)
	}
	if len(list) == 0 {
		delete(p.children, c.key)
	} else {
		p.children[c.key] = list
	}

	if c.jobs > 0 {
		p.stats.Died++
	}
}

// Probe starts a sandbox process for no app, and returns what stands between it and the machine.
func (p *Pool) Probe(ctx context.Context) (Confinement, error) {
	c, err := p.acquire(ctx, childKey{memoryMiB: p.cfg.MemoryMiB}, true)
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

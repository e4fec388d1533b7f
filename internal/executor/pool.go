// Package executor is the parent's side of the sandbox: it starts, feeds, watches, kills and replaces the child processes
// in which scripts run (internal/executor/sandbox). It knows what a run needs and what came of it; it knows nothing of
// HTTP routes, outbox rows or the database.
//
// A child belongs to one app and one memory limit. Runs of that app share it until it dies, grows, or has nothing to do.
package executor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/timerwheel"
)

// Config is what a Pool needs.
type Config struct {
	// Launcher starts the children; Remote, if set, does instead.
	Launcher *Launcher
	Remote   *Remote
	// Code gives the text of a build.
	Code func(ctx context.Context, app cloud.AppID, build cloud.ID) (string, error)
	// MemoryMiB is the memory of a child whose script asks for none.
	MemoryMiB int
	// MaxBody is the most bytes of a response body.
	MaxBody int
	Log     *slog.Logger
}

// Limits that are not configured.
const (
	interruptGrace   = 250 * time.Millisecond
	idleAfter        = 30 * time.Second
	compileTimeout   = 20 * time.Second
	inspectTimeout   = 2 * time.Second
	compileMemoryMiB = 256
	// startTimeout bounds the start of a child on a loaded machine.
	startTimeout = 10 * time.Second
	// crowded is the number of runs in a child at which another is started, up to one per CPU.
	crowded = 16
	// maxRunsPerChild recycles a child: whatever leaks in the engine goes with it.
	maxRunsPerChild = 500_000
)

// Pool is all children of this process. It is safe for concurrent use.
type Pool struct {
	cfg     Config
	max     int // children per app and memory limit
	maxAll  int // children of all apps; beyond it an idle one ends for each that starts
	nextRun atomic.Uint64
	start   starter
	young   *timerwheel.Wheel[*Run]

	mu       sync.Mutex
	children map[childKey][]*child
	closed   bool
	wg       sync.WaitGroup
	stats    Stats
}

// Stats counts what the pool did since it started.
type Stats struct {
	Children int
	Started  int64
	Killed   int64
	Died     int64
}

type childKey struct {
	app       cloud.AppID
	memoryMiB int
	// build children compile; they never run handlers.
	compile bool
}

// ErrClosed is returned once Close was called.
var ErrClosed = errors.New("the executor is closed")

// New returns a pool; children start when they are needed.
func New(cfg Config) *Pool {
	p := &Pool{cfg: cfg, max: runtime.NumCPU(), maxAll: maxChildren(machineMemory()), children: map[childKey][]*child{}, start: cfg.Launcher,
		young: timerwheel.New(young, (*Run).setInterrupt)}
	if cfg.Remote != nil {
		p.start = cfg.Remote
	}
	return p
}

// maxChildren is how many children a machine with so many bytes of memory is let have: one of a small script takes some 7 MiB,
// so that idle ones fill a quarter at most.
func maxChildren(memory uint64) int { return int(min(max(memory/(28<<20), 16), 256)) }

// Stats returns a snapshot of the counters.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	for _, list := range p.children {
		s.Children += len(list)
	}
	return s
}

// Close kills every child and waits until they are gone.
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

// acquire gives a child with a place for one more job. alone asks for one that nobody shares.
func (p *Pool) acquire(ctx context.Context, key childKey, alone bool) (*child, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	if alone {
		p.mu.Unlock()
		return p.add(ctx, key, true)
	}
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
	if best != nil && (best.jobs < crowded || shared >= p.max) {
		best.jobs++
		best.idle.Stop()
		p.mu.Unlock()
		select {
		case <-best.ready:
			return best, nil
		case <-best.dead:
			return nil, best.startError()
		}
	}
	p.mu.Unlock()
	return p.add(ctx, key, false)
}

// add makes a child; the caller has its first place.
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
	go c.life()
	select {
	case <-c.ready:
		return c, nil
	case <-c.dead:
		return nil, c.startError()
	case <-ctx.Done():
		p.done(c, 0)
		return nil, context.Cause(ctx)
	}
}

// makeRoom ends the child that has been idle longest when there are many.
func (p *Pool) makeRoom() {
	n := 0
	var oldest *child
	for _, list := range p.children {
		n += len(list)
		for _, c := range list {
			if c.jobs == 0 && !c.retiring && (oldest == nil || c.since.Before(oldest.since)) {
				oldest = c
			}
		}
	}
	if n >= p.maxAll && oldest != nil {
		oldest.retiring = true
		oldest.kill()
	}
}

// done gives a place back. peakKiB is the most that the child has had resident, as a run said, 0 when none did.
func (p *Pool) done(c *child, peakKiB int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.jobs--
	c.total++
	if c.total >= maxRunsPerChild || c.grown(peakKiB) {
		c.retiring = true
	}
	switch {
	case c.jobs > 0:
	case c.exclusive || c.retiring:
		c.kill()
	default:
		c.since = time.Now()
		c.idle.Reset(idleAfter)
	}
}

// remove takes a dead child off the list.
func (p *Pool) remove(c *child) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.children[c.key]
	for k, other := range list {
		if other == c {
			list = append(list[:k], list[k+1:]...)
			break
		}
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

// Ready reports whether a sandbox process can be started: it starts one for no app, unless one is alive.
func (p *Pool) Ready(ctx context.Context) error {
	if p.Stats().Children > 0 {
		return nil
	}
	c, err := p.acquire(ctx, childKey{memoryMiB: p.cfg.MemoryMiB}, true)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	p.done(c, 0)
	return nil
}

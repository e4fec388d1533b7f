// Package executor is the parent's side of the sandbox: it starts, feeds, watches, kills and replaces the child processes
// in which scripts run (internal/executor/sandbox). It knows what a run needs and what came of it; it knows nothing of
// HTTP routes, outbox rows or the database.
//
// A child belongs to one app and one memory limit. Runs of that app share it until it dies, grows, or has nothing to do.
package executor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
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

// Compile bundles a script in a child of the app. A syntax error is a *cloud.Error of code invalid with line and column.
func (p *Pool) Compile(ctx context.Context, app cloud.AppID, build cloud.ID, src *cloud.Source) (*cloud.Bundle, error) {
	ctx, cancel := context.WithTimeout(ctx, compileTimeout)
	defer cancel()
	c, err := p.acquire(ctx, childKey{app: app, memoryMiB: compileMemoryMiB, compile: true}, false)
	if err != nil {
		return nil, fmt.Errorf("start compiler: %w", err)
	}
	defer p.done(c, 0)
	body, err := json.Marshal(src)
	if err != nil {
		return nil, fmt.Errorf("encode source: %w", err)
	}
	reply, err := c.ask(ctx, wire.Compile, func(e *wire.Encoder) { e.Raw(body) })
	if err != nil {
		return nil, compileDeath(ctx, err)
	}
	var out wire.CompiledMsg
	if err := json.Unmarshal(reply, &out); err != nil {
		return nil, fmt.Errorf("read compiled bundle: %w", err)
	}
	if e := out.Error; e != nil {
		err := cloud.Errorf(cloud.CodeInvalid, "%s", describeCompile(e))
		if e.Line > 0 {
			err = err.With("line", e.Line).With("column", e.Column)
		}
		if e.File != "" {
			err = err.With("file", e.File)
		}
		return nil, err
	}
	b := &cloud.Bundle{Code: out.Code, Imports: out.Imports}
	p.inspect(ctx, app, build, src, b)
	return b, nil
}

func describeCompile(e *wire.CompileError) string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
	}
	return e.Message
}

// compileDeath explains a compiler that died or did not answer.
func compileDeath(ctx context.Context, err error) error {
	var died *deathError
	switch {
	case ctx.Err() != nil:
		return cloud.Errorf(cloud.CodeInvalid, "the source took more than %s to compile: make it smaller or less deeply nested", compileTimeout)
	case errors.As(err, &died):
		return cloud.Errorf(cloud.CodeInvalid, "the source cannot be compiled: it nests too deeply or needs more than %d MiB to parse",
			compileMemoryMiB)
	default:
		return fmt.Errorf("compile: %w", err)
	}
}

// inspect evaluates the bundle once to learn its handlers. A module that loops, dies or throws is deployed all the same:
// its runs will say so; only what it exports stays unknown.
func (p *Pool) inspect(ctx context.Context, app cloud.AppID, build cloud.ID, src *cloud.Source, b *cloud.Bundle) {
	c, err := p.acquire(ctx, childKey{app: app, memoryMiB: p.cfg.MemoryMiB, compile: true}, true)
	if err != nil {
		b.HandlersError = "the module could not be evaluated"
		return
	}
	defer p.done(c, 0)
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	_ = c.w.Send(wire.Program, 0, func(e *wire.Encoder) { e.Bytes(build[:]); e.String(src.Name); e.String(b.Code) })
	_ = c.setEnv(src.Env) // a child that cannot be written to does not answer below
	env := cloud.ID{}
	if src.Env != nil {
		env = src.Env.ID
	}
	reply, err := c.ask(ctx, wire.Inspect, func(e *wire.Encoder) { e.Bytes(build[:]); e.Bytes(env[:]) })
	if err != nil {
		b.HandlersError = "evaluating the module did not end within " + inspectTimeout.String()
		if ctx.Err() == nil {
			b.HandlersError = "evaluating the module used up the sandbox's memory"
		}
		return
	}
	var out wire.InspectedMsg
	if json.Unmarshal(reply, &out) != nil {
		return
	}
	b.Handlers = out.Handlers
	if out.Error != nil {
		b.HandlersError = fmt.Sprintf("evaluating the module failed: %s: %s", out.Error.Name, out.Error.Message)
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

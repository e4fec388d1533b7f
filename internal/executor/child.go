package executor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

const (
	// maxFrame bounds what a child may send in one frame; a response is the largest.
	maxFrame = 48 << 20
	// maxBacklog bounds what waits for a child that does not read.
	maxBacklog = 256 << 20
	// writeTimeout bounds one write to a child.
	writeTimeout = 5 * time.Second
	maxDump      = 64 << 10
	// ownMiB is about what a child uses before any script runs.
	ownMiB = 20
	// grownKiB is the most that a child has resident when a script has used nothing, its program's pages included.
	grownKiB = 32 << 10
)

// child is one sandbox process. Fields jobs, total, retiring belong to the pool's lock.
type child struct {
	pool      *Pool
	key       childKey
	exclusive bool

	jobs     int
	total    int
	retiring bool
	idle     *time.Timer
	since    time.Time // idle since

	ready chan struct{} // closed when it takes work
	dead  chan struct{} // closed when it is gone and death is set
	death *deathError

	w       *wire.Writer
	mu      sync.Mutex
	proc    *sandboxProcess
	killed  bool
	gone    bool // runs are no longer taken
	loaded  map[cloud.ID]bool
	env     cloud.ID // the app's environment that the child was sent last
	runs    map[uint64]*Run
	answers map[uint64]chan []byte
}

func newChild(p *Pool, key childKey, exclusive bool) *child {
	c := &child{pool: p, key: key, exclusive: exclusive, ready: make(chan struct{}), dead: make(chan struct{}),
		loaded: map[cloud.ID]bool{}, runs: map[uint64]*Run{}, answers: map[uint64]chan []byte{}}
	c.idle = time.AfterFunc(time.Hour, c.endIfIdle)
	c.idle.Stop()
	return c
}

func (c *child) endIfIdle() {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	if c.jobs == 0 {
		c.kill()
	}
}

// kill ends the process; whoever waits for its runs hears of it by dead.
func (c *child) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killed = true
	if c.proc != nil {
		c.proc.kill()
	}
}

func (c *child) startError() error {
	if c.death != nil {
		return c.death
	}
	return ErrClosed
}

// life starts the process, reads what it sends, and reaps it.
func (c *child) life() {
	defer c.pool.wg.Done()
	dump, err := c.run()
	c.idle.Stop()
	c.pool.remove(c)
	c.death = diagnose(err, dump)
	c.mu.Lock()
	runs := c.runs
	c.runs, c.gone = nil, true
	killed := c.killed
	c.mu.Unlock()
	if !killed && len(runs) > 0 {
		c.pool.cfg.Log.Info("sandbox died", "app", c.key.app, "executions", executionsOf(runs), "memory", c.death.memory, "detail", c.death.detail)
	}
	if c.death.culprit == 0 && len(runs) == 1 && !errors.Is(err, errServiceGone) {
		for id := range runs {
			c.death.culprit = id
		}
	}
	close(c.dead)
	for _, r := range runs {
		r.childDied(c.death)
	}
}

// executionsOf names runs, for the log.
func executionsOf(runs map[uint64]*Run) []string {
	var ids []string
	for _, r := range runs {
		ids = append(ids, r.spec.Execution.String())
	}
	return ids
}

// run is the process's life; it gives what the process said at its end.
func (c *child) run() (dump string, err error) {
	p, err := c.pool.start.launch()
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	c.proc = p
	if c.killed {
		p.kill()
	}
	c.mu.Unlock()
	started := time.AfterFunc(startTimeout, c.kill)
	defer started.Stop()
	stopWatch := c.watchMemory()
	defer stopWatch()
	readErr := c.read(p, started)
	_ = p.conn.Close()
	p.kill() // gone already, or broke the protocol
	dump, waitErr := p.wait()
	if waitErr != nil {
		return dump, fmt.Errorf("%w (%w)", waitErr, readErr)
	}
	return dump, readErr
}

// read serves the child's frames until it ends or breaks the protocol.
func (c *child) read(p *sandboxProcess, started *time.Timer) error {
	c.w = wire.NewWriter(p.conn, writeTimeout, maxBacklog)
	c.w.Yield = true
	limits, err := json.Marshal(wire.InitMsg{MemoryBytes: uint64(c.key.memoryMiB) << 20, UID: p.uid, GID: p.gid})
	if err != nil {
		return err
	}
	if err := c.w.Send(wire.Init, 0, func(e *wire.Encoder) { e.Raw(limits) }); err != nil {
		return err
	}
	r := wire.NewReader(p.conn, maxFrame)
	ready := false
	for {
		kind, id, body, err := r.Next()
		if err != nil {
			return err
		}
		switch kind {
		case wire.Ready:
			if ready || !started.Stop() {
				return wire.ErrProtocol
			}
			ready = true
			close(c.ready)
		case wire.Compiled, wire.Inspected:
			c.mu.Lock()
			ch := c.answers[id]
			delete(c.answers, id)
			c.mu.Unlock()
			if ch != nil {
				ch <- body
			}
		case wire.Call, wire.Log, wire.Done, wire.After, wire.Chunk, wire.Cancel:
			c.mu.Lock()
			run := c.runs[id]
			c.mu.Unlock()
			if run == nil {
				continue // a run that was given up
			}
			if err := run.frame(kind, body); err != nil {
				return err
			}
		default:
			return wire.ErrProtocol
		}
	}
}

// ask sends one request that is not a run and waits for its answer. A child that does not answer in time is killed.
func (c *child) ask(ctx context.Context, kind wire.Kind, fill func(*wire.Encoder)) ([]byte, error) {
	id := c.pool.nextRun.Add(1)
	ch := make(chan []byte, 1)
	c.mu.Lock()
	c.answers[id] = ch
	c.mu.Unlock()
	if err := c.w.Send(kind, id, fill); err != nil {
		c.kill()
	}
	select {
	case b := <-ch:
		return b, nil
	case <-c.dead:
		return nil, c.death
	case <-ctx.Done():
		c.kill()
		return nil, context.Cause(ctx)
	}
}

// load makes sure that the child knows a build.
func (c *child) load(ctx context.Context, s *cloud.Script) error {
	c.mu.Lock()
	known := c.loaded[s.Build]
	c.mu.Unlock()
	if known {
		return nil
	}
	code, err := c.pool.cfg.Code(ctx, s.App, s.Build)
	if err != nil {
		return fmt.Errorf("load build: %w", err)
	}
	err = c.w.Send(wire.Program, 0, func(e *wire.Encoder) { e.Bytes(s.Build[:]); e.String(s.Name); e.String(code) })
	if err != nil {
		return fmt.Errorf("send build: %w", err)
	}
	c.mu.Lock()
	c.loaded[s.Build] = true
	c.mu.Unlock()
	return nil
}

// setEnv makes sure that the child knows an environment. Frames keep their order, so a run that was sent before keeps its own.
func (c *child) setEnv(env *cloud.Env) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if env == nil || env.ID.IsZero() || c.env == env.ID {
		return nil
	}
	if err := c.w.Send(wire.Env, 0, func(e *wire.Encoder) { wire.EncodeEnv(e, env) }); err != nil {
		return fmt.Errorf("send environment: %w", err)
	}
	c.env = env.ID
	return nil
}

// grown reports a child whose memory has gone beyond what its collector aims at. It is replaced, as what a run has left behind
// would be lacking to the next one: the collector may not have had the time.
func (c *child) grown(peakKiB int64) bool {
	return peakKiB > wire.MemoryTarget(uint64(c.key.memoryMiB)<<20)>>10+grownKiB
}

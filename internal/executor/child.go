package executor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

const (
	// maxFrame bounds what a child may send in one frame, in bytes; a response is the largest.
	maxFrame = 48 << 20
	// maxBacklog bounds what waits for a child that does not read, in bytes.
	maxBacklog = 256 << 20
	// writeTimeout bounds one write to a child.
	writeTimeout = 5 * time.Second
	// ownMiB is about what a child uses before any script runs.
	ownMiB = wire.OwnMemory >> 20
)

// child is one sandbox process.
type child struct {
	pool      *Pool
	key       childKey
	exclusive bool // for one job only

	// Guarded by pool.mu.
	admitted  bool // it has its memory, and a process or soon one
	evicted   bool // it was ended because all children together had too much
	level     wire.MemoryLevel
	owner     cloud.ID              // the build that has most of its memory; the zero id if none has
	builds    map[cloud.ID]struct{} // that it has, or is about to have
	peakKiB   int64
	jobs      int // under way, or waiting for it to be ready
	total     int // jobs that have ended
	retiring  bool
	idleSince time.Time
	idleTimer *time.Timer // runs while there are no jobs

	ready chan struct{} // closed when it takes work
	dead  chan struct{} // closed when it is gone; death is set before
	death *deathError

	// Set before ready is closed.
	w      *wire.Writer
	users  Users
	report *wire.ReadyMsg // nil if the child did not say

	code atomic.Int64 // bytes of code of what is loaded

	// mu guards the fields below. The Writer's lock may be taken under it, none else.
	mu      sync.Mutex
	proc    *sandboxProcess
	killed  bool             // by this side
	gone    bool             // it takes no runs any more
	loaded  map[cloud.ID]int // builds that it was sent, and how many bytes of code each is
	env     cloud.ID         // the environment that it was sent last
	runs    map[uint64]*Run
	answers map[uint64]chan []byte // of ask, by request
}

func newChild(p *Pool, key childKey, exclusive bool) *child {
	c := &child{
		pool:      p,
		key:       key,
		exclusive: exclusive,
		ready:     make(chan struct{}),
		dead:      make(chan struct{}),
		builds:    map[cloud.ID]struct{}{},
		loaded:    map[cloud.ID]int{},
		runs:      map[uint64]*Run{},
		answers:   map[uint64]chan []byte{},
	}
	c.idleTimer = time.AfterFunc(time.Hour, c.endIfIdle)
	c.idleTimer.Stop()
	return c
}

// endIfIdle is the idle timer's function. A job may have come while the timer fired.
func (c *child) endIfIdle() {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	if c.jobs == 0 {
		c.kill()
	}
}

// kill ends the process. Its runs end when that is noticed, by run.
func (c *child) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killed = true
	if c.proc != nil {
		c.proc.kill()
	}
}

// startError is why a child that never became ready cannot be used. It is called after dead was closed.
func (c *child) startError() error {
	if c.death != nil {
		return c.death
	}
	return ErrClosed
}

// run is the child's life: it starts the process, reads what it sends until it ends, and ends its runs.
func (c *child) run() {
	defer c.pool.wg.Done()
	dump, err := c.runProcess()
	c.idleTimer.Stop()
	c.pool.remove(c)
	c.death = diagnose(err, dump)
	c.death.evicted, c.death.shared = c.circumstances()

	c.mu.Lock()
	runs := c.runs
	c.runs = nil
	c.gone = true
	killed := c.killed
	c.mu.Unlock()

	if !killed && len(runs) > 0 {
		c.pool.cfg.Log.Info("sandbox died", "app", c.key.app, "executions", executionsOf(runs),
			"memory", c.death.memory, "detail", c.death.detail)
	}

	// A dump does not always name the run; one that was alone is to blame, unless the service took its
	// sandboxes along.
	isOthersFault := errors.Is(err, errServiceGone) || c.death.evicted
	if c.death.culprit == 0 && len(runs) == 1 && !isOthersFault {
		for id := range runs {
			c.death.culprit = id
		}
	}
	close(c.dead)

	for _, r := range runs {
		r.childDied(c.death)
	}
}

// circumstances are what the pool knows about a child's end: whether the pool ended it for its memory, and
// whether more than one run had been in it.
func (c *child) circumstances() (evicted, shared bool) {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	return c.evicted, c.total+c.jobs > 1
}

// resident is what the process has in memory of its own, in MiB. It reports false if that is not known.
func (c *child) resident() (mib int, ok bool) {
	c.mu.Lock()
	p := c.proc
	c.mu.Unlock()

	if p == nil {
		return 0, false
	}
	return p.memory.resident()
}

// executionsOf names runs for the log.
func executionsOf(runs map[uint64]*Run) []string {
	var ids []string
	for _, r := range runs {
		ids = append(ids, r.spec.Execution.String())
	}
	return ids
}

// runProcess starts the process and sees it to its end. It returns what the process wrote to stderr, and how
// it ended.
func (c *child) runProcess() (dump string, err error) {
	p, err := c.pool.start.launch()
	if err != nil {
		return "", err
	}

	p.memory = openMemory(p.pid)
	defer p.memory.close()

	c.mu.Lock()
	c.proc = p
	if c.killed { // before there was a process
		p.kill()
	}
	c.mu.Unlock()

	startTimer := time.AfterFunc(startTimeout, c.kill)
	defer startTimer.Stop()
	stopWatching := c.watchMemory()
	defer stopWatching()
	readErr := c.read(p, startTimer)

	// The process is gone already, or it broke the protocol.
	_ = p.conn.Close()
	p.kill()
	dump, waitErr := p.wait()
	if waitErr != nil {
		return dump, fmt.Errorf("%w (%w)", waitErr, readErr)
	}
	return dump, readErr
}

// read takes the child's frames until it ends or breaks the protocol.
func (c *child) read(p *sandboxProcess, startTimer *time.Timer) error {
	c.w = wire.NewWriter(p.conn, writeTimeout, maxBacklog)
	c.w.Yield = true
	c.users = p.users
	uid, gid := p.users.of(c.key.app)
	initMsg, err := json.Marshal(wire.InitMsg{
		MemoryBytes: uint64(c.key.memoryMiB) << 20,
		UID:         uid,
		GID:         gid,
	})
	if err != nil {
		return err
	}
	if err := c.w.Send(wire.Init, 0, func(e *wire.Encoder) { e.Raw(initMsg) }); err != nil {
		return err
	}

	r := wire.NewReader(p.conn, maxFrame)

	isReady := false
	for {
		kind, id, body, err := r.Next()
		if err != nil {
			return err
		}

		if kind == wire.Ready {
			if isReady || !startTimer.Stop() {
				return wire.ErrProtocol
			}
			isReady = true
			if err := c.note(body); err != nil {
				return err
			}
			close(c.ready)
			continue
		}
		if err := c.frame(kind, id, body); err != nil {
			return err
		}
	}
}

// note keeps what a child says of its own confinement.
func (c *child) note(report []byte) error {
	if len(report) == 0 {
		return nil // a child of an older version
	}
	c.report = new(wire.ReadyMsg)
	if err := json.Unmarshal(report, c.report); err != nil {
		return wire.ErrProtocol
	}
	return nil
}

// frame passes a frame to the request or to the run that it is for. Those that were given up get nothing.
func (c *child) frame(kind wire.Kind, id uint64, body []byte) error {
	switch kind {
	case wire.Compiled, wire.Inspected:
		c.mu.Lock()
		answerCh := c.answers[id]
		delete(c.answers, id)
		c.mu.Unlock()
		if answerCh != nil {
			answerCh <- body // it has room: the id is used once
		}
		return nil

	case wire.Memory, wire.Dropped, wire.Lost:
		return c.frameOfBuilds(kind, body)

	case wire.Call, wire.Log, wire.Done, wire.After, wire.Chunk, wire.Cancel, wire.Pause, wire.Resume,
		wire.Missing:
		c.mu.Lock()
		r := c.runs[id]
		c.mu.Unlock()
		if r == nil {
			return nil
		}
		return r.frame(kind, body)

	default:
		return wire.ErrProtocol
	}
}

// addRun registers a run, so that it gets its frames. It reports false if the child is gone.
func (c *child) addRun(r *Run) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return false
	}
	c.runs[r.id] = r
	return true
}

func (c *child) removeRun(r *Run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.runs, r.id)
}

// ask sends a request that is not a run, and waits for its answer. A child that does not answer in time is
// killed.
func (c *child) ask(ctx context.Context, kind wire.Kind, fill func(*wire.Encoder)) ([]byte, error) {
	id := c.pool.nextRun.Add(1)
	answerCh := make(chan []byte, 1)
	c.mu.Lock()
	c.answers[id] = answerCh
	c.mu.Unlock()

	if err := c.w.Send(kind, id, fill); err != nil {
		c.kill()
	}

	select {
	case body := <-answerCh:
		return body, nil
	case <-c.dead:
		return nil, c.death
	case <-ctx.Done():
		c.kill()
		return nil, context.Cause(ctx)
	}
}

// load makes sure that the child knows the code of a script's build. cold says that it did not.
func (c *child) load(ctx context.Context, s *cloud.Script) (cold bool, err error) {
	c.mu.Lock()
	_, known := c.loaded[s.Build]
	c.mu.Unlock()
	if known {
		return false, nil
	}

	// Runs that come at the same time may send it twice, which does no harm.
	code, err := c.pool.cfg.Code(ctx, s.App, s.Build)
	if err != nil {
		return true, fmt.Errorf("load build: %w", err)
	}

	err = c.w.Send(wire.Program, 0, func(e *wire.Encoder) {
		e.Bytes(s.Build[:])
		e.String(s.Name)
		e.String(code)
	})
	if err != nil {
		return true, fmt.Errorf("send build: %w", err)
	}

	c.mu.Lock()
	if _, known := c.loaded[s.Build]; !known {
		c.loaded[s.Build] = programSize(code)
		c.code.Add(int64(c.loaded[s.Build]))
	}
	c.mu.Unlock()
	return true, nil
}

// setEnv makes sure that the child has an environment for the runs that follow. Frames keep their order, so a
// run that was sent before keeps its own.
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

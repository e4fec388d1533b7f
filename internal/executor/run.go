package executor

import (
	"context"
	"errors"
	"sync"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
	"picloud/internal/timerwheel"
)

// Run is a run in progress. First the outcome comes; when that is Pending, a second one for the waitUntil work; in the
// end the caller says with Release whether the run committed.
type Run struct {
	spec  *cloud.RunSpec
	id    uint64
	child *child

	outcomeCh chan *cloud.Outcome // the first, and after Pending a second
	mailbox   chan message        // calls and outcomes, in the order the child sent them
	aborted   <-chan struct{}     // nil once the child knows
	responded bool                // the first outcome came; of the child's reader

	patience timerwheel.Entry[*Run]

	mu        sync.Mutex
	parent    context.Context         // whose values the run's own has
	ctx       context.Context         // nil until a call needs it
	end       context.CancelCauseFunc // of ctx
	logs      []cloud.LogLine
	logBytes  int
	dropped   int
	unlogged  int // lines that the child did not send
	calls     int
	fetches   map[uint64]context.CancelFunc // under way, or whose bodies are not read to their end
	unsafe    bool
	held      bool // the child waits for Release
	finished  bool
	timedOut  bool
	stream    *bodyStream // of a response whose body comes piece by piece
	interrupt *time.Timer // of a run that is no longer young
	killTimer *time.Timer
}

// message is a call or an outcome.
type message struct {
	call *wire.CallMsg
	done *wire.DoneMsg
}

// maxWaiting is how many calls of a run may wait to be made before its child's other runs wait too.
const maxWaiting = 16

var errRunEnded = errors.New("the run has ended")

// Run starts a run and returns at once after the child has it; Outcome must follow. A Go error means that the platform
// failed before any of the script's code ran.
func (p *Pool) Run(ctx context.Context, spec *cloud.RunSpec) (*Run, error) {
	memory := spec.Script.Limits.MemoryMiB
	if memory == 0 {
		memory = p.cfg.MemoryMiB
	}
	c, err := p.acquire(ctx, childKey{app: spec.App, memoryMiB: memory}, spec.Alone)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(c.load(ctx, spec.Script), c.setEnv(spec.Script.Env)); err != nil {
		p.done(c, 0)
		return nil, err
	}
	r := &Run{spec: spec, id: p.nextRun.Add(1), child: c, parent: ctx,
		outcomeCh: make(chan *cloud.Outcome, 2), mailbox: make(chan message, maxWaiting), aborted: spec.Aborted}
	if time.Until(spec.Deadline) > 3*young {
		p.young.Add(&r.patience, r)
	} else {
		r.setInterrupt()
	}
	c.mu.Lock()
	gone := c.gone
	if !gone {
		c.runs[r.id] = r
	}
	c.mu.Unlock()
	if gone {
		<-c.dead
		r.childDied(c.death)
		return r, nil
	}
	msg := wire.RunMsg{Build: spec.Script.Build, Env: spec.Script.EnvID(), Handler: spec.Handler, Request: spec.Request, Event: spec.Event,
		Execution: spec.Execution, Root: spec.Root, Depth: spec.Depth, Attempt: spec.Attempt, Principal: spec.Principal,
		IdempotencyKey: spec.IdempotencyKey, MaxLogLines: cloud.MaxLogLines, MaxLogBytes: cloud.MaxLogBytes, MaxBody: p.cfg.MaxBody, Stream: spec.Stream}
	if err := c.w.Send(wire.Run, r.id, msg.Encode); err != nil {
		c.kill() // its death ends the run
	}
	return r, nil
}

// Outcome answers the run's calls until its first outcome is there.
func (r *Run) Outcome() cloud.Outcome { return r.serve() }

// After does the same until the outcome of waitUntil work; only after an outcome that was Pending, which it must follow.
func (r *Run) After() cloud.Outcome { return r.serve() }

// abort tells the script that its caller hung up; the run goes on.
func (r *Run) abort() { _ = r.child.w.Send(wire.Abort, r.id, nil) }

// Release tells the child whether the run committed: only then may its runtime serve another. A run that wrote nothing
// needs no word.
func (r *Run) Release(committed bool) {
	r.mu.Lock()
	held := r.held
	r.mu.Unlock()
	if !held {
		return
	}
	_ = r.child.w.Send(wire.Release, r.id, func(e *wire.Encoder) { e.Bool(committed) })
}

// young is how old a run is at least before its deadline gets a timer.
const young = 10 * time.Millisecond

// setInterrupt sets the timer of the run's deadline.
func (r *Run) setInterrupt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.finished {
		r.interrupt = time.AfterFunc(time.Until(r.spec.Deadline), r.timeUp)
	}
}

// context is the run's own, which ends with it or with its time.
func (r *Run) context() context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx == nil {
		r.ctx, r.end = context.WithCancelCause(context.WithoutCancel(r.parent))
		if r.finished || r.timedOut {
			r.end(errRunEnded)
		}
	}
	return r.ctx
}

// Cancel ends a run whose result nobody may use any more.
func (r *Run) Cancel() { r.timeUp() }

func (r *Run) timeUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.finished || r.timedOut {
		return
	}
	r.timedOut = true
	r.endContext()
	go func() { _ = r.child.w.Send(wire.Interrupt, r.id, nil) }()
	r.killTimer = time.AfterFunc(interruptGrace, func() {
		r.mu.Lock()
		over := r.finished
		r.mu.Unlock()
		if !over {
			r.child.kill()
		}
	})
}

// serve answers the run's calls one after the other, in the script's order, until an outcome is there; fetches alone run
// beside. It runs in the goroutine that waits for the outcome, so that nobody has to be woken in between.
func (r *Run) serve() cloud.Outcome {
	for {
		select {
		case o := <-r.outcomeCh:
			return *o
		case m := <-r.mailbox:
			switch {
			case m.done != nil:
				r.finish(m.done)
				return *<-r.outcomeCh
			case r.context().Err() == nil: // no call is made any more once its time is over
				r.call(m.call)
			}
		case <-r.aborted:
			r.aborted = nil
			r.abort()
		}
	}
}

func (r *Run) call(m *wire.CallMsg) {
	r.mu.Lock()
	if m.Op == cloud.OpFetch && m.Args.Request != nil && m.Args.Request.Method != "GET" && m.Args.Request.Method != "HEAD" {
		r.unsafe = true
	}
	r.mu.Unlock()
	switch m.Op {
	case cloud.OpFetch:
		go r.answer(r.fetchContext(m.N), m)
	case cloud.OpFetchRead:
		go r.answer(r.context(), m)
	default:
		r.answer(r.context(), m)
	}
}

// endContext ends the context, if there is one; r.mu is held.
func (r *Run) endContext() {
	if r.end != nil {
		r.end(errRunEnded)
	}
}

// fetchContext makes a fetch one that Cancel ends. The context lives on while the response's body is read.
func (r *Run) fetchContext(n uint64) context.Context {
	ctx, cancel := context.WithCancel(r.context())
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fetches == nil {
		r.fetches = map[uint64]context.CancelFunc{}
	}
	r.fetches[n] = cancel
	return ctx
}

// cancelFetch ends a fetch, whether its answer or a part of its body is waited for.
func (r *Run) cancelFetch(n uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if cancel := r.fetches[n]; cancel != nil {
		cancel()
		delete(r.fetches, n)
	}
}

func (r *Run) answer(ctx context.Context, m *wire.CallMsg) {
	reply, err := r.spec.Calls.Call(ctx, m.N, m.Op, m.Args)
	if m.Op == cloud.OpFetch && !reply.Partial {
		defer r.cancelFetch(m.N) // nothing is under way any more
	}
	var he *cloud.HostError
	switch {
	case err == nil:
		r.reply(m.N, reply, nil)
	case errors.As(err, &he):
		r.reply(m.N, reply, he)
	case ctx.Err() != nil: // the run is over, or the script gave the fetch up; nobody waits
	default:
		r.abandon(err)
	}
}

func (r *Run) reply(n uint64, reply cloud.HostReply, he *cloud.HostError) {
	m := wire.ReplyMsg{N: n, Reply: reply, Error: he}
	if err := r.child.w.Send(wire.Reply, r.id, m.Encode); err != nil {
		r.child.kill()
	}
}

// abandon ends a run because the platform failed it: the database went away in a read.
func (r *Run) abandon(err error) {
	r.child.pool.cfg.Log.Error("host call failed", "execution", r.spec.Execution.String(), "error", err)
	r.settle(cloud.Outcome{Status: cloud.Interrupted, Error: cloud.ScriptError{Name: "Interrupted",
		Message: "the database did not answer; nothing of this run was kept"}})
	r.Cancel()
}

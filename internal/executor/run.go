package executor

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
	"picloud/internal/timerwheel"
)

const (
	// mailboxSize is how many calls of a run may wait to be answered before its child's other runs wait too.
	mailboxSize = 16
	// minTimerAge is how old a run is at least before its deadline gets a timer of its own: nearly all runs
	// end before.
	minTimerAge = 10 * time.Millisecond
)

var errRunEnded = errors.New("the run has ended")

// Run is a run in progress. The caller waits for Outcome; if that is Pending, for After as well, which is the
// outcome of waitUntil work; and says by Release whether the run was committed. The goroutine that waits is
// the one that answers the run's calls.
type Run struct {
	spec   *cloud.RunSpec
	id     uint64
	child  *child
	cold   bool            // the child had to load the script first
	parent context.Context // whose values the run's own context has

	outcomeCh chan *cloud.Outcome // the first, and after Pending a second
	mailbox   chan message        // calls and outcomes, in the order in which the child sent them
	aborted   <-chan struct{}     // nil once Abort was sent; used by serve only
	responded bool                // the first outcome came; used by the child's reader only

	// wheelEntry is in the pool's unarmed until the deadline has a timer.
	wheelEntry timerwheel.Entry[*Run]

	// mu guards the fields below. No other lock of this package is taken under it.
	mu             sync.Mutex
	ctx            context.Context         // nil until a call needs it
	endContextFunc context.CancelCauseFunc // of ctx
	logs           []cloud.LogLine
	logBytes       int
	dropped        int                           // lines beyond the limits of the log
	unlogged       int                           // lines that the child did not send
	calls          int                           // made so far
	fetches        map[uint64]context.CancelFunc // by call, until the response's body was read
	unsafe         bool                          // it made a request that must not be repeated
	held           bool                          // the child waits for Release
	finished       bool
	timedOut       bool
	unsent         bool        // its child has not got it: see missing
	missed         int         // how often its child had to be sent its build again
	stream         *bodyStream // of a response whose body comes piece by piece
	interruptTimer *time.Timer // nil while the run is in the pool's unarmed
	killTimer      *time.Timer // after the interrupt
}

// message is a call, or an outcome if done is set, or wire.Pause or wire.Resume if turn is set.
type message struct {
	call wire.CallMsg
	done *wire.DoneMsg
	turn wire.Kind
}

// Run starts a run and returns as soon as it was sent to a child; the caller must call Outcome. An error
// means that the platform failed before any of the script's code ran.
func (p *Pool) Run(ctx context.Context, spec *cloud.RunSpec) (*Run, error) {
	memoryMiB := spec.Script.Limits.MemoryMiB
	if memoryMiB == 0 {
		memoryMiB = p.cfg.MemoryMiB
	}
	key := childKey{app: spec.App, memoryMiB: memoryMiB}
	c, err := p.acquireFor(ctx, key, spec)
	if err != nil {
		return nil, err
	}

	cold, err := c.load(ctx, spec.Script)
	if err := errors.Join(err, c.setEnv(spec.Script.Env)); err != nil {
		p.release(c, 0)
		return nil, err
	}

	r := &Run{
		spec:      spec,
		id:        p.nextRun.Add(1),
		child:     c,
		cold:      cold,
		parent:    ctx,
		outcomeCh: make(chan *cloud.Outcome, 2),
		mailbox:   make(chan message, mailboxSize),
		aborted:   spec.Aborted,
	}
	r.watchDeadline()
	if !c.addRun(r) {
		<-c.dead
		r.childDied(c.death)
		return r, nil
	}

	msg := r.startMessage()
	if err := c.w.Send(wire.Run, r.id, msg.Encode); err != nil {
		c.kill() // its death ends the run
	}
	return r, nil
}

// errNoTurn refuses a run that had a process too late.
var errNoTurn = cloud.Errorf(cloud.CodeUnavailable,
	"this server had no time for this run before its own was over; nothing was run")

// acquireFor is acquireUntil for a run. One that is to be alone may wait for the end of others, so it gives
// its turn back meanwhile.
func (p *Pool) acquireFor(ctx context.Context, key childKey, spec *cloud.RunSpec) (*child, error) {
	want := place{key: key, build: spec.Script.Build, alone: spec.Alone, deadline: spec.Deadline}
	if !spec.Alone || spec.Turn == nil {
		return p.acquireUntil(ctx, want)
	}

	spec.Turn.Pause()
	c, err := p.acquireUntil(ctx, want)
	if err != nil {
		return nil, err
	}

	ctx, cancel := context.WithDeadline(ctx, spec.Deadline)
	defer cancel()
	if spec.Turn.Resume(ctx) != nil {
		p.release(c, 0)
		return nil, errNoTurn
	}

	return c, nil
}

// startMessage returns the message that starts the run in the child.
func (r *Run) startMessage() *wire.RunMsg {
	spec := r.spec
	return &wire.RunMsg{
		Build:          spec.Script.Build,
		Env:            spec.Script.EnvID(),
		Handler:        spec.Handler,
		Request:        spec.Request,
		Event:          spec.Event,
		Execution:      spec.Execution,
		Root:           spec.Root,
		Depth:          spec.Depth,
		Attempt:        spec.Attempt,
		Principal:      spec.Principal,
		IdempotencyKey: spec.IdempotencyKey,
		MaxLogLines:    cloud.MaxLogLines,
		MaxLogBytes:    cloud.MaxLogBytes,
		MaxBody:        r.child.pool.cfg.MaxBody,
		Stream:         spec.Stream,
	}
}

// Outcome answers the run's calls until its first outcome is there, and returns it.
func (r *Run) Outcome() cloud.Outcome {
	outcome := r.serve()
	outcome.Cold = r.cold
	return outcome
}

// After answers calls of waitUntil work until its outcome is there. It must be called after an outcome that
// was Pending, and only then.
func (r *Run) After() cloud.Outcome { return r.serve() }

// Cancel ends a run whose result must not be used, as if its time were over. Its outcome must still be
// waited for.
func (r *Run) Cancel() { r.timeUp() }

// Release tells the child whether the run was committed. Until then the child keeps the run's runtime, which
// may serve other runs only if it was. Runs without writes are not held by the child, so nothing is sent.
func (r *Run) Release(committed bool) {
	r.mu.Lock()
	held := r.held
	r.mu.Unlock()
	if !held {
		return
	}
	_ = r.child.w.Send(wire.Release, r.id, func(e *wire.Encoder) { e.Bool(committed) })
}

// abort tells the script that its caller hung up; the run goes on.
func (r *Run) abort() { _ = r.child.w.Send(wire.Abort, r.id, nil) }

// watchDeadline makes sure that the run is interrupted at its deadline. Unless that is near, the pool's wheel
// sets the timer later, and only if the run still goes on.
func (r *Run) watchDeadline() {
	if time.Until(r.spec.Deadline) > 3*minTimerAge {
		r.child.pool.unarmed.Add(&r.wheelEntry, r)
	} else {
		r.armInterrupt()
	}
}

// armInterrupt sets the timer of the run's deadline.
func (r *Run) armInterrupt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.finished {
		r.interruptTimer = time.AfterFunc(time.Until(r.spec.Deadline), r.timeUp)
	}
}

// timeUp interrupts the run, and kills its child if the run does not end of that.
func (r *Run) timeUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.finished || r.timedOut {
		return
	}

	r.timedOut = true
	r.endContext()
	if r.unsent {
		go r.settleUnsent()
		return
	}
	go func() { _ = r.child.w.Send(wire.Interrupt, r.id, nil) }() // it may block
	r.killTimer = time.AfterFunc(interruptGrace, func() {
		r.mu.Lock()
		finished := r.finished
		r.mu.Unlock()
		if !finished {
			r.child.kill()
		}
	})
}

// context returns the context of the run's calls, which ends with the run or with its time.
func (r *Run) context() context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()

	if r.ctx == nil {
		// A caller that hangs up does not end the run.
		r.ctx, r.endContextFunc = context.WithCancelCause(context.WithoutCancel(r.parent))
		if r.finished || r.timedOut {
			r.endContextFunc(errRunEnded)
		}
	}
	return r.ctx
}

// endContext ends the context, if there is one. r.mu is held.
func (r *Run) endContext() {
	if r.endContextFunc != nil {
		r.endContextFunc(errRunEnded)
	}
}

// serve answers the run's calls one after the other, in the script's order, until an outcome is there; only
// fetches run concurrently. It runs in the goroutine that waits for the outcome, so that no other has to be
// woken in between.
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
			case m.turn != 0:
				r.changeTurn(m.turn)
			case r.context().Err() == nil: // once its time is over the run makes no more calls
				r.call(m.call)
			}
		case <-r.aborted:
			r.aborted = nil
			r.abort()
		}
	}
}

// changeTurn gives the run's turn back, or waits for it and lets the script go on. Nothing else of the run
// needs serving meanwhile: it waits for this.
func (r *Run) changeTurn(kind wire.Kind) {
	turn := r.spec.Turn
	if kind == wire.Pause {
		if turn != nil {
			turn.Pause()
		}
		return
	}

	if turn != nil && turn.Resume(r.context()) != nil {
		return // the run's time is over, or its child is gone
	}
	if err := r.child.w.Send(wire.Resumed, r.id, nil); err != nil {
		r.child.kill()
	}
}

func (r *Run) call(m wire.CallMsg) {
	switch call := m.Call.(type) {
	case cloud.Fetch:
		r.noteUnsafe(call.Request)
		go r.answer(r.fetchContext(m.N), m)
	case cloud.FetchRead:
		go r.answer(r.context(), m)
	default:
		r.answer(r.context(), m)
	}
}

// noteUnsafe remembers that a run made a request which a second execution must not repeat (RFC 9110, 9.2.1).
func (r *Run) noteUnsafe(req *cloud.Request) {
	if req == nil || req.Method == http.MethodGet || req.Method == http.MethodHead {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unsafe = true
}

// answer performs a call and sends its reply.
func (r *Run) answer(ctx context.Context, m wire.CallMsg) {
	reply, err := r.spec.Calls.Call(ctx, m.N, m.Call)
	if _, isFetch := m.Call.(cloud.Fetch); isFetch && !reply.Partial {
		defer r.cancelFetch(m.N) // nothing is in flight any more
	}

	var thrown *cloud.HostError
	switch {
	case err == nil:
		r.reply(m.N, reply, nil)
	case errors.As(err, &thrown):
		r.reply(m.N, reply, thrown)
	case ctx.Err() != nil:
		// The run is over, or the script cancelled the fetch: no reply is wanted.
	default:
		r.abandon(err)
	}
}

func (r *Run) reply(n uint64, reply cloud.HostReply, thrown *cloud.HostError) {
	m := wire.ReplyMsg{N: n, Reply: reply, Error: thrown}
	if err := r.child.w.Send(wire.Reply, r.id, m.Encode); err != nil {
		r.child.kill()
	}
}

// fetchContext returns the context of a fetch, which cancelFetch ends. It lives on while the response's body
// is read.
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

// cancelFetch ends a fetch, whether its response or a piece of its body is waited for.
func (r *Run) cancelFetch(n uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()

	if cancel := r.fetches[n]; cancel != nil {
		cancel()
		delete(r.fetches, n)
	}
}

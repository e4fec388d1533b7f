package sandbox

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/sdk"
	"picloud/internal/executor/sandbox/webapi"
	"picloud/internal/executor/wire"
)

// run is one execution of a handler. One goroutine owns it and its runtime; others only post events and
// interrupt.
type run struct {
	sdk.Run // what scripts reach

	s    *server
	id   uint64
	prog *program
	env  *cloud.Env // nil if it is empty
	iso  *isolate   // nil until there is one

	// mu guards queue. No other lock is taken under it.
	mu    sync.Mutex
	queue []event
	wake  chan struct{} // has one token when queue may have something new
	// resumedC has a token when the run, which was paused, may compute again.
	resumedC chan struct{}

	// interrupted and web are written by the run and by the goroutine that interrupts it: each writes its
	// own first and then looks at the other's, so that none is missed.
	interrupted atomic.Bool
	web         atomic.Pointer[webapi.Global]
	// exceeded is how many bytes were in use when the run was ended for its memory; 0 if it was not.
	exceeded atomic.Uint64

	usage     usage
	waitedFor string // when its time was over
	responded bool   // Done is out, waitUntil work goes on
	out       *bodyOut
}

func newRun(s *server, id uint64, msg *wire.RunMsg, p *program) *run {
	return &run{
		Run:      sdk.NewRun(id, msg, s.w),
		s:        s,
		id:       id,
		prog:     p,
		wake:     make(chan struct{}, 1),
		resumedC: make(chan struct{}, 1),
	}
}

// resumed lets a run go on that was paused. Any goroutine may call it.
func (r *run) resumed() {
	select {
	case r.resumedC <- struct{}{}:
	default: // a token is there already
	}
}

// post gives the run an event. Any goroutine may call it.
func (r *run) post(e event) {
	r.mu.Lock()
	r.queue = append(r.queue, e)
	r.mu.Unlock()

	select {
	case r.wake <- struct{}{}:
	default: // a token is there already
	}
}

// interrupt ends the run at the engine's next check. Any goroutine may call it.
func (r *run) interrupt() {
	r.interrupted.Store(true)
	if web := r.web.Load(); web != nil {
		web.Interrupt()
	}
	r.post(event{kind: evInterrupt})
}

// attach gives the run its runtime, which is from now on the one that interrupt stops.
func (r *run) attach(iso *isolate) {
	r.iso = iso
	iso.enter(r)

	r.web.Store(iso.web)
	if r.interrupted.Load() {
		iso.web.Interrupt()
	}
}

// main executes the run. When the process dies in it, the parent finds markedRun and its argument, the
// run's id, in the dump.
func (r *run) main(id uint64) {
	markedRun(id, r)
}

//go:noinline
func markedRun(id uint64, r *run) {
	defer func() {
		if recover() != nil {
			r.s.finish(r, false)
			kind := wire.Done
			if r.responded {
				kind = wire.After
			}
			r.send(kind, r.failure(engineFailure()))
		}
	}()

	r.usage.resume()
	defer r.usage.pause()
	r.execute()
	runtime.KeepAlive(id) // so that the dump has it
}

// engineFailure is the error of code at which the engine itself failed, with a panic that no script can catch
// and whose text is about the engine's insides.
func engineFailure() *cloud.ScriptError {
	return &cloud.ScriptError{
		Name: "Error",
		Message: "the JavaScript engine failed at something that it does not expect, " +
			"such as an iterator without a method next",
	}
}

func (r *run) send(kind wire.Kind, m *wire.DoneMsg) {
	m.Usage = r.usage.now()
	m.Unlogged = r.Web.Unlogged()
	_ = r.s.w.Send(kind, r.id, m.Encode)
}

// execute takes or makes a runtime, calls the handler, and sends what came of it: Done with the outcome,
// and After when work goes on after a response.
func (r *run) execute() {
	if serr := r.prepare(); serr != nil {
		r.end(wire.Done, r.failure(serr), false)
		return
	}

	handler := r.iso.handlers[r.Msg.Handler]
	if handler == nil {
		message := fmt.Sprintf("the script's default export has no handler %q", r.Msg.Handler)
		r.end(wire.Done, failed("no-handler", message), true)
		return
	}

	done, ok := r.invoke(handler)
	succeeded := ok && done.Status == cloud.Succeeded
	done.Pending = succeeded && r.Msg.Request != nil && (done.Streaming || r.waiting())
	if !done.Pending {
		r.end(wire.Done, done, succeeded)
		return
	}

	// The caller gets its response now; the runtime is busy until the rest is done.
	done.Held = true
	r.responded = true
	r.send(wire.Done, done)
	after, ok := r.afterResponse()
	r.end(wire.After, after, ok)
}

func failed(name, message string) *wire.DoneMsg {
	return &wire.DoneMsg{Status: cloud.Failed, Error: cloud.ScriptError{Name: name, Message: message}}
}

// failure is the outcome of an error; what the clock ended is a timeout whatever the error says.
func (r *run) failure(e *cloud.ScriptError) *wire.DoneMsg {
	m := &wire.DoneMsg{Status: cloud.Failed, Error: *e}
	switch {
	case r.exceeded.Load() > 0:
		m.Status = cloud.OutOfMemory
		m.Error = cloud.ScriptError{Name: wire.MemoryError, Message: r.memoryMessage()}
	case r.interrupted.Load():
		m.Status = cloud.TimedOut
		m.Waiting = r.waitedFor
	case e.Name == "LimitError":
		m.Status = cloud.OutOfMemory
	}

	return m
}

// end sends the last frame of a run and decides what becomes of its runtime. The runtime is used again only
// when the run committed, left no timer and no call, and the intrinsics are what they were.
func (r *run) end(kind wire.Kind, m *wire.DoneMsg, reuse bool) {
	iso := r.iso
	if iso != nil {
		r.reportRejections()
	}

	reuse = reuse && iso != nil && !r.interrupted.Load()
	if reuse {
		if why := r.leaves(); why != 0 {
			r.s.kept.onLoss(r.prog, why)
			reuse = false
		}
		reuse = reuse && !r.interrupted.Load()
	}

	// What the run wrote may yet be refused: the script's own state would then know of something that never
	// was.
	hold := reuse && (r.Wrote() || kind == wire.After)
	m.Held = m.Held || hold

	r.usage.pause() // what follows is the platform's
	if reuse {
		iso.enter(nil)
	}

	if reuse {
		r.s.decideAtEnd(r)
	}
	first := reuse && !hold && r.prog.isCostly.Load()
	if first {
		r.prog.putIfIntact(iso)
	}
	r.s.finish(r, hold)
	r.send(kind, m)
	if reuse && !hold && !first {
		r.prog.putIfIntact(iso)
	}
}

// reportRejections logs unhandled rejections, unless a listener of the script prevents it.
func (r *run) reportRejections() {
	for p := range r.iso.realm.TakeRejected() {
		if r.interrupted.Load() {
			return
		}
		if r.iso.web.Unhandled(p) {
			continue
		}
		e := r.iso.realm.Describe(p.Result(), nil)
		r.Web.Log("error", "unhandled rejection: "+e.Name+": "+e.Message)
	}
}

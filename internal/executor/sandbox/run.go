package sandbox

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/wire"
)

type eventKind uint8

const (
	evReply eventKind = iota + 1
	evAbort
	evInterrupt
	evPull
)

// event is something that happened outside of the runtime's goroutine.
type event struct {
	kind eventKind
	body []byte
}

// run is one execution of a handler. One goroutine owns it and its runtime; others only post events and interrupt.
type run struct {
	s    *server
	id   uint64
	msg  *wire.RunMsg
	prog *program
	iso  *isolate

	env         *cloud.Env // nil: empty
	mu          sync.Mutex
	queue       []event
	wake        chan struct{}
	interrupted atomic.Bool
	vm          atomic.Pointer[goja.Runtime]

	calls     map[uint64]pendingCall
	nextCall  uint64
	timers    map[int]*timer
	nextTimer int
	waits     []*goja.Promise
	signal    goja.Value
	aborted   bool
	updating  int

	usage              usage
	logLines, logBytes int
	console            consoleState
	waitedFor          string // when its time was over
	wrote              bool
	responded          bool // Done is out, waitUntil work goes on
	out                *bodyOut
}

// pendingCall is a host call whose answer has not come. The promise's functions run on the runtime's goroutine.
type pendingCall struct {
	op              cloud.HostOp
	convert         func(*wire.ReplyMsg) goja.Value
	site            []goja.StackFrame // of the call
	resolve, reject func(any) error
}

func newRun(s *server, id uint64, msg *wire.RunMsg, p *program) *run {
	return &run{s: s, id: id, msg: msg, prog: p, wake: make(chan struct{}, 1),
		calls: map[uint64]pendingCall{}, timers: map[int]*timer{}}
}

func (r *run) post(e event) {
	r.mu.Lock()
	r.queue = append(r.queue, e)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// interrupt ends the run as soon as the engine looks.
func (r *run) interrupt() {
	r.interrupted.Store(true)
	if vm := r.vm.Load(); vm != nil {
		vm.Interrupt("timeout")
	}
	r.post(event{kind: evInterrupt})
}

// attach makes the runtime the one that interrupt stops.
func (r *run) attach(iso *isolate) {
	r.iso = iso
	r.vm.Store(iso.vm)
	if r.interrupted.Load() {
		iso.vm.Interrupt("timeout")
	}
}

// main executes the run. When the process dies in it, the parent finds this function and its argument in the dump.
func (r *run) main(id uint64) {
	markedRun(id, r)
}

//go:noinline
func markedRun(id uint64, r *run) {
	defer func() {
		if p := recover(); p != nil {
			r.s.finish(r, false)
			kind := wire.Done
			if r.responded {
				kind = wire.After
			}
			r.send(kind, r.failure(&cloud.ScriptError{Name: "Error", Message: clip(fmt.Sprintf("the JavaScript engine failed: %v", p))}))
		}
	}()
	r.usage.resume()
	defer r.usage.pause()
	r.execute()
	runtime.KeepAlive(id)
}

func (r *run) send(kind wire.Kind, m *wire.DoneMsg) {
	m.Usage, m.Unlogged = r.usage.now(), max(r.logLines-r.msg.MaxLogLines, 0)
	_ = r.s.w.Send(kind, r.id, m.Encode)
}

func (r *run) execute() {
	if r.prog == nil {
		r.end(wire.Done, &wire.DoneMsg{Status: cloud.Failed, Error: cloud.ScriptError{Name: "Error", Message: "unknown build"}}, false)
		return
	}
	if iso := r.prog.take(r.env); iso != nil {
		iso.cur = r
		r.attach(iso)
	} else if _, serr := r.prog.isolate(r, r.env); serr != nil {
		r.end(wire.Done, r.failure(serr), false)
		return
	}
	handler := r.iso.handlers[r.msg.Handler]
	if handler == nil {
		r.end(wire.Done, &wire.DoneMsg{Status: cloud.Failed, Error: cloud.ScriptError{Name: "no-handler",
			Message: fmt.Sprintf("the script's default export has no handler %q", r.msg.Handler)}}, true)
		return
	}
	done, ok := r.invoke(handler)
	done.Pending = ok && r.msg.Request != nil && done.Status == cloud.Succeeded && (done.Streaming || r.waiting())
	if !done.Pending {
		r.end(wire.Done, done, ok && done.Status == cloud.Succeeded)
		return
	}
	done.Held = true
	r.responded = true
	r.send(wire.Done, done)
	after, ok := r.afterResponse()
	r.end(wire.After, after, ok)
}

// invoke calls the handler and waits for its promise. ok is false when the runtime must not be used again.
func (r *run) invoke(handler goja.Callable) (done *wire.DoneMsg, ok bool) {
	i := r.iso
	var arg goja.Value
	if r.msg.Request != nil {
		arg = i.incomingRequest(r.msg.Request)
	} else {
		v, err := i.json.Decode(r.msg.Event)
		if err != nil {
			return r.failure(i.scriptError(err)), false
		}
		arg = v
	}
	ctx := i.vm.ToValue(&ctxState{r: r}).(*goja.Object)
	_ = ctx.SetPrototype(i.ctxProto)
	v, err := handler(i.self, arg, i.env, ctx)
	if err == nil {
		v, err = r.settle(v)
	}
	if err == nil && r.msg.Request == nil {
		err = r.settleAll()
	}
	if err != nil {
		return r.failure(i.scriptError(err)), false
	}
	if r.msg.Request == nil {
		return &wire.DoneMsg{Status: cloud.Succeeded}, true
	}
	return r.respond(v)
}

func (r *run) respond(v goja.Value) (*wire.DoneMsg, bool) {
	var res *cloud.Response
	if r.msg.Stream {
		if exc := r.iso.vm.Try(func() { r.out = r.iso.openOut(v) }); exc != nil {
			return r.failure(r.iso.describe(exc.Value(), exc.Stack())), false
		}
	} else if err := r.drainResponse(v); err != nil {
		return r.failure(r.iso.scriptError(err)), false
	}
	if exc := r.iso.vm.Try(func() { res = r.iso.responseOf(v) }); exc != nil {
		return r.failure(r.iso.describe(exc.Value(), exc.Stack())), false
	}
	if r.interrupted.Load() {
		return r.failure(&cloud.ScriptError{}), false
	}
	if n := cloud.HeaderBytes(res.Headers); n > cloud.MaxResponseHeader {
		return r.failure(&cloud.ScriptError{Name: "LimitError", Message: fmt.Sprintf(
			"the response's headers have %d bytes; at most %d are allowed", n, cloud.MaxResponseHeader)}), false
	}
	if len(res.Body) > r.msg.MaxBody {
		return r.failure(&cloud.ScriptError{Name: "LimitError", Message: fmt.Sprintf(
			"the response body has %d bytes; at most %d are allowed", len(res.Body), r.msg.MaxBody)}), false
	}
	return &wire.DoneMsg{Status: cloud.Succeeded, Response: res, Streaming: r.out != nil}, true
}

// drainResponse waits for the bytes of a Response that was made of a stream.
func (r *run) drainResponse(v goja.Value) error {
	st := stateOf[responseState](v)
	if st == nil || !st.body.isStreaming() {
		return nil
	}
	var drained goja.Value
	if exc := r.iso.vm.Try(func() {
		if !r.iso.isUsed(&st.body) {
			drained = r.iso.drainBody(&st.body)
		}
	}); exc != nil {
		return exc
	}
	if drained == nil {
		return nil // responseOf says what is wrong
	}
	raw, err := r.settle(drained)
	if err != nil {
		return err
	}
	st.body.bytes, _ = r.iso.bytesOf(raw)
	st.body.stream = nil
	return nil
}

// failure is the outcome of an error; what the clock ended is a timeout whatever the error says.
func (r *run) failure(e *cloud.ScriptError) *wire.DoneMsg {
	m := &wire.DoneMsg{Status: cloud.Failed, Error: *e}
	switch {
	case r.interrupted.Load():
		m.Status = cloud.TimedOut
		m.Waiting = r.waitedFor
	case e.Name == "LimitError":
		m.Status = cloud.OutOfMemory
	}
	return m
}

// waiting reports whether waitUntil work is not finished.
func (r *run) waiting() bool {
	return slices.ContainsFunc(r.waits, func(p *goja.Promise) bool { return p.State() == goja.PromiseStatePending })
}

func (r *run) afterResponse() (*wire.DoneMsg, bool) {
	var err error
	if r.out != nil {
		err = r.writeBody()
	}
	if err == nil {
		err = r.settleAll()
	}
	if err != nil {
		return r.failure(r.iso.scriptError(err)), false
	}
	return &wire.DoneMsg{Status: cloud.Succeeded}, true
}

// settleAll waits for everything given to waitUntil, also what is given meanwhile; the first rejection is the error.
func (r *run) settleAll() error {
	for k := 0; k < len(r.waits); k++ {
		if _, err := r.settle(r.iso.vm.ToValue(r.waits[k])); err != nil {
			return err
		}
	}
	return nil
}

var errNeverSettles = errors.New("the handler's promise never settles: nothing is left that could resolve it")

// settle runs the event loop until a promise has a result.
func (r *run) settle(v goja.Value) (goja.Value, error) {
	p, isPromise := asPromise(v)
	if !isPromise {
		o, isObj := v.(*goja.Object)
		if !isObj || stateOf[responseState](v) != nil {
			return v, nil
		}
		if t := o.Get("then"); t == nil || goja.IsUndefined(t) {
			return v, nil
		}
		wrapped, err := r.iso.resolve(nil, v)
		if err != nil {
			return nil, err
		}
		p, _ = asPromise(wrapped)
	}
	for p.State() == goja.PromiseStatePending {
		if err := r.step(); err != nil {
			return nil, err
		}
	}
	if p.State() == goja.PromiseStateRejected {
		delete(r.iso.rejected, p)
		return nil, engine.Thrown(r.iso.vm, p.Result()) // its stack is the Error's own
	}
	return p.Result(), nil
}

func asPromise(v goja.Value) (*goja.Promise, bool) {
	p := stateOf[goja.Promise](v)
	return p, p != nil
}

// step waits for one thing to happen and lets the runtime react to it.
func (r *run) step() error {
	if r.interrupted.Load() {
		return &interruptedError{}
	}
	r.mu.Lock()
	queue := r.queue
	r.queue = nil
	r.mu.Unlock()
	for _, e := range queue {
		if err := r.handle(e); err != nil {
			return err
		}
	}
	if len(queue) > 0 {
		return nil
	}
	t := r.earliest()
	if t == nil && len(r.calls) == 0 && (r.signal == nil || r.aborted) && !r.out.isIdle() {
		return errNeverSettles
	}
	if t == nil {
		r.wait(nil)
		return nil
	}
	if wait := time.Until(t.due); wait > 0 {
		clock := time.NewTimer(wait)
		defer clock.Stop()
		if r.wait(clock.C) {
			return nil
		}
	}
	return r.fire(t)
}

// wait pauses the run until something is posted, which it reports, or the clock strikes.
func (r *run) wait(clock <-chan time.Time) (woken bool) {
	r.usage.pause()
	defer r.usage.resume()
	select {
	case <-r.wake:
		if r.interrupted.Load() {
			r.waitedFor = r.pendingWork()
		}
		return true
	case <-clock:
		return false
	}
}

// pendingWork says what a run waits for, for who wonders why it was stopped.
func (r *run) pendingWork() string {
	var parts []string
	fetches := 0
	for _, c := range r.calls {
		if c.op == cloud.OpFetch || c.op == cloud.OpFetchRead {
			fetches++
		}
	}
	if fetches > 0 {
		parts = append(parts, plural(fetches, "fetch", "fetches"))
	}
	if n := len(r.calls) - fetches; n > 0 {
		parts = append(parts, plural(n, "host call", "host calls"))
	}
	if n := len(r.timers); n > 0 {
		parts = append(parts, plural(n, "timer", "timers"))
	}
	if r.out.isIdle() {
		parts = append(parts, "the caller to read on")
	}
	if len(parts) == 0 {
		return "a promise that nothing resolves"
	}
	return strings.Join(parts, " and ")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

type interruptedError struct{}

func (*interruptedError) Error() string { return "the run was interrupted" }

func (r *run) handle(e event) error {
	switch e.kind {
	case evReply:
		return r.reply(e.body)
	case evAbort:
		r.aborted = true
		if r.out != nil {
			r.giveUpBody()
		}
		if r.signal != nil {
			_, err := r.iso.loadEvents().abort(goja.Undefined(), r.signal)
			return err
		}
	case evPull:
		if r.out != nil {
			return r.writePiece()
		}
	case evInterrupt:
		return &interruptedError{}
	}
	return nil
}

func (r *run) reply(body []byte) error {
	m, err := wire.DecodeReply(body)
	if err != nil {
		return err
	}
	c, ok := r.calls[m.N]
	if !ok {
		return nil
	}
	delete(r.calls, m.N)
	if m.Error != nil {
		return c.reject(r.iso.errorAt(m.Error.Name, m.Error.Message, c.site))
	}
	var v goja.Value
	if exc := r.iso.vm.Try(func() { v = c.convert(m) }); exc != nil {
		return c.reject(exc.Value())
	}
	return c.resolve(v)
}

// maxSite is how many frames of a host call's place are kept for its error.
const maxSite = 8

// call sends a host call and returns the promise of its answer.
func (r *run) call(op cloud.HostOp, args cloud.HostArgs, convert func(*wire.ReplyMsg) goja.Value) goja.Value {
	if r.nextCall >= wire.MaxCalls {
		r.iso.throw("LimitError", fmt.Sprintf("a run can make %d host calls", wire.MaxCalls))
	}
	p, resolve, reject := r.iso.vm.NewPromise()
	r.nextCall++
	r.calls[r.nextCall] = pendingCall{op: op, site: r.iso.vm.CaptureCallStack(maxSite, nil), convert: convert, resolve: resolve, reject: reject}
	r.wrote = r.wrote || op.Writes()
	m := wire.CallMsg{N: r.nextCall, Op: op, Args: args}
	_ = r.s.w.Send(wire.Call, r.id, m.Encode)
	return r.iso.vm.ToValue(p)
}

// watchSignal makes the signal of the run's own Request follow the caller.
func (r *run) watchSignal(s goja.Value) {
	r.signal = s
	if r.aborted {
		_, _ = r.iso.loadEvents().abort(goja.Undefined(), s)
	}
}

// end sends the last frame of a run and decides what becomes of its runtime. The runtime is used again only when the run
// committed, left no timer and no call, and the intrinsics are what they were.
func (r *run) end(kind wire.Kind, m *wire.DoneMsg, reuse bool) {
	iso := r.iso
	if iso != nil {
		r.reportRejections()
	}
	reuse = reuse && iso != nil && !r.leftTimers() && len(r.calls) == 0 && !r.interrupted.Load()
	hold := reuse && (r.wrote || kind == wire.After)
	m.Held = m.Held || hold
	r.usage.pause() // what follows is the platform's
	if reuse {
		iso.cur = nil
	}
	r.s.finish(r, hold)
	r.send(kind, m)
	if reuse && !hold {
		r.prog.putIfIntact(iso)
	}
}

// reportRejections logs what nobody handled.
func (r *run) reportRejections() {
	rejected := r.iso.rejected
	r.iso.rejected = nil
	for p := range rejected {
		if r.interrupted.Load() {
			return
		}
		if e := r.iso.events; e != nil {
			prevented, err := e.unhandled(goja.Undefined(), r.iso.vm.ToValue(p), p.Result())
			if err != nil || prevented.ToBoolean() {
				continue
			}
		}
		e := r.iso.describe(p.Result(), nil)
		r.log("error", "unhandled rejection: "+e.Name+": "+e.Message)
	}
}

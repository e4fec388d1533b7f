package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/realm"
	"picloud/internal/executor/sandbox/webapi"
	"picloud/internal/executor/wire"
)

// eventKind says what has happened.
type eventKind uint8

const (
	evReply     eventKind = iota + 1 // the answer of a host call
	evAbort                          // the caller is gone
	evInterrupt                      // the run's time is over
	evPull                           // the caller wants the next piece of a streamed body
	evRuntime                        // a runtime may be free, for a run that waits for one
)

// event is something that happened outside of the runtime's goroutine.
type event struct {
	kind eventKind
	body []byte
}

var errNeverSettles = errors.New("the handler's promise never settles: nothing is left that could resolve it")

// interruptedError ends a run whose time is over while it waits.
type interruptedError struct{}

func (*interruptedError) Error() string { return "the run was interrupted" }

// settle runs the event loop until a promise has a result. What is no promise, and has no then, is its own
// result.
func (r *run) settle(v goja.Value) (goja.Value, error) {
	promise, isPromise := realm.AsPromise(v)
	if !isPromise {
		o, isObject := v.(*goja.Object)
		if !isObject || webapi.IsResponse(v) {
			return v, nil
		}
		if then := o.Get("then"); !realm.Given(then) {
			return v, nil
		}
		wrapped, err := r.iso.realm.Resolve(v)
		if err != nil {
			return nil, err
		}
		promise, _ = realm.AsPromise(wrapped)
	}

	for promise.State() == goja.PromiseStatePending {
		if err := r.step(); err != nil {
			return nil, err
		}
	}

	if promise.State() == goja.PromiseStateRejected {
		r.iso.realm.Handled(promise)
		return nil, engine.Thrown(r.iso.realm.VM, promise.Result()) // its stack is the Error's own
	}

	return promise.Result(), nil
}

// settleAll waits for everything given to waitUntil, also what is given meanwhile; the first rejection is
// the error.
func (r *run) settleAll() error {
	for k := 0; k < len(r.Waits); k++ {
		if _, err := r.settle(r.iso.realm.VM.ToValue(r.Waits[k])); err != nil {
			return err
		}
	}
	return nil
}

// waiting reports whether waitUntil work is not finished.
func (r *run) waiting() bool {
	return slices.ContainsFunc(r.Waits, func(p *goja.Promise) bool {
		return p.State() == goja.PromiseStatePending
	})
}

// step waits for one thing to happen and lets the runtime react to it.
func (r *run) step() error {
	if r.interrupted.Load() {
		return &interruptedError{}
	}

	// What has been posted comes first.
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

	timer := r.Web.Timers.Earliest()
	if timer == nil && r.Calling() == 0 && !r.Web.MayAbort() && !r.out.isIdle() {
		return errNeverSettles
	}
	if timer == nil {
		r.wait(nil)
		return nil
	}

	if wait := time.Until(timer.Due); wait > 0 {
		clock := time.NewTimer(wait)
		defer clock.Stop()
		if r.wait(clock.C) {
			return nil
		}
	}

	return r.Web.Timers.Fire(timer)
}

// pauseAfter is how long a run waits before it gives its turn back. Most waits are shorter, and cost nothing
// so.
const pauseAfter = 10 * time.Millisecond

// wait stops the run until something is posted, which it reports, or the clock strikes. A run that waits long
// gives its turn to others meanwhile.
func (r *run) wait(clock <-chan time.Time) (woken bool) {
	r.usage.pause()
	defer r.usage.resume()

	// The database works for a run that waits for it, so that one keeps its turn.
	var patience <-chan time.Time
	if r.Calling() == r.Fetching() {
		timer := time.NewTimer(pauseAfter)
		defer timer.Stop()
		patience = timer.C
	}

	for {
		select {
		case <-r.wake:
			if r.interrupted.Load() {
				r.waitedFor = r.pendingWork()
			}
			return true
		case <-clock:
			return false
		case <-patience:
			_ = r.s.w.Send(wire.Pause, r.id, nil)
			defer r.awaitTurn()
		}
	}
}

// awaitTurn ends a Pause: it waits until the run may compute again, or its time is over.
func (r *run) awaitTurn() {
	if r.interrupted.Load() {
		return
	}
	_ = r.s.w.Send(wire.Resume, r.id, nil)

	for {
		select {
		case <-r.resumedC:
			return
		case <-r.wake: // what was posted is in the queue, where the next step looks first
			if r.interrupted.Load() {
				r.waitedFor = "its turn among other runs"
				return
			}
		}
	}
}

// handle lets the runtime react to one event. Its error ends the run.
func (r *run) handle(e event) error {
	switch e.kind {
	case evReply:
		return r.Reply(e.body)
	case evAbort:
		r.Web.CallerGone()
		if r.out != nil {
			r.giveUpBody()
		}
		return r.iso.web.AbortSignal(&r.Web)
	case evPull:
		if r.out != nil {
			return r.writePiece()
		}
	case evInterrupt:
		return &interruptedError{}
	}

	return nil
}

// pendingWork names what a run waits for, for the message of its timeout.
func (r *run) pendingWork() string {
	var parts []string
	fetches := r.Fetching()
	if fetches > 0 {
		parts = append(parts, plural(fetches, "fetch", "fetches"))
	}

	if n := r.Calling() - fetches; n > 0 {
		parts = append(parts, plural(n, "host call", "host calls"))
	}

	if n := r.Web.Timers.Len(); n > 0 {
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

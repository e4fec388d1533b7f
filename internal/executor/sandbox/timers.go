package sandbox

import (
	"fmt"
	"math"
	"time"

	"github.com/dop251/goja"
)

// maxTimers bounds the timers of one run.
const maxTimers = 10_000

type timer struct {
	id    int
	due   time.Time
	every time.Duration // 0: once
	f     goja.Callable
	args  []goja.Value
	// background: it does not keep the run's runtime from being used again.
	background bool
}

// addTimers defines setTimeout and its siblings (HTML standard, 8.7), per run.
func (i *isolate) addTimers() {
	start := func(name string, repeat bool) {
		fn := func(c goja.FunctionCall) goja.Value {
			var args []goja.Value
			if len(c.Arguments) > 2 {
				args = append(args, c.Arguments[2:]...)
			}
			t := i.current().addTimer(name, c.Argument(0), c.Argument(1), args)
			if repeat {
				t.every = max(time.Until(t.due), time.Millisecond)
			}
			return i.vm.ToValue(t.id)
		}
		o := i.vm.ToValue(fn).(*goja.Object)
		_ = o.DefineDataProperty("name", i.vm.ToValue(name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
		i.global(name, o)
	}
	start("setTimeout", false)
	start("setInterval", true)
	clearTimer := func(c goja.FunctionCall) goja.Value {
		if i.cur != nil {
			delete(i.cur.timers, int(c.Argument(0).ToInteger()))
		}
		return goja.Undefined()
	}
	i.global("clearTimeout", clearTimer)
	i.global("clearInterval", clearTimer)
}

// current is the run that calls; module code has none.
func (i *isolate) current() *run {
	if i.cur == nil || i.evaluating {
		panic(i.newError("TypeError", "not allowed while the module is evaluated: move this into a handler"))
	}
	return i.cur
}

func (r *run) addTimer(name string, f, after goja.Value, args []goja.Value) *timer {
	call, ok := goja.AssertFunction(f)
	if !ok {
		panic(r.iso.vm.NewTypeError("%s needs a function", name))
	}
	ms := after.ToFloat()
	if math.IsNaN(ms) || ms < 0 {
		ms = 0
	}
	if len(r.timers) >= maxTimers {
		r.iso.throw("LimitError", fmt.Sprintf("a run can have %d timers", maxTimers))
	}
	r.nextTimer++
	t := &timer{id: r.nextTimer, due: time.Now().Add(time.Duration(min(ms, 1<<31-1) * float64(time.Millisecond))), f: call, args: args}
	r.timers[t.id] = t
	return t
}

// leftTimers reports timers that a run has left behind.
func (r *run) leftTimers() bool {
	for _, t := range r.timers {
		if !t.background {
			return true
		}
	}
	return false
}

// nextTimer is the earliest timer, ties in the order of creation.
func (r *run) earliest() *timer {
	var first *timer
	for _, t := range r.timers {
		if first == nil || t.due.Before(first.due) || t.due.Equal(first.due) && t.id < first.id {
			first = t
		}
	}
	return first
}

// fire runs the earliest timer if it is due.
func (r *run) fire(t *timer) error {
	if t.every > 0 {
		t.due = time.Now().Add(t.every)
	} else {
		delete(r.timers, t.id)
	}
	_, err := t.f(goja.Undefined(), t.args...)
	return err
}

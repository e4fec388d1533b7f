package sandbox

import (
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
}

// addTimers defines setTimeout and its siblings (HTML standard, 8.7), per run.
func (i *isolate) addTimers() {
	start := func(name string, repeat bool) {
		fn := func(c goja.FunctionCall) goja.Value {
			f, ok := goja.AssertFunction(c.Argument(0))
			if !ok {
				panic(i.vm.NewTypeError("%s needs a function", name))
			}
			r := i.current()
			ms := c.Argument(1).ToFloat()
			if math.IsNaN(ms) || ms < 0 {
				ms = 0
			}
			d := time.Duration(min(ms, 1<<31-1) * float64(time.Millisecond))
			if len(r.timers) >= maxTimers {
				i.throw("LimitError", "a run can have 10000 timers")
			}
			r.nextTimer++
			t := &timer{id: r.nextTimer, due: time.Now().Add(d), f: f}
			if len(c.Arguments) > 2 {
				t.args = append(t.args, c.Arguments[2:]...)
			}
			if repeat {
				t.every = max(d, time.Millisecond)
			}
			r.timers[t.id] = t
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

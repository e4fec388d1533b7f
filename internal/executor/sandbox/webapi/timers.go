package webapi

import (
	"fmt"
	"math"
	"time"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
)

// maxTimers bounds the timers of one run.
const maxTimers = 10_000

// maxTimerDelay is the longest delay of a timer, in milliseconds (HTML standard, 8.7: a 32-bit number).
const maxTimerDelay = 1<<31 - 1

// Timers are those of one run that have not fired, or that repeat. The run loop waits for them.
type Timers struct {
	pending map[int]*Timer
}

// Timer is one call of setTimeout or setInterval, or of AbortSignal.timeout.
type Timer struct {
	// Due is when it fires at the earliest.
	Due time.Time

	id         int
	every      time.Duration // 0 for a timer that fires once
	call       goja.Callable
	args       []goja.Value
	background bool // it does not keep the run's runtime from being used again
	settles    bool // all that it does is to settle a promise
}

// Len is how many timers are pending.
func (t *Timers) Len() int { return len(t.pending) }

// Left reports timers that keep the runtime from being used again when the run has ended.
func (t *Timers) Left() bool {
	for _, timer := range t.pending {
		if !timer.background {
			return true
		}
	}
	return false
}

// OnlySettle reports whether the timers that are left do nothing but settle promises, once.
func (t *Timers) OnlySettle() bool {
	for _, timer := range t.pending {
		if !timer.background && (timer.every > 0 || !timer.settles) {
			return false
		}
	}
	return true
}

// NextLeft is the one of the timers that are left which is due first, or nil.
func (t *Timers) NextLeft() *Timer {
	return t.earliest(func(timer *Timer) bool { return !timer.background })
}

// Earliest is the timer that is due first, ties in the order of creation, or nil.
func (t *Timers) Earliest() *Timer { return t.earliest(func(*Timer) bool { return true }) }

func (t *Timers) earliest(counts func(*Timer) bool) *Timer {
	var first *Timer
	for _, timer := range t.pending {
		if !counts(timer) {
			continue
		}
		if first == nil || timer.Due.Before(first.Due) || timer.Due.Equal(first.Due) && timer.id < first.id {
			first = timer
		}
	}
	return first
}

// Fire runs a timer that is due. Its error is what the script has thrown.
func (t *Timers) Fire(timer *Timer) error {
	if timer.every > 0 {
		timer.Due = time.Now().Add(timer.every)
	} else {
		delete(t.pending, timer.id)
	}

	_, err := timer.call(goja.Undefined(), timer.args...)
	return err
}

// addTimers defines setTimeout and its siblings (HTML standard, 8.7), per run.
func (g *Global) addTimers() {
	g.addTimerFunction("setTimeout", false)
	g.addTimerFunction("setInterval", true)

	clearTimer := func(c goja.FunctionCall) goja.Value {
		if g.run != nil {
			delete(g.run.Timers.pending, int(c.Argument(0).ToInteger()))
		}
		return goja.Undefined()
	}
	g.GlobalFunc("clearTimeout", clearTimer)
	g.GlobalFunc("clearInterval", clearTimer)
}

// addTimerFunction defines a function (handler, delay, ...arguments) that starts a timer.
func (g *Global) addTimerFunction(name string, repeat bool) {
	g.GlobalFunc(name, func(c goja.FunctionCall) goja.Value {
		timer := g.startTimer(name, c.Argument(0), c.Argument(1))
		if len(c.Arguments) > 2 {
			timer.args = append(timer.args, c.Arguments[2:]...)
		}
		if repeat {
			timer.every = max(time.Until(timer.Due), time.Millisecond)
		}
		return g.VM.ToValue(timer.id)
	})
}

// BindTimers lets what follows the code of one cause be there in its timers: bind is called with each
// function that a timer will call, when the timer starts.
func (g *Global) BindTimers(bind func(goja.Callable) goja.Callable) { g.bindTimer = bind }

// startTimer calls f in the run that calls, when the milliseconds of after are over. name is the function
// that a script called.
func (g *Global) startTimer(name string, f, after goja.Value) *Timer {
	timers := &g.InRun().Timers
	call, ok := goja.AssertFunction(f)
	if !ok {
		panic(g.VM.NewTypeError("%s needs a function", name))
	}

	delay := after.ToFloat()
	if math.IsNaN(delay) || delay < 0 {
		delay = 0
	}

	if len(timers.pending) >= maxTimers {
		g.Throw("LimitError", fmt.Sprintf("a run can have %d timers", maxTimers))
	}

	if timers.pending == nil {
		timers.pending = map[int]*Timer{}
	}

	if g.bindTimer != nil {
		call = g.bindTimer(call)
	}

	g.lastTimer++
	due := time.Now().Add(time.Duration(min(delay, maxTimerDelay) * float64(time.Millisecond)))
	timer := &Timer{id: g.lastTimer, Due: due, call: call, settles: engine.SettlesPromise(f)}
	timers.pending[timer.id] = timer

	return timer
}

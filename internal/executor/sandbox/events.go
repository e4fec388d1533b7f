package sandbox

import (
	_ "embed"
	"fmt"
	"sync"
	"time"

	"github.com/dop251/goja"
)

//go:embed events.js
var eventsSource string

var eventsProgram = sync.OnceValue(func() *goja.Program { return goja.MustCompile("picloud:events", eventsSource, true) })

// eventNames are the names by which code can come to what events.js defines.
var eventNames = vocabulary{
	parts: []string{"Event", "Abort", "MessageChannel", "MessagePort", "reportError", "performance", "Performance"},
	words: []string{"signal", "onerror", "onunhandledrejection", "onrejectionhandled"},
}

// events is what Go calls of events.js.
type events struct{ abort, newSignal, aborted, reason, on, unhandled goja.Callable }

// loadEvents runs events.js, once in a runtime.
func (i *isolate) loadEvents() *events {
	if i.events != nil {
		return i.events
	}
	host := i.vm.NewObject()
	made := time.Now()
	i.define(host, "elapsed", func(goja.FunctionCall) goja.Value {
		return i.vm.ToValue(float64(time.Since(made).Microseconds()) / 1000)
	})
	i.define(host, "timeout", func(c goja.FunctionCall) goja.Value {
		i.current().addTimer("AbortSignal.timeout", c.Argument(0), c.Argument(1), nil).background = true
		return goja.Undefined()
	})
	i.define(host, "kept", func(goja.FunctionCall) goja.Value { // a listener outlives the run that adds it: no other run may meet it
		i.late = i.late || i.recorded != nil
		return goja.Undefined()
	})
	i.define(host, "reported", func(c goja.FunctionCall) goja.Value {
		if i.cur != nil {
			e := i.describe(c.Argument(0), nil)
			i.cur.log("error", "uncaught "+e.Name+": "+e.Message)
		}
		return goja.Undefined()
	})
	for _, name := range []string{"DOMException", "structuredClone"} {
		_ = host.Set(name, i.vm.GlobalObject().Get(name))
	}
	o := i.runLibrary(eventsProgram(), host)
	e := &events{}
	callables(o, map[string]*goja.Callable{"abort": &e.abort, "newSignal": &e.newSignal, "aborted": &e.aborted, "reason": &e.reason, "on": &e.on,
		"unhandled": &e.unhandled})
	i.events, i.late = e, i.late || i.recorded != nil
	return e
}

// runLibrary runs a program of our own that is a function of what only Go can give, and defines the classes it returns.
func (i *isolate) runLibrary(p *goja.Program, host *goja.Object) *goja.Object {
	v, err := i.vm.RunProgram(p)
	if err != nil {
		panic(fmt.Sprintf("library: %v", err)) // our own code
	}
	fn, _ := goja.AssertFunction(v)
	o := i.mustCall(fn, host).(*goja.Object) // panics when interrupted, or out of stack
	i.addClasses(o.Get("classes").(*goja.Object))
	return o
}

func callables(o *goja.Object, into map[string]*goja.Callable) {
	for name, to := range into {
		*to, _ = goja.AssertFunction(o.Get(name))
	}
}

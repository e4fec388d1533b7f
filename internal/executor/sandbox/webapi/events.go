package webapi

import (
	_ "embed"
	"sync"
	"time"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/realm"
)

//go:embed events.js
var eventsSource string

var eventsProgram = sync.OnceValue(func() *goja.Program {
	return engine.MustCompile("picloud:events", eventsSource)
})

// events is what Go calls of events.js.
type events struct{ abort, newSignal, aborted, reason, on, off, follow, report, unhandled goja.Callable }

// loadEvents runs events.js, once in a runtime.
func (g *Global) loadEvents() *events {
	if g.events != nil {
		return g.events
	}

	library := g.RunLibrary(eventsProgram(), g.eventsHost())
	loaded := &events{}
	realm.Callables(library, map[string]*goja.Callable{
		"abort":     &loaded.abort,
		"newSignal": &loaded.newSignal,
		"aborted":   &loaded.aborted,
		"reason":    &loaded.reason,
		"on":        &loaded.on,
		"off":       &loaded.off,
		"follow":    &loaded.follow,
		"report":    &loaded.report,
		"unhandled": &loaded.unhandled,
	})
	g.events = loaded
	g.LoadedLate()

	return loaded
}

// eventsHost is what only Go can give to events.js.
func (g *Global) eventsHost() *goja.Object {
	host := g.VM.NewObject()
	made := time.Now()
	g.Define(host, "elapsed", func(goja.FunctionCall) goja.Value {
		return g.VM.ToValue(float64(time.Since(made).Microseconds()) / 1000)
	})
	g.Define(host, "timeout", func(c goja.FunctionCall) goja.Value {
		g.startTimer("AbortSignal.timeout", c.Argument(0), c.Argument(1)).background = true
		return goja.Undefined()
	})

	g.Define(host, "kept", func(goja.FunctionCall) goja.Value {
		g.LoadedLate() // a listener outlives the run that adds it: no other run may meet it
		return goja.Undefined()
	})
	g.Define(host, "reported", func(c goja.FunctionCall) goja.Value {
		g.logUncaught(c.Argument(0))
		return goja.Undefined()
	})

	for _, name := range []string{"DOMException", "structuredClone"} {
		_ = host.Set(name, g.VM.GlobalObject().Get(name))
	}

	return host
}

// Unhandled dispatches unhandledrejection for a promise. It reports whether a listener prevented its
// default, which is a line in the log, or failed.
func (g *Global) Unhandled(p *goja.Promise) bool {
	if g.events == nil {
		return false
	}
	prevented, err := g.events.unhandled(goja.Undefined(), g.VM.ToValue(p), p.Result())
	return err != nil || prevented.ToBoolean()
}

// IsAborted, AbortReason and OnAbort read a signal by what events.js gave, whatever a script made of its
// properties.
func (g *Global) IsAborted(signal goja.Value) bool {
	return !realm.IsNothing(signal) && g.MustCall(g.loadEvents().aborted, signal).ToBoolean()
}

// AbortReason is what a call that was given the signal throws.
func (g *Global) AbortReason(signal goja.Value) goja.Value {
	return g.MustCall(g.loadEvents().reason, signal)
}

// OnAbort calls f when the signal, if there is one, fires.
func (g *Global) OnAbort(signal goja.Value, f func()) {
	if !realm.IsNothing(signal) {
		g.MustCall(g.loadEvents().on, signal, g.VM.ToValue(func(goja.FunctionCall) goja.Value {
			f()
			return goja.Undefined()
		}))
	}
}

// addSignals gives a library what it needs of signals; events.js is loaded when the first is there.
func (g *Global) addSignals(host *goja.Object) {
	call := func(name string, f func(e *events) goja.Callable) {
		g.Define(host, name, func(c goja.FunctionCall) goja.Value {
			return g.MustCall(f(g.loadEvents()), c.Arguments...)
		})
	}
	call("newSignal", func(e *events) goja.Callable { return e.newSignal })
	call("abort", func(e *events) goja.Callable { return e.abort })
	call("isAborted", func(e *events) goja.Callable { return e.aborted })
	call("abortReason", func(e *events) goja.Callable { return e.reason })
	call("onAbort", func(e *events) goja.Callable { return e.on })
	call("offAbort", func(e *events) goja.Callable { return e.off })
}

// report tells the script of what a callback threw, as reportError does.
func (g *Global) report(thrown goja.Value) {
	if g.events == nil { // nobody listens
		g.logUncaught(thrown)
		return
	}
	g.MustCall(g.events.report, thrown)
}

func (g *Global) logUncaught(thrown goja.Value) {
	if g.run != nil {
		e := g.Describe(thrown, nil)
		g.run.Log("error", "uncaught "+e.Name+": "+e.Message)
	}
}

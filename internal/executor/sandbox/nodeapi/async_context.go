package nodeapi

import "github.com/dop251/goja"

// asyncContext is the value that follows the code of one cause: through promises and await, where the engine
// carries it, and through timers and the like, where lib/async_hooks.js does. It is a Map of stores, which
// no one changes, or undefined.
type asyncContext struct {
	now     goja.Value
	resumed []goja.Value // what now was before each reaction that runs
}

// Grab, Resumed and Exited make it the engine's goja.AsyncContextTracker.
func (a *asyncContext) Grab() any { return a.now }

// Resumed is called before a reaction runs, with what Grab gave, or nil for one of before.
func (a *asyncContext) Resumed(grabbed any) {
	a.resumed = append(a.resumed, a.now)
	a.set(grabbed)
}

func (a *asyncContext) set(v any) {
	a.now = goja.Undefined()
	if value, ok := v.(goja.Value); ok {
		a.now = value
	}
}

// Exited is called when it has run.
func (a *asyncContext) Exited() {
	if last := len(a.resumed) - 1; last >= 0 {
		a.now = a.resumed[last]
		a.resumed = a.resumed[:last]
	}
}

// bind makes a function run with the value of now.
func (a *asyncContext) bind(call goja.Callable) goja.Callable {
	bound := a.now
	return func(this goja.Value, args ...goja.Value) (goja.Value, error) {
		before := a.now
		a.now = bound
		defer func() { a.now = before }()
		return call(this, args...)
	}
}

// follow makes the engine follow the context, from now on.
func (n *Node) follow() *asyncContext {
	if n.context == nil {
		n.context = &asyncContext{now: goja.Undefined()}
		n.VM.SetAsyncContextTracker(n.context)
		n.web.BindTimers(n.context.bind)
	}
	return n.context
}

// Enter begins a run: it has nothing of the context in which the last one ended.
func (n *Node) Enter() {
	if n.context != nil {
		n.context.now = goja.Undefined()
		n.context.resumed = nil
	}
}

// addAsyncContext gives lib/async_hooks.js the context.
func (n *Node) addAsyncContext(host *goja.Object) {
	n.Define(host, "contextNow", func(goja.FunctionCall) goja.Value {
		return n.follow().now
	})
	n.Define(host, "contextSet", func(c goja.FunctionCall) goja.Value {
		n.follow().set(c.Argument(0))
		return goja.Undefined()
	})
}

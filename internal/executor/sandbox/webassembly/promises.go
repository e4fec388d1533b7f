package webassembly

import (
	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
)

// addFunctions defines validate, compile, instantiate and their streaming forms (5, and the Web API).
func (a *API) addFunctions() {
	a.r.Method(a.Object, "validate", 1, func(c goja.FunctionCall) goja.Value {
		m, err := a.check(a.source(c.Argument(0)))
		if err != nil {
			return a.r.VM.ToValue(false)
		}
		_ = m.code.Close(a.ctx)
		return a.r.VM.ToValue(true)
	})
	a.promising("compile", func(c goja.FunctionCall) goja.Value {
		raw := a.source(c.Argument(0))
		return a.later(func() goja.Value { return a.moduleObject(a.compile(raw)) })
	})
	a.promising("instantiate", a.instantiateLater)
	a.promising("compileStreaming", func(c goja.FunctionCall) goja.Value {
		return a.streamed(c.Argument(0), a.moduleObject)
	})
	a.promising("instantiateStreaming", func(c goja.FunctionCall) goja.Value {
		imports := a.importObject(c.Argument(1))
		return a.streamed(c.Argument(0), func(m *module) goja.Value { return a.both(m, imports) })
	})
}

// promising defines a function that returns a promise, also of what it throws.
func (a *API) promising(name string, f func(goja.FunctionCall) goja.Value) {
	a.r.Method(a.Object, name, 1, func(c goja.FunctionCall) goja.Value {
		return a.r.Settled(func() goja.Value { return f(c) })
	})
}

// later is a promise of what f returns when what runs now has ended.
func (a *API) later(f func() goja.Value) goja.Value {
	now, err := a.r.Resolve(goja.Undefined())
	if err != nil {
		panic(err)
	}
	return a.r.Then(now, func(goja.Value) goja.Value { return f() })
}

// instantiateLater is instantiate(bytes, imports) and instantiate(module, imports).
func (a *API) instantiateLater(c goja.FunctionCall) goja.Value {
	imports := a.importObject(c.Argument(1))
	if m := realm.State[module](c.Argument(0)); m != nil {
		list := a.readImports(m, imports)
		return a.later(func() goja.Value { return a.r.Instance(a.instanceClass, a.instantiate(m, list)) })
	}

	raw := a.source(c.Argument(0))
	return a.later(func() goja.Value { return a.both(a.compile(raw), imports) })
}

func (a *API) moduleObject(m *module) goja.Value { return a.r.Instance(a.moduleClass, m) }

// both is a module and an instance of it.
func (a *API) both(m *module, imports goja.Value) goja.Value {
	in := a.instantiate(m, a.readImports(m, imports))
	o := a.r.VM.NewObject()
	_ = o.Set("module", a.moduleObject(m))
	_ = o.Set("instance", a.r.Instance(a.instanceClass, in))
	return o
}

// streamed is a promise of what f makes of a module that comes as a Response, or a promise of one. It is
// compiled when all of it is there.
func (a *API) streamed(source goja.Value, f func(*module) goja.Value) goja.Value {
	response, err := a.r.Resolve(source)
	if err != nil {
		panic(err)
	}
	body := a.r.Then(response, func(v goja.Value) goja.Value { return a.respond(v) })
	return a.r.Then(body, func(v goja.Value) goja.Value { return f(a.compile(a.source(v))) })
}

package webassembly

import (
	"context"

	"github.com/dop251/goja"
	"github.com/tetratelabs/wazero/api"
)

// scriptFunction is a function of a script that an instance imports.
type scriptFunction struct {
	callable goja.Callable
	typ      *funcType
	instance *instance
	index    uint32 // of the import among the instance's functions
}

// goFunction is what the engine calls for a function of a script: its number in the realm. It must not lead
// to the realm (apiContext).
type goFunction struct{ number int }

// Call finds the realm and calls the function, whose arguments are on the stack, to which its results go.
func (f *goFunction) Call(ctx context.Context, stack []uint64) {
	a := ctx.Value(apiKey{}).(*API)
	a.callScript(a.scripts[f.number], stack)
}

// callScript converts the arguments, calls a function of a script and converts its result.
func (a *API) callScript(s *scriptFunction, stack []uint64) {
	a.refresh()
	if a.homes.isInterrupted() {
		a.protect(func() { a.fail(a.runtimeError, "the run was interrupted") })
	}
	if s.typ.hasVector() {
		a.protect(func() { a.typeError("a function with a v128 cannot call JavaScript") })
	}

	arguments := make([]goja.Value, len(s.typ.params))
	a.protect(func() {
		for k, t := range s.typ.params {
			arguments[k] = a.toValue(stack[k], t)
		}
	})

	result, err := s.callable(goja.Undefined(), arguments...)
	if err != nil {
		panic(&thrownError{err})
	}
	a.protect(func() { a.takeResults(s.typ.results, result, stack) })
}

// takeResults converts what a function of a script has returned: for more than one result, a list of them.
func (a *API) takeResults(types []valueType, result goja.Value, stack []uint64) {
	switch len(types) {
	case 0:
		return
	case 1:
		stack[0] = a.toWord(result, types[0])
		return
	}

	if goja.IsUndefined(result) || goja.IsNull(result) {
		a.typeError("the function must return a list of %d results", len(types))
	}
	var list []goja.Value
	a.r.VM.ForOf(result, func(v goja.Value) bool {
		list = append(list, v)
		return len(list) <= maxParameters
	})
	if len(list) != len(types) {
		a.typeError("the function must return %d results, and has returned %d", len(types), len(list))
	}

	for k, t := range types {
		stack[k] = a.toWord(list[k], t)
	}
}

// hostModule makes an instance that exports functions of scripts, each under the number of its import.
func (a *API) hostModule(functions map[string]*scriptFunction) api.Module {
	builder := a.runtime().NewHostModuleBuilder("script")
	for name, f := range functions {
		number := len(a.scripts)
		a.scripts = append(a.scripts, f)
		builder = builder.NewFunctionBuilder().
			WithGoFunction(&goFunction{number}, toAPI(f.typ.params), toAPI(f.typ.results)).
			Export(name)
	}

	code, err := builder.Compile(a.ctx)
	if err != nil {
		panic(err) // our own code
	}
	a.code.add(code)
	code.ExportedFunctions() // makes the definitions, which find asks for

	home, err := a.start(code, nil)
	if err != nil {
		a.throw(err)
	}
	return home
}

package webassembly

import (
	"reflect"
	"runtime"
	"strconv"

	"github.com/dop251/goja"
	"github.com/tetratelabs/wazero/api"
	tables "github.com/tetratelabs/wazero/experimental/table"
)

// function is a function of an instance that a script may hold: an Exported Function (5.6).
type function struct {
	place
	typ    *funcType
	index  uint32 // in its instance, which is its name
	object *goja.Object
	ref    uint64 // as a reference to it; 0 while none is known
}

// objectOf is the function that a script calls.
func (a *API) objectOf(f *function) *goja.Object {
	if f.object == nil {
		f.object = a.r.Named(strconv.FormatUint(uint64(f.index), 10), func(c goja.FunctionCall) goja.Value {
			return a.call(f, c)
		})
		_ = f.object.DefineDataProperty("length", a.r.VM.ToValue(len(f.typ.params)),
			goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
		a.byObject[f.object] = f
	}
	return f.object
}

// functionIn finds the function behind an Exported Function; nil if the value is something else.
func (a *API) functionIn(v goja.Value) *function {
	o, _ := v.(*goja.Object)
	return a.byObject[o]
}

// call converts the arguments, calls a function and converts its results.
func (a *API) call(f *function, c goja.FunctionCall) goja.Value {
	if f.typ.hasVector() {
		a.typeError("a function with a v128 cannot be called from JavaScript")
	}

	stack := make([]uint64, f.typ.slots())
	for k, t := range f.typ.params {
		stack[k] = a.toWord(c.Argument(k), t)
	}
	a.invoke(f.home, f.name, stack)

	results := f.typ.results
	switch len(results) {
	case 0:
		return goja.Undefined()
	case 1:
		return a.toValue(stack[0], results[0])
	}

	list := make([]any, len(results))
	for k, t := range results {
		list[k] = a.toValue(stack[k], t)
	}
	return a.r.VM.NewArray(list...)
}

// run calls a function of our own, of at most one result.
func (a *API) run(home api.Module, name string, arguments ...uint64) uint64 {
	stack := append(make([]uint64, 0, 2), arguments...)[:max(len(arguments), 1)]
	a.invoke(home, name, stack)
	return stack[0]
}

// invoke calls a function whose arguments are on a stack, to which its results come. It throws what ends it.
func (a *API) invoke(home api.Module, name string, stack []uint64) {
	// Each call has an engine of its own, as it may be called again before it returns.
	callee := home.ExportedFunction(name)
	a.enter(callee)
	err := callee.CallWithStack(a.ctx, stack)
	a.leave()

	a.refresh()
	if err != nil {
		a.throw(err)
	}
}

// What may be on the stack at once. The engine itself allows 2000 frames in one call; each takes up to 8 KB
// of Go's stack, of which a process may have half of its memory.
const (
	maxFrames = 2000
	maxNested = 256
)

// yieldEvery is how many calls are made before other goroutines may run: the engine starts one for each call,
// which ends when it comes to run.
const yieldEvery = 256

// callStack is the calls into modules that have not returned.
type callStack struct {
	active []activeCall
	made   uint64
}

type activeCall struct {
	callee api.Function
	below  int // frames of the calls before it
}

// enter begins a call, unless there are too many.
func (a *API) enter(callee api.Function) {
	if a.homes.isInterrupted() {
		a.fail(a.runtimeError, "the run was interrupted")
	}

	below := 0
	if n := len(a.calls.active); n > 0 {
		top := a.calls.active[n-1]
		below = top.below + frames(top.callee)
		if n >= maxNested || below > maxFrames {
			a.rangeError("Maximum call stack size exceeded")
		}
	}
	a.calls.active = append(a.calls.active, activeCall{callee, below})

	if a.calls.made++; a.calls.made%yieldEvery == 0 {
		runtime.Gosched()
	}
}

func (a *API) leave() {
	last := len(a.calls.active) - 1
	a.calls.active[last] = activeCall{}
	a.calls.active = a.calls.active[:last]
}

// frames is how many frames of the engine a call has, as many as there can be if that is not known.
func frames(callee api.Function) int {
	v := reflect.ValueOf(callee)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return maxFrames
	}
	list := v.Elem().FieldByName("frames")
	if list.Kind() != reflect.Slice {
		return maxFrames
	}
	return list.Len()
}

// toRef is the reference to an Exported Function, 0 for null; anything else throws a TypeError.
func (a *API) toRef(v goja.Value) uint64 {
	if goja.IsNull(v) {
		return 0
	}
	f := a.functionIn(v)
	if f == nil {
		a.typeError("the value must be a function that a module exports, or null")
	}

	if f.ref == 0 {
		from := func(string) api.Module { return f.home }
		f.ref = a.run(a.build(refModule(f), from), "ref")
		a.byRef[f.ref] = f
	}
	return f.ref
}

// refModule is a module that gives a reference to a function.
func refModule(f *function) *encoder {
	e := newEncoder()
	e.section(sectionType, func(e *encoder) {
		e.u32(2)
		e.funcType(f.typ)
		e.funcType(&funcType{nil, []valueType{funcref}})
	})
	e.section(sectionImport, func(e *encoder) {
		e.u32(1)
		e.name("its")
		e.name(f.name)
		e.byte(byte(kindFunction), 0)
	})
	e.section(sectionFunction, func(e *encoder) { e.byte(1, 1) })
	e.section(sectionExport, func(e *encoder) {
		e.u32(2)
		e.export("ref", kindFunction, 1)
		e.export("function", kindFunction, 0) // what is exported can be referred to
	})
	e.section(sectionCode, func(e *encoder) {
		e.u32(1)
		e.body(0xd2, 0) // ref.func
	})
	return e
}

// fromRef is the function behind a reference, or null.
func (a *API) fromRef(ref uint64) goja.Value {
	if ref == 0 {
		return goja.Null()
	}

	f := a.byRef[ref]
	if f == nil {
		f = a.find(ref)
		a.byRef[ref] = f
	}
	return a.objectOf(f)
}

// find identifies what a reference refers to. The engine tells that of an element of a table, to those who
// know the type.
func (a *API) find(ref uint64) *function {
	if a.scratch == nil {
		a.scratch = a.build(tableModule(tableType{limits{min: 1}, funcref}, nil), nil)
	}
	a.run(a.scratch, "set", 0, ref)

	for k := len(a.types) - 1; k >= 0; k-- {
		found := lookUp(a.scratch, a.types[k])
		if found == nil {
			continue
		}
		if f := a.identify(found); f != nil {
			return f
		}
	}

	a.typeError("the function cannot be shown to JavaScript")
	return nil
}

// lookUp gives the function that is the first element of a table; nil if it has another type.
func lookUp(home api.Module, t *funcType) (found api.Function) {
	defer func() {
		if recover() != nil {
			found = nil
		}
	}()
	return tables.LookupFunction(home, 0, 0, toAPI(t.params), toAPI(t.results))
}

// identify finds the function of ours that the engine has found: by the function of a script behind it, or by
// its instance and its index there.
func (a *API) identify(found api.Function) *function {
	if imported, ok := found.Definition().GoFunction().(*goFunction); ok {
		s := a.scripts[imported.number]
		return a.functionAt(s.instance, s.index)
	}

	home, index, ok := origin(found)
	if !ok || a.instances[home] == nil {
		return nil
	}
	return a.functionAt(a.instances[home], index)
}

// origin reads the instance, as the address of its home, and the index of a function from the engine, which
// has no other way to tell. TestFunctionIdentity fails if a new version of wazero keeps them elsewhere.
func origin(found api.Function) (home uintptr, index uint32, ok bool) {
	defer func() {
		if recover() != nil { // reflect refuses what is not there
			ok = false
		}
	}()

	f := reflect.ValueOf(found).Elem().FieldByName("f").Elem()
	number := f.FieldByName("parent").Elem().FieldByName("index").Uint()
	return f.FieldByName("moduleInstance").Pointer(), uint32(number), true
}

package engine

import (
	"reflect"
	"slices"
	"unsafe"

	"github.com/dop251/goja"
)

// CopyProxyArguments gives the traps apply and construct of proxies a list of arguments that is theirs. The
// engine's own is a window on its stack (goja, proxy.go, apply): what a trap keeps of it is later other
// values of the run. It does nothing if the engine's memory is not Known.
func CopyProxyArguments(vm *goja.Runtime) {
	if !Known() {
		return
	}

	class := vm.GlobalObject().Get("Proxy").(*goja.Object)
	construct := layout().constructor(class)
	native := *construct
	*construct = func(args []goja.Value, newTarget *goja.Object) *goja.Object {
		return native(withOwnArguments(vm, args), newTarget)
	}

	revocable := layout().function(class.Get("revocable").(*goja.Object))
	nativeRevocable := *revocable
	*revocable = func(c goja.FunctionCall) goja.Value {
		c.Arguments = withOwnArguments(vm, c.Arguments)
		return nativeRevocable(c)
	}
}

// FindProxyInstances lets a proxy of a function stand on the right of instanceof (ECMA-262, 7.3.22), where
// the engine says that it is no function. It does nothing if the engine's memory is not Known.
func FindProxyInstances(vm *goja.Runtime) {
	if !Known() {
		return
	}

	function := vm.ToValue(func() {}).(*goja.Object).Prototype()
	hasInstance := layout().function(function.GetSymbol(goja.SymHasInstance).(*goja.Object))
	native := *hasInstance
	*hasInstance = func(c goja.FunctionCall) goja.Value {
		class, _ := c.This.(*goja.Object)
		_, isFunc := goja.AssertFunction(c.This)
		if !isFunc || class.ExportType() != reflect.TypeFor[goja.Proxy]() {
			return native(c)
		}
		return vm.ToValue(isInstance(vm, c.Argument(0), class))
	}
}

// isInstance is OrdinaryHasInstance of a function.
func isInstance(vm *goja.Runtime, v goja.Value, class *goja.Object) bool {
	o, isObject := v.(*goja.Object)
	if !isObject {
		return false
	}
	prototype, isObject := class.Get("prototype").(*goja.Object)
	if !isObject {
		panic(vm.NewTypeError("Function has non-object prototype in instanceof check"))
	}

	for o = o.Prototype(); o != nil; o = o.Prototype() {
		if o.SameAs(prototype) {
			return true
		}
	}
	return false
}

// withOwnArguments puts another handler into the arguments of Proxy: it has the traps of the one that is
// there. Only a proxy of a function has the two traps that need it.
func withOwnArguments(vm *goja.Runtime, args []goja.Value) []goja.Value {
	if len(args) < 2 {
		return args
	}
	handler, isObject := args[1].(*goja.Object)
	if _, isFunc := goja.AssertFunction(args[0]); !isFunc || !isObject {
		return args
	}

	traps := &ownArgumentTraps{vm: vm, handler: handler}
	wrapped := vm.NewProxy(vm.NewObject(), &goja.ProxyTrapConfig{
		Get: func(_ *goja.Object, name string, _ goja.Value) goja.Value { return traps.get(name) },
	})

	return []goja.Value{args[0], vm.ToValue(wrapped)}
}

// ownArgumentTraps are the traps of a handler, as the engine looks them up: by name, at each use.
type ownArgumentTraps struct {
	vm      *goja.Runtime
	handler *goja.Object
	// wrapped are the traps that were looked up, by name, and what they were made of.
	wrapped map[string]wrappedTrap
}

type wrappedTrap struct{ trap, made goja.Value }

func (t *ownArgumentTraps) get(name string) goja.Value {
	trap := t.handler.Get(name)
	call, isFunc := goja.AssertFunction(trap)
	if !isFunc {
		if trap == nil {
			return goja.Undefined()
		}
		return trap
	}
	if found := t.wrapped[name]; found.trap != nil && found.trap.SameAs(trap) {
		return found.made
	}

	list := -1 // where the arguments are among those of the trap
	switch name {
	case "apply":
		list = 2
	case "construct":
		list = 1
	}

	made := t.vm.ToValue(func(c goja.FunctionCall) goja.Value {
		if list >= 0 && list < len(c.Arguments) {
			ownItems(c.Arguments[list])
		}
		v, err := call(t.handler, c.Arguments...)
		if err != nil {
			panic(err)
		}
		return v
	})

	if t.wrapped == nil {
		t.wrapped = map[string]wrappedTrap{}
	}
	t.wrapped[name] = wrappedTrap{trap, made}
	return made
}

// ownItems gives an array that the engine has just made a copy of its items.
func ownItems(v goja.Value) {
	array, ok := v.(*goja.Object)
	if !ok {
		return
	}

	w := wordsOf(array)
	if w.kind == plain().array {
		items := (*[]goja.Value)(unsafe.Add(w.impl, plain().items))
		*items = slices.Clone(*items)
	}
}

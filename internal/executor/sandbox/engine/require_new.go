package engine

import (
	"reflect"

	"github.com/dop251/goja"
)

// callFunc is what a native function does when it is called without new.
type callFunc = func(goja.FunctionCall) goja.Value

// RequireNew makes a native class throw a TypeError when it is called without new, as classes of the web
// platform do; by itself the engine constructs an instance. It does nothing if the engine's memory is not
// Known.
func RequireNew(vm *goja.Runtime, class *goja.Object, name string) {
	if !Known() {
		return
	}

	impl := layout().impl(class)
	f, ok := impl.Type().FieldByName("f")
	if !ok || f.Type != reflect.TypeFor[callFunc]() {
		return
	}

	*(*callFunc)(impl.FieldByIndex(f.Index).Addr().UnsafePointer()) = func(goja.FunctionCall) goja.Value {
		panic(vm.NewTypeError("Class constructor %s cannot be invoked without 'new'", name))
	}
}

// Construct gives what makes the instances of a native class, to be called inside of the engine: what it
// throws is a panic, as in any native function.
func Construct(class *goja.Object) func(args []goja.Value, newTarget *goja.Object) *goja.Object {
	if Known() {
		if construct := layout().constructor(class); construct != nil {
			return *construct
		}
	}

	construct, _ := goja.AssertConstructor(class)
	return func(args []goja.Value, newTarget *goja.Object) *goja.Object {
		o, err := construct(newTarget, args...)
		if err != nil {
			panic(err)
		}
		return o
	}
}

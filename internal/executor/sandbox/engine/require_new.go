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

package engine

import (
	"reflect"
	"unsafe"

	"github.com/dop251/goja"
	"github.com/dop251/goja/unistring"
)

// Native is the Go function of a native function.
type Native = func(goja.FunctionCall) goja.Value

// Constructor is the Go function behind a native constructor.
type Constructor = func(args []goja.Value, newTarget *goja.Object) *goja.Object

// ReplaceNative makes a native function of the engine's call another Go function: it remains the same object
// with the same properties. It gives the function that it called.
func ReplaceNative(fn *goja.Object, by Native) (was Native) {
	l := layout()
	v := l.impl(fn)
	at := (*Native)(unsafe.Add(v.Addr().UnsafePointer(), l.nativeFunc[v.Type()]))
	was = *at
	*at = by
	return was
}

// ReplaceConstructor is ReplaceNative of what new calls.
func ReplaceConstructor(fn *goja.Object, by Constructor) (was Constructor) {
	l := layout()
	v := l.impl(fn)
	field, _ := v.Type().FieldByName("construct")
	at := (*Constructor)(unsafe.Add(v.Addr().UnsafePointer(), field.Offset))
	was = *at
	*at = by
	return was
}

// Interrupted is the flag that goja.Runtime.Interrupt sets: while it is not 0 the next instruction ends what
// the runtime does.
func Interrupted(vm *goja.Runtime) *uint32 { return regExps().flag(vm) }

func (l *regExpLayout) flag(vm *goja.Runtime) *uint32 {
	machine := *(*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(vm), l.machine))
	return (*uint32)(unsafe.Add(machine, l.interrupted))
}

// Direct gives the Go function that calls a function, if it is of a kind whose exceptions pass through that
// as they are.
func Direct(fn *goja.Object) (Native, bool) {
	switch fn.ExportType().Kind() {
	case reflect.Func:
		f, ok := fn.Export().(Native)
		return f, ok
	}
	return nil, false
}

// Getter is the function that a property of an object calls to be read, or nil. Nothing runs.
func Getter(o *goja.Object, name string) *goja.Object {
	t := layout().tableOf(o)
	if t.values == nil {
		return nil
	}
	v := (*t.values)[unistring.NewFromString(name)]
	if v == nil {
		return nil
	}
	return layout().property(v).getter
}

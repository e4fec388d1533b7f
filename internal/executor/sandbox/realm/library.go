package realm

import (
	"fmt"

	"github.com/dop251/goja"
)

// RunLibrary runs a program of our own that is a function of what only Go can give, and defines the classes
// it returns. Prototypes to which no class leads it returns as hidden.
func (r *Realm) RunLibrary(p *goja.Program, host *goja.Object) *goja.Object {
	v, err := r.VM.RunProgram(p)
	if err != nil {
		panic(fmt.Sprintf("library: %v", err)) // our own code
	}

	fn, _ := goja.AssertFunction(v)
	o := r.MustCall(fn, host, r.ConstructedBy).(*goja.Object) // panics when interrupted, or out of stack

	classes := o.Get("classes").(*goja.Object)
	for _, name := range classes.Keys() {
		ctor := classes.Get(name).(*goja.Object)
		r.SetGlobal(name, ctor)
		if proto, ok := ctor.Get("prototype").(*goja.Object); ok {
			r.prototypes[proto] = struct{}{}
		}
	}

	if hidden, ok := o.Get("hidden").(*goja.Object); ok {
		r.VM.ForOf(hidden, func(v goja.Value) bool {
			r.Watch(v.(*goja.Object))
			return true
		})
	}

	return o
}

// Callables reads functions that a library returned, by name.
func Callables(o *goja.Object, into map[string]*goja.Callable) {
	for name, to := range into {
		*to, _ = goja.AssertFunction(o.Get(name))
	}
}

// OfLibrary reports whether an object is an instance of a class that a library defined, by its prototypes.
func (r *Realm) OfLibrary(o *goja.Object) bool {
	for proto := o.Prototype(); proto != nil; proto = proto.Prototype() {
		if _, ok := r.prototypes[proto]; ok {
			return true
		}
	}
	return false
}

package realm

import (
	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
)

// Class is a native constructor and its prototype.
type Class struct {
	Ctor, Proto *goja.Object
}

// Define puts a native function on an object, as Web IDL does (writable, enumerable, configurable).
func (r *Realm) Define(o *goja.Object, name string, f func(goja.FunctionCall) goja.Value) {
	r.Watch(o)
	fn := r.Named(name, f)
	_ = o.DefineDataProperty(name, fn, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE)
}

// Named makes a native function whose name a script sees.
func (r *Realm) Named(name string, f func(goja.FunctionCall) goja.Value) *goja.Object {
	fn := r.VM.ToValue(f).(*goja.Object)
	_ = fn.DefineDataProperty("name", r.VM.ToValue(name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	return fn
}

// Getter puts a read-only attribute on a prototype.
func (r *Realm) Getter(o *goja.Object, name string, f func(this goja.Value) goja.Value) {
	r.Accessor(o, name, f, nil)
}

// Accessor puts an attribute on a prototype. set is nil for one that is read-only.
func (r *Realm) Accessor(o *goja.Object, name string, get func(this goja.Value) goja.Value,
	set func(this, v goja.Value),
) {
	r.Watch(o)
	getter := r.Named("get "+name, func(c goja.FunctionCall) goja.Value { return get(c.This) })
	var setter goja.Value
	if set != nil {
		setter = r.Named("set "+name, func(c goja.FunctionCall) goja.Value {
			set(c.This, c.Argument(0))
			return goja.Undefined()
		})
	}

	_ = o.DefineAccessorProperty(name, getter, setter, goja.FLAG_TRUE, goja.FLAG_TRUE)
}

// SetGlobal defines a property of the global object that is not enumerable.
func (r *Realm) SetGlobal(name string, v any) {
	_ = r.VM.GlobalObject().DefineDataProperty(name, r.VM.ToValue(v),
		goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

// GlobalFunc defines a native function under a global name.
func (r *Realm) GlobalFunc(name string, f func(goja.FunctionCall) goja.Value) {
	r.SetGlobal(name, r.Named(name, f))
}

// NewClass makes a constructor under a global name, which throws a TypeError when it is called without new.
// construct returns the Go state that instances carry; scripts see nothing of it.
func (r *Realm) NewClass(name string, construct func(goja.ConstructorCall) any) Class {
	ctor := r.VM.ToValue(func(c goja.ConstructorCall) *goja.Object {
		return r.wrap(construct(c), c.This.Prototype())
	}).(*goja.Object)
	_ = ctor.DefineDataProperty("name", r.VM.ToValue(name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)

	engine.RequireNew(r.VM, ctor, name)

	proto := ctor.Get("prototype").(*goja.Object)
	_ = ctor.DefineDataProperty("prototype", proto, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	_ = proto.DefineDataPropertySymbol(goja.SymToStringTag, r.VM.ToValue(name),
		goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)

	r.SetGlobal(name, ctor)

	return Class{Ctor: ctor, Proto: proto}
}

// AbstractClass makes a class under a global name that scripts cannot construct.
func (r *Realm) AbstractClass(name string) Class {
	return r.NewClass(name, func(goja.ConstructorCall) any {
		panic(r.VM.NewTypeError("Illegal constructor"))
	})
}

// Singleton is the only instance of an abstract class, frozen.
func (r *Realm) Singleton(c Class) *goja.Object {
	o := r.VM.NewObject()
	_ = o.SetPrototype(c.Proto)
	r.Freeze(o)
	return o
}

// Instance wraps a state as an instance of a class.
func (r *Realm) Instance(c Class, state any) *goja.Object { return r.wrap(state, c.Proto) }

// wrap makes the object behind which a state hides: an ordinary one, to which scripts may add properties.
func (r *Realm) wrap(state any, proto *goja.Object) *goja.Object {
	return r.carrier.object(state, proto)
}

// Freeze makes an object of ours immutable.
func (r *Realm) Freeze(o *goja.Object) {
	if freeze, ok := goja.AssertFunction(r.VM.GlobalObject().Get("Object").(*goja.Object).Get("freeze")); ok {
		_, _ = freeze(goja.Undefined(), o)
	}
}

// Strings makes an array of strings.
func (r *Realm) Strings(list []string) goja.Value {
	out := make([]any, len(list))
	for k, v := range list {
		out[k] = v
	}
	return r.VM.NewArray(out...)
}

// MustState is State that throws a TypeError with the class's name.
func MustState[T any](r *Realm, v goja.Value, name string) *T {
	s := State[T](v)
	if s == nil {
		panic(r.VM.NewTypeError("Illegal invocation: this is not a %s", name))
	}
	return s
}

// Given reports whether an optional member of a dictionary is there: neither missing nor undefined.
func Given(v goja.Value) bool { return v != nil && !goja.IsUndefined(v) }

// IsNothing reports a value that is missing, undefined or null.
func IsNothing(v goja.Value) bool { return v == nil || goja.IsUndefined(v) || goja.IsNull(v) }

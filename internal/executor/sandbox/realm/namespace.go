package realm

import (
	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
)

// Namespace makes an object of functions and classes, as Web IDL's namespaces are: its tag is its name.
func (r *Realm) Namespace(name string) *goja.Object {
	o := r.VM.NewObject()
	r.tag(o, name)
	r.Watch(o)
	return o
}

// ClassIn makes a constructor with length parameters on a namespace. Without new it throws a TypeError.
// construct makes the instance, with Wrap.
func (r *Realm) ClassIn(
	ns *goja.Object, name string, length int, construct func(goja.ConstructorCall) *goja.Object,
) Class {
	ctor := r.VM.ToValue(construct).(*goja.Object)
	engine.RequireNew(r.VM, ctor, name)
	_ = ctor.DefineDataProperty("name", r.VM.ToValue(name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	r.setLength(ctor, length)

	proto := ctor.Get("prototype").(*goja.Object)
	r.tag(proto, ns.GetSymbol(goja.SymToStringTag).String()+"."+name)
	_ = ctor.DefineDataProperty("prototype", proto, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	_ = ns.DefineDataProperty(name, ctor, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)

	return Class{Ctor: ctor, Proto: proto}
}

// Wrap makes the instance that a constructor was called for: of its class, or of one derived from it.
func (r *Realm) Wrap(state any, c goja.ConstructorCall) *goja.Object {
	return r.wrap(state, c.This.Prototype())
}

// Method is Define for a function that has length parameters.
func (r *Realm) Method(o *goja.Object, name string, length int, f func(goja.FunctionCall) goja.Value) {
	r.Define(o, name, f)
	r.setLength(o.Get(name).(*goja.Object), length)
}

// Attribute puts an attribute that can be set on a prototype; set gets the call itself.
func (r *Realm) Attribute(o *goja.Object, name string, get func(this goja.Value) goja.Value,
	set func(goja.FunctionCall) goja.Value,
) {
	r.Watch(o)
	getter := r.Named("get "+name, func(c goja.FunctionCall) goja.Value { return get(c.This) })
	setter := r.Named("set "+name, set)
	r.setLength(setter, 1)
	_ = o.DefineAccessorProperty(name, getter, setter, goja.FLAG_TRUE, goja.FLAG_TRUE)
}

// setLength says how many parameters a function has.
func (r *Realm) setLength(fn *goja.Object, length int) {
	_ = fn.DefineDataProperty("length", r.VM.ToValue(length),
		goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

// tag gives an object the name that Object.prototype.toString tells.
func (r *Realm) tag(o *goja.Object, name string) {
	_ = o.DefineDataPropertySymbol(goja.SymToStringTag, r.VM.ToValue(name),
		goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

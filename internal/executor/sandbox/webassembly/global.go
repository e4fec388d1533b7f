package webassembly

import (
	"github.com/dop251/goja"
	"github.com/tetratelabs/wazero/api"

	"picloud/internal/executor/sandbox/realm"
)

// global is what an instance of WebAssembly.Global carries.
type global struct {
	place
	globalType
	object *goja.Object
}

// addGlobal defines Global (5.5).
func (a *API) addGlobal() {
	a.globalClass = a.r.ClassIn(a.Object, "Global", 1, func(c goja.ConstructorCall) *goja.Object {
		made := a.newGlobal(a.descriptor(c.Argument(0), "the descriptor of a global"), c.Arguments)
		made.object = a.r.Wrap(made, c)
		return made.object
	})

	this := func(v goja.Value) *global { return realm.MustState[global](a.r, v, "WebAssembly.Global") }
	get := func(v goja.Value) goja.Value {
		g := this(v)
		return a.toValue(g.word(), g.value)
	}
	set := func(c goja.FunctionCall) goja.Value {
		g := this(c.This)
		if len(c.Arguments) == 0 || !g.mutable {
			a.typeError("the global cannot be changed")
		}
		g.set(a.toWord(c.Argument(0), g.value))
		return goja.Undefined()
	}
	a.r.Attribute(a.globalClass.Proto, "value", get, set)
	a.r.Method(a.globalClass.Proto, "valueOf", 0, func(c goja.FunctionCall) goja.Value { return get(c.This) })
}

// word is what the engine has as the value; the lower half of a v128.
func (g *global) word() uint64 { return g.home.ExportedGlobal(g.name).Get() }

// set changes a global that the engine can change.
func (g *global) set(w uint64) { g.home.ExportedGlobal(g.name).(api.MutableGlobal).Set(w) }

// newGlobal is new WebAssembly.Global(descriptor, value).
func (a *API) newGlobal(o *goja.Object, arguments []goja.Value) *global {
	mutable := o.Get("mutable")
	name := o.Get("value")
	if name == nil {
		name = goja.Undefined()
	}
	t, ok := typeNamed(name.String())
	if !ok || t == v128 {
		a.typeError("%q is not a type of values that JavaScript can have", name.String())
	}

	given := goja.Undefined()
	if len(arguments) > 1 {
		given = arguments[1]
	}

	var value uint64
	switch {
	case t == externref && len(arguments) < 2:
		value = a.externs.handle(goja.Undefined())
	case t == externref || !goja.IsUndefined(given):
		value = a.toWord(given, t)
	}

	return a.makeGlobal(globalType{t, mutable != nil && mutable.ToBoolean()}, value)
}

// makeGlobal makes a global of a value.
func (a *API) makeGlobal(t globalType, value uint64) *global {
	declared := t
	// The engine has no constant of a reference: it is set, which nobody does again.
	declared.mutable = t.mutable || isReference(t.value) && value != 0
	e := newEncoder()
	e.section(sectionGlobal, func(e *encoder) {
		e.u32(1)
		e.globalType(declared)
		e.constant(t.value, value)
	})
	e.section(sectionExport, func(e *encoder) {
		e.u32(1)
		e.export("g", kindGlobal, 0)
	})

	g := &global{place: place{a.build(e, nil), "g"}, globalType: t}
	if isReference(t.value) && value != 0 {
		g.set(value)
	}
	return g
}

// constant writes a constant expression; null for a reference, 0 for a v128.
func (e *encoder) constant(t valueType, w uint64) {
	switch t {
	case i32:
		e.byte(0x41)
		e.s64(int64(int32(uint32(w))))
	case i64:
		e.byte(0x42)
		e.s64(int64(w))
	case f32:
		e.byte(0x43, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	case f64:
		e.byte(0x44)

		for shift := 0; shift < 64; shift += 8 {
			e.byte(byte(w >> shift))
		}
	case v128:
		e.byte(0xfd, 0x0c)
		e.byte(make([]byte, 16)...)
	default:
		e.byte(0xd0, t)
	}
	e.byte(0x0b)
}

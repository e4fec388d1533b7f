package realm

import (
	"runtime"
	"strings"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
)

// guardNatives makes the engine's functions that fail with a Go panic on receivers which they do not expect
// throw a TypeError instead, which a script can catch.
func (r *Realm) guardNatives() {
	engine.CleanErrors(r.VM, libraryPrefix, absentGlobals)
	engine.CopyProxyArguments(r.VM)
	engine.FindProxyInstances(r.VM)
	engine.RoundBigInts(r.VM)

	global := r.VM.GlobalObject()
	_ = global.Delete("GoError") // a class of the engine's own, which no standard knows

	prototype := func(class string) *goja.Object {
		return global.Get(class).(*goja.Object).Get("prototype").(*goja.Object)
	}

	r.mendYears(prototype("Date"))

	for class, name := range map[string]string{"Function": "toString", "Object": "toLocaleString"} {
		proto := prototype(class)
		_ = proto.DefineDataProperty(name, r.guarded(proto.Get(name), name, 0),
			goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}
}

// mendYears gives toISOString six digits for years before 0 and after 9999 (ECMA-262, 21.4.1.32.1), where the
// engine's has four or five.
func (r *Realm) mendYears(date *goja.Object) {
	const length = len("-000001-01-01T00:00:00.000Z")
	native, _ := date.Get("toISOString").Export().(func(goja.FunctionCall) goja.Value)

	mended := r.Named("toISOString", func(c goja.FunctionCall) goja.Value {
		v := native(c)
		text := v.String()
		if sign := text[0]; (sign == '-' || sign == '+') && len(text) < length {
			return r.VM.ToValue(text[:1] + strings.Repeat("0", length-len(text)) + text[1:])
		}
		return v
	})
	_ = date.DefineDataProperty("toISOString", mended, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

// guarded is a native function that throws a TypeError where the engine's own has a Go panic.
func (r *Realm) guarded(native goja.Value, name string, length int) *goja.Object {
	call, _ := native.Export().(func(goja.FunctionCall) goja.Value)

	fn := r.Named(name, func(c goja.FunctionCall) goja.Value {
		defer func() {
			p := recover()
			if _, isFault := p.(runtime.Error); isFault {
				panic(r.VM.NewTypeError("%s called on incompatible receiver", name))
			}
			if p != nil { // what it throws, and an interrupt
				panic(p)
			}
		}()
		return call(c)
	})
	_ = fn.DefineDataProperty(
		"length", r.VM.ToValue(length), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE,
	)

	return fn
}

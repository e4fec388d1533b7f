package webapi

import (
	_ "embed"
	"math/big"
	"reflect"
	"sync"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/realm"
)

//go:embed clone.js
var cloneSource string

var cloneProgram = sync.OnceValue(func() *goja.Program {
	return engine.MustCompile("picloud:clone", cloneSource)
})

// addStructuredClone defines structuredClone, which loads clone.js when it is called.
func (g *Global) addStructuredClone() {
	g.GlobalFunc("structuredClone", func(c goja.FunctionCall) goja.Value {
		return g.MustCall(g.loadClone(), c.Arguments...)
	})
}

// loadClone runs clone.js, once in a runtime.
func (g *Global) loadClone() goja.Callable {
	if g.clone != nil {
		return g.clone
	}

	host := g.VM.NewObject()
	g.addBuffers(host)
	g.addCloning(host)
	_ = host.Set("DOMException", g.VM.GlobalObject().Get("DOMException"))
	_ = host.Set("exceptionOf", g.exceptionOf)

	library := g.RunLibrary(cloneProgram(), host)
	g.clone, _ = goja.AssertFunction(library.Get("structuredClone"))
	g.LoadedLate()

	return g.clone
}

// addCloning gives clone.js what it must know of an object, whatever a script made of its properties and its
// prototype.
func (g *Global) addCloning(host *goja.Object) {
	stringProto := g.VM.GlobalObject().Get("String").(*goja.Object).Get("prototype").(*goja.Object)
	g.stringValueOf, _ = goja.AssertFunction(stringProto.Get("valueOf"))

	g.Define(host, "kindOf", func(c goja.FunctionCall) goja.Value {
		o, ok := c.Argument(0).(*goja.Object)
		if !ok {
			return goja.Undefined()
		}
		return g.VM.ToValue(g.kindOf(o))
	})
	g.Define(host, "unwrapped", func(c goja.FunctionCall) goja.Value { // of kind wrapper
		if text, err := g.stringValueOf(c.Argument(0)); err == nil {
			return text
		}
		return g.VM.ToValue(c.Argument(0).Export())
	})
	g.Define(host, "cloneBlob", func(c goja.FunctionCall) goja.Value { // of kind blob
		return g.MustCall(g.streams.cloneBlob, c.Argument(0))
	})
}

// kindsByType are the kinds of objects that the engine exports as a type of their own.
var kindsByType = map[reflect.Type]string{
	reflect.TypeFor[goja.ArrayBuffer]():                   "buffer",
	reflect.TypeFor[goja.Proxy]():                         "proxy",
	reflect.TypeFor[*goja.Promise]():                      "promise",
	reflect.TypeFor[[][2]any]():                           "map",
	reflect.TypeFor[string]():                             "wrapper",
	reflect.TypeFor[*big.Int]():                           "wrapper",
	reflect.TypeFor[*goja.Symbol]():                       "symbol",
	reflect.TypeFor[func(goja.FunctionCall) goja.Value](): "function",
}

// kindOf is by which steps an object is cloned; any name that clone.js does not know is of what cannot be.
func (g *Global) kindOf(o *goja.Object) string {
	if realm.HasState(o) {
		return "platform"
	}

	exported := o.ExportType()
	if kind, ok := kindsByType[exported]; ok {
		return kind
	}

	switch o.ClassName() {
	case "Boolean", "Number", "String":
		return "wrapper"
	case "Date":
		return "date"
	case "RegExp":
		return "regexp"
	case "Error":
		return "error"
	case "Array":
		return "array"
	case "Function":
		return "function"
	}

	if exported != nil && exported.Kind() == reflect.Slice {
		if exported.Elem().Kind() == reflect.Interface {
			return "set"
		}
		return "view"
	}

	return g.kindByPrototype(o)
}

// kindByPrototype tells objects apart whose insides the engine does not show.
func (g *Global) kindByPrototype(o *goja.Object) string {
	if proto := o.Prototype(); proto == nil || proto == g.objectProto {
		return "object"
	}
	if g.IsDataView(o) {
		return "view"
	}
	if g.streams != nil && !goja.IsUndefined(g.MustCall(g.streams.cloneBlob, o)) {
		return "blob"
	}
	if _, err := g.stringValueOf(o); err == nil {
		return "wrapper"
	}
	if g.OfLibrary(o) || g.isWeak(o) {
		return "platform"
	}
	return "object"
}

// isWeak reports an instance of the classes of weak references.
func (g *Global) isWeak(o *goja.Object) bool {
	for _, name := range []string{"WeakMap", "WeakSet", "WeakRef", "FinalizationRegistry"} {
		class, ok := g.VM.GlobalObject().Get(name).(*goja.Object)
		if ok && g.VM.InstanceOf(o, class) {
			return true
		}
	}
	return false
}

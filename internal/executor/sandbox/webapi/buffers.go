package webapi

import (
	"reflect"

	"github.com/dop251/goja"
)

// addBuffers gives a library what only Go can do with an ArrayBuffer.
func (g *Global) addBuffers(host *goja.Object) {
	g.Define(host, "isBuffer", func(c goja.FunctionCall) goja.Value {
		o, ok := c.Argument(0).(*goja.Object)
		return g.VM.ToValue(ok && o.ExportType() == reflect.TypeFor[goja.ArrayBuffer]())
	})
	g.Define(host, "isDetached", func(c goja.FunctionCall) goja.Value {
		buffer, ok := c.Argument(0).Export().(goja.ArrayBuffer)
		return g.VM.ToValue(!ok || buffer.Detached()) // what only has the prototype of one has no bytes
	})
	g.Define(host, "detach", func(c goja.FunctionCall) goja.Value {
		buffer, ok := c.Argument(0).Export().(goja.ArrayBuffer)
		return g.VM.ToValue(ok && buffer.Detach())
	})

	// share gives a second buffer of the same bytes; the first is to be detached before a script sees it.
	share := func(v goja.Value) (goja.ArrayBuffer, goja.Value) {
		buffer, ok := v.Export().(goja.ArrayBuffer)
		if !ok || buffer.Detached() {
			panic(g.VM.NewTypeError("the ArrayBuffer is detached"))
		}
		return buffer, g.VM.ToValue(g.VM.NewArrayBuffer(buffer.Bytes()))
	}
	g.Define(host, "share", func(c goja.FunctionCall) goja.Value {
		_, shared := share(c.Argument(0))
		return shared
	})
	g.Define(host, "transfer", func(c goja.FunctionCall) goja.Value { // TransferArrayBuffer
		buffer, shared := share(c.Argument(0))
		buffer.Detach()
		return shared
	})
}

package webapi

import (
	"strings"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/realm"
	"picloud/internal/executor/sandbox/webassembly"
)

// loadWebAssembly defines WebAssembly (WebAssembly JavaScript Interface and Web API).
func (g *Global) loadWebAssembly() {
	readAll, _ := goja.AssertFunction(g.response.Proto.Get("arrayBuffer"))
	loaded := webassembly.New(g.Realm, func(v goja.Value) goja.Value {
		r := realm.State[Response](v)
		if r == nil {
			panic(g.VM.NewTypeError("the module must come as a Response, or a promise of one"))
		}
		if r.status < 200 || r.status > 299 {
			panic(g.VM.NewTypeError("the Response with the module has the status %d", r.status))
		}
		contentType, _ := r.headers.get("content-type")
		if !strings.EqualFold(strings.Trim(contentType, " \t\r\n"), "application/wasm") {
			panic(g.VM.NewTypeError(
				"the Response with the module has the content type %q, not application/wasm",
				realm.Clip(contentType),
			))
		}
		return g.MustCallOn(readAll, v)
	})
	g.SetGlobal("WebAssembly", loaded.Object)
	g.wasm.Store(loaded)
}

// Interrupt ends, for good, what the runtime computes. Any goroutine may call it.
func (g *Global) Interrupt() {
	g.VM.Interrupt("timeout")
	if wasm := g.wasm.Load(); wasm != nil {
		wasm.Interrupt()
	}
}

// Settle notes that the program is evaluated: what its runs add is from now on theirs.
func (g *Global) Settle() {
	if wasm := g.wasm.Load(); wasm != nil {
		wasm.Settle()
	}
}

// Spent reports whether the runs have left so much in the runtime that it should not serve another one.
func (g *Global) Spent() bool {
	wasm := g.wasm.Load()
	return wasm != nil && wasm.Spent()
}

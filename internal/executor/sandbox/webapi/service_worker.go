package webapi

import (
	_ "embed"
	"strings"
	"sync"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
)

//go:embed service_worker.js
var serviceWorkerSource string

var serviceWorkerProgram = sync.OnceValue(func() *goja.Program {
	return engine.MustCompile("picloud:service-worker", serviceWorkerSource)
})

// needsServiceWorker finds code that may add a listener of "fetch" or "scheduled".
func needsServiceWorker(code string) bool {
	return strings.Contains(code, "addEventListener") &&
		(strings.Contains(code, "fetch") || strings.Contains(code, "scheduled"))
}

// loadServiceWorker makes listeners handlers. Events must be there.
func (g *Global) loadServiceWorker() {
	host := g.VM.NewObject()
	g.Define(host, "evaluating", func(goja.FunctionCall) goja.Value { return g.VM.ToValue(g.evaluating) })

	library := g.RunLibrary(serviceWorkerProgram(), host)
	g.listener, _ = goja.AssertFunction(library.Get("handler"))
}

// Listener is the handler that a script's listeners of an event make, or nil: those that it has added with
// addEventListener while it was evaluated.
func (g *Global) Listener(event string) goja.Callable {
	if g.listener == nil {
		return nil
	}
	handler, _ := goja.AssertFunction(g.MustCall(g.listener, g.VM.ToValue(event)))
	return handler
}

package webapi

import (
	_ "embed"
	"sync"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
)

//go:embed missing_ecmascript.js
var missingSource string

var missingProgram = sync.OnceValue(func() *goja.Program {
	return engine.MustCompile("picloud:repairs", missingSource)
})

// loadMissingECMAScript adds what the engine lacks of ECMAScript and what it does otherwise than the
// standard.
func (g *Global) loadMissingECMAScript() {
	host := g.VM.NewObject()
	g.Define(host, "expand", func(c goja.FunctionCall) goja.Value {
		source, err := expandProperties(c.Argument(0).String(), c.Argument(1).ToBoolean())
		if err != nil {
			panic(g.JSON.SyntaxError(err.Error()))
		}
		return g.VM.ToValue(source)
	})
	g.RunLibrary(missingProgram(), host)
}

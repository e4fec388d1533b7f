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
	g.RunLibrary(missingProgram(), g.VM.NewObject())
}

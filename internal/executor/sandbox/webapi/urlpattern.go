package webapi

import (
	_ "embed"
	"fmt"
	"sync"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
)

//go:embed urlpattern.js
var urlPatternSource string

var urlPatternProgram = sync.OnceValue(func() *goja.Program {
	return engine.MustCompile("picloud:urlpattern", urlPatternSource)
})

// loadURLPattern defines URLPattern (URL Pattern standard).
func (g *Global) loadURLPattern() {
	v, err := g.VM.RunProgram(urlPatternProgram())
	if err != nil {
		panic(fmt.Sprintf("urlpattern: %v", err)) // bundled code
	}
	g.SetGlobal("URLPattern", v)
}

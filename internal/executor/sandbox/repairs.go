package sandbox

import (
	_ "embed"
	"regexp"
	"sync"

	"github.com/dop251/goja"
)

//go:embed repairs.js
var repairsSource string

var repairsProgram = sync.OnceValue(func() *goja.Program { return goja.MustCompile("picloud:repairs", repairsSource, true) })

// repairNames finds code that may need what repairs.js repairs.
var repairNames = regexp.MustCompile(`\\[pP]\{|"[dgimsuy]*v[dgimsuy]*"\)|URLPattern|(8|16|32|64)(Clamped)?Array\b|WellFormed|captureStackTrace|WeakRef|FinalizationRegistry|` +
	`withResolvers|groupBy|fromAsync|Promise\.try|RegExp\.escape|\bIterator\b|\.(values|keys|entries|matchAll)\(|function\s*\*|\byield\b|[dD]ispose`)

func (i *isolate) loadRepairs() {
	host := i.vm.NewObject()
	i.define(host, "expand", func(c goja.FunctionCall) goja.Value {
		s, err := expandProperties(c.Argument(0).String(), c.Argument(1).ToBoolean())
		if err != nil {
			panic(i.syntaxError(err.Error()))
		}
		return i.vm.ToValue(s)
	})
	i.runLibrary(repairsProgram(), host)
}

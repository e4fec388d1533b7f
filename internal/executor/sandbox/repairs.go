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

// repairNames are the names of what repairs.js repairs.
var repairNames = vocabulary{
	parts: []string{
		`\p{`, `\P{`, "URLPattern", "8Array", "16Array", "32Array", "64Array", "ClampedArray", "WellFormed", "captureStackTrace", "WeakRef",
		"FinalizationRegistry", "withResolvers", "groupBy", "fromAsync", "Promise.try", "RegExp.escape", ".values(", ".keys(", ".entries(",
		".matchAll(", "dispose", "Dispose",
	},
	words: []string{"Iterator", "yield"},
}

// needsRepairs finds code that may need what repairs.js repairs: names, generators, and regular expressions with the flag v,
// which the bundler makes calls of.
func needsRepairs(code string) bool {
	return repairNames.in(code) || generators.MatchString(code) || setFlags.MatchString(code)
}

// Both begin with a text that is searched for first.
var (
	generators = regexp.MustCompile(`function\s*\*`)
	setFlags   = regexp.MustCompile(`"[dgimsuy]*v[dgimsuy]*"\)`)
)

func (i *isolate) loadRepairs() {
	host := i.vm.NewObject()
	i.define(host, "expand", func(c goja.FunctionCall) goja.Value {
		s, err := expandProperties(c.Argument(0).String(), c.Argument(1).ToBoolean())
		if err != nil {
			panic(i.json.SyntaxError(err.Error()))
		}
		return i.vm.ToValue(s)
	})
	i.runLibrary(repairsProgram(), host)
}

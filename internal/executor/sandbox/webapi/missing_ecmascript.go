package webapi

import (
	_ "embed"
	"sync"
	"unicode/utf8"

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
	g.addWellFormed()
}

// addWellFormed defines isWellFormed and toWellFormed of texts (ECMA-262, 22.1.3.10 and 22.1.3.33).
func (g *Global) addWellFormed() {
	proto := g.VM.GlobalObject().Get("String").(*goja.Object).Get("prototype").(*goja.Object)
	this := func(c goja.FunctionCall, name string) goja.String {
		if goja.IsUndefined(c.This) || goja.IsNull(c.This) {
			panic(g.VM.NewTypeError("String.prototype.%s called on null or undefined", name))
		}
		return engine.Text(c.This)
	}

	for name, f := range map[string]func(goja.String) goja.Value{
		"isWellFormed": func(s goja.String) goja.Value {
			return g.VM.ToValue(engine.LoneSurrogate(s, 0) < 0)
		},
		"toWellFormed": wellFormed,
	} {
		method := g.Named(name, func(c goja.FunctionCall) goja.Value { return f(this(c, name)) })
		_ = proto.DefineDataProperty(name, method, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}
}

// wellFormed is a text with U+FFFD for each surrogate without its other half.
func wellFormed(s goja.String) goja.Value {
	lone := engine.LoneSurrogate(s, 0)
	if lone < 0 {
		return s
	}

	units := make([]uint16, s.Length())
	for at := range units {
		units[at] = s.CharAt(at)
	}

	for lone >= 0 {
		units[lone] = utf8.RuneError
		lone = engine.LoneSurrogate(s, lone+1)
	}

	return goja.StringFromUTF16(units)
}

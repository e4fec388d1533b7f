// Package webapi is the global scope of a script: what the web platform's standards define for a worker, as
// far as PiCloud has it, and what the engine lacks of ECMAScript. It sees the run that uses it as a
// Run: limits, timers, log lines and the request. It does not know host calls or the "picloud" module,
// which are package sdk's, nor when a run begins or ends.
package webapi

import (
	_ "embed"
	"sync"
	"sync/atomic"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/realm"
	"picloud/internal/executor/sandbox/webassembly"
)

//go:embed base.js
var baseSource string

// baseProgram is compiled once per process and shared by its runtimes: a program is immutable.
var baseProgram = sync.OnceValue(func() *goja.Program {
	return engine.MustCompile(realm.BaseLibrary, baseSource)
})

// Global is the global scope of one runtime. Like its realm it belongs to one goroutine at a time.
type Global struct {
	*realm.Realm

	run        *Run // the run that uses the runtime now; nil between runs
	evaluating bool // module code is being evaluated: no host calls, no timers

	objectProto *goja.Object

	headers  realm.Class
	request  realm.Class
	response realm.Class

	headersIterator goja.Value    // Headers.prototype[Symbol.iterator] as it was made
	members         goja.Callable // an object's own enumerable properties, as pairs; of base.js

	exceptionOf   goja.Value    // what is behind a DOMException; it throws for anything else. Of base.js
	clone         goja.Callable // nil until loaded
	stringValueOf goja.Callable // String.prototype.valueOf

	streams *streams                        // nil until loaded
	events  *events                         // nil until loaded
	subtle  *goja.Object                    // nil until asked for
	wasm    atomic.Pointer[webassembly.API] // nil for code that does not name it; Interrupt reads it

	listener goja.Callable // of service_worker.js, nil until loaded

	// lastTimer is the id of the latest timer. No run uses the ids of another: a script that kept one would
	// clear a timer that is not the one it means.
	lastTimer int

	// bindTimer is what BindTimers was given; nil if nothing was.
	bindTimer func(goja.Callable) goja.Callable

	// formatting counts the Maps and Sets within each other that the console is rendering.
	formatting int
}

// New defines the web APIs in a realm. Libraries that needs does not name are loaded when something asks
// for them.
func New(r *realm.Realm, needs Needs) *Global {
	g := &Global{Realm: r}
	g.objectProto = r.VM.GlobalObject().Get("Object").(*goja.Object).Get("prototype").(*goja.Object)
	g.headers = g.newHeadersClass()
	g.request = g.newRequestClass()
	g.response = g.newResponseClass()
	g.addURL()
	g.addTimers()
	g.addConsole()
	g.addBase64()
	g.addCrypto()
	g.loadAdditions(needs.Additions, true)
	g.addBase()
	g.addStructuredClone()
	g.loadAdditions(needs.Additions, false)

	if needs.LegacyRegExp {
		g.AddLegacyRegExp()
	}

	if needs.Clone {
		g.loadClone()
	}

	if needs.MissingECMAScript {
		g.loadMissingECMAScript()
	}

	if needs.Events {
		g.loadEvents()
	}

	if needs.ServiceWorker { // its code names events
		g.loadServiceWorker()
	}

	if needs.Streams {
		g.loadStreams()
	}

	if needs.Intl {
		g.loadIntl()
	}

	if needs.Subtle {
		g.loadSubtle()
	}

	if needs.URLPattern {
		g.loadURLPattern()
	}

	if needs.WebAssembly {
		g.loadWebAssembly()
	}

	return g
}

// addBase runs base.js, which every runtime has.
func (g *Global) addBase() {
	host := g.VM.NewObject()
	g.Define(host, "utf8Encode", g.utf8Encode)
	g.Define(host, "utf8Decode", g.utf8Decode)
	g.Define(host, "utf8DecodePart", g.utf8DecodePart)
	g.Define(host, "decoder", g.decoder)
	g.Define(host, "encodeInto", g.encodeInto)
	g.Define(host, "report", func(c goja.FunctionCall) goja.Value {
		g.report(c.Argument(0))
		return goja.Undefined()
	})

	library := g.RunLibrary(baseProgram(), host)
	newDOMException, _ := goja.AssertFunction(library.Get("newDOMException"))
	g.exceptionOf = library.Get("exceptionOf")
	g.members, _ = goja.AssertFunction(library.Get("members"))
	g.SetErrors(library.Get("errors").(*goja.Object), newDOMException)
}

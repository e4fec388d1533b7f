// Package nodeapi is as much of Node.js as packages that were made for it need to run here: the modules that
// Modules lists, and the globals Buffer, process, global, setImmediate and clearImmediate. What touches a
// file, a socket or another process is not among them. It is for code that names it: other runtimes have
// none of it.
//
// A module is a program in lib, a function of what only Go can give it and of require; it has the names and
// answers of Node. Modules use each other as scripts do.
package nodeapi

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/realm"
	"picloud/internal/executor/sandbox/webapi"
)

//go:embed lib/*.js
var library embed.FS

// Modules are the names of the modules that scripts can import, with the prefix "node:" or without.
var Modules = []string{
	"assert", "assert/strict", "async_hooks", "buffer", "console", "crypto", "diagnostics_channel",
	"events", "os", "path", "path/posix", "perf_hooks", "process", "querystring", "stream",
	"stream/promises", "stream/web", "string_decoder", "timers", "timers/promises", "url", "util",
	"util/types",
}

// prefix marks a name as one of Node's modules.
const prefix = "node:"

// Module is the name, with its prefix, of the module that an import means; false if there is none.
func Module(name string) (string, bool) {
	bare := strings.TrimPrefix(name, prefix)
	return prefix + bare, slices.Contains(Modules, bare)
}

// Needs says what a program's code can come to.
type Needs struct {
	Globals []string // that it names
	Modules []string // that it imports
}

// globals are those of Node, and the modules that have them.
var globals = []struct{ name, module string }{
	{"Buffer", "buffer"},
	{"process", "process"},
	{"setImmediate", "timers"},
	{"clearImmediate", "timers"},
	{"global", ""},
}

// NeedsOf finds out what a program needs by the names in its code, which the bundler has written.
func NeedsOf(code string) Needs {
	var needs Needs
	for _, global := range globals {
		if (realm.Mentions{Words: []string{global.name}}).In(code) {
			needs.Globals = append(needs.Globals, global.name)
		}
	}

	for _, name := range Modules {
		if strings.Contains(code, `require("`+prefix+name+`")`) {
			needs.Modules = append(needs.Modules, name)
		}
	}
	return needs
}

// Streams reports whether the modules come to the streams of the web, which is where package webapi finds
// nothing in the program's own code.
func (n Needs) Streams() bool {
	return slices.Contains(n.Modules, "stream") || slices.Contains(n.Modules, "stream/web")
}

// Node is what one runtime has of Node. Like its realm it belongs to one goroutine at a time.
type Node struct {
	*realm.Realm

	web     *webapi.Global
	env     goja.Value // the app's variables and secrets
	modules map[string]*goja.Object
	host    *goja.Object // nil until a module is loaded
	context *asyncContext
}

// New gives a runtime what its program needs. env is the object of variables and secrets, which becomes
// process.env.
func New(web *webapi.Global, env goja.Value, needs Needs) *Node {
	n := &Node{Realm: web.Realm, web: web, env: env, modules: map[string]*goja.Object{}}
	n.addGlobals(needs.Globals)

	for _, name := range needs.Modules {
		n.Require(name)
	}
	return n
}

// addGlobals defines globals: each costs a runtime the module that has it.
func (n *Node) addGlobals(names []string) {
	for _, global := range globals {
		switch {
		case !slices.Contains(names, global.name):
		case global.module == "":
			n.SetGlobal(global.name, n.VM.GlobalObject())
		case global.module == global.name:
			n.SetGlobal(global.name, n.Require(global.module))
		default:
			n.SetGlobal(global.name, n.Require(global.module).Get(global.name))
		}
	}
}

// Require gives a module by its name, with the prefix or without; nil if there is none.
func (n *Node) Require(name string) *goja.Object {
	full, ok := Module(name)
	if !ok {
		return nil
	}
	return n.load(strings.TrimPrefix(full, prefix))
}

// internal marks a program that only modules use.
const internal = "internal:"

// load runs the program of a module, once in a runtime.
func (n *Node) load(name string) *goja.Object {
	if module := n.modules[name]; module != nil {
		return module
	}

	v, err := n.VM.RunProgram(programOf(name))
	if err != nil {
		panic(fmt.Sprintf("node library %s: %v", name, err)) // our own code
	}

	define, _ := goja.AssertFunction(v)
	require := n.Named("require", n.require)
	exports := n.MustCall(define, n.hostObject(), require, n.ConstructedBy).(*goja.Object)
	n.modules[name] = exports
	n.Watch(exports)
	n.LoadedLate()

	return exports
}

// require is what modules reach each other by.
func (n *Node) require(c goja.FunctionCall) goja.Value {
	name := strings.TrimPrefix(c.Argument(0).String(), prefix)
	if _, ok := Module(name); ok || strings.HasPrefix(name, internal) {
		return n.load(name)
	}
	panic(n.VM.NewTypeError("no module %q", realm.Clip(name)))
}

// hostObject is what Go gives the modules.
func (n *Node) hostObject() *goja.Object {
	if n.host == nil {
		n.host = n.VM.NewObject()
		n.addBuffer(n.host)
		n.addCrypto(n.host)
		n.addValues(n.host)
		n.addAsyncContext(n.host)
		_ = n.host.Set("env", n.env)
	}
	return n.host
}

// programs are compiled once per process and shared by its runtimes: a program is immutable.
var programs sync.Map

// programOf compiles a module.
func programOf(name string) *goja.Program {
	if p, ok := programs.Load(name); ok {
		return p.(*goja.Program)
	}

	file := strings.ReplaceAll(strings.TrimPrefix(name, internal), "/", "_")
	source, err := library.ReadFile("lib/" + file + ".js")
	if err != nil {
		panic(err) // a name of the list without a program
	}

	p := engine.MustCompile("picloud:node/"+file, string(source))
	programs.Store(name, p)
	return p
}

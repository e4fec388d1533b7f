// Package webassembly is the namespace WebAssembly of a script (WebAssembly JavaScript Interface): Module,
// Instance, Memory, Table, Global, the errors, validate, and compile and instantiate of bytes and of
// responses. Modules are run by wazero's interpreter, as the sandbox lets nothing be executable that was not
// from the start. It knows no run and no web API but what New is given.
//
// What a script holds, and what stands behind it:
//
//	module ----------------> a binary that was read here (parse), rewritten (forEngine) and compiled
//	instance --------------> an instance of the engine: its home
//	function, memory,
//	table, global ---------> the home that has it, and the name under which that exports it
//
// wazero finds what is imported by the names of a module and of an export, in an instance. So each import of
// a rewritten module has its number as a name, and link makes instances that export everything under these
// numbers: one of Go functions, behind which JavaScript's are, and one that imports memories, tables, globals
// and functions of other instances and exports them again.
//
// No instance is closed before its realm is given up: a reference to a function, in a table or a global, is a
// bare address for the engine, which the collector does not see. A runtime that has made many is not used for
// another run (Spent), and then they all go.
package webassembly

import (
	"cmp"
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/dop251/goja"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"picloud/internal/executor/sandbox/realm"
)

// maxModuleBytes is the largest module in bytes. Compiling is not interrupted: it takes a second for 10 MiB,
// and some 25 times the module's size of memory.
const maxModuleBytes = 16 << 20

// features are those of WebAssembly 2.0, and constant expressions that calculate. Not among them: tail calls,
// which the engine could not interrupt, exceptions and typed references, which it keeps as bare addresses.
const features = api.CoreFeaturesV2 | experimental.CoreFeaturesExtendedConst

// API is WebAssembly in one realm. Like the realm it belongs to one goroutine at a time; Interrupt alone may
// be called by any.
type API struct {
	// Object is the namespace WebAssembly.
	Object *goja.Object

	r       *realm.Realm
	respond Responder
	asIntN  goja.Callable // BigInt.asIntN

	moduleClass, instanceClass, memoryClass, tableClass, globalClass realm.Class
	compileError, linkError, runtimeError                            goja.Constructor

	engine wazero.Runtime  // nil until a module is compiled
	ctx    context.Context //nolint:containedctx // carries this API to the functions that modules import
	code   *ownedCode
	memory linearMemories

	views     []*memory       // those of which a script has seen the buffer
	types     []*funcType     // each once, of all modules
	known     map[string]bool // types, by what learnType makes of them
	scripts   []*scriptFunction
	byObject  map[*goja.Object]*function
	byRef     map[uint64]*function
	instances map[uintptr]*instance // by the address of their home
	scratch   api.Module            // nil until a reference is looked up
	externs   externs

	calls  callStack
	homes  homes
	weight weight
}

// Responder gives a promise of the bytes of what compileStreaming was given, for a Response that has them and
// may be compiled. It throws what is wrong with one that is not.
type Responder func(v goja.Value) goja.Value

// New makes WebAssembly in a realm.
func New(r *realm.Realm, respond Responder) *API {
	a := &API{
		r:         r,
		respond:   respond,
		Object:    r.Namespace("WebAssembly"),
		code:      &ownedCode{},
		memory:    linearMemories{most: runBytes()},
		known:     map[string]bool{},
		byObject:  map[*goja.Object]*function{},
		byRef:     map[uint64]*function{},
		instances: map[uintptr]*instance{},
	}
	a.ctx = apiContext{context.Background(), a}
	bigInt := r.VM.GlobalObject().Get("BigInt").(*goja.Object)
	a.asIntN, _ = goja.AssertFunction(bigInt.Get("asIntN"))

	a.addErrors()
	a.addModule()
	a.addInstance()
	a.addMemory()
	a.addTable()
	a.addGlobal()
	a.addFunctions()

	// The engine's code is shared by all realms, and outlives this one unless it is released.
	runtime.AddCleanup(a, (*ownedCode).release, a.code)
	return a
}

// apiContext is the context of every call, by which the functions that modules import find their realm. They
// must not hold it: the engine's code, of which they are a part, would keep it alive. The engine asks it for
// values in each call of a function, so it knows no more than that one.
type apiContext struct {
	context.Context //nolint:containedctx // the one that it answers for
	api             *API
}

// apiKey is the key of the realm.
type apiKey struct{}

// Value is the realm.
func (c apiContext) Value(key any) any {
	if key == (apiKey{}) {
		return c.api
	}
	return nil
}

// scriptMemory is how many bytes a script of this process may have; 0 for what it is by default.
var scriptMemory atomic.Uint64

const defaultScriptMemory = 128 << 20

// SetScriptMemory says how many bytes a script of this process may have, before the first realm is made.
func SetScriptMemory(bytes uint64) { scriptMemory.Store(bytes) }

// runBytes is how many bytes all memories of a realm may have: half of the script's memory, so that the
// largest can be copied once more when it grows.
func runBytes() uint64 {
	return min(cmp.Or(scriptMemory.Load(), defaultScriptMemory)/2, memoryPages*pageSize) / pageSize * pageSize
}

// maxPages is runBytes in pages.
func (a *API) maxPages() uint32 { return uint32(a.memory.most / pageSize) }

// pageSize is the unit of a memory's size, in bytes.
const pageSize = 64 << 10

// sharedCode lets realms that compile the same module share what comes of it.
var sharedCode = sync.OnceValue(wazero.NewCompilationCache)

// runtime is the engine of this realm, which is made when it is first needed.
func (a *API) runtime() wazero.Runtime {
	if a.engine == nil {
		config := wazero.NewRuntimeConfigInterpreter().
			WithCoreFeatures(features).
			WithCloseOnContextDone(true). // lets Interrupt stop loops
			WithDebugInfoEnabled(false).
			WithCompilationCache(sharedCode())
		a.engine = wazero.NewRuntimeWithConfig(a.ctx, config)
	}
	return a.engine
}

// ownedCode is the compiled code that one realm uses.
type ownedCode struct {
	// mu guards list, which the collector's goroutine reads. No other lock is taken under it.
	mu   sync.Mutex
	list []wazero.CompiledModule
}

func (c *ownedCode) add(code wazero.CompiledModule) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, code)
}

// release gives the code up; other realms may still use it.
func (c *ownedCode) release() {
	c.mu.Lock()
	defer c.mu.Unlock()

	for _, code := range c.list {
		_ = code.Close(context.Background())
	}
	c.list = nil
}

// build compiles and instantiates a binary of our own, which imports from homes: those that resolve finds.
func (a *API) build(e *encoder, resolve experimental.ImportResolver) api.Module {
	code, err := a.runtime().CompileModule(a.ctx, e.b)
	if err != nil {
		panic(err) // our own code
	}
	a.code.add(code)

	home, err := a.start(code, resolve)
	if err != nil {
		a.throw(err)
	}
	return home
}

// start makes an instance of the engine, and keeps it.
func (a *API) start(code wazero.CompiledModule, resolve experimental.ImportResolver) (api.Module, error) {
	ctx := experimental.WithMemoryAllocator(a.ctx, &a.memory)
	if resolve != nil {
		ctx = experimental.WithImportResolver(ctx, resolve)
	}

	unnamed := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	home, err := a.runtime().InstantiateModule(ctx, code, unnamed)
	if err != nil {
		return nil, err
	}
	a.homes.add(home)
	return home, nil
}

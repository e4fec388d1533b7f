package sandbox

import (
	"errors"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/nodeapi"
	"picloud/internal/executor/sandbox/realm"
	"picloud/internal/executor/sandbox/sdk"
	"picloud/internal/executor/sandbox/webapi"
)

// maxCallStack bounds JavaScript frames; every frame that passes through native code costs Go stack too.
const maxCallStack = 8000

// isolate is one JavaScript runtime that has evaluated one program. It serves one run at a time, and
// belongs to its goroutine.
type isolate struct {
	realm *realm.Realm
	web   *webapi.Global
	host  *sdk.Host
	node  *nodeapi.Node

	prog  *program
	envID cloud.ID // of the environment that it was made with

	handlers map[string]goja.Callable
	hint     string     // what an author can do who has written no handler; empty if there is one
	self     goja.Value // the default export, `this` of its handlers
}

func newIsolate(p *program, env *cloud.Env) *isolate {
	i := &isolate{realm: realm.New(maxCallStack), prog: p, envID: envID(env), self: goja.Undefined()}
	i.web = webapi.New(i.realm, p.needs)
	i.host = sdk.New(i.web, env)
	i.node = nodeapi.New(i.web, i.host.Env(), p.nodeNeeds)
	i.realm.Survey()
	return i
}

// envID is the id of an environment; the empty one, nil, has the zero id.
func envID(env *cloud.Env) cloud.ID {
	if env == nil {
		return cloud.ID{}
	}
	return env.ID
}

// enter makes a run the one that uses the runtime; nil ends that.
func (i *isolate) enter(r *run) {
	if r == nil {
		i.host.Enter(nil)
		return
	}
	i.host.Enter(&r.Run)
	i.node.Enter()
}

// evaluate runs the module code of a program and finds its handlers.
func (i *isolate) evaluate(prg *goja.Program) error {
	vm := i.realm.VM
	v, err := vm.RunProgram(prg)
	if err != nil {
		return err
	}

	bundle, ok := goja.AssertFunction(v)
	if !ok {
		return errors.New("bundle is not a function")
	}

	module := vm.NewObject()
	exports := vm.NewObject()
	_ = module.Set("exports", exports)
	err = i.web.Evaluate(func() error {
		_, err := bundle(goja.Undefined(), exports, vm.ToValue(i.require), module, i.realm.ConstructedBy)
		return err
	})
	if err != nil {
		return err
	}

	i.handlers = map[string]goja.Callable{}
	if exc := vm.Try(func() { i.findHandlers(module) }); exc != nil { // a getter of the script may throw
		return exc
	}
	if len(i.handlers) == 0 {
		_ = vm.Try(func() { i.hint = noHandlerHint(module) }) // a getter may throw: then there is no hint
	}

	i.realm.Record()
	i.web.Settle()
	return nil
}

// require gives a bundle the modules that are not the app's: "picloud", and those of Node.
func (i *isolate) require(name string) *goja.Object {
	if module := i.node.Require(name); module != nil {
		return module
	}
	return i.host.Require(name)
}

// handlerNames are the members of a default export that PiCloud calls.
var handlerNames = [...]string{"fetch", "kv", "scheduled", "deadLetter"}

// findHandlers reads the default export: an object of handlers, or a function, which is its handler of
// requests. Listeners of events are handlers where it has none.
func (i *isolate) findHandlers(module *goja.Object) {
	i.findExported(module)

	for _, name := range handlerNames {
		if i.handlers[name] != nil {
			continue
		}
		if handler := i.web.Listener(name); handler != nil {
			i.handlers[name] = handler
		}
	}
}

func (i *isolate) findExported(module *goja.Object) {
	exports, ok := module.Get("exports").(*goja.Object)
	if !ok {
		return
	}

	self, _ := exports.Get("default").(*goja.Object)
	if self == nil {
		return
	}

	i.self = self
	if fn, ok := goja.AssertFunction(self); ok {
		i.handlers["fetch"] = fn
		return
	}

	for _, name := range handlerNames {
		if fn, ok := goja.AssertFunction(self.Get(name)); ok {
			i.handlers[name] = fn
		}
	}
}

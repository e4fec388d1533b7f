package sandbox

import (
	"errors"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
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

	prog  *program
	envID cloud.ID // of the environment that it was made with

	handlers map[string]goja.Callable
	self     goja.Value // the default export, `this` of its handlers
}

func newIsolate(p *program, env *cloud.Env) *isolate {
	i := &isolate{realm: realm.New(maxCallStack), prog: p, envID: envID(env), self: goja.Undefined()}
	i.web = webapi.New(i.realm, p.needs)
	i.host = sdk.New(i.web, env)
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
		_, err := bundle(goja.Undefined(), exports, vm.ToValue(i.host.Require), module)
		return err
	})
	if err != nil {
		return err
	}

	i.handlers = map[string]goja.Callable{}
	if exc := vm.Try(func() { i.findHandlers(module) }); exc != nil { // a getter of the script may throw
		return exc
	}

	i.realm.Record()
	i.web.Settle()
	return nil
}

// handlerNames are the members of a default export that PiCloud calls.
var handlerNames = [...]string{"fetch", "kv", "scheduled", "deadLetter"}

// findHandlers reads the default export: an object of handlers, or a function, which is its handler of
// requests.
func (i *isolate) findHandlers(module *goja.Object) {
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

// Package sdk is what a script reaches the platform by: the module "picloud", the global fetch, and the
// context that handlers get. What they do is done by the parent process: a call here checks its arguments,
// sends a host call and returns the promise of its answer. There is no database and no network in this
// package.
//
// A module is a file with the same four names: its type, its constructor, the name under which a script
// finds it, and its exports. Host lists them.
package sdk

import (
	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/realm"
	"picloud/internal/executor/sandbox/webapi"
)

// Host is the SDK of one runtime. Like its realm it belongs to one goroutine at a time.
type Host struct {
	*realm.Realm

	web          *webapi.Global
	run          *Run // the run that uses the runtime now; nil between runs
	picloud      *goja.Object
	env          *envModule
	contextProto *goja.Object
}

// module is a part of the SDK that a script finds under one name.
type module interface {
	name() string
	exports() goja.Value
}

// errorNames are the classes of what the SDK throws.
var errorNames = [...]string{"KvError", "KvConflictError", "LimitError", "FetchError", "DeadLetterError"}

// moduleNames are the modules of "picloud", as New adds them.
var moduleNames = [...]string{"kv", "log", "deadLetters", "env"}

// Names lists what the module "picloud" exports.
func Names() []string { return append(moduleNames[:], errorNames[:]...) }

// New makes the SDK of a runtime whose web APIs are there. env, which may be nil, has the variables and
// secrets that scripts see.
func New(web *webapi.Global, env *cloud.Env) *Host {
	h := &Host{Realm: web.Realm, web: web}
	h.picloud = h.VM.NewObject()
	h.env = newEnvModule(h, env)
	h.contextProto = h.newContextProto()

	for _, m := range []module{
		newKVModule(h),
		newLogModule(h),
		newDeadLettersModule(h),
		h.env,
	} {
		_ = h.picloud.Set(m.name(), m.exports())
	}

	for _, name := range errorNames {
		_ = h.picloud.Set(name, h.ErrorClass(name))
	}

	fetch := newFetchModule(h) // the one that scripts need not import
	h.SetGlobal(fetch.name(), fetch.exports())

	h.Watch(h.picloud)

	return h
}

// Require gives a bundle the module "picloud".
func (h *Host) Require(name string) *goja.Object {
	if name == "picloud" {
		return h.picloud
	}
	panic(h.VM.NewTypeError("cannot import %q: a name that is known only when the code runs can be "+
		"\"picloud\" or a module of Node.js that is there; write the name of a module in the code, as "+
		"import(\"./name\")", name))
}

// Env is the object that handlers get as env.
func (h *Host) Env() goja.Value { return h.env.object }

// Enter makes a run the one that uses the runtime; nil ends that.
func (h *Host) Enter(r *Run) {
	h.run = r
	if r == nil {
		h.web.Enter(nil)
		return
	}

	r.host = h
	h.web.Enter(&r.Web)
}

// inRun throws a TypeError unless the run of this number is the one that calls. What a script keeps from one
// request to the next must not act in the name of another.
func (h *Host) inRun(id uint64, what string) *Run {
	run := h.current()
	if run.Web.ID != id {
		panic(h.VM.NewTypeError("%s belongs to another request: it cannot be used after the one that made "+
			"it; keep the data instead, such as a body's text", what))
	}
	return run
}

// current is the run that calls; module code has none, and gets a TypeError.
func (h *Host) current() *Run {
	h.web.InRun()
	return h.run
}

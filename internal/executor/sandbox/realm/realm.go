// Package realm is one JavaScript runtime with what native code needs to add classes, functions and errors
// to it: how a Go state hides behind an object, how promises are made and chained, how an error is
// described to the script's author. It knows no web API, no run and nothing of the platform's services;
// those are built on it (webapi, sdk).
//
// A Realm, like the runtime in it, belongs to one goroutine at a time.
package realm

import (
	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/regexps"
)

// Realm is one runtime. Its intrinsics are those that it had before any code of a script ran.
type Realm struct {
	VM   *goja.Runtime
	JSON *engine.JSON

	// ConstructedBy is the last argument of the function that engine.Compile has compiled.
	ConstructedBy *goja.Object

	carrier *carrier

	promise       *goja.Object
	promiseThen   goja.Callable
	resolve       goja.Callable
	dataViewProto *goja.Object
	regExps       *regexps.RegExps
	rejected      map[*goja.Promise]struct{} // without a handler

	errors          map[string]goja.Constructor
	errorClasses    *goja.Object
	newDOMException goja.Callable

	prototypes map[*goja.Object]struct{} // of the classes that libraries defined

	watched  []*goja.Object   // our own objects that a script can reach; nil after Record
	surveyed bool             // watched has all of them
	recorded *engine.Snapshot // what the program left of the intrinsics; nil before Record
	late     bool             // a library was loaded after Record, so what the run changed in it is unknown
}

// New makes a runtime whose JavaScript stack is bounded to maxCallStack frames.
func New(maxCallStack int) *Realm {
	vm := goja.New()
	r := &Realm{
		VM:            vm,
		JSON:          engine.NewJSON(vm),
		ConstructedBy: engine.ConstructedBy(vm),
		errors:        map[string]goja.Constructor{},
		prototypes:    map[*goja.Object]struct{}{},
		carrier:       newCarrier(vm),
	}
	vm.SetMaxCallStackSize(maxCallStack)
	vm.SetPromiseRejectionTracker(r.trackRejection)

	global := vm.GlobalObject()
	r.dataViewProto = global.Get("DataView").(*goja.Object).Get("prototype").(*goja.Object)
	r.promise = global.Get("Promise").(*goja.Object)
	r.resolve, _ = goja.AssertFunction(r.promise.Get("resolve"))
	r.promiseThen, _ = goja.AssertFunction(r.promise.Get("prototype").(*goja.Object).Get("then"))
	r.guardNatives()
	r.regExps = regexps.Install(vm)
	r.watchRegExps()

	return r
}

// Watch adds an object of ours to those from which Survey searches: one to which no property leads, as a
// script comes to it by calling something. Define and Getter watch what they add to. It has no effect after
// Survey.
func (r *Realm) Watch(o *goja.Object) {
	if last := len(r.watched) - 1; !r.surveyed && (last < 0 || r.watched[last] != o) {
		r.watched = append(r.watched, o)
	}
}

// AddLegacyRegExp defines what RegExp tells of the last match, as RegExp.$1.
func (r *Realm) AddLegacyRegExp() {
	r.regExps.AddLegacy()
	r.watchRegExps()
}

func (r *Realm) watchRegExps() {
	for _, o := range r.regExps.Added() {
		r.Watch(o)
	}
}

// Survey finds all objects of ours that a script can reach, which Intact compares, and lets those that were
// written in JavaScript look like native ones. It is called when all of
// them are there, and before any code of the script runs, whose own objects may change from run to run.
func (r *Realm) Survey() {
	r.watched = engine.Reachable(r.VM, r.watched)

	r.surveyed = true
	for _, o := range r.watched {
		engine.HideSource(o)
	}
}

// Record takes down the intrinsics and the watched objects as module evaluation left them: a polyfill is
// part of the program.
func (r *Realm) Record() {
	r.recorded = engine.Take(r.VM, r.watched)
	r.watched = nil
}

// LoadedLate notes that a library was loaded. After Record, what the run has changed in it cannot be found
// out, so the runtime serves no other run.
func (r *Realm) LoadedLate() { r.late = r.late || r.recorded != nil }

// Intact reports whether the runtime may serve another run: everything that Record took down is what it was.
// What RegExp tells of the last match is forgotten.
func (r *Realm) Intact() bool {
	r.regExps.Forget()
	return !r.late && r.recorded.Intact()
}

package sandbox

import (
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/engine"
)

// maxCallStack bounds JavaScript frames; every frame that passes through native code costs Go stack too.
const maxCallStack = 8000

//go:embed prelude.js
var preludeSource string

// prelude is compiled once per process and shared by its runtimes: a program is immutable.
var prelude = sync.OnceValue(func() *goja.Program {
	return goja.MustCompile("picloud:prelude", preludeSource, true)
})

// isolate is one JavaScript runtime that has evaluated one program. It serves one run at a time.
type isolate struct {
	vm   *goja.Runtime
	prog *program

	handlers map[string]goja.Callable
	self     goja.Value // the default export, `this` of its handlers

	cur        *run // the run that uses the runtime now
	evaluating bool // module code is being evaluated: no host calls, no timers

	env             *goja.Object // variables and secrets, frozen
	envID           cloud.ID
	sdk             *goja.Object
	headers         class
	request         class
	response        class
	ctxProto        *goja.Object
	errors          map[string]goja.Constructor
	errorClasses    *goja.Object
	promiseThen     goja.Value
	dataViewProto   *goja.Object
	newDOMException goja.Callable

	json    *engine.JSON
	resolve goja.Callable // Promise.resolve

	web      *web             // nil until loaded
	events   *events          // nil until loaded
	subtle   *goja.Object     // nil until asked for
	late     bool             // either was made during a run: what the run made of it cannot be told
	recorded *engine.Snapshot // what the program left; nil: not recorded yet
	classes  []class
	console  *goja.Object
	rejected map[*goja.Promise]struct{}
	// formatting counts the Maps and Sets within each other that are being rendered.
	formatting int
}

// class is a native constructor and its prototype.
type class struct {
	ctor, proto *goja.Object
}

func newIsolate(p *program, env *cloud.Env) *isolate {
	i := &isolate{vm: goja.New(), prog: p, self: goja.Undefined()}
	i.vm.SetMaxCallStackSize(maxCallStack)
	i.vm.SetPromiseRejectionTracker(i.trackRejection)
	i.json = engine.NewJSON(i.vm)
	promise := i.vm.GlobalObject().Get("Promise").(*goja.Object)
	i.dataViewProto = i.vm.GlobalObject().Get("DataView").(*goja.Object).Get("prototype").(*goja.Object)
	resolve, _ := goja.AssertFunction(promise.Get("resolve"))
	i.promiseThen = promise.Get("prototype").(*goja.Object).Get("then")
	i.resolve = func(_ goja.Value, args ...goja.Value) (goja.Value, error) { return resolve(promise, args...) }

	host := i.vm.NewObject()
	i.define(host, "utf8Encode", i.utf8Encode)
	i.define(host, "utf8Decode", i.utf8Decode)
	i.define(host, "utf8DecodePart", i.utf8DecodePart)
	i.define(host, "decoder", i.decoder)
	i.headers = i.newHeadersClass()
	i.request = i.newRequestClass()
	i.response = i.newResponseClass()
	i.ctxProto = i.newCtxProto()
	i.addURL()
	i.addTimers()
	i.addConsole()
	i.addEncoding()
	i.addCrypto()
	i.addFetch()
	i.runPrelude(host)
	if p.usesRepairs {
		i.loadRepairs()
	}
	if p.usesEvents {
		i.loadEvents()
	}
	if p.usesWeb {
		i.loadWeb()
	}
	if p.usesIntl {
		i.loadIntl()
	}
	if p.usesSubtle {
		i.vm.GlobalObject().Get("crypto").(*goja.Object).Get("subtle")
	}
	if p.usesURLPattern {
		i.loadURLPattern()
	}
	i.setEnv(env)
	i.sdk = i.newSDK()
	return i
}

func (i *isolate) runPrelude(host *goja.Object) {
	o := i.runLibrary(prelude(), host)
	callables(o, map[string]*goja.Callable{"newDOMException": &i.newDOMException})
	i.errors = map[string]goja.Constructor{}
	errs := o.Get("errors").(*goja.Object)
	i.errorClasses = errs
	for _, name := range errs.Keys() {
		i.errors[name], _ = goja.AssertConstructor(errs.Get(name))
	}
}

// addClasses defines classes that were written in JavaScript, given by name.
func (i *isolate) addClasses(classes *goja.Object) {
	for _, name := range classes.Keys() {
		ctor := classes.Get(name).(*goja.Object)
		i.global(name, ctor)
		i.classes = append(i.classes, class{ctor: ctor, proto: ctor.Get("prototype").(*goja.Object)})
	}
}

// setEnv makes the object that handlers get as env and modules import: names and texts, that nobody can change.
func (i *isolate) setEnv(env *cloud.Env) {
	i.env, i.envID = i.vm.NewObject(), envID(env)
	if env != nil {
		for _, name := range slices.Sorted(maps.Keys(env.Values)) {
			_ = i.env.DefineDataProperty(name, i.vm.ToValue(env.Values[name]), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_TRUE)
		}
	}
	i.freeze(i.env)
}

// snapshot records the intrinsics as module evaluation left them; a polyfill is part of the program.
func (i *isolate) snapshot() {
	own := []*goja.Object{i.ctxProto, i.sdk, i.console}
	for _, c := range i.classes {
		own = append(own, c.ctor, c.proto)
	}
	i.recorded = engine.Take(i.vm, own)
}

// intact reports whether the runtime may serve another run.
func (i *isolate) intact() bool { return !i.late && i.recorded.Intact() }

// freeze makes an object of ours immutable.
func (i *isolate) freeze(o *goja.Object) {
	if freeze, ok := goja.AssertFunction(i.vm.GlobalObject().Get("Object").(*goja.Object).Get("freeze")); ok {
		_, _ = freeze(goja.Undefined(), o)
	}
}

// require gives a bundle the modules that are not the app's.
func (i *isolate) require(name string) *goja.Object {
	if name == "picloud" {
		return i.sdk
	}
	panic(i.vm.NewTypeError("no module %q", name))
}

// define puts a native function on an object, as Web IDL does (writable, enumerable, configurable).
func (i *isolate) define(o *goja.Object, name string, f func(goja.FunctionCall) goja.Value) {
	fn := i.vm.ToValue(f).(*goja.Object)
	_ = fn.DefineDataProperty("name", i.vm.ToValue(name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	_ = o.DefineDataProperty(name, fn, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE)
}

func (i *isolate) getter(o *goja.Object, name string, f func(this goja.Value) goja.Value) {
	get := i.vm.ToValue(func(c goja.FunctionCall) goja.Value { return f(c.This) })
	_ = o.DefineAccessorProperty(name, get, nil, goja.FLAG_TRUE, goja.FLAG_TRUE)
}

func (i *isolate) global(name string, v any) {
	_ = i.vm.GlobalObject().DefineDataProperty(name, i.vm.ToValue(v), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

// newClass makes a constructor under a global name. construct returns the Go state that instances carry; states have no
// exported fields or methods, so nothing of Go is visible to a script.
func (i *isolate) newClass(name string, construct func(goja.ConstructorCall) any) class {
	ctor := i.vm.ToValue(func(c goja.ConstructorCall) *goja.Object {
		return i.wrap(construct(c), c.This.Prototype())
	}).(*goja.Object)
	_ = ctor.DefineDataProperty("name", i.vm.ToValue(name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	proto := ctor.Get("prototype").(*goja.Object)
	_ = proto.DefineDataPropertySymbol(goja.SymToStringTag, i.vm.ToValue(name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	i.global(name, ctor)
	i.classes = append(i.classes, class{ctor: ctor, proto: proto})
	return class{ctor: ctor, proto: proto}
}

// instance wraps a state as an instance of a class.
func (i *isolate) instance(c class, state any) *goja.Object {
	return i.wrap(state, c.proto)
}

// wrap makes the object behind which a state hides.
func (i *isolate) wrap(state any, proto *goja.Object) *goja.Object {
	var o *goja.Object
	if d, ok := state.(goja.DynamicObject); ok {
		o = i.vm.NewDynamicObject(d)
	} else {
		o = i.vm.ToValue(state).(*goja.Object)
	}
	_ = o.SetPrototype(proto)
	return o
}

// own holds the properties that a script puts on an object of ours, as routers do with a Request. States that embed it are
// such objects; of the engine's interface nothing but these properties can be reached.
type own struct {
	names  []string
	values map[string]goja.Value
}

// Get, Set, Has, Delete and Keys make it a goja.DynamicObject.
func (p *own) Get(name string) goja.Value { return p.values[name] }

func (p *own) Set(name string, v goja.Value) bool {
	if p.values == nil {
		p.values = map[string]goja.Value{}
	}
	if _, ok := p.values[name]; !ok {
		p.names = append(p.names, name)
	}
	p.values[name] = v
	return true
}

func (p *own) Has(name string) bool {
	_, ok := p.values[name]
	return ok
}

func (p *own) Delete(name string) bool {
	if p.Has(name) {
		delete(p.values, name)
		p.names = slices.DeleteFunc(p.names, func(n string) bool { return n == name })
	}
	return true
}

func (p *own) Keys() []string { return p.names }

// stateOf gives the Go state behind an instance, without running any code of the script.
func stateOf[T any](v goja.Value) *T {
	if o, ok := v.(*goja.Object); ok && o.ExportType() == reflect.TypeFor[*T]() {
		if s, ok := o.Export().(*T); ok {
			return s
		}
	}
	return nil
}

func mustState[T any](i *isolate, v goja.Value, name string) *T {
	s := stateOf[T](v)
	if s == nil {
		panic(i.vm.NewTypeError("Illegal invocation: this is not a %s", name))
	}
	return s
}

// throw raises an Error of a name the SDK knows.
func (i *isolate) throw(name, message string) { panic(i.newError(name, message)) }

func (i *isolate) newError(name, message string) goja.Value {
	ctor := i.errors[name]
	if ctor == nil {
		ctor = i.errors["KvError"]
	}
	o, err := ctor(nil, i.vm.ToValue(message))
	if err != nil {
		return i.vm.ToValue(message)
	}
	return o
}

// errorAt is an Error of a name the SDK knows whose stack is that of the host call which failed.
func (i *isolate) errorAt(name, message string, site []goja.StackFrame) goja.Value {
	v := i.newError(name, message)
	if o, ok := v.(*goja.Object); ok {
		stack := name + ": " + message
		if f := frames(site); f != "" {
			stack += "\n" + f
		}
		_ = o.DefineDataProperty("stack", i.vm.ToValue(stack), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}
	return v
}

// domException is a DOMException of a name (Web IDL, 2.8.1).
func (i *isolate) domException(name, format string, args ...any) goja.Value {
	return i.mustCall(i.newDOMException, i.vm.ToValue(fmt.Sprintf(format, args...)), i.vm.ToValue(name))
}

// settled is the promise that f made, or one of what it returned or threw.
func (i *isolate) settled(f func() goja.Value) goja.Value {
	var v goja.Value
	exc := i.vm.Try(func() { v = f() })
	if _, isPromise := asPromise(v); exc == nil && isPromise { // one around it would cost as much as all else of a host call
		return v
	}
	p, resolve, reject := i.vm.NewPromise()
	if exc != nil {
		_ = reject(exc.Value())
	} else {
		_ = resolve(v)
	}
	return i.vm.ToValue(p)
}

// scriptError describes what was thrown, in the author's file, line and column.
func (i *isolate) scriptError(err error) *cloud.ScriptError {
	var interrupted *goja.InterruptedError
	var overflow *goja.StackOverflowError
	var exc *goja.Exception
	switch {
	case errors.As(err, &interrupted):
		return &cloud.ScriptError{Name: "TimeoutError", Message: "the run was interrupted", Stack: frames(interrupted.Stack())}
	case errors.As(err, &overflow):
		return &cloud.ScriptError{Name: "RangeError", Message: "Maximum call stack size exceeded", Stack: frames(overflow.Stack())}
	case errors.As(err, &exc):
		return i.describe(exc.Value(), exc.Stack())
	default:
		return &cloud.ScriptError{Name: "Error", Message: err.Error()}
	}
}

// maxErrorText bounds each field of an error that is recorded.
const maxErrorText = 8 << 10

// describe reads an Error's fields. The getters of a hostile object run under the run's own clock.
func (i *isolate) describe(v goja.Value, stack []goja.StackFrame) *cloud.ScriptError {
	e := &cloud.ScriptError{Name: "Error", Stack: frames(stack)}
	exc := i.vm.Try(func() {
		o, ok := v.(*goja.Object)
		if !ok {
			e.Message = clip("uncaught " + v.String())
			return
		}
		if o.ClassName() != "Error" {
			if _, isFunc := goja.AssertFunction(o); !isFunc {
				if s, err := i.json.EncodeByEngine(o); err == nil && !goja.IsUndefined(s) {
					e.Message = clip("uncaught " + s.String())
					return
				}
			}
			e.Message = clip("uncaught " + o.String())
			return
		}
		if n := o.Get("name"); n != nil && !goja.IsUndefined(n) {
			e.Name = clip(n.String())
		}
		if m := o.Get("message"); m != nil && !goja.IsUndefined(m) {
			e.Message = clip(m.String())
		}
		if s := o.Get("stack"); s != nil && !goja.IsUndefined(s) {
			text := s.String()
			e.Stack = clip(cleanStack(text[:min(len(text), 8*maxErrorText)]))
		}
	})
	if exc != nil {
		e.Message = "an error that cannot be described: reading it threw again"
	}
	return e
}

func clip(s string) string {
	if len(s) <= maxErrorText {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	cut := maxErrorText
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strings.ToValidUTF8(s[:cut], "\uFFFD") + "..."
}

// frames lists script frames as V8 does. Columns that come out of a source map count from 0; ours count from 1.
func frames(stack []goja.StackFrame) string {
	var b strings.Builder
	for _, f := range stack {
		pos := f.Position()
		if pos.Filename == "" || strings.HasPrefix(pos.Filename, "picloud:") {
			continue
		}
		if name := f.FuncName(); name != "" && name != "<anonymous>" {
			fmt.Fprintf(&b, "    at %s (%s:%d:%d)\n", name, pos.Filename, pos.Line, pos.Column+1)
		} else {
			fmt.Fprintf(&b, "    at %s:%d:%d\n", pos.Filename, pos.Line, pos.Column+1)
		}
		if b.Len() > maxErrorText {
			break
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

// framePosition is the column and the bytecode offset at the end of a frame, as in "main.ts:4:8(12)".
var framePosition = regexp.MustCompile(`:(\d+)\(\d+\)`)

// cleanStack turns the engine's stack text into V8's: no bytecode offsets, no native or prelude frames.
func cleanStack(s string) string {
	lines := strings.Split(s, "\n")
	out := lines[:0]
	for _, l := range lines {
		t, isFrame := strings.CutPrefix(l, "\tat ")
		if !isFrame {
			out = append(out, l)
			continue
		}
		if strings.Contains(t, "picloud:prelude") || strings.Contains(t, "(native)") {
			continue
		}
		out = append(out, "    at "+framePosition.ReplaceAllStringFunc(t, func(s string) string {
			m := framePosition.FindStringSubmatch(s)
			column, _ := strconv.Atoi(m[1])
			return ":" + strconv.Itoa(column+1)
		}))
	}
	return strings.TrimRight(strings.Join(out, "\n"), "\n")
}

func (i *isolate) trackRejection(p *goja.Promise, op goja.PromiseRejectionOperation) {
	if op == goja.PromiseRejectionHandle {
		delete(i.rejected, p)
		return
	}
	if i.rejected == nil {
		i.rejected = map[*goja.Promise]struct{}{}
	}
	if len(i.rejected) < 100 {
		i.rejected[p] = struct{}{}
	}
}

func decodeBase64(s string) ([]byte, error) {
	s = strings.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '\n' || r == '\f' || r == '\r' {
			return -1
		}
		return r
	}, s)
	s = strings.TrimRight(s, "=")
	return base64.RawStdEncoding.DecodeString(s)
}

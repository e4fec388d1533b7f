// Package regexps is RegExp of a runtime: its constructor, its prototype, and the methods of strings that
// make regular expressions (ECMA-262, 22.2, 22.1.3 and Annex B). Patterns are package regex's; the objects
// are the engine's, with other functions behind them (engine.RegExp). It is not what compiles literals, which
// engine.Compile does.
package regexps

import (
	"errors"
	"fmt"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/regex"
)

// RegExps is RegExp of one runtime. It belongs to the goroutine that uses the runtime.
type RegExps struct {
	vm      *goja.Runtime
	ctor    *goja.Object
	proto   *goja.Object
	alloc   func(*engine.Pattern, *goja.Object) *goja.Object
	matcher regex.Matcher
	made    map[patternKey]*engine.Pattern
	last    *lastMatch // nil until AddLegacy

	errors map[string]goja.Value // classes of errors
	added  []*goja.Object        // functions that the engine does not have

	// iteratorProto is nil until engineMatchAll, the engine's own function, has made it.
	iteratorProto  *goja.Object
	engineMatchAll engine.Native
}

// Install makes RegExp of a new runtime ours. It gives nil, and leaves the engine's, when the engine's memory
// is not Known.
func Install(vm *goja.Runtime) *RegExps {
	if !engine.Known() {
		return nil
	}

	global := vm.GlobalObject()
	r := &RegExps{
		vm:     vm,
		ctor:   global.Get("RegExp").(*goja.Object),
		errors: map[string]goja.Value{},
	}

	r.proto = r.ctor.Get("prototype").(*goja.Object)
	for _, name := range []string{"SyntaxError", "RangeError"} {
		r.errors[name] = global.Get(name)
	}

	r.matcher.Interrupted = engine.Interrupted(vm)
	r.alloc = engine.NewRegExps(vm, r.ctor, r.native(r.call), r.construct)

	r.addMethods()
	r.addAccessors()
	r.addStringMethods(global.Get("String").(*goja.Object).Get("prototype").(*goja.Object))

	engine.Guard(r.proto, "flags", "hasIndices", "dotAll", "unicodeSets", "constructor")

	return r
}

// Added lists the functions that the engine does not have, each once.
func (r *RegExps) Added() []*goja.Object {
	if r == nil {
		return nil
	}
	added := r.added
	r.added = nil
	return added
}

// stopped ends a native function whose match was interrupted: the engine ends the run at its next
// instruction.
type stopped struct{}

// native wraps a function that may be stopped.
func (r *RegExps) native(f engine.Native) engine.Native {
	return func(c goja.FunctionCall) (result goja.Value) {
		defer func() {
			if p := recover(); p != nil {
				if _, isStop := p.(stopped); !isStop {
					panic(p)
				}
				result = goja.Undefined()
			}
		}()
		return f(c)
	}
}

// addMethods puts our functions behind the methods that the engine has.
func (r *RegExps) addMethods() {
	for name, f := range map[string]engine.Native{
		"compile": r.compile, "exec": r.exec, "test": r.test, "toString": r.toString,
	} {
		engine.ReplaceNative(r.proto.Get(name).(*goja.Object), r.native(f))
	}

	for _, method := range []struct {
		name *goja.Symbol
		f    engine.Native
	}{
		{goja.SymMatch, r.symbolMatch}, {goja.SymMatchAll, r.symbolMatchAll},
		{goja.SymReplace, r.symbolReplace},
		{goja.SymSearch, r.symbolSearch}, {goja.SymSplit, r.symbolSplit},
	} {
		was := engine.ReplaceNative(r.proto.GetSymbol(method.name).(*goja.Object), r.native(method.f))
		if method.name == goja.SymMatchAll {
			r.engineMatchAll = was
		}
	}

	r.define(r.ctor, "escape", 1, r.escape)
}

// define adds a method that the engine does not have.
func (r *RegExps) define(o *goja.Object, name string, length int, f engine.Native) {
	fn := r.function(name, length, f)
	_ = o.DefineDataProperty(name, fn, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

func (r *RegExps) function(name string, length int, f engine.Native) *goja.Object {
	fn := r.vm.ToValue(f).(*goja.Object)
	_ = fn.DefineDataProperty("name", r.vm.ToValue(name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	_ = fn.DefineDataProperty("length", r.vm.ToValue(length),
		goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	r.added = append(r.added, fn)
	return fn
}

// throw throws an error of a class.
func (r *RegExps) throw(class, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	o, err := r.vm.New(r.errors[class], r.vm.ToValue(message))
	if err != nil {
		panic(err)
	}
	panic(o)
}

// clipped is a pattern as a message has it.
func clipped(s goja.String) string {
	const most = 200
	if s.Length() > most {
		return s.Substring(0, most).String() + "..."
	}
	return s.String()
}

// patternKey tells apart the patterns that a runtime has compiled.
type patternKey struct {
	source string
	flags  regex.Flags
}

// Patterns that are kept, as many scripts make the same again and again.
const (
	maxKept       = 64
	maxKeptSource = 1024 // bytes
)

// pattern compiles a pattern (22.2.3.3, RegExpInitialize).
func (r *RegExps) pattern(source goja.String, flagsText string, subclass bool) *engine.Pattern {
	flags, ok := regex.ParseFlags(flagsText)
	if !ok {
		given := clipped(r.string(flagsText))
		r.throw("SyntaxError", "Invalid flags supplied to RegExp constructor '%s'", given)
	}

	ascii, _ := engine.RawText(source)
	mayKeep := ascii != nil && len(ascii) <= maxKeptSource && !subclass

	var key patternKey
	if mayKeep {
		key = patternKey{string(ascii), flags}
		if p := r.made[key]; p != nil {
			return p
		}
	}

	p, err := engine.NewPattern(source, flags)
	if err != nil {
		r.throw("SyntaxError", "Invalid regular expression: /%s/%s: %v", clipped(source), flags, err)
	}
	p.Subclass = subclass

	if mayKeep {
		if r.made == nil || len(r.made) >= maxKept {
			r.made = map[patternKey]*engine.Pattern{}
		}
		r.made[key] = p
	}

	return p
}

func (r *RegExps) string(s string) goja.String { return r.vm.ToValue(s).(goja.String) }

// patternOf is what a regular expression matches.
func (r *RegExps) patternOf(x engine.RegExp) *engine.Pattern {
	if p := x.Pattern(); p != nil {
		return p
	}

	source, flags := x.Original()
	p := r.pattern(source, flags.String(), false)
	x.SetPattern(p)

	return p
}

// find matches a pattern against a string, from an index on or, if sticky, at it. Its result is valid until
// the next match.
func (r *RegExps) find(p *engine.Pattern, s goja.String, from int, sticky bool) []int32 {
	var found bool
	var err error
	if ascii, units := engine.RawText(s); units == nil {
		found, err = regex.Match(&r.matcher, p.Program, ascii, from, sticky)
	} else {
		found, err = regex.Match(&r.matcher, p.Program, units, from, sticky)
	}

	switch {
	case errors.Is(err, regex.ErrInterrupted):
		panic(stopped{})
	case err != nil:
		r.throw("RangeError", "The regular expression /%s/ needs too much memory for this text",
			clipped(p.Source))
	case !found:
		return nil
	}

	if r.last != nil {
		r.last.keep(p, s, r.matcher.Captures)
	}
	return r.matcher.Captures
}

// isRegExp is IsRegExp (7.2.8).
func isRegExp(v goja.Value) bool {
	o, ok := v.(*goja.Object)
	if !ok {
		return false
	}
	if matcher := o.GetSymbol(goja.SymMatch); matcher != nil && !goja.IsUndefined(matcher) {
		return matcher.ToBoolean()
	}
	_, ok = engine.AsRegExp(o)
	return ok
}

// get is Get: what is not there is undefined.
func get(o *goja.Object, name string) goja.Value {
	if v := o.Get(name); v != nil {
		return v
	}
	return goja.Undefined()
}

// text is ToString, which throws for a symbol.
func (r *RegExps) text(v goja.Value) goja.String {
	if s, ok := v.(goja.String); ok {
		return s
	}

	switch p := v.ToString().(type) { // a primitive value
	case goja.String:
		return p
	case *goja.Symbol:
		panic(r.vm.NewTypeError("Cannot convert a Symbol value to a string"))
	default:
		return r.string(p.String())
	}
}

// set is Set with the flag Throw.
func set(o *goja.Object, name string, v goja.Value) {
	if err := o.Set(name, v); err != nil {
		panic(err)
	}
}

// toLength is ToLength (7.1.20).
func toLength(v goja.Value) int {
	const most = 1<<53 - 1
	return int(min(max(v.ToInteger(), 0), most))
}

// receiver is the object that a method is called on, or a TypeError.
func (r *RegExps) receiver(v goja.Value, method string) *goja.Object {
	o, ok := v.(*goja.Object)
	if !ok {
		panic(r.incompatible(method, v))
	}
	return o
}

// regExp is receiver of a regular expression.
func (r *RegExps) regExp(v goja.Value, method string) engine.RegExp {
	x, ok := engine.AsRegExp(v)
	if !ok {
		panic(r.incompatible(method, v))
	}
	return x
}

// incompatible is what a method throws that is called on something else.
func (r *RegExps) incompatible(method string, v goja.Value) *goja.Object {
	return r.vm.NewTypeError("Method RegExp.prototype.%s called on incompatible receiver %s",
		method, describe(v))
}

// describe says what a value is without calling a script.
func describe(v goja.Value) string {
	switch v.(type) {
	case *goja.Object:
		return "[object Object]"
	case *goja.Symbol:
		return "a symbol"
	}
	const most = 50
	s := v.String()
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

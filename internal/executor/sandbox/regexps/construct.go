package regexps

import (
	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
)

// call is RegExp called as a function (22.2.4.1).
func (r *RegExps) call(c goja.FunctionCall) goja.Value {
	pattern, flags := c.Argument(0), c.Argument(1)
	if goja.IsUndefined(flags) && isRegExp(pattern) {
		if get(pattern.(*goja.Object), "constructor") == goja.Value(r.ctor) {
			return pattern
		}
	}
	return r.construct(c.Arguments, r.ctor)
}

// construct is what new RegExp calls.
func (r *RegExps) construct(args []goja.Value, newTarget *goja.Object) *goja.Object {
	pattern, flags := goja.Undefined(), goja.Undefined()
	if len(args) > 0 {
		pattern = args[0]
	}
	if len(args) > 1 {
		flags = args[1]
	}

	patternIsRegExp := isRegExp(pattern)

	var source, flagsValue goja.Value

	x, hasPattern := engine.AsRegExp(pattern)
	switch {
	case hasPattern:
		p := r.patternOf(x)
		source, flagsValue = p.Source, r.vm.ToValue(p.Program.Flags.String())
	case patternIsRegExp:
		o := pattern.(*goja.Object)
		source = get(o, "source")
		if goja.IsUndefined(flags) {
			flagsValue = get(o, "flags")
		}
	default:
		source, flagsValue = pattern, flags
	}
	if !goja.IsUndefined(flags) {
		flagsValue = flags
	}

	proto := r.proto
	isSubclass := newTarget != nil && newTarget != r.ctor
	if isSubclass {
		if p, ok := get(newTarget, "prototype").(*goja.Object); ok {
			proto = p
		}
	}

	return r.alloc(r.initialize(source, flagsValue, isSubclass), proto)
}

// initialize compiles what the constructor and compile are given.
func (r *RegExps) initialize(source, flags goja.Value, isSubclass bool) *engine.Pattern {
	text := r.string("")
	if !goja.IsUndefined(source) {
		text = r.text(source)
	}

	flagsText := ""
	if !goja.IsUndefined(flags) {
		flagsText = r.text(flags).String()
	}

	return r.pattern(text, flagsText, isSubclass)
}

// compile is RegExp.prototype.compile (B.2.4.1).
func (r *RegExps) compile(c goja.FunctionCall) goja.Value {
	x := r.regExp(c.This, "compile")
	old := r.patternOf(x)
	if old.Subclass {
		panic(r.vm.NewTypeError("RegExp.prototype.compile cannot be called on an instance of a subclass"))
	}

	var p *engine.Pattern
	if other, ok := engine.AsRegExp(c.Argument(0)); ok {
		if !goja.IsUndefined(c.Argument(1)) {
			panic(r.vm.NewTypeError("Cannot supply flags when constructing one RegExp from another"))
		}
		same := r.patternOf(other)
		p = r.pattern(same.Source, same.Program.Flags.String(), false)
	} else {
		p = r.initialize(c.Argument(0), c.Argument(1), false)
	}

	x.SetPattern(p)
	r.setLastIndex(x, 0)

	return x.Object
}

// escape is RegExp.escape (22.2.5.1).
func (r *RegExps) escape(c goja.FunctionCall) goja.Value {
	s, ok := c.Argument(0).(goja.String)
	if !ok {
		panic(r.vm.NewTypeError("RegExp.escape needs a string"))
	}
	return escaped(s)
}

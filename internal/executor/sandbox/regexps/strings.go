package regexps

import (
	"strings"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
)

// addStringMethods replaces the methods of strings that make regular expressions. The others (replace,
// replaceAll, split) only call the methods of those that they are given.
func (r *RegExps) addStringMethods(proto *goja.Object) {
	for name, f := range map[string]engine.Native{
		"match":    r.stringMethod("match", goja.SymMatch),
		"search":   r.stringMethod("search", goja.SymSearch),
		"matchAll": r.matchAll,
	} {
		engine.ReplaceNative(proto.Get(name).(*goja.Object), r.native(f))
	}
}

// stringMethod is String.prototype.match or search (22.1.3.13, 22.1.3.21).
func (r *RegExps) stringMethod(name string, symbol *goja.Symbol) engine.Native {
	return func(c goja.FunctionCall) goja.Value {
		r.coercible(c.This, name)
		pattern := c.Argument(0)
		if o, ok := pattern.(*goja.Object); ok {
			if f, ok := r.method(o, symbol); ok {
				return f(goja.FunctionCall{This: o, Arguments: []goja.Value{c.This}})
			}
		}
		return r.invoke(symbol, c.This, pattern, goja.Undefined())
	}
}

// matchAll is String.prototype.matchAll (22.1.3.14).
func (r *RegExps) matchAll(c goja.FunctionCall) goja.Value {
	r.coercible(c.This, "matchAll")
	pattern := c.Argument(0)
	if o, ok := pattern.(*goja.Object); ok {
		if isRegExp(o) {
			flags := get(o, "flags")
			r.coercible(flags, "matchAll")
			if !strings.Contains(r.text(flags).String(), "g") {
				panic(r.vm.NewTypeError("String.prototype.matchAll called with a non-global RegExp argument"))
			}
		}
		if f, ok := r.method(o, goja.SymMatchAll); ok {
			return f(goja.FunctionCall{This: o, Arguments: []goja.Value{c.This}})
		}
	}
	return r.invoke(goja.SymMatchAll, c.This, pattern, r.string("g"))
}

// coercible is RequireObjectCoercible.
func (r *RegExps) coercible(v goja.Value, name string) {
	if goja.IsUndefined(v) || goja.IsNull(v) {
		panic(r.vm.NewTypeError("String.prototype.%s called on null or undefined", name))
	}
}

// method is GetMethod of a symbol.
func (r *RegExps) method(o *goja.Object, symbol *goja.Symbol) (engine.Native, bool) {
	v := o.GetSymbol(symbol)
	if v == nil || goja.IsUndefined(v) || goja.IsNull(v) {
		return nil, false
	}
	f, ok := callable(v)
	if !ok {
		panic(r.vm.NewTypeError("%s is not a function", symbol.String()))
	}
	return f, true
}

// invoke makes a regular expression and calls a method of it with a string.
func (r *RegExps) invoke(symbol *goja.Symbol, this, pattern, flags goja.Value) goja.Value {
	s := r.text(this)
	x := r.alloc(r.initialize(pattern, flags, false), r.proto)
	f, ok := r.method(x, symbol)
	if !ok {
		panic(r.vm.NewTypeError("%s is not a function", symbol.String()))
	}
	return f(goja.FunctionCall{This: x, Arguments: []goja.Value{s}})
}

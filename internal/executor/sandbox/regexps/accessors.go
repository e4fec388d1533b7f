package regexps

import (
	"reflect"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/regex"
)

var matchesType = reflect.TypeFor[*matches]()

// flagNames are the accessors of flags, in the order in which flags reads them.
var flagNames = []struct {
	name string
	flag regex.Flags
}{
	{"hasIndices", regex.HasIndices}, {"global", regex.Global}, {"ignoreCase", regex.IgnoreCase},
	{"multiline", regex.Multiline}, {"dotAll", regex.DotAll}, {"unicode", regex.Unicode},
	{"unicodeSets", regex.UnicodeSets}, {"sticky", regex.Sticky},
}

// addAccessors puts our functions behind the accessors of RegExp.prototype.
func (r *RegExps) addAccessors() {
	for _, f := range flagNames {
		get := r.flagGetter(f.name, f.flag)
		if getter := engine.Getter(r.proto, f.name); getter != nil {
			engine.ReplaceNative(getter, get)
			continue
		}
		_ = r.proto.DefineAccessorProperty(f.name, r.function("get "+f.name, 0, get), nil,
			goja.FLAG_TRUE, goja.FLAG_FALSE)
	}

	engine.ReplaceNative(engine.Getter(r.proto, "flags"), r.flags)
	engine.ReplaceNative(engine.Getter(r.proto, "source"), r.source)
}

// flagGetter is the getter of a flag (22.2.6.4.1, RegExpHasFlag).
func (r *RegExps) flagGetter(name string, flag regex.Flags) engine.Native {
	return func(c goja.FunctionCall) goja.Value {
		if c.This == goja.Value(r.proto) {
			return goja.Undefined()
		}
		x := r.regExp(c.This, name)
		return r.vm.ToValue(r.patternOf(x).Program.Flags.Has(flag))
	}
}

// flags is the getter of flags (22.2.6.4).
func (r *RegExps) flags(c goja.FunctionCall) goja.Value {
	o := r.receiver(c.This, "flags")
	if x, ok := r.unchanged(o); ok {
		return r.vm.ToValue(r.patternOf(x).Program.Flags.String())
	}

	var set regex.Flags
	for _, f := range flagNames {
		if get(o, f.name).ToBoolean() {
			set |= f.flag
		}
	}
	return r.vm.ToValue(set.String())
}

// source is the getter of source (22.2.6.13).
func (r *RegExps) source(c goja.FunctionCall) goja.Value {
	if c.This == goja.Value(r.proto) {
		return r.string("(?:)")
	}
	x := r.regExp(c.This, "source")
	return escapedSource(r.patternOf(x).Source)
}

// toString is RegExp.prototype.toString (22.2.6.17).
func (r *RegExps) toString(c goja.FunctionCall) goja.Value {
	o := r.receiver(c.This, "toString")

	var out goja.StringBuilder
	out.WriteRune('/')
	out.WriteString(r.text(get(o, "source")))
	out.WriteRune('/')
	out.WriteString(r.text(get(o, "flags")))
	return out.String()
}

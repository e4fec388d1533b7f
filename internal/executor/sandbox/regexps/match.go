package regexps

import (
	"strings"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/regex"
)

// symbolMatch is RegExp.prototype[Symbol.match] (22.2.6.8).
func (r *RegExps) symbolMatch(c goja.FunctionCall) goja.Value {
	o := r.receiver(c.This, "[Symbol.match]")
	s := r.text(c.Argument(0))
	if x, ok := r.unchanged(o); ok {
		p := r.patternOf(x)
		if !p.Program.Flags.Has(regex.Global) {
			return r.builtinExec(x, s)
		}

		var all []goja.Value
		r.eachMatch(x, p, s, func(found []int32) {
			all = append(all, s.Substring(int(found[0]), int(found[1])))
		})
		if all == nil {
			return goja.Null()
		}
		return r.array(all)
	}

	flags := r.text(get(o, "flags")).String()
	if !strings.Contains(flags, "g") {
		return r.regExpExec(o, s)
	}

	var all []goja.Value
	r.eachResult(o, s, strings.ContainsAny(flags, "uv"), func(result *goja.Object) {
		all = append(all, r.text(get(result, "0")))
	})
	if all == nil {
		return goja.Null()
	}

	return r.array(all)
}

// eachMatch calls f with each match of a regular expression with the flag g, whose lastIndex it leaves at 0
// as the last, failing exec does.
func (r *RegExps) eachMatch(x engine.RegExp, p *engine.Pattern, s goja.String, f func(found []int32)) {
	r.setLastIndex(x, 0)

	sticky := p.Program.Flags.Has(regex.Sticky)

	at := 0
	for at <= s.Length() {
		found := r.find(p, s, at, sticky)
		if found == nil {
			return
		}

		at = int(found[1])
		if found[0] == found[1] {
			at = next(s, at, p.Program.Flags.FullUnicode())
		}
		f(found)
	}
}

// eachResult is eachMatch by way of exec, whatever a script has made of it.
func (r *RegExps) eachResult(o *goja.Object, s goja.String, unicode bool, f func(result *goja.Object)) {
	set(o, "lastIndex", r.vm.ToValue(0))

	for {
		result, ok := r.regExpExec(o, s).(*goja.Object)
		if !ok {
			return
		}

		f(result)
		r.skipEmpty(o, s, r.text(get(result, "0")), unicode)
	}
}

// skipEmpty moves lastIndex on behind a match of nothing.
func (r *RegExps) skipEmpty(o *goja.Object, s, matched goja.String, unicode bool) {
	if matched.Length() == 0 {
		at := toLength(get(o, "lastIndex"))
		set(o, "lastIndex", r.vm.ToValue(next(s, at, unicode)))
	}
}

// symbolSearch is RegExp.prototype[Symbol.search] (22.2.6.12).
func (r *RegExps) symbolSearch(c goja.FunctionCall) goja.Value {
	o := r.receiver(c.This, "[Symbol.search]")
	s := r.text(c.Argument(0))
	if x, ok := r.unchanged(o); ok {
		p := r.patternOf(x)
		// lastIndex is set only where that has a consequence: to a property that is read-only.
		moves := p.Program.Flags&(regex.Global|regex.Sticky) != 0
		if last := x.LastIndex(); last.StrictEquals(r.vm.ToValue(0)) && !moves || x.SetLastIndex(last) {
			found := r.find(p, s, 0, p.Program.Flags.Has(regex.Sticky))
			if found == nil {
				return r.vm.ToValue(-1)
			}
			return r.vm.ToValue(int(found[0]))
		}
	}

	previous := get(o, "lastIndex")
	if zero := r.vm.ToValue(0); !previous.SameAs(zero) {
		set(o, "lastIndex", zero)
	}

	result := r.regExpExec(o, s)
	if current := get(o, "lastIndex"); !current.SameAs(previous) {
		set(o, "lastIndex", previous)
	}

	if found, ok := result.(*goja.Object); ok {
		return get(found, "index")
	}
	return r.vm.ToValue(-1)
}

// newIterator makes an iterator of matches. The engine makes %RegExpStringIteratorPrototype% when it is first
// needed; then our function is put behind its next.
func (r *RegExps) newIterator(state *matches) *goja.Object {
	if r.iteratorProto == nil {
		// An object that inherits nothing, so that nothing of a script runs.
		o := r.alloc(r.pattern(r.string(""), "g", false), nil)
		set(o, "flags", r.string("g"))
		made := r.engineMatchAll(goja.FunctionCall{This: o, Arguments: []goja.Value{r.string("")}})

		r.iteratorProto = made.(*goja.Object).Prototype()
		engine.ReplaceNative(r.iteratorProto.Get("next").(*goja.Object), r.native(r.nextMatch))
	}

	iterator := r.vm.ToValue(state).(*goja.Object)
	_ = iterator.SetPrototype(r.iteratorProto)
	return iterator
}

// matches is the state of an iterator of matchAll.
type matches struct {
	matcher                *goja.Object
	text                   goja.String
	global, unicode, ended bool
}

// symbolMatchAll is RegExp.prototype[Symbol.matchAll] (22.2.6.9).
func (r *RegExps) symbolMatchAll(c goja.FunctionCall) goja.Value {
	o := r.receiver(c.This, "[Symbol.matchAll]")
	s := r.text(c.Argument(0))

	class := r.species(o)
	flags := r.text(get(o, "flags"))
	matcher := r.newOf(class, o, flags)
	set(matcher, "lastIndex", r.vm.ToValue(toLength(get(o, "lastIndex"))))

	return r.newIterator(&matches{
		matcher: matcher,
		text:    s,
		global:  strings.Contains(flags.String(), "g"),
		unicode: strings.ContainsAny(flags.String(), "uv"),
	})
}

// species is SpeciesConstructor (7.3.22): the class of regular expressions that are derived from one.
func (r *RegExps) species(o *goja.Object) *goja.Object {
	class := get(o, "constructor")
	if goja.IsUndefined(class) {
		return r.ctor
	}
	c, ok := class.(*goja.Object)
	if !ok {
		panic(r.vm.NewTypeError("The constructor of a regular expression is not an object"))
	}

	species := c.GetSymbol(goja.SymSpecies)
	if species == nil || goja.IsUndefined(species) || goja.IsNull(species) {
		return r.ctor
	}
	if _, isConstructor := goja.AssertConstructor(species); !isConstructor {
		panic(r.vm.NewTypeError("The species of a regular expression is not a constructor"))
	}
	return species.(*goja.Object)
}

// newOf calls new with a regular expression and flags.
func (r *RegExps) newOf(class, o *goja.Object, flags goja.Value) *goja.Object {
	if class == r.ctor {
		return r.construct([]goja.Value{o, flags}, r.ctor)
	}
	construct, _ := goja.AssertConstructor(class)
	made, err := construct(nil, o, flags)
	if err != nil {
		panic(err)
	}
	return made
}

// nextMatch is next of an iterator of matchAll (22.2.9.2.1).
func (r *RegExps) nextMatch(c goja.FunctionCall) goja.Value {
	m := stateOf(c.This)
	if m == nil {
		panic(r.vm.NewTypeError("next of a RegExp String Iterator called on incompatible receiver %s",
			describe(c.This)))
	}
	if m.ended {
		return r.step(goja.Undefined(), true)
	}

	result, ok := r.regExpExec(m.matcher, m.text).(*goja.Object)
	if !ok {
		m.ended = true
		return r.step(goja.Undefined(), true)
	}

	if m.global {
		r.skipEmpty(m.matcher, m.text, r.text(get(result, "0")), m.unicode)
	} else {
		m.ended = true
	}
	return r.step(result, false)
}

// stateOf gives the state of an iterator of matchAll, or nil for anything else.
func stateOf(v goja.Value) *matches {
	o, ok := v.(*goja.Object)
	if !ok || o.ExportType() != matchesType {
		return nil
	}
	m, _ := o.Export().(*matches)
	return m
}

// step is CreateIterResultObject.
func (r *RegExps) step(value goja.Value, done bool) goja.Value {
	o := r.vm.NewObject()
	set(o, "value", value)
	set(o, "done", r.vm.ToValue(done))
	return o
}

package regexps

import (
	"math"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/regex"
)

func (r *RegExps) exec(c goja.FunctionCall) goja.Value {
	x := r.regExp(c.This, "exec")
	return r.builtinExec(x, r.text(c.Argument(0)))
}

func (r *RegExps) test(c goja.FunctionCall) goja.Value {
	o := r.receiver(c.This, "test")
	s := r.text(c.Argument(0))
	if x, ok := r.unchanged(o); ok {
		found, _ := r.advance(x, s)
		return r.vm.ToValue(found != nil)
	}
	return r.vm.ToValue(!goja.IsNull(r.regExpExec(o, s)))
}

// unchanged gives a regular expression that does what RegExp's own does, so that no code of a script runs
// when its properties are read.
func (r *RegExps) unchanged(o *goja.Object) (engine.RegExp, bool) {
	x, ok := engine.AsRegExp(o)
	return x, ok && x.Unchanged(r.proto)
}

// regExpExec is RegExpExec (22.2.7.1): it calls what a script may have put in the place of exec.
func (r *RegExps) regExpExec(o *goja.Object, s goja.String) goja.Value {
	if x, ok := r.unchanged(o); ok {
		return r.builtinExec(x, s)
	}

	if f, ok := callable(get(o, "exec")); ok {
		result := f(goja.FunctionCall{This: o, Arguments: []goja.Value{s}})
		if _, isObject := result.(*goja.Object); !isObject && !goja.IsNull(result) {
			panic(r.vm.NewTypeError("exec must return an object or null"))
		}
		return result
	}

	return r.builtinExec(r.regExp(o, "exec"), s)
}

// callable gives the Go function that calls a function. What a script throws passes through it.
func callable(v goja.Value) (engine.Native, bool) {
	o, ok := v.(*goja.Object)
	if !ok {
		return nil, false
	}
	f, ok := goja.AssertFunction(o)
	if !ok {
		return nil, false
	}

	// The engine gives functions of most kinds without what turns exceptions into errors.
	if direct, ok := engine.Direct(o); ok {
		return direct, true
	}
	return func(c goja.FunctionCall) goja.Value {
		v, err := f(c.This, c.Arguments...)
		if err != nil {
			panic(err)
		}
		return v
	}, true
}

// builtinExec is RegExpBuiltinExec (22.2.7.2).
func (r *RegExps) builtinExec(x engine.RegExp, s goja.String) goja.Value {
	found, p := r.advance(x, s)
	if found == nil {
		return goja.Null()
	}
	return r.matchResult(p, s, found)
}

// advance finds the next match of a regular expression, and moves its lastIndex if it has one to move.
func (r *RegExps) advance(x engine.RegExp, s goja.String) ([]int32, *engine.Pattern) {
	lastIndex := toLength(x.LastIndex()) // this may run code of a script
	p := r.patternOf(x)
	flags := p.Program.Flags
	sticky := flags.Has(regex.Sticky)

	moves := sticky || flags.Has(regex.Global)
	if !moves {
		lastIndex = 0
	}

	var found []int32
	if lastIndex <= s.Length() {
		found = r.find(p, s, lastIndex, sticky)
	}

	if moves {
		end := 0
		if found != nil {
			end = int(found[1])
		}
		r.setLastIndex(x, end)
	}

	return found, p
}

func (r *RegExps) setLastIndex(x engine.RegExp, to int) {
	if !x.SetLastIndex(r.vm.ToValue(to)) {
		panic(r.vm.NewTypeError("Cannot assign to read only property 'lastIndex' of object"))
	}
}

// matchResult is the array that exec returns.
func (r *RegExps) matchResult(p *engine.Pattern, s goja.String, found []int32) *goja.Object {
	items := captured(s, found)
	names := []string{"index", "input", "groups", "indices"}
	values := []goja.Value{r.vm.ToValue(int(found[0])), s, r.groups(p.Program, items), nil}
	if !p.Program.Flags.Has(regex.HasIndices) {
		return engine.MatchArray(r.vm, items, names[:3], values[:3])
	}

	values[3] = r.indices(p.Program, found)
	return engine.MatchArray(r.vm, items, names, values)
}

// captured are the texts of all groups, undefined for those that captured nothing.
func captured(s goja.String, found []int32) []goja.Value {
	items := make([]goja.Value, len(found)/2, len(found)/2+3)
	for k := range items {
		items[k] = goja.Undefined()
		if begin, end := found[2*k], found[2*k+1]; begin >= 0 && end >= 0 {
			items[k] = s.Substring(int(begin), int(end))
		}
	}
	return items
}

// groups is an object of the named groups, or undefined if there are none.
func (r *RegExps) groups(p *regex.Program, items []goja.Value) goja.Value {
	if len(p.Names) == 0 {
		return goja.Undefined()
	}

	names := make([]string, len(p.Names))

	values := make([]goja.Value, len(p.Names))
	for k, name := range p.Names {
		names[k] = name.Name

		values[k] = goja.Undefined()
		for _, group := range name.Groups {
			if !goja.IsUndefined(items[group]) {
				values[k] = items[group]
			}
		}
	}

	return engine.NullObject(r.vm, names, values)
}

// indices is what the flag d adds (22.2.7.8, MakeMatchIndicesIndexPairArray).
func (r *RegExps) indices(p *regex.Program, found []int32) goja.Value {
	pairs := make([]goja.Value, len(found)/2)
	for k := range pairs {
		pairs[k] = goja.Undefined()
		if begin, end := found[2*k], found[2*k+1]; begin >= 0 && end >= 0 {
			pairs[k] = r.array([]goja.Value{r.vm.ToValue(int(begin)), r.vm.ToValue(int(end))})
		}
	}
	return engine.MatchArray(r.vm, pairs, []string{"groups"}, []goja.Value{r.groups(p, pairs)})
}

func (r *RegExps) array(items []goja.Value) *goja.Object {
	return engine.MatchArray(r.vm, items, nil, nil)
}

// next is AdvanceStringIndex (22.2.7.3).
func next(s goja.String, at int, unicode bool) int {
	if unicode && at+1 < s.Length() && s.CharAt(at)&0xfc00 == 0xd800 && s.CharAt(at+1)&0xfc00 == 0xdc00 {
		return at + 2
	}
	if at == math.MaxInt {
		return at
	}
	return at + 1
}

package regexps

import (
	"fmt"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
)

// legacyGroups is how many groups RegExp.$1 and its like tell.
const legacyGroups = 9

// lastMatch is what the static properties of RegExp tell of the last match (the proposal "Legacy RegExp
// features", which all browsers have). A match of an instance of a subclass makes them unreadable.
type lastMatch struct {
	text    goja.String // nil: there was no match
	found   [2 * (legacyGroups + 1)]int32
	last    [2]int32 // the last group
	invalid bool

	input goja.String // what a script has assigned to RegExp.input; nil: text
}

// keep takes down a match.
func (l *lastMatch) keep(p *engine.Pattern, s goja.String, found []int32) {
	if p.Subclass {
		*l = lastMatch{invalid: true}
		return
	}

	l.text = s
	l.input = nil

	l.invalid = false
	for k := copy(l.found[:], found); k < len(l.found); k++ {
		l.found[k] = -1
	}
	l.last = [2]int32{-1, -1}
	if len(found) > 2 {
		l.last = [2]int32(found[len(found)-2:])
	}
}

// Forget makes the static properties what they were at the beginning: nothing passes from run to run.
func (r *RegExps) Forget() {
	if r != nil && r.last != nil {
		*r.last = lastMatch{}
	}
}

// between is the text between two places, empty for a group that captured nothing.
func (l *lastMatch) between(begin, end int32) goja.String {
	if l.text == nil || begin < 0 || end < begin {
		return goja.StringFromUTF16(nil)
	}
	return l.text.Substring(int(begin), int(end))
}

// AddLegacy defines the static properties. Most programs do without.
func (r *RegExps) AddLegacy() {
	if r == nil || r.last != nil {
		return
	}
	r.last = &lastMatch{}

	for k := 1; k <= legacyGroups; k++ {
		r.legacy(fmt.Sprintf("$%d", k), "", func(l *lastMatch) goja.String {
			return l.between(l.found[2*k], l.found[2*k+1])
		})
	}

	r.legacy("lastMatch", "$&", func(l *lastMatch) goja.String { return l.between(l.found[0], l.found[1]) })
	r.legacy("lastParen", "$+", func(l *lastMatch) goja.String { return l.between(l.last[0], l.last[1]) })
	r.legacy("leftContext", "$`", func(l *lastMatch) goja.String { return l.between(0, l.found[0]) })
	r.legacy("rightContext", "$'", func(l *lastMatch) goja.String {
		if l.text == nil {
			return l.between(-1, -1)
		}
		return l.between(l.found[1], int32(l.text.Length()))
	})

	set := r.function("set input", 1, func(c goja.FunctionCall) goja.Value {
		r.legacyReceiver(c.This, "input")
		r.last.input = r.text(c.Argument(0))
		return goja.Undefined()
	})
	r.static("input", "$_", set, func(l *lastMatch) goja.String {
		switch {
		case l.input != nil:
			return l.input
		case l.text != nil:
			return l.text
		}
		return l.between(-1, -1)
	})
}

// legacyReceiver lets the properties be read of RegExp alone.
func (r *RegExps) legacyReceiver(this goja.Value, name string) {
	if this != goja.Value(r.ctor) {
		panic(r.vm.NewTypeError("RegExp.%s called on incompatible receiver", name))
	}
}

// legacy defines a property that cannot be assigned, under one name or two.
func (r *RegExps) legacy(name, short string, read func(*lastMatch) goja.String) {
	r.static(name, short, nil, read)
}

// static defines a property, under one name or two.
func (r *RegExps) static(name, short string, set *goja.Object, read func(*lastMatch) goja.String) {
	getter := r.function("get "+name, 0, func(c goja.FunctionCall) goja.Value {
		r.legacyReceiver(c.This, name)
		if r.last.invalid {
			panic(r.vm.NewTypeError("RegExp.%s is not there after a match of a subclass", name))
		}
		return read(r.last)
	})

	var setter goja.Value
	if set != nil {
		setter = set
	}
	_ = r.ctor.DefineAccessorProperty(name, getter, setter, goja.FLAG_TRUE, goja.FLAG_FALSE)
	if short != "" {
		_ = r.ctor.DefineAccessorProperty(short, getter, setter, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}
}

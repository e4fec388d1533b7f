package webapi

import (
	"slices"
	"sort"
	"strings"
	"unicode/utf16"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/realm"
)

// searchParamsState is what an instance of URLSearchParams carries.
type searchParamsState struct {
	list []cloud.Header
	url  *urlState // written back to, when it belongs to a URL
}

func (p *searchParamsState) encode() string { return encodeForm(p.list) }

// changed writes the parameters back to their URL.
func (p *searchParamsState) changed() {
	if p.url != nil {
		p.url.u.SetSearch(p.encode())
	}
}

func (p *searchParamsState) append(name, value string) {
	p.list = append(p.list, cloud.Header{Name: name, Value: value})
}

// remove takes out what matches, in place.
func (p *searchParamsState) remove(a argument) {
	kept := p.list[:0]
	for _, f := range p.list {
		if !a.matches(f) {
			kept = append(kept, f)
		}
	}

	p.list = kept
}

// set puts the value where the name is first, and removes the others, in place.
func (p *searchParamsState) set(name, value string) {
	done := false

	kept := p.list[:0]
	for _, f := range p.list {
		if f.Name == name {
			if done {
				continue
			}
			f.Value = value
			done = true
		}
		kept = append(kept, f)
	}

	p.list = kept
	if !done {
		p.append(name, value)
	}
}

// argument is a name, and a value if the script has given one.
type argument struct {
	name, value string
	anyValue    bool
}

// argumentOf reads the arguments (name, value) of has and delete.
func (g *Global) argumentOf(c goja.FunctionCall) argument {
	a := argument{name: g.usvString(c.Argument(0)), anyValue: goja.IsUndefined(c.Argument(1))}
	if !a.anyValue {
		a.value = g.usvString(c.Argument(1))
	}
	return a
}

func (a argument) matches(f cloud.Header) bool {
	return f.Name == a.name && (a.anyValue || f.Value == a.value)
}

// newSearchParamsClass defines URLSearchParams (URL standard, 6.2).
func (g *Global) newSearchParamsClass() realm.Class {
	class := g.NewClass("URLSearchParams", func(c goja.ConstructorCall) any {
		p := &searchParamsState{}
		g.fillSearchParams(p, c.Argument(0))
		return p
	})
	this := func(v goja.Value) *searchParamsState {
		return realm.MustState[searchParamsState](g.Realm, v, "URLSearchParams")
	}
	g.addSearchParamsChanges(class.Proto, this)

	g.Define(class.Proto, "get", func(c goja.FunctionCall) goja.Value {
		p := this(c.This)
		g.need(c, 1, "get")

		name := g.usvString(c.Argument(0))
		for _, f := range p.list {
			if f.Name == name {
				return g.VM.ToValue(f.Value)
			}
		}
		return goja.Null()
	})
	g.Define(class.Proto, "getAll", func(c goja.FunctionCall) goja.Value {
		p := this(c.This)
		g.need(c, 1, "getAll")
		name := g.usvString(c.Argument(0))

		var out []any
		for _, f := range p.list {
			if f.Name == name {
				out = append(out, f.Value)
			}
		}
		return g.VM.NewArray(out...)
	})
	g.Define(class.Proto, "has", func(c goja.FunctionCall) goja.Value {
		p := this(c.This)
		g.need(c, 1, "has")
		return g.VM.ToValue(slices.ContainsFunc(p.list, g.argumentOf(c).matches))
	})
	g.Define(class.Proto, "toString", func(c goja.FunctionCall) goja.Value {
		return g.VM.ToValue(this(c.This).encode())
	})
	g.Getter(class.Proto, "size", func(v goja.Value) goja.Value { return g.VM.ToValue(len(this(v).list)) })
	g.addPairs("URLSearchParams", class.Proto, func(v goja.Value) []cloud.Header { return this(v).list })

	return class
}

// fillSearchParams reads what the constructor takes: parameters, a list of pairs, a record or a query.
func (g *Global) fillSearchParams(p *searchParamsState, init goja.Value) {
	object, isObject := init.(*goja.Object)
	if !isObject {
		if !goja.IsUndefined(init) {
			p.list = parseForm(strings.TrimPrefix(g.usvString(init), "?"))
		}
		return
	}

	const message = "each parameter must be a [name, value] pair"
	isRecord := g.iteratorMethod(object) == nil
	places := map[string]int{} // of a record's names in the list: two may become one
	g.fillPairs(object, message, func(name, value goja.Value, read goja.Callable) {
		parameter := cloud.Header{Name: g.usvString(name)}
		parameter.Value = g.usvString(g.valueOf(value, read))

		if place, known := places[parameter.Name]; known {
			p.list[place].Value = parameter.Value
			return
		}
		if isRecord {
			places[parameter.Name] = len(p.list)
		}
		p.list = append(p.list, parameter)
	})
}

// addSearchParamsChanges defines the methods that change the parameters, and with them the URL that they
// belong to.
func (g *Global) addSearchParamsChanges(proto *goja.Object, this func(goja.Value) *searchParamsState) {
	change := func(name string, needs int, f func(p *searchParamsState, c goja.FunctionCall)) {
		g.Define(proto, name, func(c goja.FunctionCall) goja.Value {
			p := this(c.This)
			g.need(c, needs, name)
			f(p, c)
			p.changed()
			return goja.Undefined()
		})
	}

	change("append", 2, func(p *searchParamsState, c goja.FunctionCall) {
		p.append(g.usvString(c.Argument(0)), g.usvString(c.Argument(1)))
	})
	change("delete", 1, func(p *searchParamsState, c goja.FunctionCall) {
		p.remove(g.argumentOf(c))
	})
	change("set", 2, func(p *searchParamsState, c goja.FunctionCall) {
		p.set(g.usvString(c.Argument(0)), g.usvString(c.Argument(1)))
	})
	change("sort", 0, func(p *searchParamsState, _ goja.FunctionCall) {
		sort.SliceStable(p.list, func(a, b int) bool { return lessUTF16(p.list[a].Name, p.list[b].Name) })
	})
}

// lessUTF16 orders texts by their code units, of which a character beyond U+FFFF has two, both below U+E000.
func lessUTF16(a, b string) bool {
	x, y := utf16.Encode([]rune(a)), utf16.Encode([]rune(b))
	return slices.Compare(x, y) < 0
}

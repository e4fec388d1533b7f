package webapi

import (
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/realm"
)

// Lists of names and values, which Headers and URLSearchParams are: how one is read from an argument, and
// how a script iterates over it.

// iteratorMethod is an object's Symbol.iterator, or nil. One that is no function throws a TypeError.
func (g *Global) iteratorMethod(o *goja.Object) goja.Callable {
	method := o.GetSymbol(goja.SymIterator)
	if realm.IsNothing(method) {
		return nil
	}

	f, ok := goja.AssertFunction(method)
	if !ok {
		panic(g.VM.NewTypeError("Symbol.iterator must be a function"))
	}
	return f
}

// valueOf is the value of a pair.
func (g *Global) valueOf(value goja.Value, read goja.Callable) goja.Value {
	if read != nil {
		return g.MustCall(read)
	}
	return value
}

// takePair takes a pair: its name is converted before its value is read, if read is set.
type takePair func(name, value goja.Value, read goja.Callable)

// fillPairs reads a list of pairs, or a record (Web IDL, 3.2.21 and 3.2.24).
func (g *Global) fillPairs(object *goja.Object, message string, f takePair) {
	if g.iteratorMethod(object) == nil {
		g.eachMember(object, f)
		return
	}

	g.VM.ForOf(object, func(v goja.Value) bool {
		pair, ok := v.(*goja.Object)
		if !ok || g.iteratorMethod(pair) == nil {
			panic(g.VM.NewTypeError(message))
		}

		var parts []goja.Value
		g.VM.ForOf(pair, func(part goja.Value) bool {
			parts = append(parts, part)
			return len(parts) < 3
		})
		if len(parts) != 2 {
			panic(g.VM.NewTypeError(message))
		}

		f(parts[0], parts[1], nil)
		return true
	})
}

// eachMember calls f for the own enumerable properties of an object. Names that no Go string can be, and what
// a Proxy answers, are read in JavaScript.
func (g *Global) eachMember(object *goja.Object, f takePair) {
	names := []string(nil)
	plain := object.ExportType() != reflect.TypeFor[goja.Proxy]() && len(object.Symbols()) == 0
	if plain {
		names = object.Keys()
		for _, name := range names { // of one with U+FFFD the engine may have another
			plain = plain && !strings.ContainsRune(name, utf8.RuneError)
		}
	}
	if !plain {
		g.MustCall(g.members, object, g.VM.ToValue(func(c goja.FunctionCall) goja.Value {
			read, _ := goja.AssertFunction(c.Argument(1))
			f(c.Argument(0), nil, read)
			return goja.Undefined()
		}))
		return
	}

	for _, name := range names {
		if value := object.Get(name); value != nil { // nil: a getter of another has deleted it
			f(g.VM.ToValue(name), value, nil)
		}
	}
}

// pairList is what a script iterates over, as it is at each step.
type pairList func(this goja.Value) []cloud.Header

// pairIteration is the state of an iterator: where it is in the list.
type pairIteration struct {
	list func() []cloud.Header
	pick func(cloud.Header) goja.Value
	at   int
}

// iteratorPrototype is the prototype of all iterators of the engine.
func (g *Global) iteratorPrototype() *goja.Object {
	values, _ := goja.AssertFunction(g.VM.NewArray().GetSymbol(goja.SymIterator))
	return g.MustCallOn(values, g.VM.NewArray()).(*goja.Object).Prototype().Prototype()
}

// newPairIterator makes the class of iterators over a class's pairs (Web IDL, 3.7.10.2).
func (g *Global) newPairIterator(name string) realm.Class {
	proto := g.VM.NewObject()
	_ = proto.SetPrototype(g.iteratorPrototype())
	g.Define(proto, "next", func(c goja.FunctionCall) goja.Value {
		it := realm.MustState[pairIteration](g.Realm, c.This, name+" Iterator")
		result := g.VM.NewObject()

		list := it.list()
		done := it.at >= len(list)
		value := goja.Undefined()
		if !done {
			value = it.pick(list[it.at])
			it.at++
		}

		_ = result.Set("value", value)
		_ = result.Set("done", done)
		return result
	})
	_ = proto.DefineDataPropertySymbol(goja.SymToStringTag, g.VM.ToValue(name+" Iterator"),
		goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)

	return realm.Class{Proto: proto}
}

// addPairs adds forEach, entries, keys, values and iteration over name-value pairs (Web IDL, 3.7.10).
func (g *Global) addPairs(name string, proto *goja.Object, list pairList) {
	iterators := g.newPairIterator(name)
	iterator := func(method string, pick func(cloud.Header) goja.Value) {
		g.Define(proto, method, func(c goja.FunctionCall) goja.Value {
			this := c.This
			list(this) // which throws for any other object
			now := func() []cloud.Header { return list(this) }
			return g.Instance(iterators, &pairIteration{list: now, pick: pick})
		})
	}
	iterator("entries", func(f cloud.Header) goja.Value { return g.VM.NewArray(f.Name, f.Value) })
	iterator("keys", func(f cloud.Header) goja.Value { return g.VM.ToValue(f.Name) })
	iterator("values", func(f cloud.Header) goja.Value { return g.VM.ToValue(f.Value) })

	g.Define(proto, "forEach", func(c goja.FunctionCall) goja.Value {
		list(c.This)
		g.need(c, 1, "forEach")
		f, ok := goja.AssertFunction(c.Argument(0))
		if !ok {
			panic(g.VM.NewTypeError("forEach needs a function"))
		}

		for k, pairs := 0, list(c.This); k < len(pairs); k, pairs = k+1, list(c.This) {
			g.MustCallOn(f, c.Argument(1), g.VM.ToValue(pairs[k].Value), g.VM.ToValue(pairs[k].Name), c.This)
		}
		return goja.Undefined()
	})
	_ = proto.DefineDataPropertySymbol(goja.SymIterator, proto.Get("entries"),
		goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

// need throws a TypeError if a call has fewer arguments than the method needs.
func (g *Global) need(c goja.FunctionCall, n int, method string) {
	if len(c.Arguments) < n {
		panic(g.VM.NewTypeError("%s needs %d argument(s), %d given", method, n, len(c.Arguments)))
	}
}

// usvString is a string that a script gave, with lone surrogates replaced (Web IDL, 3.2.12).
func (g *Global) usvString(v goja.Value) string {
	return g.text(v) // in which the engine replaces them
}

// text converts a value to a string, as JavaScript does.
func (g *Global) text(v goja.Value) string {
	if _, isSymbol := v.(*goja.Symbol); isSymbol {
		panic(g.VM.NewTypeError("a Symbol cannot become a string"))
	}
	return v.String()
}

// byteString is a string whose characters are bytes (Web IDL, 3.2.11); any other throws a TypeError.
func (g *Global) byteString(v goja.Value, what string) string {
	s := g.text(v)
	for k := range len(s) {
		if s[k] < utf8.RuneSelf {
			continue
		}
		if r, _ := utf8.DecodeRuneInString(s[k:]); r > 0xff && utf8.RuneStart(s[k]) {
			panic(g.VM.NewTypeError("%s must have no character above U+00FF", what))
		}
	}
	return s
}

package webapi

import (
	"strings"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/realm"
)

// Lists of names and values, which Headers and URLSearchParams are: how one is read from an argument, and
// how a script iterates over it.

func isIterable(o *goja.Object) bool { return realm.Given(o.GetSymbol(goja.SymIterator)) }

// eachPair calls f for each pair of an iterable. What is no pair throws a TypeError of the message.
func (g *Global) eachPair(iterable *goja.Object, message string, f func(name, value goja.Value)) {
	g.VM.ForOf(iterable, func(v goja.Value) bool {
		pair, ok := g.pair(v)
		if !ok {
			panic(g.VM.NewTypeError(message))
		}
		f(pair[0], pair[1])
		return true
	})
}

// pair reads an iterable of two values.
func (g *Global) pair(v goja.Value) (pair [2]goja.Value, ok bool) {
	o, isObject := v.(*goja.Object)
	if !isObject || !isIterable(o) {
		return pair, false
	}

	count := 0
	add := func(item goja.Value) bool {
		if count < len(pair) {
			pair[count] = item
		}
		count++
		return count <= len(pair)
	}
	if o.ClassName() != "Array" {
		g.VM.ForOf(o, add)
		return pair, count == len(pair)
	}

	if o.Get("length").ToInteger() != int64(len(pair)) {
		return pair, false
	}

	for _, name := range []string{"0", "1"} {
		item := o.Get(name)
		if item == nil { // a hole
			item = goja.Undefined()
		}
		add(item)
	}
	return pair, true
}

// scalarText is a value as a string without halves of characters (Web IDL, USVString).
func scalarText(v goja.Value) string { return strings.ToValidUTF8(v.String(), "\uFFFD") }

// addPairs adds forEach, entries, keys, values and iteration over name-value pairs (Web IDL, 3.7.10).
func (g *Global) addPairs(proto *goja.Object, list func(goja.Value) []cloud.Header) {
	iterator := func(name string, pick func(cloud.Header) goja.Value) {
		g.Define(proto, name, func(c goja.FunctionCall) goja.Value { return g.iterate(list(c.This), pick) })
	}
	iterator("entries", func(f cloud.Header) goja.Value { return g.VM.NewArray(f.Name, f.Value) })
	iterator("keys", func(f cloud.Header) goja.Value { return g.VM.ToValue(f.Name) })
	iterator("values", func(f cloud.Header) goja.Value { return g.VM.ToValue(f.Value) })

	g.Define(proto, "forEach", func(c goja.FunctionCall) goja.Value {
		f, ok := goja.AssertFunction(c.Argument(0))
		if !ok {
			panic(g.VM.NewTypeError("forEach needs a function"))
		}

		for _, pair := range list(c.This) {
			g.MustCallOn(f, c.Argument(1), g.VM.ToValue(pair.Value), g.VM.ToValue(pair.Name), c.This)
		}
		return goja.Undefined()
	})
	_ = proto.DefineDataPropertySymbol(goja.SymIterator, proto.Get("entries"),
		goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

// iterate makes an iterator over what pick takes of each item.
func (g *Global) iterate(items []cloud.Header, pick func(cloud.Header) goja.Value) goja.Value {
	picked := make([]any, len(items))
	for k, item := range items {
		picked[k] = pick(item)
	}

	array := g.VM.NewArray(picked...)
	values, _ := goja.AssertFunction(array.Get("values"))
	return g.MustCallOn(values, array)
}

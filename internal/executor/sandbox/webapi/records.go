package webapi

import (
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja"
)

// eachMember calls f for each member of a record (Web IDL, 3.2.21): the enumerable properties of an object's
// own, as they are when their turn comes. A property that a getter before it has deleted, or that a proxy
// names without having it, is none. A name that is a symbol is a TypeError.
func (g *Global) eachMember(record *goja.Object, f func(name, value goja.Value)) {
	for _, symbol := range record.Symbols() {
		if g.ownEnumerable(record, symbol) {
			panic(g.VM.NewTypeError("Cannot convert a Symbol value to a string"))
		}
	}

	names := record.Keys()
	for _, name := range names {
		// One that has half of a character is not found by the name that Go has for it.
		if strings.ContainsRune(name, utf8.RuneError) {
			g.eachMemberByValue(record, f)
			return
		}
	}

	for _, name := range names {
		if value := record.Get(name); value != nil {
			f(g.VM.ToValue(name), value)
		}
	}
}

// eachMemberByValue is eachMember for names of any kind, which is slower.
func (g *Global) eachMemberByValue(record *goja.Object, f func(name, value goja.Value)) {
	get := g.reflection("get")

	g.VM.ForOf(g.MustCall(g.reflection("ownKeys"), record).(*goja.Object), func(name goja.Value) bool {
		if _, isSymbol := name.(*goja.Symbol); !isSymbol && g.ownEnumerable(record, name) {
			f(name, g.MustCall(get, record, name))
		}
		return true
	})
}

// ownEnumerable reports whether an object has an enumerable property of its own under a name.
func (g *Global) ownEnumerable(o *goja.Object, name goja.Value) bool {
	described, ok := g.MustCall(g.reflection("getOwnPropertyDescriptor"), o, name).(*goja.Object)
	return ok && described.Get("enumerable").ToBoolean()
}

// reflection is a function of Reflect.
func (g *Global) reflection(name string) goja.Callable {
	f, ok := goja.AssertFunction(g.VM.GlobalObject().Get("Reflect").(*goja.Object).Get(name))
	if !ok {
		panic(g.VM.NewTypeError("Reflect.%s is not a function", name))
	}
	return f
}

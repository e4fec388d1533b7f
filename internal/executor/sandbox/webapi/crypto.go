package webapi

import (
	"crypto/rand"
	"reflect"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/webcrypto"
)

// maxRandom is how many bytes getRandomValues fills at once (Web Cryptography API, 10.1.1).
const maxRandom = 65536

// addCrypto defines crypto: the two members that need no algorithms, and subtle.
func (g *Global) addCrypto() {
	class := g.AbstractClass("Crypto")
	g.Define(class.Proto, "randomUUID", func(goja.FunctionCall) goja.Value {
		var id cloud.ID
		_, _ = rand.Read(id[:])
		id[6] = id[6]&0x0f | 0x40 // version 4
		id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562
		return g.VM.ToValue(id.String())
	})
	g.Define(class.Proto, "getRandomValues", func(c goja.FunctionCall) goja.Value {
		raw := g.toFill(c.Argument(0))
		if len(raw) > maxRandom {
			panic(g.DOMException("QuotaExceededError", "getRandomValues fills at most 65536 bytes"))
		}

		_, _ = rand.Read(raw)
		return c.Argument(0)
	})

	// subtle is made when it is asked for, before the module if its code names it: a runtime without it
	// starts sooner.
	g.Getter(class.Proto, "subtle", func(goja.Value) goja.Value { return g.loadSubtle() })
	g.SetGlobal("crypto", g.Singleton(class))
}

// toFill gives the bytes of a typed array of integers. A view of another kind throws a TypeMismatchError, and
// what is no view a TypeError.
func (g *Global) toFill(v goja.Value) []byte {
	raw, ok := g.MemoryOf(v)
	view, isObject := v.(*goja.Object)
	if !ok || !isObject || view.ExportType() == reflect.TypeFor[goja.ArrayBuffer]() {
		panic(g.VM.NewTypeError("getRandomValues needs a typed array of integers"))
	}

	exported := view.ExportType()
	if exported == nil || exported.Kind() != reflect.Slice || exported.Elem().Kind() == reflect.Float32 ||
		exported.Elem().Kind() == reflect.Float64 {
		panic(g.DOMException("TypeMismatchError", "getRandomValues needs a typed array of integers"))
	}
	return raw
}

// loadSubtle makes crypto.subtle, once in a runtime.
func (g *Global) loadSubtle() *goja.Object {
	if g.subtle == nil {
		g.subtle = webcrypto.New(g.Realm)
		g.LoadedLate()
	}
	return g.subtle
}

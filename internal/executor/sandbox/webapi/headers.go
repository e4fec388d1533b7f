package webapi

import (
	"sort"
	"strings"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/realm"
)

// headersState is a header list (Fetch standard, 2.2.2): names keep their case on the wire and compare without it.
type headersState struct {
	list []cloud.Header
}

func (h *headersState) get(name string) (string, bool) {
	var out string
	found := false
	for _, f := range h.list {
		if strings.EqualFold(f.Name, name) {
			if found {
				out += ", "
			}
			out += f.Value
			found = true
		}
	}
	return out, found
}

func (h *headersState) remove(name string) {
	kept := h.list[:0]
	for _, f := range h.list {
		if !strings.EqualFold(f.Name, name) {
			kept = append(kept, f)
		}
	}
	h.list = kept
}

func (h *headersState) set(name, value string) {
	for k, f := range h.list {
		if strings.EqualFold(f.Name, name) {
			rest := h.list[k+1:]
			h.list = append(h.list[:k:k], cloud.Header{Name: f.Name, Value: value})
			for _, g := range rest {
				if !strings.EqualFold(g.Name, name) {
					h.list = append(h.list, g)
				}
			}
			return
		}
	}
	h.list = append(h.list, cloud.Header{Name: name, Value: value})
}

// sorted combines values by lower-case name, in order; set-cookie stays apart.
func (h *headersState) sorted() []cloud.Header {
	out := make([]cloud.Header, 0, len(h.list))
	index := map[string]int{}
	for _, f := range h.list {
		name := strings.ToLower(f.Name)
		if at, ok := index[name]; ok && name != "set-cookie" {
			out[at].Value += ", " + f.Value
			continue
		}
		index[name] = len(out)
		out = append(out, cloud.Header{Name: name, Value: f.Value})
	}
	sort.SliceStable(out, func(a, b int) bool { return out[a].Name < out[b].Name })
	return out
}

// validHeaderName is the token of RFC 9110, 5.6.2.
func validHeaderName(s string) bool {
	if s == "" {
		return false
	}
	for k := range len(s) {
		c := s[k]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 {
			continue
		}
		return false
	}
	return true
}

func validHeaderValue(s string) bool { return !strings.ContainsAny(s, "\x00\r\n") }

func (g *Global) headerName(v goja.Value) string {
	name := v.String()
	if !validHeaderName(name) {
		panic(g.VM.NewTypeError("%q is not a valid header name", realm.Clip(name)))
	}
	return name
}

func (g *Global) headerValue(v goja.Value) string {
	value := strings.Trim(v.String(), " \t\r\n")
	if !validHeaderValue(value) {
		panic(g.VM.NewTypeError("a header value must not contain NUL, CR or LF"))
	}
	return value
}

// fillHeaders reads a HeadersInit: Headers, a list of pairs, or a record.
func (g *Global) fillHeaders(h *headersState, init goja.Value) {
	if init == nil || goja.IsUndefined(init) || goja.IsNull(init) {
		return
	}
	if other := realm.State[headersState](init); other != nil {
		h.list = append(h.list, other.list...)
		return
	}
	o, ok := init.(*goja.Object)
	if !ok {
		panic(g.VM.NewTypeError("headers must be an object, a list of pairs or Headers"))
	}
	if it := o.GetSymbol(goja.SymIterator); it != nil && !goja.IsUndefined(it) {
		g.VM.ForOf(o, func(pair goja.Value) bool {
			p, ok := pair.(*goja.Object)
			if !ok || p.Get("length") == nil || p.Get("length").ToInteger() != 2 {
				panic(g.VM.NewTypeError("each header must be a [name, value] pair"))
			}
			h.list = append(h.list, cloud.Header{Name: g.headerName(p.Get("0")), Value: g.headerValue(p.Get("1"))})
			return true
		})
		return
	}
	for _, name := range o.Keys() {
		h.list = append(h.list, cloud.Header{Name: g.headerName(g.VM.ToValue(name)), Value: g.headerValue(o.Get(name))})
	}
}

func (g *Global) newHeadersClass() realm.Class {
	c := g.NewClass("Headers", func(c goja.ConstructorCall) any {
		h := &headersState{}
		g.fillHeaders(h, c.Argument(0))
		return h
	})
	this := func(v goja.Value) *headersState { return realm.MustState[headersState](g.Realm, v, "Headers") }
	g.Define(c.Proto, "append", func(c goja.FunctionCall) goja.Value {
		h := this(c.This)
		h.list = append(h.list, cloud.Header{Name: g.headerName(c.Argument(0)), Value: g.headerValue(c.Argument(1))})
		return goja.Undefined()
	})
	g.Define(c.Proto, "set", func(c goja.FunctionCall) goja.Value {
		this(c.This).set(g.headerName(c.Argument(0)), g.headerValue(c.Argument(1)))
		return goja.Undefined()
	})
	g.Define(c.Proto, "delete", func(c goja.FunctionCall) goja.Value {
		this(c.This).remove(g.headerName(c.Argument(0)))
		return goja.Undefined()
	})
	g.Define(c.Proto, "get", func(c goja.FunctionCall) goja.Value {
		if v, ok := this(c.This).get(g.headerName(c.Argument(0))); ok {
			return g.VM.ToValue(v)
		}
		return goja.Null()
	})
	g.Define(c.Proto, "has", func(c goja.FunctionCall) goja.Value {
		_, ok := this(c.This).get(g.headerName(c.Argument(0)))
		return g.VM.ToValue(ok)
	})
	g.Define(c.Proto, "getSetCookie", func(c goja.FunctionCall) goja.Value {
		var out []any
		for _, f := range this(c.This).list {
			if strings.EqualFold(f.Name, "set-cookie") {
				out = append(out, f.Value)
			}
		}
		return g.VM.NewArray(out...)
	})
	g.pairs(c.Proto, func(v goja.Value) []cloud.Header { return this(v).sorted() })
	return c
}

// pairs adds forEach, entries, keys, values and iteration over name-value pairs (Web IDL, 3.7.10).
func (g *Global) pairs(proto *goja.Object, list func(goja.Value) []cloud.Header) {
	iterate := func(v goja.Value, pick func(cloud.Header) goja.Value) goja.Value {
		items := list(v)
		out := make([]any, len(items))
		for k, f := range items {
			out[k] = pick(f)
		}
		arr := g.VM.NewArray(out...)
		values, _ := goja.AssertFunction(arr.Get("values"))
		it, err := values(arr)
		if err != nil {
			panic(err)
		}
		return it
	}
	pair := func(f cloud.Header) goja.Value { return g.VM.NewArray(f.Name, f.Value) }
	entries := func(c goja.FunctionCall) goja.Value { return iterate(c.This, pair) }
	g.Define(proto, "entries", entries)
	g.Define(proto, "keys", func(c goja.FunctionCall) goja.Value {
		return iterate(c.This, func(f cloud.Header) goja.Value { return g.VM.ToValue(f.Name) })
	})
	g.Define(proto, "values", func(c goja.FunctionCall) goja.Value {
		return iterate(c.This, func(f cloud.Header) goja.Value { return g.VM.ToValue(f.Value) })
	})
	g.Define(proto, "forEach", func(c goja.FunctionCall) goja.Value {
		f, ok := goja.AssertFunction(c.Argument(0))
		if !ok {
			panic(g.VM.NewTypeError("forEach needs a function"))
		}
		for _, h := range list(c.This) {
			if _, err := f(c.Argument(1), g.VM.ToValue(h.Value), g.VM.ToValue(h.Name), c.This); err != nil {
				panic(err)
			}
		}
		return goja.Undefined()
	})
	_ = proto.DefineDataPropertySymbol(goja.SymIterator, proto.Get("entries"), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

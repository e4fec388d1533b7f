package webapi

import (
	"sort"
	"strings"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/realm"
)

// headersState is a header list (Fetch standard, 2.2.2): names keep their case on the wire and compare
// without it.
type headersState struct {
	list      []cloud.Header
	immutable bool           // of a response that came from elsewhere
	pairs     []cloud.Header // as scripts iterate over them; nil after a change
}

// get joins the values of a name as the Fetch standard does.
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

func (h *headersState) append(name, value string) {
	h.pairs = nil
	h.list = append(h.list, cloud.Header{Name: name, Value: value})
}

// remove takes all fields of a name out, in place.
func (h *headersState) remove(name string) {
	h.pairs = nil

	kept := h.list[:0]
	for _, f := range h.list {
		if !strings.EqualFold(f.Name, name) {
			kept = append(kept, f)
		}
	}

	h.list = kept
}

// set puts the value where the name is first, and removes the others.
func (h *headersState) set(name, value string) {
	h.pairs = nil
	for k, f := range h.list {
		if !strings.EqualFold(f.Name, name) {
			continue
		}

		rest := h.list[k+1:] // which is not overwritten, as the list is copied

		h.list = append(h.list[:k:k], cloud.Header{Name: f.Name, Value: value})
		for _, other := range rest {
			if !strings.EqualFold(other.Name, name) {
				h.list = append(h.list, other)
			}
		}
		return
	}

	h.append(name, value)
}

// setDefaultType sets the content type, unless the script has.
func (h *headersState) setDefaultType(contentType string) {
	if _, has := h.get("content-type"); !has {
		h.append("content-type", contentType)
	}
}

func (h *headersState) clone() *headersState {
	return &headersState{list: append([]cloud.Header(nil), h.list...), immutable: h.immutable}
}

// sorted combines values by lower-case name, in order; set-cookie stays apart.
func (h *headersState) sorted() []cloud.Header {
	if h.pairs != nil {
		return h.pairs
	}

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
	h.pairs = out
	return out
}

// validHeaderName is the token of RFC 9110, 5.6.2.
func validHeaderName(s string) bool {
	if s == "" {
		return false
	}

	for k := range len(s) {
		c := s[k]
		if !isAlphanumeric(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}

	return true
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func validHeaderValue(s string) bool { return !strings.ContainsAny(s, "\x00\r\n") }

// headerName is a header's name that a script gave; an invalid one throws a TypeError.
func (g *Global) headerName(v goja.Value) string {
	name := g.byteString(v, "a header name")
	if !validHeaderName(name) {
		panic(g.VM.NewTypeError("%q is not a valid header name", realm.Clip(name)))
	}
	return name
}

// headerValue is a header's value that a script gave, without the spaces around it; an invalid one throws a
// TypeError.
func (g *Global) headerValue(v goja.Value) string {
	return g.checkedHeaderValue(g.byteString(v, "a header value"))
}

func (g *Global) checkedHeaderValue(text string) string {
	value := strings.Trim(text, " \t\r\n")
	if !validHeaderValue(value) {
		panic(g.VM.NewTypeError("a header value must not contain NUL, CR or LF"))
	}
	return value
}

// fillHeaders reads a HeadersInit: Headers, a list of pairs, or a record. It is converted as a whole before
// the first field is looked at.
func (g *Global) fillHeaders(h *headersState, init goja.Value) {
	if !realm.Given(init) {
		return
	}

	object, ok := init.(*goja.Object)
	if !ok {
		panic(g.VM.NewTypeError("headers must be an object, a list of pairs or Headers"))
	}
	if other := realm.State[headersState](init); other != nil && g.iteratesAsMade(object) {
		for _, f := range other.list {
			h.append(f.Name, f.Value)
		}
		return
	}

	var fields []cloud.Header
	const message = "each header must be a [name, value] pair"
	g.fillPairs(object, message, func(name, value goja.Value, read goja.Callable) {
		field := cloud.Header{Name: g.byteString(name, "a header name")}
		field.Value = g.byteString(g.valueOf(value, read), "a header value")
		fields = append(fields, field)
	})

	for _, f := range fields {
		if !validHeaderName(f.Name) {
			panic(g.VM.NewTypeError("%q is not a valid header name", realm.Clip(f.Name)))
		}
		h.append(f.Name, g.checkedHeaderValue(f.Value))
	}
}

// iteratesAsMade reports whether a script left the way in which Headers are iterated as it was.
func (g *Global) iteratesAsMade(o *goja.Object) bool {
	return g.headersIterator != nil && o.GetSymbol(goja.SymIterator) == g.headersIterator
}

// newHeadersClass defines Headers (Fetch standard, 5.1).
func (g *Global) newHeadersClass() realm.Class {
	class := g.NewClass("Headers", func(c goja.ConstructorCall) any {
		h := &headersState{}
		g.fillHeaders(h, c.Argument(0))
		return h
	})
	this := func(v goja.Value) *headersState { return realm.MustState[headersState](g.Realm, v, "Headers") }
	g.addHeadersChanges(class.Proto, this)

	g.Define(class.Proto, "get", func(c goja.FunctionCall) goja.Value {
		h := this(c.This)
		g.need(c, 1, "get")
		if v, ok := h.get(g.headerName(c.Argument(0))); ok {
			return g.VM.ToValue(v)
		}
		return goja.Null()
	})
	g.Define(class.Proto, "has", func(c goja.FunctionCall) goja.Value {
		h := this(c.This)
		g.need(c, 1, "has")
		_, ok := h.get(g.headerName(c.Argument(0)))
		return g.VM.ToValue(ok)
	})
	g.Define(class.Proto, "getSetCookie", func(c goja.FunctionCall) goja.Value {
		var out []any
		for _, f := range this(c.This).list {
			if strings.EqualFold(f.Name, "set-cookie") {
				out = append(out, f.Value)
			}
		}
		return g.VM.NewArray(out...)
	})
	g.addPairs("Headers", class.Proto, func(v goja.Value) []cloud.Header { return this(v).sorted() })
	g.headersIterator = class.Proto.GetSymbol(goja.SymIterator)

	return class
}

// addHeadersChanges defines the methods that change headers, which throw a TypeError for immutable ones.
func (g *Global) addHeadersChanges(proto *goja.Object, this func(goja.Value) *headersState) {
	mutable := func(h *headersState) {
		if h.immutable {
			panic(g.VM.NewTypeError("these headers are immutable: make new Headers of them"))
		}
	}

	for method, change := range map[string]func(h *headersState, name, value string){
		"append": (*headersState).append,
		"set":    (*headersState).set,
	} {
		g.Define(proto, method, func(c goja.FunctionCall) goja.Value {
			h := this(c.This)
			g.need(c, 2, method)
			name := g.byteString(c.Argument(0), "a header name")
			value := g.headerValue(c.Argument(1))
			if !validHeaderName(name) {
				panic(g.VM.NewTypeError("%q is not a valid header name", realm.Clip(name)))
			}
			mutable(h)
			change(h, name, value)
			return goja.Undefined()
		})
	}
	g.Define(proto, "delete", func(c goja.FunctionCall) goja.Value {
		h := this(c.This)
		g.need(c, 1, "delete")
		name := g.headerName(c.Argument(0))
		mutable(h)
		h.remove(name)
		return goja.Undefined()
	})
}

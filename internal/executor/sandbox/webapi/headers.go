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
	list []cloud.Header
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
	h.list = append(h.list, cloud.Header{Name: name, Value: value})
}

// remove takes all fields of a name out, in place.
func (h *headersState) remove(name string) {
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
	return &headersState{list: append([]cloud.Header(nil), h.list...)}
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
	name := v.String()
	if !validHeaderName(name) {
		panic(g.VM.NewTypeError("%q is not a valid header name", realm.Clip(name)))
	}
	return name
}

// headerValue is a header's value that a script gave, without the spaces around it; an invalid one throws a
// TypeError.
func (g *Global) headerValue(v goja.Value) string {
	value := strings.Trim(v.String(), " \t\r\n")
	if !validHeaderValue(value) {
		panic(g.VM.NewTypeError("a header value must not contain NUL, CR or LF"))
	}
	return value
}

// fillHeaders reads a HeadersInit: Headers, a list of pairs, or a record.
func (g *Global) fillHeaders(h *headersState, init goja.Value) {
	if realm.IsNothing(init) {
		return
	}
	if other := realm.State[headersState](init); other != nil {
		h.list = append(h.list, other.list...)
		return
	}

	object, ok := init.(*goja.Object)
	if !ok {
		panic(g.VM.NewTypeError("headers must be an object, a list of pairs or Headers"))
	}
	if isIterable(object) {
		g.eachPair(object, "each header must be a [name, value] pair", func(name, value goja.Value) {
			h.append(g.headerName(name), g.headerValue(value))
		})
		return
	}

	g.eachMember(object, func(name, value goja.Value) {
		h.append(g.headerName(name), g.headerValue(value))
	})
}

// newHeadersClass defines Headers (Fetch standard, 5.1).
func (g *Global) newHeadersClass() realm.Class {
	class := g.NewClass("Headers", func(c goja.ConstructorCall) any {
		h := &headersState{}
		g.fillHeaders(h, c.Argument(0))
		return h
	})
	this := func(v goja.Value) *headersState { return realm.MustState[headersState](g.Realm, v, "Headers") }

	g.Define(class.Proto, "append", func(c goja.FunctionCall) goja.Value {
		this(c.This).append(g.headerName(c.Argument(0)), g.headerValue(c.Argument(1)))
		return goja.Undefined()
	})
	g.Define(class.Proto, "set", func(c goja.FunctionCall) goja.Value {
		this(c.This).set(g.headerName(c.Argument(0)), g.headerValue(c.Argument(1)))
		return goja.Undefined()
	})
	g.Define(class.Proto, "delete", func(c goja.FunctionCall) goja.Value {
		this(c.This).remove(g.headerName(c.Argument(0)))
		return goja.Undefined()
	})
	g.Define(class.Proto, "get", func(c goja.FunctionCall) goja.Value {
		if v, ok := this(c.This).get(g.headerName(c.Argument(0))); ok {
			return g.VM.ToValue(v)
		}
		return goja.Null()
	})
	g.Define(class.Proto, "has", func(c goja.FunctionCall) goja.Value {
		_, ok := this(c.This).get(g.headerName(c.Argument(0)))
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
	g.addPairs(class.Proto, func(v goja.Value) []cloud.Header { return this(v).sorted() })

	return class
}

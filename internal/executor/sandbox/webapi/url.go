package webapi

import (
	"sort"
	"strings"
	"sync"

	"github.com/dop251/goja"
	whatwg "github.com/nlnwa/whatwg-url/url"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/realm"
)

// urlParser follows the URL standard (https://url.spec.whatwg.org).
var urlParser = sync.OnceValue(func() whatwg.Parser { return whatwg.NewParser() })

func parseURL(s, base string) (*whatwg.Url, error) {
	if base == "" {
		return urlParser().Parse(s)
	}
	return urlParser().ParseRef(base, s)
}

type urlState struct {
	u      *whatwg.Url
	params *searchParamsState
	obj    *goja.Object
}

type searchParamsState struct {
	list []cloud.Header
	url  *urlState // written back to, when it belongs to a URL
}

// encode serialises as application/x-www-form-urlencoded.
func (p *searchParamsState) encode() string {
	var b strings.Builder
	for k, f := range p.list {
		if k > 0 {
			b.WriteByte('&')
		}
		formEncode(&b, f.Name)
		b.WriteByte('=')
		formEncode(&b, f.Value)
	}
	return b.String()
}

func formEncode(b *strings.Builder, s string) {
	const hexDigits = "0123456789ABCDEF"
	for _, c := range engine.UTF8(s) {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '*' || c == '-' || c == '.' || c == '_':
			b.WriteByte(c)
		case c == ' ':
			b.WriteByte('+')
		default:
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
}

func formDecode(s string) string {
	var b strings.Builder
	for k := 0; k < len(s); k++ {
		switch {
		case s[k] == '+':
			b.WriteByte(' ')
		case s[k] == '%' && k+2 < len(s) && isHex(s[k+1]) && isHex(s[k+2]):
			b.WriteByte(unhex(s[k+1])<<4 | unhex(s[k+2]))
			k += 2
		default:
			b.WriteByte(s[k])
		}
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	default:
		return c - 'A' + 10
	}
}

func parseForm(s string) []cloud.Header {
	var out []cloud.Header
	for part := range strings.SplitSeq(s, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		out = append(out, cloud.Header{Name: formDecode(name), Value: formDecode(value)})
	}
	return out
}

func (p *searchParamsState) changed() {
	if p.url != nil {
		p.url.u.SetSearch(p.encode())
	}
}

func (g *Global) addURL() {
	params := g.newSearchParamsClass()
	c := g.NewClass("URL", func(c goja.ConstructorCall) any {
		base := ""
		if b := c.Argument(1); !goja.IsUndefined(b) {
			base = b.String()
		}
		u, err := parseURL(c.Argument(0).String(), base)
		if err != nil {
			panic(g.VM.NewTypeError("Invalid URL: %q", realm.Clip(c.Argument(0).String())))
		}
		return &urlState{u: u}
	})
	this := func(v goja.Value) *urlState { return realm.MustState[urlState](g.Realm, v, "URL") }
	accessor := func(name string, get func(*whatwg.Url) string, set func(*whatwg.Url, string)) {
		getValue := g.VM.ToValue(func(c goja.FunctionCall) goja.Value { return g.VM.ToValue(get(this(c.This).u)) })
		var setValue goja.Value
		if set != nil {
			setValue = g.VM.ToValue(func(c goja.FunctionCall) goja.Value {
				st := this(c.This)
				set(st.u, c.Argument(0).String())
				if st.params != nil {
					st.params.list = parseForm(strings.TrimPrefix(st.u.Search(), "?"))
				}
				return goja.Undefined()
			})
		}
		_ = c.Proto.DefineAccessorProperty(name, getValue, setValue, goja.FLAG_TRUE, goja.FLAG_TRUE)
	}
	href := func(u *whatwg.Url) string { return u.Href(false) }
	accessor("href", href, nil)
	accessor("origin", origin, nil)
	accessor("protocol", (*whatwg.Url).Protocol, (*whatwg.Url).SetProtocol)
	accessor("username", (*whatwg.Url).Username, (*whatwg.Url).SetUsername)
	accessor("password", (*whatwg.Url).Password, (*whatwg.Url).SetPassword)
	accessor("host", (*whatwg.Url).Host, (*whatwg.Url).SetHost)
	accessor("hostname", (*whatwg.Url).Hostname, (*whatwg.Url).SetHostname)
	accessor("port", (*whatwg.Url).Port, (*whatwg.Url).SetPort)
	accessor("pathname", (*whatwg.Url).Pathname, (*whatwg.Url).SetPathname)
	accessor("search", (*whatwg.Url).Search, (*whatwg.Url).SetSearch)
	accessor("hash", (*whatwg.Url).Hash, (*whatwg.Url).SetHash)
	g.Getter(c.Proto, "searchParams", func(v goja.Value) goja.Value {
		st := this(v)
		if st.params == nil {
			st.params = &searchParamsState{list: parseForm(strings.TrimPrefix(st.u.Search(), "?")), url: st}
			st.obj = g.Instance(params, st.params)
		}
		return st.obj
	})
	for _, name := range []string{"toString", "toJSON"} {
		g.Define(c.Proto, name, func(c goja.FunctionCall) goja.Value { return g.VM.ToValue(href(this(c.This).u)) })
	}
	g.Define(c.Ctor, "canParse", func(c goja.FunctionCall) goja.Value {
		base := ""
		if b := c.Argument(1); !goja.IsUndefined(b) {
			base = b.String()
		}
		_, err := parseURL(c.Argument(0).String(), base)
		return g.VM.ToValue(err == nil)
	})
}

// origin is the URL standard's serialised origin, "null" for opaque ones.
func origin(u *whatwg.Url) string {
	switch u.Protocol() {
	case "http:", "https:", "ftp:", "ws:", "wss:":
		return u.Protocol() + "//" + u.Host()
	default:
		return "null"
	}
}

func (g *Global) newSearchParamsClass() realm.Class {
	c := g.NewClass("URLSearchParams", func(c goja.ConstructorCall) any {
		p := &searchParamsState{}
		switch init := c.Argument(0).(type) {
		case *goja.Object:
			if other := realm.State[searchParamsState](init); other != nil {
				p.list = append(p.list, other.list...)
				break
			}
			if it := init.GetSymbol(goja.SymIterator); it != nil && !goja.IsUndefined(it) {
				g.VM.ForOf(init, func(v goja.Value) bool {
					pair, ok := v.(*goja.Object)
					if !ok || pair.Get("length") == nil || pair.Get("length").ToInteger() != 2 {
						panic(g.VM.NewTypeError("each parameter must be a [name, value] pair"))
					}
					p.list = append(p.list, cloud.Header{Name: pair.Get("0").String(), Value: pair.Get("1").String()})
					return true
				})
				break
			}
			for _, k := range init.Keys() {
				p.list = append(p.list, cloud.Header{Name: k, Value: init.Get(k).String()})
			}
		default:
			if !goja.IsUndefined(init) {
				p.list = parseForm(strings.TrimPrefix(init.String(), "?"))
			}
		}
		return p
	})
	this := func(v goja.Value) *searchParamsState {
		return realm.MustState[searchParamsState](g.Realm, v, "URLSearchParams")
	}
	g.Define(c.Proto, "append", func(c goja.FunctionCall) goja.Value {
		p := this(c.This)
		p.list = append(p.list, cloud.Header{Name: c.Argument(0).String(), Value: c.Argument(1).String()})
		p.changed()
		return goja.Undefined()
	})
	g.Define(c.Proto, "delete", func(c goja.FunctionCall) goja.Value {
		p, name := this(c.This), c.Argument(0).String()
		kept := p.list[:0]
		for _, f := range p.list {
			if f.Name != name || !goja.IsUndefined(c.Argument(1)) && f.Value != c.Argument(1).String() {
				kept = append(kept, f)
			}
		}
		p.list = kept
		p.changed()
		return goja.Undefined()
	})
	g.Define(c.Proto, "get", func(c goja.FunctionCall) goja.Value {
		for _, f := range this(c.This).list {
			if f.Name == c.Argument(0).String() {
				return g.VM.ToValue(f.Value)
			}
		}
		return goja.Null()
	})
	g.Define(c.Proto, "getAll", func(c goja.FunctionCall) goja.Value {
		var out []any
		for _, f := range this(c.This).list {
			if f.Name == c.Argument(0).String() {
				out = append(out, f.Value)
			}
		}
		return g.VM.NewArray(out...)
	})
	g.Define(c.Proto, "has", func(c goja.FunctionCall) goja.Value {
		for _, f := range this(c.This).list {
			if f.Name == c.Argument(0).String() && (goja.IsUndefined(c.Argument(1)) || f.Value == c.Argument(1).String()) {
				return g.VM.ToValue(true)
			}
		}
		return g.VM.ToValue(false)
	})
	g.Define(c.Proto, "set", func(c goja.FunctionCall) goja.Value {
		p, name, done := this(c.This), c.Argument(0).String(), false
		kept := p.list[:0]
		for _, f := range p.list {
			if f.Name == name {
				if done {
					continue
				}
				f.Value, done = c.Argument(1).String(), true
			}
			kept = append(kept, f)
		}
		if !done {
			kept = append(kept, cloud.Header{Name: name, Value: c.Argument(1).String()})
		}
		p.list = kept
		p.changed()
		return goja.Undefined()
	})
	g.Define(c.Proto, "sort", func(c goja.FunctionCall) goja.Value {
		p := this(c.This)
		sort.SliceStable(p.list, func(a, b int) bool { return p.list[a].Name < p.list[b].Name })
		p.changed()
		return goja.Undefined()
	})
	g.Define(c.Proto, "toString", func(c goja.FunctionCall) goja.Value { return g.VM.ToValue(this(c.This).encode()) })
	g.Getter(c.Proto, "size", func(v goja.Value) goja.Value { return g.VM.ToValue(len(this(v).list)) })
	g.pairs(c.Proto, func(v goja.Value) []cloud.Header { return this(v).list })
	return c
}

package webapi

import (
	"strings"
	"sync"

	"github.com/dop251/goja"
	whatwg "github.com/nlnwa/whatwg-url/url"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/realm"
)

// urlParser follows the URL standard (https://url.spec.whatwg.org).
var urlParser = sync.OnceValue(func() whatwg.Parser { return whatwg.NewParser() })

// parseURL parses a URL, which may be relative if there is a base.
func parseURL(s, base string) (*whatwg.Url, error) {
	if base == "" {
		return urlParser().Parse(s)
	}
	return urlParser().ParseRef(base, s)
}

// urlState is what an instance of URL carries.
type urlState struct {
	u      *whatwg.Url
	params *searchParamsState // nil until asked for
	obj    *goja.Object       // the instance of params
}

// query reads the search parameters anew.
func (s *urlState) query() []cloud.Header { return parseForm(strings.TrimPrefix(s.u.Search(), "?")) }

// addURL defines URL and URLSearchParams.
func (g *Global) addURL() {
	params := g.newSearchParamsClass()
	class := g.NewClass("URL", func(c goja.ConstructorCall) any {
		g.need(goja.FunctionCall{Arguments: c.Arguments}, 1, "URL")
		u, err := g.parseURLArguments(c.Argument(0), c.Argument(1))
		if err != nil {
			panic(g.VM.NewTypeError("Invalid URL: %q", realm.Clip(c.Argument(0).String())))
		}
		return &urlState{u: u}
	})
	this := func(v goja.Value) *urlState { return realm.MustState[urlState](g.Realm, v, "URL") }
	g.addURLAttributes(class.Proto, this)

	g.Getter(class.Proto, "searchParams", func(v goja.Value) goja.Value {
		s := this(v)
		if s.params == nil {
			s.params = &searchParamsState{list: s.query(), url: s}
			s.obj = g.Instance(params, s.params)
		}
		return s.obj
	})

	for _, name := range []string{"toString", "toJSON"} {
		g.Define(class.Proto, name, func(c goja.FunctionCall) goja.Value {
			return g.VM.ToValue(href(this(c.This).u))
		})
	}

	g.Define(class.Ctor, "canParse", func(c goja.FunctionCall) goja.Value {
		g.need(c, 1, "canParse")
		_, err := g.parseURLArguments(c.Argument(0), c.Argument(1))
		return g.VM.ToValue(err == nil)
	})
	g.Define(class.Ctor, "parse", func(c goja.FunctionCall) goja.Value {
		g.need(c, 1, "parse")
		u, err := g.parseURLArguments(c.Argument(0), c.Argument(1))
		if err != nil {
			return goja.Null()
		}
		return g.Instance(class, &urlState{u: u})
	})
}

// parseURLArguments parses a URL that a script gave, with a base if there is one.
func (g *Global) parseURLArguments(url, base goja.Value) (*whatwg.Url, error) {
	text := g.usvString(url)
	if goja.IsUndefined(base) {
		return parseURL(text, "")
	}
	b, err := parseURL(g.usvString(base), "")
	if err != nil {
		return nil, err
	}
	return parseURL(text, b.Href(false))
}

// addURLAttributes defines the parts of a URL. Setting one keeps an existing searchParams in step.
func (g *Global) addURLAttributes(proto *goja.Object, this func(goja.Value) *urlState) {
	setHref := func(v, to goja.Value) {
		s := this(v)
		text := g.usvString(to)
		u, err := parseURL(text, "")
		if err != nil {
			panic(g.VM.NewTypeError("Invalid URL: %q", realm.Clip(text)))
		}

		s.u = u
		if s.params != nil {
			s.params.list = s.query()
		}
	}
	g.Accessor(proto, "href", func(v goja.Value) goja.Value { return g.VM.ToValue(href(this(v).u)) }, setHref)

	for _, attribute := range []struct {
		name string
		get  func(*whatwg.Url) string
		set  func(*whatwg.Url, string) // nil if it cannot be set
	}{
		{"origin", origin, nil},
		{"protocol", (*whatwg.Url).Protocol, (*whatwg.Url).SetProtocol},
		{"username", (*whatwg.Url).Username, (*whatwg.Url).SetUsername},
		{"password", (*whatwg.Url).Password, (*whatwg.Url).SetPassword},
		{"host", (*whatwg.Url).Host, (*whatwg.Url).SetHost},
		{"hostname", (*whatwg.Url).Hostname, (*whatwg.Url).SetHostname},
		{"port", (*whatwg.Url).Port, (*whatwg.Url).SetPort},
		{"pathname", (*whatwg.Url).Pathname, (*whatwg.Url).SetPathname},
		{"search", (*whatwg.Url).Search, (*whatwg.Url).SetSearch},
		{"hash", (*whatwg.Url).Hash, (*whatwg.Url).SetHash},
	} {
		get := func(v goja.Value) goja.Value { return g.VM.ToValue(attribute.get(this(v).u)) }
		var set func(v, to goja.Value)
		if attribute.set != nil {
			set = func(v, to goja.Value) {
				s := this(v)
				attribute.set(s.u, g.usvString(to))
				if s.params != nil {
					s.params.list = s.query()
				}
			}
		}

		g.Accessor(proto, attribute.name, get, set)
	}
}

func href(u *whatwg.Url) string { return u.Href(false) }

// origin is the URL standard's serialised origin, "null" for opaque ones.
func origin(u *whatwg.Url) string {
	switch u.Protocol() {
	case "http:", "https:", "ftp:", "ws:", "wss:":
		return u.Protocol() + "//" + u.Host()
	default:
		return "null"
	}
}

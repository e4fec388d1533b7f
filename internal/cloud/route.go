package cloud

import (
	"net/url"
	"sort"
	"strings"
	"unicode/utf8"
)

// Route is a path of its own for a script.
type Route struct {
	App      AppID
	ID       ID
	Script   ID
	Name     string // of the script
	Method   string // an HTTP method or ANY
	Host     string // any, a host, or *.domain
	Path     string
	Dispatch string // sync, async or outbox
}

// Values of Route.Host, Route.Method and Route.Dispatch.
const (
	HostAny        = "any"
	MethodAny      = "ANY"
	DispatchSync   = "sync"
	DispatchAsync  = "async"
	DispatchOutbox = "outbox"
)

// Conflicts reports whether two routes could match the same request at the same precedence.
func Conflicts(a, b *Route) bool {
	if a.Host != b.Host || a.Method != b.Method && a.Method != MethodAny && b.Method != MethodAny {
		return false
	}
	p, err1 := ParsePattern(a.Path)
	q, err2 := ParsePattern(b.Path)
	return err1 == nil && err2 == nil && p.compare(q) == 0 && p.overlaps(q)
}

// Routes is an immutable table of every route.
type Routes struct {
	hosts     map[string]*hostRoutes
	wildcards []string // suffixes ".example.com", longest first
}

type hostRoutes struct {
	exact  map[string][]*Route
	byKind [2]map[string][]*tableRoute // param and subtree, by first literal segment ("" when it is none)
}

type tableRoute struct {
	route   *Route
	pattern *Pattern
}

// NewRoutes builds the table; routes whose pattern does not parse are left out.
func NewRoutes(all []*Route) *Routes {
	t := &Routes{hosts: map[string]*hostRoutes{}}
	for _, r := range all {
		p, err := ParsePattern(r.Path)
		if err != nil {
			continue
		}
		h := t.hosts[r.Host]
		if h == nil {
			h = &hostRoutes{exact: map[string][]*Route{}, byKind: [2]map[string][]*tableRoute{{}, {}}}
			t.hosts[r.Host] = h
			if suffix, ok := strings.CutPrefix(r.Host, "*"); ok {
				t.wildcards = append(t.wildcards, suffix)
			}
		}
		if p.kind == exactPath {
			h.exact[r.Path] = append(h.exact[r.Path], r)
			continue
		}
		first := ""
		if p.leading > 0 {
			first = p.segments[0].text
		}
		bucket := h.byKind[p.kind-paramPath]
		bucket[first] = append(bucket[first], &tableRoute{r, p})
	}
	for _, h := range t.hosts {
		for _, kind := range h.byKind {
			for _, list := range kind {
				sort.SliceStable(list, func(i, j int) bool { return list[i].pattern.compare(list[j].pattern) < 0 })
			}
		}
	}
	sort.Slice(t.wildcards, func(i, j int) bool { return len(t.wildcards[i]) > len(t.wildcards[j]) })
	return t
}

// RouteMatch is what a request met.
type RouteMatch struct {
	Route  *Route
	Params []Header
	// Allow lists the methods of routes whose path matched, when no method did.
	Allow []string
}

// Match finds the route of a request. host is lower case and without port; path is as it came, still encoded. It returns
// no route for an unknown path, and an error of code invalid for a path that does not decode to UTF-8.
func (t *Routes) Match(method, host, path string) (RouteMatch, error) {
	segs, decoded, err := decodePath(path)
	if err != nil {
		return RouteMatch{}, err
	}
	var m RouteMatch
	if t.matchHost(&m, host, method, decoded, segs) {
		return m, nil
	}
	for _, suffix := range t.wildcards {
		if strings.HasSuffix(host, suffix) && len(host) > len(suffix) && t.matchHost(&m, "*"+suffix, method, decoded, segs) {
			return m, nil
		}
	}
	t.matchHost(&m, HostAny, method, decoded, segs)
	return m, nil
}

func (t *Routes) matchHost(m *RouteMatch, host, method, decoded string, segs []string) bool {
	h := t.hosts[host]
	if h == nil {
		return false
	}
	for _, r := range h.exact[decoded] {
		if m.take(r, method, nil) {
			return true
		}
	}
	for _, kind := range h.byKind {
		for _, first := range [2]string{segs[0], ""} {
			for _, tr := range kind[first] {
				if params, ok := tr.pattern.Match(segs); ok && m.take(tr.route, method, params) {
					return true
				}
			}
			if segs[0] == "" {
				break
			}
		}
	}
	return false
}

func (m *RouteMatch) take(r *Route, method string, params []Header) bool {
	if r.Method == MethodAny || r.Method == method || method == "HEAD" && r.Method == "GET" {
		m.Route, m.Params, m.Allow = r, params, nil
		return true
	}
	m.Allow = append(m.Allow, r.Method)
	return false
}

// decodePath splits a request path and decodes each segment exactly once.
func decodePath(path string) (segs []string, decoded string, err error) {
	segs = strings.Split(strings.TrimPrefix(path, "/"), "/")
	if strings.IndexByte(path, '%') < 0 && utf8.ValidString(path) {
		return segs, path, nil
	}
	encodedSlash := false
	for k, s := range segs {
		d, err := url.PathUnescape(s)
		if err != nil || !utf8.ValidString(d) {
			return nil, "", Errorf(CodeInvalid, "the path is not percent-encoded UTF-8")
		}
		encodedSlash = encodedSlash || strings.Contains(d, "/")
		segs[k] = d
	}
	if encodedSlash {
		return segs, "\x00", nil // a decoded / is no separator: only patterns can match it
	}
	return segs, "/" + strings.Join(segs, "/"), nil
}

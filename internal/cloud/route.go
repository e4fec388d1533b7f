package cloud

import (
	"net/url"
	"sort"
	"strings"
	"unicode/utf8"
)

// Route is a path of its own for a script.
type Route struct {
	App    AppID
	ID     ID
	Script ID
	// Name is the script's name.
	Name string
	// Method is an HTTP method in capitals, or ANY.
	Method string
	// Host is a host, *.domain for all hosts below a domain, or any.
	Host string
	// Path is a pattern, as ParsePattern reads it.
	Path string
	// Dispatch is sync, async or outbox.
	Dispatch string
	// RateLimit is nil for a path that may be asked for as often as one likes.
	RateLimit *RateLimit
}

// Values of Route.Host, Route.Method and Route.Dispatch.
const (
	HostAny        = "any"
	MethodAny      = "ANY"
	DispatchSync   = "sync"
	DispatchAsync  = "async"
	DispatchOutbox = "outbox"
)

// Routes is an immutable table of every route.
type Routes struct {
	hosts map[string]*hostRoutes
	// wildcards are the suffixes of wildcard hosts, such as ".example.com", the longest first.
	wildcards []string
}

// hostRoutes are the routes of one value of Route.Host.
type hostRoutes struct {
	exact map[string][]*Route
	// byKind has the patterns with parameters and then the subtrees, by their first segment, "" if that is
	// no literal. Each list is in the order of precedence.
	byKind [2]map[string][]*tableRoute
}

type tableRoute struct {
	route   *Route
	pattern *Pattern
}

// NewRoutes builds the table. Routes whose pattern does not parse are left out.
func NewRoutes(all []*Route) *Routes {
	table := &Routes{hosts: map[string]*hostRoutes{}}
	for _, r := range all {
		if pattern, err := ParsePattern(r.Path); err == nil {
			table.host(r.Host).add(r, pattern)
		}
	}

	for _, host := range table.hosts {
		for _, kind := range host.byKind {
			for _, list := range kind {
				sort.SliceStable(list, func(i, j int) bool {
					return list[i].pattern.compare(list[j].pattern) < 0
				})
			}
		}
	}

	sort.Slice(table.wildcards, func(i, j int) bool {
		return len(table.wildcards[i]) > len(table.wildcards[j])
	})

	return table
}

// host returns the routes of a host, which it adds to the table if need be.
func (t *Routes) host(name string) *hostRoutes {
	if host := t.hosts[name]; host != nil {
		return host
	}

	host := &hostRoutes{exact: map[string][]*Route{}, byKind: [2]map[string][]*tableRoute{{}, {}}}
	t.hosts[name] = host
	if suffix, ok := strings.CutPrefix(name, "*"); ok {
		t.wildcards = append(t.wildcards, suffix)
	}

	return host
}

func (h *hostRoutes) add(r *Route, pattern *Pattern) {
	if pattern.kind == exactPath {
		h.exact[r.Path] = append(h.exact[r.Path], r)
		return
	}

	first := ""
	if pattern.leading > 0 {
		first = pattern.segments[0].text
	}

	bucket := h.byKind[pattern.kind-paramPath]
	bucket[first] = append(bucket[first], &tableRoute{r, pattern})
}

// RouteMatch is what a request matched.
type RouteMatch struct {
	// Route is nil if none matched.
	Route *Route
	// Params are the values of the path's parameters, decoded once.
	Params []Header
	// Allow lists the methods of routes whose path matched, when no method did.
	Allow []string
}

// request is a request on its way through the table.
type request struct {
	method string
	// decoded is the whole path with each segment decoded, segs are the segments.
	decoded string
	segs    []string
}

// Match finds the route of a request. host is in lower case and without port; path is as it came, still
// encoded. For an unknown path it returns no route. Its error has the code invalid: the path does not
// decode to UTF-8.
func (t *Routes) Match(method, host, path string) (RouteMatch, error) {
	segs, decoded, err := decodePath(path)
	if err != nil {
		return RouteMatch{}, err
	}

	// The host's own routes come first, then those of wildcards, the longest first, then those of all hosts.
	req := request{method: method, decoded: decoded, segs: segs}
	var m RouteMatch
	if t.hosts[host].match(&m, req) {
		return m, nil
	}

	for _, suffix := range t.wildcards {
		below := strings.HasSuffix(host, suffix) && len(host) > len(suffix)
		if below && t.hosts["*"+suffix].match(&m, req) {
			return m, nil
		}
	}

	t.hosts[HostAny].match(&m, req)
	return m, nil
}

// match looks for the route of highest precedence among those of one host, of which there may be none.
func (h *hostRoutes) match(m *RouteMatch, req request) bool {
	if h == nil {
		return false
	}

	for _, r := range h.exact[req.decoded] {
		if m.take(r, req.method, nil) {
			return true
		}
	}

	first := req.segs[0]
	for _, kind := range h.byKind {
		if m.takeFirst(kind[first], req) {
			return true
		}
		if first != "" && m.takeFirst(kind[""], req) {
			return true
		}
	}

	return false
}

// takeFirst takes the first route of a list whose path and method match.
func (m *RouteMatch) takeFirst(list []*tableRoute, req request) bool {
	for _, r := range list {
		if params, ok := r.pattern.Match(req.segs); ok && m.take(r.route, req.method, params) {
			return true
		}
	}
	return false
}

// take takes a route whose path matches, if its method does too. Otherwise it notes the method as allowed.
func (m *RouteMatch) take(r *Route, method string, params []Header) bool {
	if r.Method == MethodAny || r.Method == method || method == "HEAD" && r.Method == "GET" {
		*m = RouteMatch{Route: r, Params: params}
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
		text, err := url.PathUnescape(s)
		if err != nil || !utf8.ValidString(text) {
			return nil, "", Errorf(CodeInvalid, "the path is not percent-encoded UTF-8")
		}
		encodedSlash = encodedSlash || strings.Contains(text, "/")
		segs[k] = text
	}

	// A decoded / separates nothing, so only patterns can match it: an exact path is a text that would look
	// the same.
	if encodedSlash {
		return segs, "\x00", nil
	}

	return segs, "/" + strings.Join(segs, "/"), nil
}

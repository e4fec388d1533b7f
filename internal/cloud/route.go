package cloud

import (
	"net/url"
	"regexp"
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

type segmentKind uint8

const (
	literal segmentKind = iota
	param
)

type segment struct {
	kind segmentKind
	text string // the literal, or the parameter's name
}

type patternKind uint8

// In the order of precedence.
const (
	exactPath patternKind = iota
	paramPath
	subtreePath
)

// Pattern is a parsed route path.
type Pattern struct {
	kind     patternKind
	segments []segment
	leading  int // literal segments before the first parameter
}

// maxPattern bounds a pattern and its number of segments.
const (
	maxPattern  = 1024
	maxSegments = 32
)

var paramName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// reservedRoots belong to PiCloud itself.
var reservedRoots = []string{"admin", "api", "f", "static", "healthz", "readyz", "version", "metrics"}

// ReservedPath reports whether a request path belongs to PiCloud.
func ReservedPath(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	for _, r := range reservedRoots {
		if strings.EqualFold(first, r) {
			return true
		}
	}
	return false
}

// ParsePattern reads a route path: exact "/greet", parameters "/users/:id", subtree "/files/*".
func ParsePattern(path string) (*Pattern, error) {
	invalid := func(why string) (*Pattern, error) {
		return nil, Errorf(CodeInvalid, "the path %q is not a route pattern: %s", Shorten(path), why)
	}
	if len(path) > maxPattern || !utf8.ValidString(path) || strings.ContainsAny(path, "\x00?#%\\") {
		return invalid("it must be valid UTF-8 of at most 1024 bytes without NUL, ?, #, % and backslash")
	}
	for _, r := range path {
		if r < 0x20 || r == 0x7f {
			return invalid("it must not contain control characters")
		}
	}
	if !strings.HasPrefix(path, "/") {
		return invalid("it must start with /")
	}
	if path != "/*" && ReservedPath(path) {
		return invalid("/admin, /api, /f, /static, /healthz, /readyz, /version and /metrics are reserved")
	}
	p := &Pattern{}
	parts := strings.Split(path[1:], "/")
	if len(parts) > maxSegments {
		return invalid("it has more than 32 segments")
	}
	seen := map[string]bool{}
	inLead := true
	for k, part := range parts {
		switch {
		case part == "*" && k == len(parts)-1:
			p.kind = subtreePath
			return p, nil
		case strings.Contains(part, "*"):
			return invalid("* may only stand alone at the end")
		case strings.HasPrefix(part, ":"):
			name := part[1:]
			if !paramName.MatchString(name) {
				return invalid("a parameter is : and a name of letters, digits and _")
			}
			if seen[name] {
				return invalid("the parameter :" + name + " stands twice")
			}
			seen[name] = true
			inLead = false
			p.kind = paramPath
			p.segments = append(p.segments, segment{param, name})
		case part == "." || part == "..":
			return invalid(". and .. are not segments")
		case part == "" && len(parts) > 1 && k < len(parts)-1:
			return invalid("it has an empty segment")
		default:
			if inLead {
				p.leading++
			}
			p.segments = append(p.segments, segment{literal, part})
		}
	}
	return p, nil
}

// Match reports whether decoded segments match, and with which parameters. The rest of a subtree is the parameter "*".
func (p *Pattern) Match(segs []string) ([]Header, bool) {
	if p.kind == subtreePath {
		if len(segs) <= len(p.segments) {
			return nil, false
		}
	} else if len(segs) != len(p.segments) {
		return nil, false
	}
	var params []Header
	for k, s := range p.segments {
		switch {
		case s.kind == literal && s.text != segs[k]:
			return nil, false
		case s.kind == param && segs[k] == "":
			return nil, false
		case s.kind == param:
			params = append(params, Header{Name: s.text, Value: segs[k]})
		}
	}
	if p.kind == subtreePath {
		params = append(params, Header{Name: "*", Value: strings.Join(segs[len(p.segments):], "/")})
	}
	return params, true
}

// compare orders patterns by precedence: negative when p comes first, 0 when neither does.
func (p *Pattern) compare(q *Pattern) int {
	if p.kind != q.kind {
		return int(p.kind) - int(q.kind)
	}
	if p.leading != q.leading {
		return q.leading - p.leading
	}
	if p.kind == subtreePath {
		return len(q.segments) - len(p.segments)
	}
	return 0
}

// overlaps reports whether some path matches both.
func (p *Pattern) overlaps(q *Pattern) bool {
	if p.kind != subtreePath && q.kind != subtreePath && len(p.segments) != len(q.segments) {
		return false
	}
	if p.kind == subtreePath && q.kind != subtreePath && len(q.segments) <= len(p.segments) {
		return false
	}
	if q.kind == subtreePath && p.kind != subtreePath && len(p.segments) <= len(q.segments) {
		return false
	}
	for k := range min(len(p.segments), len(q.segments)) {
		a, b := p.segments[k], q.segments[k]
		if a.kind == literal && b.kind == literal && a.text != b.text {
			return false
		}
	}
	return true
}

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

// Shorten cuts a text that a message repeats.
func Shorten(s string) string {
	if len(s) <= 80 {
		return s
	}
	return ValidPrefix(s, 77) + "..."
}

// ValidPrefix is at most the first n bytes of a text, cut between characters.
func ValidPrefix(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

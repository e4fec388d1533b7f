package cloud

import (
	"regexp"
	"strings"
	"unicode/utf8"
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

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

// Pattern is a parsed route path. It never changes.
type Pattern struct {
	kind patternKind
	// segments are those before the * of a subtree.
	segments []segment
	// leading counts the literal segments before the first parameter.
	leading int
}

const (
	// maxPattern is the most bytes of a pattern.
	maxPattern = 1024
	// maxSegments bounds the segments of a pattern, the * of a subtree included.
	maxSegments = 32
)

var paramName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// reservedRoots are the first segments of PiCloud's own paths.
var reservedRoots = []string{"admin", "api", "f", "static", "healthz", "readyz", "version", "metrics"}

// ReservedPath reports whether a request path belongs to PiCloud itself.
func ReservedPath(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	for _, r := range reservedRoots {
		if strings.EqualFold(first, r) {
			return true
		}
	}
	return false
}

// ParsePattern reads a route path: exact "/greet", with parameters "/users/:id", or a subtree "/files/*".
// Its errors have the code invalid.
func ParsePattern(path string) (*Pattern, error) {
	if why := checkPath(path); why != "" {
		return nil, badPattern(path, why)
	}

	parts := strings.Split(path[1:], "/")
	if len(parts) > maxSegments {
		return nil, badPattern(path, "it has more than 32 segments")
	}

	subtree := parts[len(parts)-1] == "*"
	if subtree {
		parts = parts[:len(parts)-1]
	}

	pattern := &Pattern{}
	for k, part := range parts {
		isLast := k == len(parts)-1 && !subtree
		if why := pattern.addSegment(part, isLast); why != "" {
			return nil, badPattern(path, why)
		}
	}

	if subtree {
		pattern.kind = subtreePath
	}

	return pattern, nil
}

func badPattern(path, why string) error {
	return Errorf(CodeInvalid, "the path %q is not a route pattern: %s", Shorten(path), why)
}

// checkPath says what is wrong with a path as a whole, "" for nothing.
func checkPath(path string) string {
	if len(path) > maxPattern || !utf8.ValidString(path) || strings.ContainsAny(path, "\x00?#%\\") {
		return "it must be valid UTF-8 of at most 1024 bytes without NUL, ?, #, % and backslash"
	}

	for _, r := range path {
		if r < 0x20 || r == 0x7f {
			return "it must not contain control characters"
		}
	}

	if !strings.HasPrefix(path, "/") {
		return "it must start with /"
	}
	if path != "/*" && ReservedPath(path) {
		return "/admin, /api, /f, /static, /healthz, /readyz, /version and /metrics are reserved"
	}

	return ""
}

// addSegment adds the next segment. It says what is wrong with it, "" for nothing.
func (p *Pattern) addSegment(part string, isLast bool) (why string) {
	switch {
	case strings.Contains(part, "*"):
		return "* may only stand alone at the end"
	case strings.HasPrefix(part, ":"):
		return p.addParam(part[1:])
	case part == "." || part == "..":
		return ". and .. are not segments"

	// The path / is one empty segment, and a path may end with /.
	case part == "" && !isLast:
		return "it has an empty segment"
	}

	if p.kind != paramPath {
		p.leading++
	}

	p.segments = append(p.segments, segment{literal, part})
	return ""
}

// addParam adds a parameter. It says what is wrong with its name, "" for nothing.
func (p *Pattern) addParam(name string) (why string) {
	if !paramName.MatchString(name) {
		return "a parameter is : and a name of letters, digits and _"
	}

	for _, s := range p.segments {
		if s.kind == param && s.text == name {
			return "the parameter :" + name + " stands twice"
		}
	}

	p.kind = paramPath
	p.segments = append(p.segments, segment{param, name})
	return ""
}

// Match reports whether decoded segments match, and with which parameters. The rest of a subtree is the
// parameter "*".
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
		rest := strings.Join(segs[len(p.segments):], "/")
		params = append(params, Header{Name: "*", Value: rest})
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
	if !p.fits(q) || !q.fits(p) {
		return false
	}

	for k := range min(len(p.segments), len(q.segments)) {
		a := p.segments[k]
		b := q.segments[k]
		if a.kind == literal && b.kind == literal && a.text != b.text {
			return false
		}
	}

	return true
}

// fits reports whether a path of as many segments as q asks for can match p. Two subtrees always fit.
func (p *Pattern) fits(q *Pattern) bool {
	if q.kind == subtreePath {
		return true
	}
	if p.kind == subtreePath {
		return len(q.segments) > len(p.segments)
	}
	return len(q.segments) == len(p.segments)
}

// Conflicts reports whether two routes could match the same request at the same precedence.
func Conflicts(a, b *Route) bool {
	sameMethod := a.Method == b.Method || a.Method == MethodAny || b.Method == MethodAny
	if a.Host != b.Host || !sameMethod {
		return false
	}
	p, err1 := ParsePattern(a.Path)
	q, err2 := ParsePattern(b.Path)
	return err1 == nil && err2 == nil && p.compare(q) == 0 && p.overlaps(q)
}

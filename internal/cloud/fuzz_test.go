package cloud

import (
	"strings"
	"testing"
)

// A pattern is refused, or matches the path that is made of it; nothing reserved is ever matched by a
// pattern that names it.
func FuzzPattern(f *testing.F) {
	for _, s := range []string{
		"/", "/a/:b/c", "/*", "/a/*", "/:a/:a", "//", "/%2e", "/a//b", "/.", "/ä/:x_1", "/\x00", "/admin/x",
	} {
		f.Add(s, "/a/b/c")
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		p, err := ParsePattern(pattern)
		if err != nil {
			if CodeOf(err) != CodeInvalid {
				t.Errorf("%q: %v", pattern, err)
			}
			return
		}
		if len(pattern) > 1024 || strings.ContainsAny(pattern, "\x00?#%\\") {
			t.Errorf("%q was accepted", pattern)
		}

		segs := strings.Split(strings.TrimPrefix(pattern, "/"), "/")
		for k, s := range segs {
			if strings.HasPrefix(s, ":") {
				segs[k] = "v"
			}
		}

		if _, ok := p.Match(segs); !ok && !strings.HasSuffix(pattern, "/*") {
			t.Errorf("%q does not match itself", pattern)
		}

		table := NewRoutes([]*Route{{Name: "r", Method: "ANY", Host: "any", Path: pattern}})
		m, err := table.Match("GET", "h", path)
		if err != nil && CodeOf(err) != CodeInvalid {
			t.Errorf("%q: %v", path, err)
		}
		if err == nil && m.Route != nil && len(m.Params) > 32 {
			t.Errorf("%q gave %d parameters", path, len(m.Params))
		}
	})
}

// An id is read back as it was written, and from nothing else.
func FuzzParseID(f *testing.F) {
	f.Add("01a20dd2-5673-7000-973b-41c159db734b")
	f.Add("01A20DD2-5673-7000-973B-41C159DB734B")
	f.Add("{01a20dd256737000973b41c159db734b}")
	f.Fuzz(func(t *testing.T, s string) {
		if id, ok := ParseID(s); ok && !strings.EqualFold(id.String(), s) {
			t.Errorf("%q is read as %s", s, id)
		}
	})
}

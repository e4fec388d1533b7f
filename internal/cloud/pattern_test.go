package cloud

import (
	"fmt"
	"strings"
	"testing"
)

// What is wrong with a path is said in one sentence; every path that is right has one kind and one
// precedence.
func TestParsePattern(t *testing.T) {
	t.Parallel()
	const (
		text     = "it must be valid UTF-8 of at most 1024 bytes without NUL, ?, #, % and backslash"
		reserved = "/admin, /api, /f, /static, /healthz, /readyz, /version and /metrics are reserved"
	)

	for _, c := range []struct {
		path string
		// want is kind, leading literals and segments, or what is wrong.
		want string
	}{
		{"/", "exact 1 [0:]"},
		{"/greet", "exact 1 [0:greet]"},
		{"/greet/", "exact 2 [0:greet 0:]"},
		{"/Ä b", "exact 1 [0:Ä b]"},
		{"/users/:id", "param 1 [0:users 1:id]"},
		{"/:a/b/:c", "param 0 [1:a 0:b 1:c]"},
		{"/*", "subtree 0 []"},
		{"/files/*", "subtree 1 [0:files]"},
		{"/a/:b/*", "subtree 1 [0:a 1:b]"},
		{"/administrator", "exact 1 [0:administrator]"},
		{"/x/admin", "exact 2 [0:x 0:admin]"},
		{"/" + strings.Repeat("a/", 31) + "b", "exact 32"},

		{"", "it must start with /"},
		{"greet", "it must start with /"},
		{"/a?b", text}, {"/a#b", text}, {"/a%20b", text}, {`/a\b`, text}, {"/\x00", text}, {"/\xff", text},
		{"/" + strings.Repeat("a", 1024), text},
		{"/a\tb", "it must not contain control characters"},
		{"/\x7f", "it must not contain control characters"},
		{"/admin", reserved}, {"/API/x", reserved}, {"/f/", reserved}, {"/metrics", reserved},
		{"/" + strings.Repeat("a/", 32) + "b", "it has more than 32 segments"},
		{"/a*", "* may only stand alone at the end"},
		{"/*/a", "* may only stand alone at the end"},
		{"/:*", "* may only stand alone at the end"},
		{"/:", "a parameter is : and a name of letters, digits and _"},
		{"/:1", "a parameter is : and a name of letters, digits and _"},
		{"/:a-b", "a parameter is : and a name of letters, digits and _"},
		{"/:a/:b/:a", "the parameter :a stands twice"},
		{"/:a/:a/*", "the parameter :a stands twice"},
		{"/./a", ". and .. are not segments"},
		{"/a/..", ". and .. are not segments"},
		{"//", "it has an empty segment"},
		{"/a//b", "it has an empty segment"},
		{"//*", "it has an empty segment"},
	} {
		t.Run(Shorten(c.path), func(t *testing.T) {
			t.Parallel()
			pattern, err := ParsePattern(c.path)
			if err != nil {
				want := fmt.Sprintf("invalid: the path %q is not a route pattern: %s", Shorten(c.path),
					c.want)
				if err.Error() != want {
					t.Errorf("got  %v,\nwant %s", err, want)
				}
				return
			}
			if got := describe(pattern); !strings.HasPrefix(got, c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func describe(p *Pattern) string {
	var segments []string
	for _, s := range p.segments {
		segments = append(segments, fmt.Sprintf("%d:%s", s.kind, s.text))
	}
	kind := map[patternKind]string{exactPath: "exact", paramPath: "param", subtreePath: "subtree"}[p.kind]
	return fmt.Sprintf("%s %d %v", kind, p.leading, segments)
}

// PiCloud's own paths are found by their first segment in any case.
func TestReservedPath(t *testing.T) {
	t.Parallel()

	for path, want := range map[string]bool{
		"/admin": true, "/Admin/x": true, "/api/v1/apps": true, "/f": true, "/static/app.css": true,
		"/healthz": true,
		"":         false, "/": false, "/adm": false, "/x/admin": false, "/administrator": false,
	} {
		if got := ReservedPath(path); got != want {
			t.Errorf("%q: %v", path, got)
		}
	}
}

// Routes conflict if one request could match both at the same precedence.
func TestConflicts(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"/a", "/a", true},
		{"/a", "/b", false},
		{"/:x", "/:y", true},
		{"/a/:x", "/:y/b", false},
		{"/a/:x/c", "/a/:y/d", false},
		{"/a/:x/c/:y", "/a/:z/:w/d", true},
		{"/a/:x", "/a/:x/:y", false},
		{"/a/*", "/a/*", true},
		{"/a/*", "/a/b/*", false},
		{"/a/:x/*", "/a/:y/*", true},
		{"/a/:x/*", "/b/:y/*", false},
		{"/a", "/:x", false},
		{"/a", "not a pattern", false},
	} {
		t.Run(c.a+" and "+c.b, func(t *testing.T) {
			t.Parallel()
			a, b := route("ANY", "any", c.a), route("GET", "any", c.b)
			if Conflicts(a, b) != c.want || Conflicts(b, a) != c.want {
				t.Errorf("got %v and %v", Conflicts(a, b), Conflicts(b, a))
			}
		})
	}

	if Conflicts(route("GET", "any", "/a"), route("POST", "any", "/a")) {
		t.Error("routes of two methods conflict")
	}
	if Conflicts(route("GET", "h", "/a"), route("GET", "any", "/a")) {
		t.Error("routes of two hosts conflict")
	}
}

package cloud

import (
	"fmt"
	"strings"
	"testing"
)

func route(method, host, path string) *Route {
	return &Route{Name: method + " " + host + " " + path, Method: method, Host: host, Path: path}
}

// Precedence: exact, then parameters, then subtrees; more leading literals; longer subtrees; hosts fall
// through.
func TestMatch(t *testing.T) {
	table := NewRoutes([]*Route{
		route("ANY", "any", "/a/*"), route("ANY", "any", "/a/b/*"), route("ANY", "any", "/a/:x"), route("ANY", "any", "/a/b"),
		route("ANY", "any", "/:x/y"), route("ANY", "any", "/*"), route("GET", "any", "/m"), route("POST", "any", "/m"),
		route("ANY", "h.test", "/a/b"), route("ANY", "*.test", "/a/b"), route("ANY", "*.x.test", "/a/b"), route("PUT", "any", "/p/:x"),
	})

	for _, c := range []struct{ method, host, path, want, params string }{
		{"GET", "z", "/a/b", "ANY any /a/b", ""}, {"GET", "z", "/a/c", "ANY any /a/:x", "x=c"}, {"GET", "z", "/a/c/d", "ANY any /a/*", "*=c/d"},
		{"GET", "z", "/a/b/d", "ANY any /a/b/*", "*=d"}, {"GET", "z", "/q/y", "ANY any /:x/y", "x=q"}, {"GET", "z", "/q/z", "ANY any /*", "*=q/z"},
		{"GET", "z", "/m", "GET any /m", ""}, {"POST", "z", "/m", "POST any /m", ""}, {"HEAD", "z", "/m", "GET any /m", ""},
		{"GET", "h.test", "/a/b", "ANY h.test /a/b", ""}, {"GET", "i.test", "/a/b", "ANY *.test /a/b", ""}, {"GET", "i.x.test", "/a/b", "ANY *.x.test /a/b", ""},
		{"GET", "h.test", "/a/c", "ANY any /a/:x", "x=c"}, {"GET", "test", "/a/b", "ANY any /a/b", ""},
		{"GET", "z", "/a/%63", "ANY any /a/:x", "x=c"}, {"GET", "z", "/a/b%2Fd", "ANY any /a/:x", "x=b/d"}, {"GET", "z", "/a/%2563", "ANY any /a/:x", "x=%63"},
		{"GET", "z", "/a/", "ANY any /a/*", "*="}, {"GET", "z", "/p/1", "ANY any /*", "*=p/1"}, {"PUT", "z", "/p/1", "PUT any /p/:x", "x=1"},
		{"GET", "z", "/", "ANY any /*", "*="},
	} {
		m, err := table.Match(c.method, c.host, c.path)
		if err != nil || m.Route == nil {
			t.Errorf("%s %s %s: %+v %v", c.method, c.host, c.path, m, err)
			continue
		}

		var params []string
		for _, p := range m.Params {
			params = append(params, p.Name+"="+p.Value)
		}

		if m.Route.Name != c.want || strings.Join(params, "&") != c.params {
			t.Errorf("%s %s %s: %s %v, want %s %s", c.method, c.host, c.path, m.Route.Name, params, c.want, c.params)
		}
	}

	if _, err := table.Match("GET", "z", "/a/%ff"); CodeOf(err) != CodeInvalid {
		t.Errorf("invalid UTF-8: %v", err)
	}

	only := NewRoutes([]*Route{route("POST", "any", "/m")})
	if m, _ := only.Match("GET", "z", "/m"); m.Route != nil || fmt.Sprint(m.Allow) != "[POST]" {
		t.Errorf("other method: %+v", m)
	}
	if m, _ := only.Match("GET", "z", "/n"); m.Route != nil || m.Allow != nil {
		t.Errorf("no route: %+v", m)
	}
}

func TestConflicts(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"/a", "/a", true}, {"/a", "/b", false}, {"/:x", "/:y", true}, {"/a/:x", "/:y/b", false}, {"/a/:x/c", "/a/:y/d", false},
		{"/a/:x/c/:y", "/a/:z/:w/d", true}, {"/a/*", "/a/*", true}, {"/a/*", "/a/b/*", false}, {"/a/:x/*", "/a/:y/*", true}, {"/a", "/:x", false},
	} {
		if got := Conflicts(route("ANY", "any", c.a), route("GET", "any", c.b)); got != c.want {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
	}

	if Conflicts(route("GET", "any", "/a"), route("POST", "any", "/a")) || Conflicts(route("GET", "h", "/a"), route("GET", "any", "/a")) {
		t.Error("other methods and other hosts do not conflict")
	}
}

// Whatever is a pattern can be matched against anything; two routes that match one path at one precedence
// conflict.
func FuzzRoutes(f *testing.F) {
	for _, p := range []string{"/a/:b/*", "/:x/y", "/*", "/a%2f", "//", "/:", "/a/*/b"} {
		f.Add(p, "/:x/*", "/a/b%20c/d")
	}
	f.Fuzz(func(t *testing.T, a, b, path string) {
		pa, err1 := ParsePattern(a)
		pb, err2 := ParsePattern(b)
		if err1 != nil || err2 != nil {
			return
		}

		segs, _, err := decodePath(path)
		if err != nil {
			return
		}

		_, ma := pa.Match(segs)
		_, mb := pb.Match(segs)
		if ma && mb && pa.compare(pb) == 0 && !Conflicts(route("ANY", "any", a), route("ANY", "any", b)) {
			t.Errorf("%q and %q both match %q at one precedence and do not conflict", a, b, path)
		}

		_, _ = NewRoutes([]*Route{route("ANY", "any", a), route("ANY", "any", b)}).Match("GET", "h", path)
	})
}

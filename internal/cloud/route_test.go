package cloud

import (
	"slices"
	"strings"
	"testing"
)

func route(method, host, path string) *Route {
	return &Route{Name: method + " " + host + " " + path, Method: method, Host: host, Path: path}
}

// Precedence: exact, then parameters, then subtrees; more leading literals; longer subtrees; hosts fall
// through.
func TestMatch(t *testing.T) {
	t.Parallel()
	table := NewRoutes([]*Route{
		route("ANY", "any", "/a/*"),
		route("ANY", "any", "/a/b/*"),
		route("ANY", "any", "/a/:x"),
		route("ANY", "any", "/a/b"),
		route("ANY", "any", "/:x/y"),
		route("ANY", "any", "/*"),
		route("GET", "any", "/m"),
		route("POST", "any", "/m"),
		route("ANY", "h.test", "/a/b"),
		route("ANY", "*.test", "/a/b"),
		route("ANY", "*.x.test", "/a/b"),
		route("PUT", "any", "/p/:x"),
		route("ANY", "any", "not a pattern"),
	})

	for _, c := range []struct{ method, host, path, want, params string }{
		{"GET", "z", "/a/b", "ANY any /a/b", ""},
		{"GET", "z", "/a/c", "ANY any /a/:x", "x=c"},
		{"GET", "z", "/a/c/d", "ANY any /a/*", "*=c/d"},
		{"GET", "z", "/a/b/d", "ANY any /a/b/*", "*=d"},
		{"GET", "z", "/q/y", "ANY any /:x/y", "x=q"},
		{"GET", "z", "/q/z", "ANY any /*", "*=q/z"},
		{"GET", "z", "/", "ANY any /*", "*="},
		{"GET", "z", "/a/", "ANY any /a/*", "*="},

		{"GET", "z", "/m", "GET any /m", ""},
		{"POST", "z", "/m", "POST any /m", ""},
		{"HEAD", "z", "/m", "GET any /m", ""},
		{"GET", "z", "/p/1", "ANY any /*", "*=p/1"},
		{"PUT", "z", "/p/1", "PUT any /p/:x", "x=1"},

		{"GET", "h.test", "/a/b", "ANY h.test /a/b", ""},
		{"GET", "i.test", "/a/b", "ANY *.test /a/b", ""},
		{"GET", "i.x.test", "/a/b", "ANY *.x.test /a/b", ""},
		{"GET", "h.test", "/a/c", "ANY any /a/:x", "x=c"},
		{"GET", "test", "/a/b", "ANY any /a/b", ""},

		{"GET", "z", "/a/%63", "ANY any /a/:x", "x=c"},
		{"GET", "z", "/a/%62", "ANY any /a/b", ""},
		{"GET", "z", "/a/b%2Fd", "ANY any /a/:x", "x=b/d"},
		{"GET", "z", "/a%2Fb", "ANY any /*", "*=a/b"},
		{"GET", "z", "/a/%2563", "ANY any /a/:x", "x=%63"},
	} {
		t.Run(c.method+" "+c.host+c.path, func(t *testing.T) {
			t.Parallel()
			match, err := table.Match(c.method, c.host, c.path)
			if err != nil || match.Route == nil {
				t.Fatalf("%+v %v", match, err)
			}

			var params []string
			for _, p := range match.Params {
				params = append(params, p.Name+"="+p.Value)
			}

			if match.Route.Name != c.want || strings.Join(params, "&") != c.params {
				t.Errorf("%s %v, want %s %s", match.Route.Name, params, c.want, c.params)
			}
			if match.Allow != nil {
				t.Errorf("a match allows %v", match.Allow)
			}
		})
	}
}

// A path that is known for other methods only says for which; a path that does not decode is an error.
func TestNoMatch(t *testing.T) {
	t.Parallel()
	table := NewRoutes([]*Route{
		route("POST", "any", "/m"),
		route("PUT", "any", "/:x"),
		route("POST", "h.test", "/m"),
	})

	for _, c := range []struct {
		host, path string
		allow      []string
		code       Code
	}{
		{"z", "/m", []string{"POST", "PUT"}, ""},
		{"h.test", "/m", []string{"POST", "POST", "PUT"}, ""},
		{"z", "/q", []string{"PUT"}, ""},
		{"z", "/n/m", nil, ""},
		{"z", "/%ff", nil, CodeInvalid},
		{"z", "/%zz", nil, CodeInvalid},
		{"z", "/%", nil, CodeInvalid},
		{"z", "/\xff", nil, CodeInvalid},
	} {
		t.Run(c.host+c.path, func(t *testing.T) {
			t.Parallel()
			match, err := table.Match("GET", c.host, c.path)
			if match.Route != nil || !slices.Equal(match.Allow, c.allow) {
				t.Errorf("%+v", match)
			}
			if (err != nil) != (c.code != "") || err != nil && CodeOf(err) != c.code {
				t.Errorf("error %v", err)
			}
		})
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

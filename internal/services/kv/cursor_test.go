package kv

import (
	"strings"
	"testing"
)

// A cursor opens the list that it was made for, and no other.
func TestCursorBelongsToItsList(t *testing.T) {
	t.Parallel()
	s := newFixture(t).Store
	scope := listScope{app: 1, collection: "c", prefix: "p"}
	sealed := s.sealCursor(scope, "p-7")

	changed := []byte(sealed)

	changed[0] ^= 1
	for name, c := range map[string]struct {
		scope  listScope
		cursor string
		want   string
		ok     bool
	}{
		"its own list":       {scope, sealed, "p-7", true},
		"no cursor":          {scope, "", "", true},
		"another app":        {listScope{2, "c", "p"}, sealed, "", false},
		"another collection": {listScope{1, "d", "p"}, sealed, "", false},
		"another prefix":     {listScope{1, "c", ""}, sealed, "", false},
		"a changed cursor":   {scope, string(changed), "", false},
		"a short cursor":     {scope, "AAAA", "", false},
		"not base64":         {scope, "?", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if key, err := s.openCursor(c.scope, c.cursor); key != c.want || (err == nil) != c.ok {
				t.Errorf("%q %v, want %q, ok %t", key, err, c.want, c.ok)
			}
		})
	}
}

// A cursor is taken only by the list that it was made for.
func FuzzCursor(f *testing.F) {
	s := newFixture(f).Store
	f.Add("c", "p", "k", s.sealCursor(listScope{1, "c", "p"}, "k"))
	f.Add("c", "", "\x00", "AAAA")

	f.Fuzz(func(t *testing.T, collection, prefix, key, cursor string) {
		scope := listScope{1, collection, prefix}
		sealed := s.sealCursor(scope, key)
		if got, err := s.openCursor(scope, sealed); err != nil || got != key {
			t.Errorf("own cursor: %q %v", got, err)
		}

		for _, other := range []string{collection + "x", prefix} {
			if other == collection {
				continue
			}
			if _, err := s.openCursor(listScope{1, other, prefix}, sealed); err == nil && sealed != "" {
				t.Errorf("the cursor of %q opens %q", collection, other)
			}
		}
		if _, err := s.openCursor(listScope{2, collection, prefix}, sealed); err == nil {
			t.Error("another app opens it")
		}

		// What opens is what was sealed, not another text that decodes to the same bytes.
		got, err := s.openCursor(scope, cursor)
		if err != nil || cursor == "" || len(cursor) != len(sealed) {
			return
		}
		if s.sealCursor(scope, got) != strings.TrimRight(cursor, "\r\n") {
			t.Errorf("%q opens as %q", cursor, got)
		}
	})
}

package kv

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// A cursor is taken only by the list that it was made for.
func FuzzCursor(f *testing.F) {
	s := &Store{cfg: Config{CursorKey: []byte("key")}}
	f.Add("c", "p", "k", s.sealCursor(1, "c", "p", "k"))
	f.Add("c", "", "\x00", "AAAA")
	f.Fuzz(func(t *testing.T, collection, prefix, key, cursor string) {
		sealed := s.sealCursor(1, collection, prefix, key)
		if got, err := s.openCursor(1, collection, prefix, sealed); err != nil || got != key {
			t.Errorf("own cursor: %q %v", got, err)
		}
		for _, other := range []string{collection + "x", prefix} {
			if other != collection {
				if _, err := s.openCursor(1, other, prefix, sealed); err == nil && sealed != "" {
					t.Errorf("the cursor of %q opens %q", collection, other)
				}
			}
		}
		if _, err := s.openCursor(2, collection, prefix, sealed); err == nil {
			t.Error("another app opens it")
		}
		if got, err := s.openCursor(1, collection, prefix, cursor); err == nil && cursor != "" && s.sealCursor(1, collection, prefix, got) != strings.TrimRight(cursor, "\r\n") && len(cursor) == len(sealed) {
			t.Errorf("%q opens as %q", cursor, got)
		}
	})
}

// What is accepted as a key can be stored: PostgreSQL's text takes valid UTF-8 without NUL.
func FuzzKey(f *testing.F) {
	for _, s := range []string{"a", "", ".", "..", "a\x00b", "\xff", strings.Repeat("ü", 300), "a/b?c#d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if CheckKey(key) == nil && (key == "" || len(key) > MaxKey || !utf8.ValidString(key) || strings.Contains(key, "\x00") || key == "." || key == "..") {
			t.Errorf("%q was accepted", key)
		}
		if CheckCollection(key) == nil && strings.ContainsAny(key, "/ \x00\n.") {
			t.Errorf("collection %q was accepted", key)
		}
	})
}

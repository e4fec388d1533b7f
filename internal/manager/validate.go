package manager

import (
	"strings"
	"unicode/utf8"
)

// everything is the limit of a list that is bounded by a rule of its own.
const everything = 1 << 30

// checkText refuses texts that PostgreSQL cannot store or that have more than max bytes.
func checkText(what, s string, max int) error {
	if len(s) > max || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return invalid("%s must be valid UTF-8 without NUL, of at most %d bytes", what, max)
	}
	return nil
}

// storable makes any text one that PostgreSQL accepts in a query. A text with a NUL or with invalid UTF-8
// names nothing anyway.
func storable(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}

// or returns what p points to, or the fallback if p is nil.
func or[T any](p *T, fallback T) T {
	if p != nil {
		return *p
	}
	return fallback
}

// notNil replaces a nil slice, which PostgreSQL would store as NULL.
func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

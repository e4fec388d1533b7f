package manager

import (
	"strings"
	"unicode/utf8"
)

// everything is a limit that does not limit, for lists that are bounded otherwise.
const everything = 1 << 30

func checkText(what, s string, max int) error {
	if len(s) > max || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return invalid("%s must be valid UTF-8 without NUL, of at most %d bytes", what, max)
	}
	return nil
}

func or[T any](p *T, fallback T) T {
	if p != nil {
		return *p
	}
	return fallback
}

func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// storable makes what somebody asks for a text that PostgreSQL takes: with a NUL or invalid UTF-8 it names nothing anyway.
func storable(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}

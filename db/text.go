package db

import "strings"

// Storable makes a text one that PostgreSQL can hold: type text has neither NUL nor invalid UTF-8. Both
// become U+FFFD.
func Storable(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

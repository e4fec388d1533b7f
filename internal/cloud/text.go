package cloud

import "unicode/utf8"

// Shorten cuts a text that a message repeats.
func Shorten(s string) string {
	if len(s) <= 80 {
		return s
	}
	return ValidPrefix(s, 77) + "..."
}

// ValidPrefix is at most the first n bytes of a text, cut between characters.
func ValidPrefix(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

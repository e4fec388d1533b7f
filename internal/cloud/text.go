package cloud

import "unicode/utf8"

// maxQuoted is the most bytes of a text that a message repeats.
const maxQuoted = 80

// Shorten cuts a text that a message repeats to at most 80 bytes, the last of which are "..." if it was
// longer.
func Shorten(s string) string {
	if len(s) <= maxQuoted {
		return s
	}
	const dots = "..."
	return ValidPrefix(s, maxQuoted-len(dots)) + dots
}

// ValidPrefix returns at most the first n bytes of a text, cut between characters.
func ValidPrefix(s string, n int) string {
	if len(s) <= n {
		return s
	}

	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

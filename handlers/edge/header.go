package edge

import "strings"

// ValidHeader reports whether a header can be sent: its name, in lower case, is a token, and its value has
// neither line ends nor NUL. Nothing that a script or a form says gets around it.
func ValidHeader(name, value string) bool {
	if name == "" || strings.ContainsAny(value, "\r\n\x00") {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return !isTokenRune(r) })
}

// isTokenRune reports a character of a token in lower case (RFC 9110, 5.6.2).
func isTokenRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

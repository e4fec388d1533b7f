package cloud

import (
	"strings"
	"unicode/utf8"
)

// maxGroup bounds an error group in bytes.
const maxGroup = 200

// ErrorGroup is what errors of the same cause have in common: name and first line of the message, with what varies from
// event to event - numbers, and words that hold a digit, such as ids and hashes - replaced by #. At most 200 bytes.
func ErrorGroup(name, message string) string {
	line, _, _ := strings.Cut(message, "\n")
	if name != "" {
		line = name + ": " + line
	}
	if len(line) > 4*maxGroup {
		line = line[:4*maxGroup]
	}
	line = strings.ToValidUTF8(strings.ReplaceAll(line, "\x00", "\uFFFD"), "")
	var b strings.Builder
	for len(line) > 0 && b.Len() < maxGroup {
		n := wordLen(line)
		switch {
		case n == 0:
			_, n = utf8.DecodeRuneInString(line)
			b.WriteString(line[:n])
		case strings.ContainsAny(line[:n], "0123456789"):
			b.WriteByte('#')
		default:
			b.WriteString(line[:n])
		}
		line = line[n:]
	}
	out := b.String()
	if len(out) > maxGroup {
		out = out[:maxGroup]
	}
	return strings.ToValidUTF8(out, "")
}

// wordLen is the length of the letters, digits and joining dashes that s begins with.
func wordLen(s string) int {
	for k := range len(s) {
		c := s[k]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-' && k > 0 {
			continue
		}
		return k
	}
	return len(s)
}

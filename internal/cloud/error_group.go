package cloud

import (
	"strings"
	"unicode/utf8"
)

// maxGroup is the most bytes of an error group.
const maxGroup = 200

// ErrorGroup returns what errors of the same cause have in common: the name and the first line of the
// message, with what varies from event to event (numbers, and words with a digit, such as ids and hashes)
// replaced by #. It has at most 200 bytes.
func ErrorGroup(name, message string) string {
	line, _, _ := strings.Cut(message, "\n")
	if name != "" {
		line = name + ": " + line
	}

	// A message can have megabytes, and a word of any length becomes one byte.
	if len(line) > 4*maxGroup {
		line = line[:4*maxGroup]
	}

	line = strings.ToValidUTF8(strings.ReplaceAll(line, "\x00", "\uFFFD"), "")

	var group strings.Builder
	for len(line) > 0 && group.Len() < maxGroup {
		length := wordLen(line)
		switch {
		case length == 0: // no word but one other character
			_, length = utf8.DecodeRuneInString(line)
			group.WriteString(line[:length])
		case strings.ContainsAny(line[:length], "0123456789"):
			group.WriteByte('#')
		default:
			group.WriteString(line[:length])
		}

		line = line[length:]
	}

	out := group.String()
	if len(out) > maxGroup {
		out = out[:maxGroup]
	}

	return strings.ToValidUTF8(out, "")
}

// wordLen is the length of the word that s begins with: letters, digits and underscores, and dashes between
// them.
func wordLen(s string) int {
	for k := range len(s) {
		joins := s[k] == '-' && k > 0
		if !inWord(s[k]) && !joins {
			return k
		}
	}
	return len(s)
}

func inWord(b byte) bool {
	isLetter := b|0x20 >= 'a' && b|0x20 <= 'z'
	isDigit := b >= '0' && b <= '9'
	return isLetter || isDigit || b == '_'
}

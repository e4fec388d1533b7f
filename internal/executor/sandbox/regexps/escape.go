package regexps

import (
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/dop251/goja"
)

// escaped is a text as a pattern that matches it (22.2.5.1.1, EncodeForRegExpEscape).
func escaped(s goja.String) goja.String {
	var out goja.StringBuilder
	for k := 0; k < s.Length(); k++ {
		c := rune(s.CharAt(k))
		if utf16.IsSurrogate(c) && k+1 < s.Length() {
			if pair := utf16.DecodeRune(c, rune(s.CharAt(k+1))); pair != 0xfffd {
				out.WriteRune(pair)
				k++
				continue
			}
		}

		switch {
		case k == 0 && isASCIIWord(c) && c != '_':
			out.WriteUTF8String(fmt.Sprintf(`\x%02x`, c))
		case c < 0x80 && strings.ContainsRune(`^$\.*+?()[]{}|/`, c):
			out.WriteRune('\\')
			out.WriteRune(c)
		case '\t' <= c && c <= '\r':
			out.WriteRune('\\')
			out.WriteRune(rune("tnvfr"[c-'\t']))
		case c < 0x80 && strings.ContainsRune(",-=<>#&!%:;@~'`\"", c), c == ' ', c == 0xa0:
			out.WriteUTF8String(fmt.Sprintf(`\x%02x`, c))
		case isSpace(c), utf16.IsSurrogate(c):
			out.WriteUTF8String(fmt.Sprintf(`\u%04x`, c))
		default:
			out.WriteRune(c)
		}
	}
	return out.String()
}

func isASCIIWord(c rune) bool {
	return c == '_' || '0' <= c && c <= '9' || c < 0x80 && 'a' <= c|0x20 && c|0x20 <= 'z'
}

// isSpace reports white space and line terminators beyond Latin-1.
func isSpace(c rune) bool {
	switch c {
	case 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000, 0xfeff:
		return true
	}
	return 0x2000 <= c && c <= 0x200a
}

// escapedSource is a pattern's text as it may stand between slashes (22.2.6.13.1, EscapeRegExpPattern).
func escapedSource(s goja.String) goja.String {
	if s.Length() == 0 {
		return goja.StringFromUTF16([]uint16{'(', '?', ':', ')'})
	}

	var out goja.StringBuilder
	from := 0

	inClass := false
	for k := 0; k < s.Length(); k++ {
		replacement := ""
		switch s.CharAt(k) {
		case '\\':
			if k+1 >= s.Length() || terminator(s.CharAt(k+1)) == "" {
				k++
				continue
			}
			// An escaped line terminator is the terminator itself.
			out.WriteSubstring(s, from, k)
			out.WriteUTF8String(terminator(s.CharAt(k + 1)))
			k++
			from = k + 1
			continue
		case '[':
			inClass = true
		case ']':
			inClass = false
		case '/':
			if !inClass {
				replacement = `\/`
			}
		default:
			replacement = terminator(s.CharAt(k))
		}

		if replacement != "" {
			out.WriteSubstring(s, from, k)
			out.WriteUTF8String(replacement)
			from = k + 1
		}
	}

	if from == 0 {
		return s
	}
	out.WriteSubstring(s, from, s.Length())
	return out.String()
}

// terminator is a line terminator as an escape; nothing for another character.
func terminator(u uint16) string {
	switch u {
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case 0x2028:
		return `\u2028`
	case 0x2029:
		return `\u2029`
	}
	return ""
}

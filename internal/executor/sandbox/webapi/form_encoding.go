package webapi

import (
	"strings"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/engine"
)

// The form application/x-www-form-urlencoded (URL standard, 5).

// encodeForm serialises names and values.
func encodeForm(list []cloud.Header) string {
	var b strings.Builder
	for k, f := range list {
		if k > 0 {
			b.WriteByte('&')
		}
		encodeFormText(&b, f.Name)
		b.WriteByte('=')
		encodeFormText(&b, f.Value)
	}

	return b.String()
}

func encodeFormText(b *strings.Builder, s string) {
	const hexDigits = "0123456789ABCDEF"
	for _, c := range engine.UTF8(s) {
		switch {
		case isAlphanumeric(c) || strings.IndexByte("*-._", c) >= 0:
			b.WriteByte(c)
		case c == ' ':
			b.WriteByte('+')
		default:
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
}

// parseForm reads names and values. Whatever it is given it makes something of.
func parseForm(s string) []cloud.Header {
	var out []cloud.Header
	for part := range strings.SplitSeq(s, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		out = append(out, cloud.Header{Name: decodeFormText(name), Value: decodeFormText(value)})
	}

	return out
}

// decodeFormText takes what is no valid escape as it is.
func decodeFormText(s string) string {
	var text strings.Builder
	for k := 0; k < len(s); k++ {
		switch {
		case s[k] == '+':
			text.WriteByte(' ')
		case s[k] == '%' && k+2 < len(s) && isHex(s[k+1]) && isHex(s[k+2]):
			text.WriteByte(unhex(s[k+1])<<4 | unhex(s[k+2]))
			k += 2
		default:
			text.WriteByte(s[k])
		}
	}

	return DecodeUTF8([]byte(text.String()))
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	default:
		return c - 'A' + 10
	}
}

package webapi

import (
	"slices"
	"strings"

	"picloud/internal/cloud"
)

// mimeType is a MIME type with its parameters (MIME Sniffing standard, 4).
type mimeType struct {
	essence    string
	parameters []cloud.Header // in the order in which they were first named
}

const httpSpace = " \t\r\n"

// parseMIMEType parses a MIME type (MIME Sniffing standard, 4.4).
func parseMIMEType(s string) (mimeType, bool) {
	s = strings.Trim(s, httpSpace)
	essence, rest, _ := strings.Cut(s, ";")
	kind, subtype, ok := strings.Cut(strings.TrimRight(essence, httpSpace), "/")
	if !ok || !validHeaderName(kind) || !validHeaderName(subtype) {
		return mimeType{}, false
	}

	m := mimeType{essence: lowerASCII(kind + "/" + subtype)}
	for rest != "" {
		rest = strings.TrimLeft(rest, httpSpace)
		at := strings.IndexAny(rest, ";=")
		if at < 0 {
			break
		}

		name := lowerASCII(rest[:at])
		if rest[at] == ';' {
			rest = rest[at+1:]
			continue
		}

		var value string
		value, rest, ok = parseParameterValue(rest[at+1:])
		if ok && validHeaderName(name) && isQuotable(value) && m.parameter(name) == nil {
			m.parameters = append(m.parameters, cloud.Header{Name: name, Value: value})
		}
	}

	return m, true
}

// parseParameterValue reads the value of a parameter; rest is what comes after it and its semicolon.
func parseParameterValue(s string) (value, rest string, ok bool) {
	if strings.HasPrefix(s, `"`) {
		value, rest = quotedString(s)
		_, rest, _ = strings.Cut(rest, ";")
		return value, rest, true
	}

	value, rest, _ = strings.Cut(s, ";")
	value = strings.TrimRight(value, httpSpace)
	return value, rest, value != ""
}

// quotedString reads a quoted string at the beginning of s (Fetch standard, 2.2).
func quotedString(s string) (value, rest string) {
	var b strings.Builder

	for k := 1; k < len(s); k++ {
		switch c := s[k]; {
		case c == '"':
			return b.String(), s[k+1:]
		case c == '\\' && k+1 < len(s):
			k++
			b.WriteByte(s[k])
		default:
			b.WriteByte(c)
		}
	}

	return b.String(), ""
}

// isQuotable reports that a text has only the code points of a quoted string.
func isQuotable(s string) bool {
	for _, r := range s {
		if r != '\t' && (r < ' ' || r > 0xff || r == 0x7f) {
			return false
		}
	}
	return true
}

// parameter is the value of a parameter, or nil.
func (m *mimeType) parameter(name string) *string {
	k := slices.IndexFunc(m.parameters, func(p cloud.Header) bool { return p.Name == name })
	if k < 0 {
		return nil
	}
	return &m.parameters[k].Value
}

// String serialises a MIME type (MIME Sniffing standard, 4.5).
func (m *mimeType) String() string {
	var b strings.Builder
	b.WriteString(m.essence)

	for _, p := range m.parameters {
		b.WriteString(";" + p.Name + "=")
		if validHeaderName(p.Value) {
			b.WriteString(p.Value)
			continue
		}
		b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(p.Value) + `"`)
	}

	return b.String()
}

// extractMIMEType finds the MIME type that content-type fields name together (Fetch standard, 2.2.2): the
// last one, with the charset of an earlier one of the same essence.
func extractMIMEType(h *headersState) (mimeType, bool) {
	combined, has := h.get("content-type")
	if !has {
		return mimeType{}, false
	}

	var found mimeType
	var charset *string
	ok := false

	for _, part := range splitOutsideQuotes(combined) {
		m, valid := parseMIMEType(part)
		if !valid || m.essence == "*/*" {
			continue
		}

		sameEssence := ok && m.essence == found.essence
		ok = true

		found = m
		switch own := m.parameter("charset"); {
		case !sameEssence || own != nil:
			charset = own
		case charset != nil:
			found.parameters = append(found.parameters, cloud.Header{Name: "charset", Value: *charset})
		}
	}

	return found, ok
}

// splitOutsideQuotes splits a field's value at its commas (Fetch standard, 2.2.2, get, decode, and split).
func splitOutsideQuotes(s string) []string {
	var parts []string

	start := 0
	for k := 0; k < len(s); k++ {
		switch s[k] {
		case '"':
			_, rest := quotedString(s[k:])
			k = len(s) - len(rest) - 1
		case ',':
			parts = append(parts, s[start:k])
			start = k + 1
		}
	}

	return append(parts, s[start:])
}

// lowerASCII makes the letters of ASCII small, and no others.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

package engine

import "strings"

// How a callee is shown: as in the code, but for the arguments of calls and long indices.

// maxCallee is how many bytes of a callee are looked at.
const maxCallee = 200

// maxShownIndex is how long an index may be that is shown.
const maxShownIndex = 20

// calleeBefore is the text of the expression that ends at an offset, which begins a call's arguments; empty
// if it is none that has a name.
func calleeBefore(code string, at int) string {
	from := max(at-maxCallee, 0)
	k := at
	if strings.HasSuffix(code[from:k], "?.") { // an optional call
		k -= len("?.")
	}

	var parts []string // from the end
	for k > from {
		c := code[k-1]
		switch {
		case isNameByte(c) || c == '.' || c == '?' && k < len(code) && code[k] == '.':
			end := k
			for k > from && (isNameByte(code[k-1]) || code[k-1] == '.' || code[k-1] == '?') {
				k--
			}
			parts = append(parts, code[k:end])
			if first := code[k]; first != '.' && first != '?' {
				return joined(parts)
			}
		case c == ')' || c == ']':
			open := openBracket(code[from:k-1], k-1-from)
			if open < 0 {
				return joined(append(parts, "(intermediate value)"))
			}
			parts = append(parts, bracketText(code[from+open:k]))
			k = from + open
		default:
			return withoutName(parts)
		}
	}
	return withoutName(parts)
}

// bracketText is an index or arguments, shortened.
func bracketText(text string) string {
	switch {
	case text[0] == '(':
		return "(...)"
	case len(text) > maxShownIndex:
		return "[...]"
	default:
		return text
	}
}

// withoutName is a callee that does not begin with a name: a literal, or something in parentheses.
func withoutName(parts []string) string {
	if last := len(parts) - 1; last >= 0 && parts[last][0] != '.' {
		parts = parts[:last]
	}
	if len(parts) == 0 {
		return ""
	}
	return joined(append(parts, "(intermediate value)"))
}

// joined puts parts together that were found from the end.
func joined(parts []string) string {
	var text strings.Builder
	for k := len(parts) - 1; k >= 0; k-- {
		text.WriteString(parts[k])
	}
	return text.String()
}

// skipCallee is the offset after a name with properties.
func skipCallee(code string, at int) int {
	for at < len(code) && (isNameByte(code[at]) || code[at] == '.') {
		at++
	}
	return at
}

// wordAt is the name that begins at an offset.
func wordAt(code string, at int) string {
	end := at
	for end < len(code) && isNameByte(code[end]) {
		end++
	}
	return code[at:end]
}

// isNameByte reports what names are made of, private ones and those beyond ASCII too.
func isNameByte(c byte) bool {
	return c == '_' || c == '$' || c == '#' || c >= 0x80 ||
		'0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// endsExpression reports what a bracket after it is an index of.
func endsExpression(c byte) bool { return isNameByte(c) || c == ')' || c == ']' || c == '.' }

package engine

import "strings"

// What follows finds the ends of expressions in code that is known to be right but for what its reader looks
// for: brackets, strings, templates, comments and regular expressions are told apart, nothing else.

// openBracket is the offset of the bracket, of any kind, that is open at an offset, or -1 if there is none.
func openBracket(text string, at int) int {
	depth := 0
	for k := at - 1; k >= 0; k-- {
		switch c := text[k]; c {
		case ')', ']', '}':
			depth++
		case '(', '{', '[':
			if depth == 0 {
				return k
			}
			depth--
		case '"', '\'', '`':
			k = strings.LastIndexByte(text[:k], c)
			if k < 0 {
				return -1
			}
		}
	}
	return -1
}

// skipBrackets is the offset after the bracket that closes the one at an offset.
func skipBrackets(text string, at int) int {
	end := at + 1
	for end < len(text) {
		end = skipExpression(text, end)
		if end < len(text) && strings.IndexByte(")]}", text[end]) >= 0 {
			return end + 1
		}
		end++ // a comma or semicolon
	}
	return len(text)
}

// skipExpression is the offset of what ends an expression that begins at an offset: a comma, a semicolon or
// a closing bracket, or the end of the text.
func skipExpression(text string, at int) int {
	before := byte('(') // the last character that is no space
	for at < len(text) {
		c := text[at]
		switch c {
		case ',', ';', ')', ']', '}':
			return at
		case '(', '[', '{':
			at = skipBrackets(text, at)
			before = ')'
			continue
		case '"', '\'':
			at = skipQuoted(text, at, c)
			before = c
			continue
		case '`':
			at = skipTemplate(text, at)
			before = c
			continue
		case '/':
			end := skipSlash(text, at, before)
			if end > at+1 && text[at+1] != '/' && text[at+1] != '*' {
				before = ')'
			}
			at = end
			continue
		case ' ', '\t', '\r', '\n':
		default:
			before = c
		}
		at++
	}
	return at
}

// skipQuoted is the offset after a string, or after a regular expression outside of its classes.
func skipQuoted(text string, at int, quote byte) int {
	for at++; at < len(text); at++ {
		switch text[at] {
		case '\\':
			at++
		case quote:
			return at + 1
		}
	}
	return len(text)
}

// skipTemplate is the offset after a template, with the expressions in it.
func skipTemplate(text string, at int) int {
	for at++; at < len(text); at++ {
		switch {
		case text[at] == '\\':
			at++
		case text[at] == '`':
			return at + 1
		case strings.HasPrefix(text[at:], "${"):
			at = skipBrackets(text, at+1) - 1
		}
	}
	return len(text)
}

// skipSlash is the offset after a comment, a regular expression or a sign of division.
func skipSlash(text string, at int, before byte) int {
	rest := text[at:]
	switch {
	case strings.HasPrefix(rest, "//"):
		if end := strings.IndexByte(rest, '\n'); end >= 0 {
			return at + end
		}
		return len(text)
	case strings.HasPrefix(rest, "/*"):
		if end := strings.Index(rest[2:], "*/"); end >= 0 {
			return at + end + 4
		}
		return len(text)
	case strings.IndexByte("(,=:[!&|?{};+-*%<>~^", before) < 0:
		return at + 1
	}

	inClass := false
	for at++; at < len(text); at++ {
		switch c := text[at]; {
		case c == '\\':
			at++
		case c == '[':
			inClass = true
		case c == ']':
			inClass = false
		case c == '/' && !inClass:
			return at + 1
		}
	}
	return len(text)
}

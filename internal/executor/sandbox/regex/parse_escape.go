package regex

import (
	"unicode/utf16"
)

// escape parses what begins with a backslash outside of a class.
func (p *parser) escape() (n node, quantifiable bool, err error) {
	p.at++

	c := p.peek()
	switch {
	case c == -1:
		return nil, false, p.fail("\\ at end of pattern")
	case c == 'b' || c == 'B':
		p.at++
		return boundary{not: c == 'B', word: p.wordChars()}, false, nil
	case c == 'k' && p.named:
		p.at++
		n, err = p.namedReference()
		return n, true, err
	case '1' <= c && c <= '9':
		if n, err := p.numberedReference(); n != nil || err != nil {
			return n, true, err
		}
	case (c == 'p' || c == 'P') && p.unicode:
		n, err = p.property()
		return n, true, err
	}

	if s, ok := p.classEscape(); ok {
		n, err = p.oneOf(s)
		return n, true, err
	}

	char, err := p.characterEscape(false)
	if err != nil {
		return nil, false, err
	}

	n, err = p.oneOf(single(char))
	return n, true, err
}

// wordChars are the characters of \w and \b, which the flags u and i together add to (22.2.2.9.3).
func (p *parser) wordChars() chars {
	if p.unicode && p.ignoreCase {
		return wordCharsFolded
	}
	return wordChars
}

// classEscape takes \d, \s, \w and their complements behind the backslash.
func (p *parser) classEscape() (s chars, ok bool) {
	switch p.peek() {
	case 'd', 'D':
		s = digits
	case 's', 'S':
		s = whiteSpace
	case 'w', 'W':
		s = p.wordChars()
	default:
		return nil, false
	}

	if c := p.peek(); c == 'D' || c == 'S' || c == 'W' {
		s = p.complement(s)
	}
	p.at++

	return s, true
}

// complement is the characters that are not in a set. With the flags v and i sets are of folded characters.
func (p *parser) complement(s chars) chars {
	if p.flags.Has(UnicodeSets) && p.ignoreCase {
		return foldedAll().difference(folded(s))
	}
	return s.complement()
}

// numberedReference takes a back reference by number. Without the flag u or v, one that is greater than the
// number of groups is not one: nil.
func (p *parser) numberedReference() (node, error) {
	number, end, _ := p.decimal(p.at)
	if number > p.total {
		if p.unicode {
			return nil, p.fail("Invalid escape")
		}
		return nil, nil
	}

	p.at = end
	return &backReference{groups: []int{number}, ignoreCase: p.ignoreCase}, nil
}

// namedReference takes the name of a back reference, behind the k.
func (p *parser) namedReference() (node, error) {
	at := p.at
	if !p.eat('<') {
		return nil, p.fail("Invalid named reference")
	}

	name, err := p.groupName()
	if err != nil {
		return nil, syntaxError(at, "Invalid named reference")
	}

	n := &backReference{ignoreCase: p.ignoreCase}
	p.references = append(p.references, reference{name, at, n})
	return n, nil
}

// groupName parses the name of a group and the angle bracket behind it.
func (p *parser) groupName() (string, error) {
	var name []rune
	for !p.eat('>') {
		c := p.peek()

		p.at++
		switch {
		case c == -1:
			return "", p.fail("Invalid capture group name")
		case c == '\\':
			if !p.eat('u') {
				return "", p.fail("Invalid capture group name")
			}
			escaped, ok := p.unicodeEscape(true)
			if !ok {
				return "", p.fail("Invalid Unicode escape")
			}
			c = escaped
		case utf16.IsSurrogate(c) && utf16.IsSurrogate(p.peek()):
			if pair := utf16.DecodeRune(c, p.peek()); pair != 0xfffd {
				c = pair
				p.at++
			}
		}

		if !isNameChar(c, len(name) == 0) {
			return "", p.fail("Invalid capture group name")
		}
		name = append(name, c)
	}

	if len(name) == 0 {
		return "", p.fail("Invalid capture group name")
	}
	return string(name), nil
}

// isNameChar reports a character of an identifier.
func isNameChar(c rune, isFirst bool) bool {
	if c < 0x80 {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		return letter || c == '$' || c == '_' || !isFirst && isDigit(c)
	}

	if isFirst {
		return propertyTables()["binary ID_Start"].set().has(c)
	}
	return propertyTables()["binary ID_Continue"].set().has(c) || c == 0x200c || c == 0x200d
}

// controlLetters are the escapes of one letter.
var controlLetters = map[rune]rune{'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v'}

// characterEscape takes an escape of one character behind the backslash (22.2.1, CharacterEscape, with
// Annex B where it is allowed).
func (p *parser) characterEscape(inClass bool) (rune, error) {
	c := p.peek()
	if c == -1 {
		return 0, p.fail("\\ at end of pattern")
	}
	if control, ok := controlLetters[c]; ok {
		p.at++
		return control, nil
	}

	switch {
	case c == 'c':
		return p.controlEscape(inClass)
	case isDigit(c):
		return p.digitEscape()
	case c == 'x' || c == 'u':
		return p.hexEscape()
	}

	return p.identityEscape(inClass)
}

// controlEscape takes \cX. Without the flag u or v a backslash that begins none is a character.
func (p *parser) controlEscape(inClass bool) (rune, error) {
	next := p.peekAt(1)
	isLetter := next|0x20 >= 'a' && next|0x20 <= 'z' && next < 0x80
	if isLetter || inClass && !p.unicode && (isDigit(next) || next == '_') {
		p.at += 2
		return next & 0x1f, nil
	}
	if p.unicode {
		return 0, p.fail("Invalid unicode escape")
	}
	return '\\', nil
}

// digitEscape takes \0, or a legacy octal escape.
func (p *parser) digitEscape() (rune, error) {
	c := p.peek()
	if p.unicode {
		if c != '0' || isDigit(p.peekAt(1)) {
			return 0, p.fail("Invalid decimal escape")
		}
		p.at++
		return 0, nil
	}
	if c > '7' {
		p.at++
		return c, nil
	}

	var n rune
	for range 3 {
		d := p.peek()
		if d < '0' || d > '7' || n*8+d-'0' > 0xff {
			break
		}
		n = n*8 + d - '0'
		p.at++
	}

	return n, nil
}

// hexEscape takes \xHH, \uHHHH or \u{...}. Without the flag u or v, what is none of them is its letter.
func (p *parser) hexEscape() (rune, error) {
	letter := p.peek()
	p.at++

	start := p.at
	if letter == 'x' {
		if c, ok := p.hexDigits(2); ok {
			return c, nil
		}
	} else if c, ok := p.unicodeEscape(p.unicode); ok {
		return c, nil
	}

	if p.unicode {
		return 0, p.fail("Invalid Unicode escape")
	}
	p.at = start

	return letter, nil
}

// unicodeEscape takes what follows \u; full allows braces and pairs.
func (p *parser) unicodeEscape(full bool) (rune, bool) {
	if full && p.eat('{') {
		var n rune

		start := p.at
		for p.peek() != '}' {
			d, ok := hexValue(p.peek())
			if !ok || n > maxChar {
				return 0, false
			}
			n = n*16 + d
			p.at++
		}
		p.at++
		return n, n <= maxChar && p.at-1 > start
	}

	c, ok := p.hexDigits(4)
	if !ok || !full || !isHigh(uint16(c)) {
		return c, ok
	}

	// A second escape may make a pair of it.
	start := p.at
	if p.eatText("\\u") {
		if low, ok := p.hexDigits(4); ok && isLow(uint16(low)) {
			return utf16.DecodeRune(c, low), true
		}
	}
	p.at = start

	return c, true
}

func (p *parser) hexDigits(count int) (rune, bool) {
	var n rune
	for k := range count {
		d, ok := hexValue(p.peekAt(k))
		if !ok {
			return 0, false
		}
		n = n*16 + d
	}
	p.at += count
	return n, true
}

func hexValue(c rune) (rune, bool) {
	switch {
	case isDigit(c):
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// identityEscape takes a character that stands for itself.
func (p *parser) identityEscape(inClass bool) (rune, error) {
	c := p.peek()
	allowed := c != 'k' || !p.named
	if p.unicode {
		allowed = isSyntaxChar(c) || c == '/' || inClass && c == '-'
	}
	if !allowed {
		return 0, p.fail("Invalid escape")
	}

	p.at++
	return c, nil
}

func isSyntaxChar(c rune) bool {
	switch c {
	case '^', '$', '\\', '.', '*', '+', '?', '(', ')', '[', ']', '{', '}', '|':
		return true
	}
	return false
}

// property parses \p{...} or \P{...} behind the backslash, outside of a class.
func (p *parser) property() (node, error) {
	set, err := p.propertyClass()
	if err != nil {
		return nil, err
	}
	return p.classNode(set)
}

// propertyClass takes a property escape behind the backslash.
func (p *parser) propertyClass() (classSet, error) {
	isNot := p.peek() == 'P'
	p.at++
	if !p.eat('{') {
		return classSet{}, p.fail("Invalid property name")
	}

	start := p.at
	for p.peek() != '}' {
		if c := p.peek(); c == -1 || c >= 0x80 {
			return classSet{}, p.fail("Invalid property name")
		}
		p.at++
	}
	text := string(p.text[start:p.at])
	p.at++

	if s, ok := propertySet(text); ok {
		if isNot {
			s = p.complement(s)
		}
		return classSet{chars: s}, nil
	}

	if p.flags.Has(UnicodeSets) && !isNot {
		if s, texts, ok := propertyStrings(text); ok {
			return newClassSet(s, texts), nil
		}
	}

	return classSet{}, p.fail("Invalid property name")
}

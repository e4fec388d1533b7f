package regex

import (
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// classSet is what a class with the flag v consists of: characters, and strings of none or several. With the
// flag i all of them are folded.
type classSet struct {
	chars chars
	texts map[string]struct{}
}

func newClassSet(s chars, texts []string) classSet {
	set := classSet{chars: s, texts: make(map[string]struct{}, len(texts))}
	for _, text := range texts {
		set.texts[text] = struct{}{}
	}
	return set
}

// folded is the set with every member folded.
func (s classSet) folded() classSet {
	out := classSet{chars: folded(s.chars), texts: make(map[string]struct{}, len(s.texts))}
	for text := range s.texts {
		out.texts[foldText(text)] = struct{}{}
	}
	return out
}

func foldText(text string) string {
	out := []rune(nil)
	for _, c := range charsOf(text) {
		out = append(out, canonicalize(c, true))
	}
	return textOf(out)
}

// textOf makes a string of characters, of which lone surrogates are written as UTF-8 would.
func textOf(list []rune) string {
	var out []byte
	for _, c := range list {
		if utf16.IsSurrogate(c) {
			out = append(out, 0xe0|byte(c>>12), 0x80|byte(c>>6)&0x3f, 0x80|byte(c)&0x3f)
		} else {
			out = utf8.AppendRune(out, c)
		}
	}
	return string(out)
}

// charsOf is the reverse of textOf.
func charsOf(text string) []rune {
	var out []rune
	for len(text) > 0 {
		c, size := utf8.DecodeRuneInString(text)
		if c == utf8.RuneError && size == 1 {
			size = 3
			c = rune(text[0]&0xf)<<12 | rune(text[1]&0x3f)<<6 | rune(text[2]&0x3f)
		}
		out = append(out, c)
		text = text[size:]
	}
	return out
}

// classNode makes the node of a set: its strings, the longest first, then its characters, then the empty
// string.
func (p *parser) classNode(set classSet) (node, error) {
	single, err := p.oneOf(set.chars)
	if err != nil || len(set.texts) == 0 {
		return single, err
	}

	texts := make([]string, 0, len(set.texts))
	for text := range set.texts {
		texts = append(texts, text)
	}
	slices.SortFunc(texts, func(a, b string) int {
		if d := len(charsOf(b)) - len(charsOf(a)); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})

	var all alternatives

	isLast := false // the characters were added
	for _, text := range texts {
		if text == "" {
			all = append(all, single)
			isLast = true
		}
		n, err := p.textNode(text)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	if !isLast {
		all = append(all, single)
	}

	return all, nil
}

// textNode makes the node of a string of a class.
func (p *parser) textNode(text string) (node, error) {
	if text == "" {
		return empty{}, nil
	}

	var terms sequence
	for _, c := range charsOf(text) {
		n, err := p.oneOf(single(c))
		if err != nil {
			return nil, err
		}
		terms = append(terms, n)
	}
	return terms, nil
}

// setClass parses a class with the flag v, behind its bracket or its ^.
func (p *parser) setClass(isNot bool) (node, error) {
	set, err := p.setContents(isNot)
	if err != nil {
		return nil, err
	}
	return p.classNode(set.classSet)
}

// setContents parses a class up to its bracket.
func (p *parser) setContents(isNot bool) (operand, error) {
	p.depth++
	if p.depth > maxPatternDepth {
		return operand{}, p.fail("Regular expression too large")
	}
	defer func() { p.depth-- }()

	set, err := p.setExpression()
	if err != nil {
		return operand{}, err
	}
	if !p.eat(']') {
		return operand{}, p.fail("Invalid character in character class")
	}

	if isNot {
		if set.mayHaveTexts {
			return operand{}, p.fail("Negated character class may contain strings")
		}
		set.chars = p.complement(set.chars)
	}

	return set, nil
}

// operand is a part of a class. mayHaveTexts is decided by how it is written, not by what it contains
// (22.2.1.6, MayContainStrings).
type operand struct {
	classSet
	mayHaveTexts bool
	isChar       bool // it may begin or end a range
}

// setExpression parses a union, an intersection or a difference.
func (p *parser) setExpression() (operand, error) {
	if p.peek() == ']' {
		return operand{}, nil
	}

	left, err := p.setOperand()
	if err != nil {
		return operand{}, err
	}

	switch {
	case p.isOperator('&'):
		return p.setOperation('&', left)
	case p.isOperator('-'):
		return p.setOperation('-', left)
	}

	return p.setUnion(left)
}

func (p *parser) isOperator(c rune) bool { return p.peek() == c && p.peekAt(1) == c }

// setOperation parses the operands of an intersection, &&, or a difference, --.
func (p *parser) setOperation(operator rune, left operand) (operand, error) {
	left.isChar = false
	for p.peek() != ']' {
		if !p.isOperator(operator) {
			return operand{}, p.fail("Invalid set operation in character class")
		}
		p.at += 2
		if operator == '&' && p.peek() == '&' {
			return operand{}, p.fail("Invalid character in character class")
		}

		right, err := p.setOperand()
		if err != nil {
			return operand{}, err
		}

		if operator == '&' {
			left.chars = left.chars.intersection(right.chars)
			left.mayHaveTexts = left.mayHaveTexts && right.mayHaveTexts
		} else {
			left.chars = left.chars.difference(right.chars)
		}

		kept := map[string]struct{}{}
		for text := range left.texts {
			if _, both := right.texts[text]; both == (operator == '&') {
				kept[text] = struct{}{}
			}
		}
		left.texts = kept
	}

	return left, nil
}

// setUnion parses the rest of a union, with its ranges.
func (p *parser) setUnion(left operand) (operand, error) {
	all := operand{mayHaveTexts: left.mayHaveTexts, classSet: classSet{texts: map[string]struct{}{}}}

	var spans []span

	next := left
	for {
		if p.peek() == '-' && !p.isOperator('-') {
			ranged, err := p.setRange(next)
			if err != nil {
				return operand{}, err
			}
			next = ranged
		}

		spans = append(spans, next.chars...)
		for text := range next.texts {
			all.texts[text] = struct{}{}
		}
		all.mayHaveTexts = all.mayHaveTexts || next.mayHaveTexts
		if len(spans)+len(all.texts) > maxSpans {
			return operand{}, p.fail("Regular expression too large")
		}

		if p.peek() == ']' || p.peek() == -1 {
			break
		}
		if p.isOperator('&') || p.isOperator('-') {
			return operand{}, p.fail("Invalid set operation in character class")
		}

		var err error
		if next, err = p.setOperand(); err != nil {
			return operand{}, err
		}
	}

	all.chars = normal(spans)
	return all, nil
}

// setRange parses the rest of a range, from its hyphen.
func (p *parser) setRange(low operand) (operand, error) {
	p.at++
	if !low.isChar {
		return operand{}, p.fail("Invalid character class")
	}

	high, isChar, err := p.setChar()
	switch {
	case err != nil:
		return operand{}, err
	case !isChar:
		return operand{}, p.fail("Invalid character class")
	case low.low() > high:
		return operand{}, p.fail("Range out of order in character class")
	}

	return p.operandOf(chars{{low.low(), high}}), nil
}

// low is the character of an operand that is one, unfolded.
func (o *operand) low() rune { return o.chars[0].lo }

// operandOf makes an operand of characters, folded with the flag i.
func (p *parser) operandOf(s chars) operand {
	if p.ignoreCase {
		s = folded(s)
	}
	return operand{classSet: classSet{chars: s}}
}

// setOperand parses a character, a nested class, \q{...} or an escape that is a class.
func (p *parser) setOperand() (operand, error) {
	if p.eat('[') {
		return p.setContents(p.eat('^'))
	}

	if p.peek() == '\\' {
		switch next := p.peekAt(1); {
		case next == 'q' && p.peekAt(2) == '{':
			p.at += 3
			return p.textAlternatives()
		case next == 'p' || next == 'P':
			p.at++
			set, err := p.propertyClass()
			if p.ignoreCase {
				set = set.folded()
			}
			return operand{classSet: set, mayHaveTexts: len(set.texts) > 0}, err
		}

		p.at++
		if s, ok := p.classEscape(); ok {
			return p.operandOf(s), nil
		}
		p.at--
	}

	c, isChar, err := p.setChar()
	if err != nil {
		return operand{}, err
	}
	if !isChar {
		return operand{}, p.fail("Invalid character in character class")
	}

	// A character that begins a range is folded with the range.
	if p.peek() == '-' && !p.isOperator('-') {
		return operand{classSet: classSet{chars: single(c)}, isChar: true}, nil
	}
	return p.operandOf(single(c)), nil
}

// setChar parses one character of a class with the flag v; false if there is none that may stand there.
func (p *parser) setChar() (c rune, ok bool, err error) {
	c = p.peek()
	switch {
	case c == -1:
		return 0, false, p.fail("Unterminated character class")
	case c == '\\':
		p.at++
		c, err = p.setEscape()
		return c, err == nil, err
	case strings.ContainsRune("()[]{}/-|", c):
		return 0, false, nil
	case p.peekAt(1) == c && strings.ContainsRune("&!#$%*+,.:;<=>?@^`~", c):
		return 0, false, nil
	}

	p.at++
	return c, true, nil
}

// setEscape takes an escape of one character of a class with the flag v, behind the backslash.
func (p *parser) setEscape() (rune, error) {
	c := p.peek()
	switch {
	case c == 'b':
		p.at++
		return '\b', nil
	case c != -1 && strings.ContainsRune("&-!#%,:;<=>@`~", c):
		p.at++
		return c, nil
	}
	return p.characterEscape(true)
}

// textAlternatives parses \q{...} behind its brace.
func (p *parser) textAlternatives() (operand, error) {
	all := operand{classSet: classSet{texts: map[string]struct{}{}}}

	var singles []span
	var text []rune
	add := func() {
		if p.ignoreCase {
			text = charsOf(foldText(textOf(text)))
		}
		if len(text) == 1 {
			singles = append(singles, span{text[0], text[0]})
		} else {
			all.texts[textOf(text)] = struct{}{}
			all.mayHaveTexts = true
		}
		text = nil
	}

	for {
		switch {
		case p.eat('}'):
			add()
			all.chars = normal(singles)
			return all, nil
		case p.eat('|'):
			add()
		default:
			c, isChar, err := p.setChar()
			if err != nil {
				return operand{}, err
			}
			if !isChar {
				return operand{}, p.fail("Invalid character in character class")
			}
			text = append(text, c)
		}
	}
}

package regex

// class parses what stands in brackets.
func (p *parser) class() (node, error) {
	p.at++
	isNot := p.eat('^')
	if p.flags.Has(UnicodeSets) {
		return p.setClass(isNot)
	}

	s, err := p.classRanges()
	if err != nil {
		return nil, err
	}

	if p.ignoreCase {
		s = closed(s, p.unicode)
	}
	if isNot {
		s = s.complement()
	}

	p.spans += len(s)
	if p.spans > maxSpans {
		return nil, p.fail("Regular expression too large")
	}
	return oneOf{s}, nil
}

// classRanges parses a class without the flag v up to its bracket.
func (p *parser) classRanges() (chars, error) {
	var all []span
	for !p.eat(']') {
		low, isChar, err := p.classAtom()
		if err != nil {
			return nil, err
		}

		if p.peek() != '-' || p.peekAt(1) == ']' || p.peekAt(1) == -1 {
			all = append(all, low...)
			continue
		}
		p.at++

		high, isHighChar, err := p.classAtom()
		switch {
		case err != nil:
			return nil, err
		case isChar && isHighChar:
			if low[0].lo > high[0].lo {
				return nil, p.fail("Range out of order in character class")
			}
			all = append(all, span{low[0].lo, high[0].lo})
		case p.unicode:
			return nil, p.fail("Invalid character class")
		default: // Annex B: a class on one side makes the hyphen a character
			all = append(append(append(all, low...), high...), span{'-', '-'})
		}

		if len(all) > maxSpans {
			return nil, p.fail("Regular expression too large")
		}
	}

	return normal(all), nil
}

// classAtom parses a character of a class, or an escape that is a class itself.
func (p *parser) classAtom() (s chars, isChar bool, err error) {
	c := p.peek()
	if c == -1 {
		return nil, false, p.fail("Unterminated character class")
	}
	p.at++
	if c != '\\' {
		return single(c), true, nil
	}

	switch next := p.peek(); {
	case next == 'b':
		p.at++
		return single('\b'), true, nil
	case (next == 'p' || next == 'P') && p.unicode:
		set, err := p.propertyClass()
		return set.chars, false, err
	}
	if s, ok := p.classEscape(); ok {
		return s, false, nil
	}

	c, err = p.characterEscape(true)
	return single(c), true, err
}

package regex

import (
	"slices"
	"unicode/utf16"
)

// What a pattern may consist of, so that compiling it takes bounded memory.
const (
	maxPatternDepth = 1000   // groups and classes within each other
	maxGroups       = 32767  // capturing groups
	maxSpans        = 400000 // spans of all sets together
)

// parser goes over one pattern once. With the flag u or v a character of the pattern is a code point, else a
// code unit.
type parser struct {
	text    []rune
	at      int
	flags   Flags
	unicode bool // the flag u or v
	named   bool // \k is a reference: the pattern has a named group, or the flag u or v

	// ignoreCase, multiline and dotAll are the flags i, m and s where the parser is: modifiers change them.
	ignoreCase, multiline, dotAll bool

	total  int // capturing groups of the whole pattern
	groups int // of what was parsed so far
	names  []Name
	depth  int
	spans  int

	// path leads to where the parser is: by number, each disjunction around it and which alternative of it.
	// paths are those of the named groups, by index: two of the same name must differ in an alternative.
	path         []choice
	paths        map[int][]choice
	disjunctions int

	// references are the back references by name, which are resolved when all names are known.
	references []reference
}

// choice is an alternative of a disjunction.
type choice struct{ disjunction, alternative int }

// reference is a \k<name>: its node gets its groups at the end.
type reference struct {
	name string
	at   int
	node *backReference
}

func newParser(pattern []uint16, flags Flags) *parser {
	p := &parser{
		flags:      flags,
		unicode:    flags.FullUnicode(),
		ignoreCase: flags.Has(IgnoreCase),
		multiline:  flags.Has(Multiline),
		dotAll:     flags.Has(DotAll),
		paths:      map[int][]choice{},
	}
	p.text = decode(pattern, p.unicode)
	return p
}

// decode makes the characters of a pattern of its code units. Halves of pairs that stand alone are
// characters.
func decode(units []uint16, pairs bool) []rune {
	out := make([]rune, 0, len(units))
	for k := 0; k < len(units); k++ {
		c := rune(units[k])
		if pairs && k+1 < len(units) && isHigh(units[k]) && isLow(units[k+1]) {
			c = utf16.DecodeRune(c, rune(units[k+1]))
			k++
		}
		out = append(out, c)
	}
	return out
}

func isHigh[T unit](u T) bool { return uint16(u)&0xfc00 == 0xd800 }
func isLow[T unit](u T) bool  { return uint16(u)&0xfc00 == 0xdc00 }

func (p *parser) parse() (node, error) {
	p.countGroups()
	if p.total > maxGroups {
		return nil, p.fail("Too many captures")
	}

	root, err := p.disjunction()
	if err != nil {
		return nil, err
	}
	if p.at < len(p.text) {
		return nil, p.fail("Unmatched ')'")
	}

	for _, r := range p.references {
		k := slices.IndexFunc(p.names, func(n Name) bool { return n.Name == r.name })
		if k < 0 {
			return nil, syntaxError(r.at, "Invalid named capture referenced")
		}
		r.node.groups = p.names[k].Groups
	}

	return root, nil
}

// countGroups looks ahead for the capturing groups of the pattern, which decide what an escape of digits and
// \k mean.
func (p *parser) countGroups() {
	p.named = p.unicode

	inClass := 0
	for k := 0; k < len(p.text); k++ {
		switch c := p.text[k]; {
		case c == '\\':
			k++
		case c == '[' && (inClass == 0 || p.flags.Has(UnicodeSets)):
			inClass++
		case c == ']' && inClass > 0:
			inClass--
		case c == '(' && inClass == 0:
			switch {
			case k+1 >= len(p.text) || p.text[k+1] != '?':
				p.total++
			case k+3 < len(p.text) && p.text[k+2] == '<' && p.text[k+3] != '=' && p.text[k+3] != '!':
				p.total++
				p.named = true
			}
		}
	}
}

// fail is an error at the present place.
func (p *parser) fail(message string) error { return syntaxError(p.at, "%s", message) }

// peek is the next character, or -1 at the end.
func (p *parser) peek() rune { return p.peekAt(0) }

func (p *parser) peekAt(offset int) rune {
	if p.at+offset < len(p.text) {
		return p.text[p.at+offset]
	}
	return -1
}

// eat takes the next character if it is c.
func (p *parser) eat(c rune) bool {
	if p.peek() != c {
		return false
	}
	p.at++
	return true
}

// eatText takes what comes next if it is text.
func (p *parser) eatText(text string) bool {
	for k, c := range []byte(text) {
		if p.peekAt(k) != rune(c) {
			return false
		}
	}
	p.at += len(text)
	return true
}

// oneOf makes the node of a set of characters, closed under the flag i.
func (p *parser) oneOf(s chars) (node, error) {
	if p.ignoreCase {
		s = closed(s, p.unicode)
	}

	p.spans += len(s)
	if p.spans > maxSpans {
		return nil, p.fail("Regular expression too large")
	}

	return oneOf{s}, nil
}

// disjunction parses alternatives up to the end of the group or of the pattern.
func (p *parser) disjunction() (node, error) {
	p.depth++
	if p.depth > maxPatternDepth {
		return nil, p.fail("Regular expression too large")
	}
	defer func() { p.depth-- }()

	p.disjunctions++
	p.path = append(p.path, choice{p.disjunctions, 0})
	defer func() { p.path = p.path[:len(p.path)-1] }()

	var all alternatives
	for {
		terms, err := p.alternative()
		if err != nil {
			return nil, err
		}
		all = append(all, terms)
		if !p.eat('|') {
			break
		}
		p.path[len(p.path)-1].alternative++
	}

	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

// alternative parses terms one after the other.
func (p *parser) alternative() (node, error) {
	var terms sequence
	for p.at < len(p.text) && p.peek() != '|' && p.peek() != ')' {
		term, err := p.term()
		if err != nil {
			return nil, err
		}
		if term != nil {
			terms = append(terms, term)
		}
	}

	switch len(terms) {
	case 0:
		return empty{}, nil
	case 1:
		return terms[0], nil
	}
	return terms, nil
}

// term parses an assertion, or an atom with its quantifier.
func (p *parser) term() (node, error) {
	first := p.groups

	atom, quantifiable, err := p.atom()
	if err != nil {
		return nil, err
	}

	if !quantifiable {
		if c := p.peek(); c == '*' || c == '+' || c == '?' || c == '{' && (p.unicode || p.isBraces()) {
			return nil, p.fail("Nothing to repeat")
		}
		return atom, nil
	}

	return p.quantified(atom, first)
}

// atom parses a term without its quantifier, and reports whether it may have one.
func (p *parser) atom() (n node, quantifiable bool, err error) {
	c := p.peek()
	switch c {
	case '^':
		p.at++
		return lineStart{p.multiline}, false, nil
	case '$':
		p.at++
		return lineEnd{p.multiline}, false, nil
	case '(':
		return p.group()
	case '.':
		p.at++
		return p.dot(), true, nil
	case '[':
		n, err = p.class()
		return n, true, err
	case '\\':
		return p.escape()
	case '*', '+', '?':
		return nil, false, p.fail("Nothing to repeat")
	case '{':
		if p.unicode || p.isBraces() {
			return nil, false, p.fail("Nothing to repeat")
		}
	case '}', ']':
		if p.unicode {
			return nil, false, p.fail("Lone quantifier brackets")
		}
	}

	p.at++
	n, err = p.oneOf(single(c))
	return n, true, err
}

func (p *parser) dot() node {
	if p.dotAll {
		return oneOf{everything}
	}
	return oneOf{notLineTerminator}
}

var notLineTerminator = lineTerminator.complement()

// group parses what begins with a parenthesis.
func (p *parser) group() (n node, quantifiable bool, err error) {
	p.at++
	switch {
	case p.eatText("?:"):
		n, err = p.disjunction()
	case p.eatText("?="), p.eatText("?!"):
		not := p.text[p.at-1] == '!'
		n, err = p.disjunction()
		n = look{not: not, body: n}
		quantifiable = !p.unicode
		return n, quantifiable, p.closed(err)
	case p.eatText("?<="), p.eatText("?<!"):
		not := p.text[p.at-1] == '!'
		n, err = p.disjunction()
		return look{behind: true, not: not, body: n}, false, p.closed(err)
	case p.eatText("?<"):
		n, err = p.capture(true)
	case p.peek() == '?':
		n, err = p.modified()
	default:
		n, err = p.capture(false)
	}

	return n, true, p.closed(err)
}

// closed takes the parenthesis that ends a group.
func (p *parser) closed(err error) error {
	if err == nil && !p.eat(')') {
		return p.fail("Unterminated group")
	}
	return err
}

// capture parses a capturing group behind its parenthesis, or behind (?< if it has a name.
func (p *parser) capture(isNamed bool) (node, error) {
	p.groups++
	index := p.groups
	if isNamed {
		name, err := p.groupName()
		if err != nil {
			return nil, err
		}
		if err := p.addName(name, index); err != nil {
			return nil, err
		}
	}

	body, err := p.disjunction()
	return group{index, body}, err
}

// addName notes the name of a group. A group of the same name must be in another alternative.
func (p *parser) addName(name string, index int) error {
	p.paths[index] = slices.Clone(p.path)

	k := slices.IndexFunc(p.names, func(n Name) bool { return n.Name == name })
	if k < 0 {
		p.names = append(p.names, Name{name, []int{index}})
		return nil
	}

	for _, other := range p.names[k].Groups {
		if !exclude(p.paths[other], p.path) {
			return p.fail("Duplicate capture group name")
		}
	}
	p.names[k].Groups = append(p.names[k].Groups, index)

	return nil
}

// exclude reports whether two places are in different alternatives of one disjunction.
func exclude(a, b []choice) bool {
	for k := range min(len(a), len(b)) {
		if a[k].disjunction != b[k].disjunction {
			return false
		}
		if a[k].alternative != b[k].alternative {
			return true
		}
	}
	return false
}

// modified parses (?ims-ims: and its body, behind the parenthesis.
func (p *parser) modified() (node, error) {
	p.at++

	var on, off string

	target := &on
	for p.peek() != ':' {
		switch c := p.peek(); {
		case c == '-' && target == &on:
			target = &off
		case c == 'i' || c == 'm' || c == 's':
			for _, seen := range on + off {
				if seen == c {
					return nil, p.fail("Repeated flag in modifiers")
				}
			}
			*target += string(c)
		default:
			return nil, p.fail("Invalid group")
		}
		p.at++
	}
	if target == &off && on+off == "" {
		return nil, p.fail("Invalid group")
	}
	p.at++

	outer := [3]bool{p.ignoreCase, p.multiline, p.dotAll}
	p.modify(on, true)
	p.modify(off, false)

	n, err := p.disjunction()

	p.ignoreCase, p.multiline, p.dotAll = outer[0], outer[1], outer[2]
	return n, err
}

func (p *parser) modify(flags string, to bool) {
	for _, c := range flags {
		switch c {
		case 'i':
			p.ignoreCase = to
		case 'm':
			p.multiline = to
		case 's':
			p.dotAll = to
		}
	}
}

// isBraces reports whether a quantifier in braces comes next.
func (p *parser) isBraces() bool {
	_, _, _, ok := p.braces()
	return ok
}

// braces reads a quantifier in braces, and the place behind it, without taking it.
func (p *parser) braces() (low, high, end int, ok bool) {
	k := p.at
	if k >= len(p.text) || p.text[k] != '{' {
		return 0, 0, 0, false
	}
	k++

	low, k, ok = p.decimal(k)
	if !ok {
		return 0, 0, 0, false
	}

	high = low
	if k < len(p.text) && p.text[k] == ',' {
		k++
		high = unbounded
		if n, next, isNumber := p.decimal(k); isNumber {
			high, k = n, next
		}
	}

	if k >= len(p.text) || p.text[k] != '}' {
		return 0, 0, 0, false
	}
	return low, high, k + 1, true
}

// decimal reads digits. A number that is too big is unbounded.
func (p *parser) decimal(from int) (n, end int, ok bool) {
	k := from
	for k < len(p.text) && isDigit(p.text[k]) {
		n = min(n*10+int(p.text[k]-'0'), unbounded)
		k++
	}
	return n, k, k > from
}

func isDigit(c rune) bool { return '0' <= c && c <= '9' }

// quantified parses the quantifier of an atom, if it has one. first is how many groups there were before the
// atom.
func (p *parser) quantified(atom node, first int) (node, error) {
	r := repeat{body: atom, max: unbounded, first: first + 1, last: p.groups + 1}
	switch p.peek() {
	case '*':
		p.at++
	case '+':
		p.at++
		r.min = 1
	case '?':
		p.at++
		r.max = 1
	case '{':
		low, high, end, ok := p.braces()
		if !ok {
			if p.unicode {
				return nil, p.fail("Incomplete quantifier")
			}
			return atom, nil
		}
		if low > high {
			return nil, p.fail("numbers out of order in {} quantifier")
		}
		p.at = end
		r.min, r.max = low, high
	default:
		return atom, nil
	}

	r.lazy = p.eat('?')
	return r, nil
}

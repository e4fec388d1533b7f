package regex

// node is a part of a pattern.
type node interface{}

type (
	// empty matches nothing, always.
	empty struct{}

	// sequence is its terms one after the other.
	sequence []node

	// alternatives is the first of them with which the rest matches too.
	alternatives []node

	// oneOf is one character of a set. The set is closed under the flag i already.
	oneOf struct{ chars chars }

	// lineStart and lineEnd are ^ and $.
	lineStart struct{ multiline bool }
	lineEnd   struct{ multiline bool }

	// boundary is \b, or \B.
	boundary struct {
		not  bool
		word chars
	}

	// look is a lookahead or, if behind, a lookbehind.
	look struct {
		behind, not bool
		body        node
	}

	// group captures what its body matches.
	group struct {
		index int
		body  node
	}

	// repeat is its body min to max times; the groups of body are those from first to last-1.
	repeat struct {
		body        node
		min, max    int
		lazy        bool
		first, last int
	}

	// backReference is what one of some groups has captured.
	backReference struct {
		groups     []int
		ignoreCase bool
	}
)

// unbounded is the max of a repeat that has none.
const unbounded = 1<<31 - 1

// canBeEmpty reports whether a node may match without taking a character.
func canBeEmpty(n node) bool {
	switch n := n.(type) {
	case oneOf:
		return false
	case sequence:
		for _, term := range n {
			if !canBeEmpty(term) {
				return false
			}
		}
		return true
	case alternatives:
		for _, a := range n {
			if canBeEmpty(a) {
				return true
			}
		}
		return false
	case group:
		return canBeEmpty(n.body)
	case repeat:
		return n.min == 0 || canBeEmpty(n.body)
	}
	return true
}

// firstOf is what a match of a node may begin with. It reports false when that may be nothing, or is not
// known.
func firstOf(n node) (chars, bool) {
	switch n := n.(type) {
	case oneOf:
		return n.chars, true
	case sequence:
		return firstOfSequence(n)
	case alternatives:
		var all []span
		for _, a := range n {
			first, known := firstOf(a)
			if !known {
				return nil, false
			}
			all = append(all, first...)
		}
		return normal(all), true
	case group:
		return firstOf(n.body)
	case repeat:
		if n.min > 0 {
			return firstOf(n.body)
		}
	}
	return nil, false
}

// firstOfSequence is firstOf a sequence: of its terms up to the first that takes a character for certain.
func firstOfSequence(terms sequence) (chars, bool) {
	var all chars
	for _, term := range terms {
		r, isRepeat := term.(repeat)
		isOptional := isRepeat && r.min == 0

		switch term.(type) {
		case empty, lineStart, lineEnd, boundary, look: // they take nothing
			continue
		}
		if isOptional {
			term = r.body
		}

		first, known := firstOf(term)
		if !known {
			return nil, false
		}

		all = all.union(first)
		if !isOptional {
			return all, true
		}
	}

	return nil, false
}

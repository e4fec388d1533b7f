package regex

import "slices"

// maxChar is the last code point.
const maxChar = 0x10ffff

// span is the characters from lo to hi, both included.
type span struct{ lo, hi rune }

// chars is a set of characters: spans in order that neither overlap nor touch. It is not changed once it is
// shared.
type chars []span

func single(c rune) chars { return chars{{c, c}} }

// normal sorts spans that were put together in any order, and joins those that overlap or touch.
func normal(s []span) chars {
	if len(s) < 2 {
		return s
	}

	slices.SortFunc(s, func(a, b span) int { return int(a.lo - b.lo) })

	out := s[:1]
	for _, r := range s[1:] {
		last := &out[len(out)-1]
		if r.lo <= last.hi+1 {
			last.hi = max(last.hi, r.hi)
		} else {
			out = append(out, r)
		}
	}

	return out
}

func (s chars) union(t chars) chars {
	switch {
	case len(s) == 0:
		return t
	case len(t) == 0:
		return s
	}
	return normal(append(slices.Clone(s), t...))
}

// complement is the other characters.
func (s chars) complement() chars {
	var out chars

	next := rune(0)
	for _, r := range s {
		if next < r.lo {
			out = append(out, span{next, r.lo - 1})
		}
		next = r.hi + 1
	}
	if next <= maxChar {
		out = append(out, span{next, maxChar})
	}

	return out
}

func (s chars) intersection(t chars) chars {
	var out chars
	for len(s) > 0 && len(t) > 0 {
		if lo, hi := max(s[0].lo, t[0].lo), min(s[0].hi, t[0].hi); lo <= hi {
			out = append(out, span{lo, hi})
		}
		if s[0].hi < t[0].hi {
			s = s[1:]
		} else {
			t = t[1:]
		}
	}
	return out
}

func (s chars) difference(t chars) chars { return s.intersection(t.complement()) }

func (s chars) has(c rune) bool {
	lo, hi := 0, len(s)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		switch {
		case c < s[mid].lo:
			hi = mid
		case c > s[mid].hi:
			lo = mid + 1
		default:
			return true
		}
	}
	return false
}

// only gives the one character of a set that has no other.
func (s chars) only() (rune, bool) {
	if len(s) == 1 && s[0].lo == s[0].hi {
		return s[0].lo, true
	}
	return 0, false
}

// overlaps reports whether two sets have a character in common.
func (s chars) overlaps(t chars) bool {
	for len(s) > 0 && len(t) > 0 {
		switch {
		case s[0].hi < t[0].lo:
			s = s[1:]
		case t[0].hi < s[0].lo:
			t = t[1:]
		default:
			return true
		}
	}
	return false
}

// charSet is chars with a bitmap of the first 256, which is what most texts consist of.
type charSet struct {
	low  [4]uint64
	high chars // those above
	all  chars
	rest bool // every character above the first 256
}

func newCharSet(s chars) *charSet {
	set := &charSet{all: s}
	for k, r := range s {
		if r.lo > 0xff {
			set.high = s[k:]
			break
		}

		for c := r.lo; c <= min(r.hi, 0xff); c++ {
			set.low[c>>6] |= 1 << (c & 63)
		}
		if r.hi > 0xff {
			set.high = s[k:]
			break
		}
	}

	set.rest = len(set.high) == 1 && set.high[0].lo <= 0x100 && set.high[0].hi >= 0xffff
	return set
}

func (s *charSet) has(c rune) bool {
	if uint32(c) < 0x100 {
		return s.low[c>>6]&(1<<(c&63)) != 0
	}
	if s.rest && c <= 0xffff {
		return true
	}
	return s.high.has(c)
}

// The classes of 22.2.2.9.
var (
	digits         = chars{{'0', '9'}}
	lineTerminator = chars{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}
	whiteSpace     = chars{
		{'\t', '\r'}, {' ', ' '}, {0xa0, 0xa0}, {0x1680, 0x1680}, {0x2000, 0x200a}, {0x2028, 0x2029},
		{0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff},
	}
	wordChars = chars{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}
	// wordCharsFolded are those of the flags u and i, which take two more for s and k.
	wordCharsFolded = chars{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}, {0x17f, 0x17f}, {0x212a, 0x212a}}
	everything      = chars{{0, maxChar}}
)

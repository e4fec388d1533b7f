package regex

import (
	"strings"
	"sync"
)

// caseTable is Canonicalize (22.2.2.7.3) of one kind, without or with the flag u or v.
type caseTable struct {
	to map[rune]rune // characters that canonicalize to others
	// like has the members of each class of two or more characters that canonicalize to the same.
	like [][]rune
	// class is where in like a character's class is.
	class map[rune]int
}

var (
	upperTable = sync.OnceValue(func() *caseTable { return readCaseTable("upper -") })
	foldTable  = sync.OnceValue(func() *caseTable { return readCaseTable("fold -") })
)

func caseTableOf(unicode bool) *caseTable {
	if unicode {
		return foldTable()
	}
	return upperTable()
}

func readCaseTable(key string) *caseTable {
	t := &caseTable{to: map[rune]rune{}, class: map[rune]int{}}

	var from rune
	for field := range strings.FieldsSeq(propertyTables()[key].data) {
		gap, difference, _ := strings.Cut(field, ":")
		from += number(gap)
		to := from + number(difference)
		t.to[from] = to

		class, known := t.class[to]
		if !known {
			class = len(t.like)
			t.like = append(t.like, []rune{to})
			t.class[to] = class
		}
		t.like[class] = append(t.like[class], from)
		t.class[from] = class
	}

	return t
}

// canonicalize is Canonicalize with the flag i.
func canonicalize(c rune, unicode bool) rune {
	if c < 0x80 {
		if unicode && 'A' <= c && c <= 'Z' {
			return c + 'a' - 'A'
		}
		if !unicode && 'a' <= c && c <= 'z' {
			return c - ('a' - 'A')
		}
		return c
	}
	if to, ok := caseTableOf(unicode).to[c]; ok {
		return to
	}
	return c
}

// closed adds to a set all characters that canonicalize to what one of its own does: then a match needs to
// canonicalize nothing.
func closed(s chars, unicode bool) chars {
	if !unicode && (len(s) == 0 || s[len(s)-1].hi < 0x80) {
		return closedASCII(s)
	}
	if len(s) == 1 && s[0].hi == maxChar && s[0].lo == 0 {
		return s
	}
	if c, ok := s.only(); ok {
		return closedOne(c, unicode)
	}

	var more []span
	for _, class := range caseTableOf(unicode).like {
		for _, c := range class {
			if s.has(c) {
				for _, other := range class {
					more = append(more, span{other, other})
				}
				break
			}
		}
	}

	return s.union(normal(more))
}

// closedOne is closed of one character.
func closedOne(c rune, unicode bool) chars {
	t := caseTableOf(unicode)
	class, known := t.class[c]
	if !known {
		return single(c)
	}

	var all []span
	for _, other := range t.like[class] {
		all = append(all, span{other, other})
	}
	return normal(all)
}

// closedASCII is closed without the flag u: nothing outside of ASCII canonicalizes into it.
func closedASCII(s chars) chars {
	upper, lower := chars{{'A', 'Z'}}, chars{{'a', 'z'}}

	var more chars
	for _, r := range s.intersection(upper) {
		more = append(more, span{r.lo + 'a' - 'A', r.hi + 'a' - 'A'})
	}

	var small chars
	for _, r := range s.intersection(lower) {
		small = append(small, span{r.lo - ('a' - 'A'), r.hi - ('a' - 'A')})
	}

	return s.union(small).union(more)
}

// folded maps each character of a set to what it folds to (22.2.2.9, MaybeSimpleCaseFolding).
func folded(s chars) chars {
	t := foldTable()

	var out []span

	var gone []span
	for from, to := range t.to {
		if s.has(from) {
			gone = append(gone, span{from, from})
			out = append(out, span{to, to})
		}
	}

	return s.difference(normal(gone)).union(normal(out))
}

// foldedAll is every character that folds to itself.
var foldedAll = sync.OnceValue(func() chars {
	var gone []span
	for from := range foldTable().to {
		gone = append(gone, span{from, from})
	}
	return normal(gone).complement()
})

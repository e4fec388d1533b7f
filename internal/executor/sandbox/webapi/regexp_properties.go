package webapi

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode"
)

// The engine's regular expressions have neither Unicode property escapes nor the flag v, and take \p for p
// without a word. Literals of that kind are lowered to calls of the RegExp that missing_ecmascript.js
// defines, which has properties written out as ranges.

var (
	errNoEnd = errors.New("invalid regular expression: a property escape has no end")
	errSets  = errors.New("invalid regular expression: sets in classes (flag v: nested classes, --, && " +
		"and \\q) are not supported here; write the class out")
)

// expandProperties writes \p{...} and \P{...} of a pattern out (ECMA-262, 22.2.2.9). sets says that the
// pattern has the flag v.
func expandProperties(source string, sets bool) (string, error) {
	expanded := expander{source: source, sets: sets}
	for expanded.at < len(source) {
		var err error
		if source[expanded.at] == '\\' && expanded.at+1 < len(source) {
			err = expanded.escape()
		} else {
			err = expanded.character()
		}
		if err != nil {
			return "", err
		}
	}

	return expanded.out.String(), nil
}

// expander goes over one pattern.
type expander struct {
	source  string
	sets    bool
	out     strings.Builder
	at      int  // the next character of source
	inClass bool // between [ and ]
}

// escape takes a backslash and what belongs to it.
func (e *expander) escape() error {
	letter := e.source[e.at+1]
	if (letter == 'p' || letter == 'P') && e.at+2 < len(e.source) && e.source[e.at+2] == '{' {
		return e.property(letter == 'P')
	}
	if e.sets && e.inClass && letter == 'q' {
		return errSets
	}

	e.out.WriteString(e.source[e.at : e.at+2])
	e.at += 2
	return nil
}

// property takes \p{...} and writes its ranges, in a class of their own unless they are in one.
func (e *expander) property(negated bool) error {
	length := strings.IndexByte(e.source[e.at:], '}')
	if length < 0 {
		return errNoEnd
	}

	class, err := ranges(e.source[e.at+3:e.at+length], negated)
	if err != nil {
		return err
	}

	if e.inClass {
		e.out.WriteString(class)
	} else {
		e.out.WriteString("[" + class + "]")
	}

	e.at += length + 1
	return nil
}

// character takes one character that is no escape.
func (e *expander) character() error {
	char := e.source[e.at]
	inSet := e.sets && e.inClass

	isOperator := (char == '-' || char == '&') && e.at+1 < len(e.source) && e.source[e.at+1] == char
	switch {
	case inSet && (char == '[' || isOperator):
		return errSets
	case char == '[':
		e.inClass = true
	case char == ']':
		e.inClass = false
	}

	e.out.WriteByte(char)
	e.at++

	return nil
}

// written is a cache: a property, and whether it is negated, to its ranges.
var written sync.Map

// ranges writes a property as what stands in a class.
func ranges(property string, negated bool) (string, error) {
	type key struct {
		property string
		negated  bool
	}
	if s, ok := written.Load(key{property, negated}); ok {
		return s.(string), nil
	}

	add, drop, err := tablesOf(property)
	if err != nil {
		return "", err
	}

	var text strings.Builder

	start := rune(-1)
	for r := rune(0); r <= unicode.MaxRune+1; r++ {
		in := r <= unicode.MaxRune && (unicode.In(r, add...) && !unicode.In(r, drop...)) != negated
		switch {
		case in && start < 0:
			start = r
		case !in && start >= 0:
			fmt.Fprintf(&text, "\\u{%x}-\\u{%x}", start, r-1)
			start = -1
		}
	}

	written.Store(key{property, negated}, text.String())
	return text.String(), nil
}

// Package regex is the regular expressions of ECMAScript (ECMA-262, edition 2025, section 22.2): it parses a
// pattern, compiles it, and matches it against a string in the engine's own forms, bytes that are ASCII or
// UTF-16 code units. It knows no JavaScript engine: RegExp's objects are package regexps's.
//
// A pattern becomes a Program, an immutable list of instructions (compile.go) that a backtracking Matcher
// runs (match.go). What could take for ever or all memory is bounded: a match looks at a flag that interrupts
// it, the list of places to go back to has a greatest length, and so have patterns.
//
//	parse.go, parse_*.go                  the grammar, with Annex B where no flag u or v forbids it
//	tree.go, compile.go                   the tree that they make, and its instructions
//	match.go, run.go                      running them
//	set.go, casefold.go, properties.go    characters: sets, Canonicalize, \p{...} of Unicode 17
package regex

import (
	"fmt"
	"strings"
)

// Flags are those of a regular expression.
type Flags uint8

// The flags, in the order in which RegExp.prototype.flags lists them.
const (
	HasIndices  Flags = 1 << iota // d
	Global                        // g
	IgnoreCase                    // i
	Multiline                     // m
	DotAll                        // s
	Unicode                       // u
	UnicodeSets                   // v
	Sticky                        // y
)

const flagLetters = "dgimsuvy"

// ParseFlags reads flags. It reports false for an unknown or repeated one, and for u with v.
func ParseFlags(s string) (Flags, bool) {
	var f Flags
	for k := range len(s) {
		at := strings.IndexByte(flagLetters, s[k])
		if at < 0 || f&(1<<at) != 0 {
			return 0, false
		}
		f |= 1 << at
	}
	return f, !f.Has(Unicode | UnicodeSets)
}

// Has reports whether all of some flags are set.
func (f Flags) Has(some Flags) bool { return f&some == some }

// FullUnicode reports the flag u or v: a character is a code point, not a code unit.
func (f Flags) FullUnicode() bool { return f&(Unicode|UnicodeSets) != 0 }

// String lists the flags.
func (f Flags) String() string {
	var out []byte
	for k := range len(flagLetters) {
		if f&(1<<k) != 0 {
			out = append(out, flagLetters[k])
		}
	}
	return string(out)
}

// SyntaxError is what a pattern has wrong.
type SyntaxError struct {
	Message string // of the pattern alone, as "Invalid group"
	At      int    // in the pattern, in characters of its kind
}

func (e *SyntaxError) Error() string { return e.Message }

// Name is a named group: duplicates in different alternatives are one Name with several groups.
type Name struct {
	Name   string
	Groups []int
}

// Program is a compiled pattern. It is immutable and may be used by several goroutines.
type Program struct {
	Flags    Flags
	Captures int    // capturing groups, and one for the whole match
	Names    []Name // in the order in which they first appear

	code  []inst
	sets  []*charSet
	lists [][]int // groups of back references
	loops []loop

	registers int
	unicode   bool // the flag u or v

	// What a match must begin with, as far as that is known: first is nil if it may be anything.
	first    *charSet
	prefix   string // a literal text, all of it ASCII
	anchored bool   // only at the beginning of the text
}

// Compile compiles a pattern, which is a list of UTF-16 code units. Errors are *SyntaxError.
func Compile(pattern []uint16, flags Flags) (*Program, error) {
	p := newParser(pattern, flags)
	root, err := p.parse()
	if err != nil {
		return nil, err
	}

	c := compiler{flags: flags, prog: &Program{
		Flags:    flags,
		Captures: p.groups + 1,
		Names:    p.names,
		unicode:  flags.FullUnicode(),
	}}
	if err := c.compile(root); err != nil {
		return nil, err
	}

	return c.prog, nil
}

func syntaxError(at int, format string, args ...any) error {
	return &SyntaxError{Message: fmt.Sprintf(format, args...), At: at}
}

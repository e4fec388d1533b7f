package regex

import (
	"errors"
	"testing"
	"unicode/utf16"
)

// Whatever a pattern and a text are: compiling refuses or makes a program, and a match ends with an answer or
// is interrupted. It finds the same whether the text is bytes or code units, and groups lie in the text.
func FuzzMatch(f *testing.F) {
	for _, pattern := range []string{
		`(a*)*b`, `(?<x>a)|(?<x>b)\k<x>`, `[\p{L}--[a-z]]+`, `(?i-s:.\b)`, `(?<=a+?)b{2,3}?`, `\u{1f4a9}[^\W]`, `(?!(a))\1`,
		`[\q{ab|}&&\w]`, `\c\8[\c_]{,3}`, `^(?:a|ab)(?=c)|$`,
	} {
		for flags := range 8 {
			f.Add(pattern, byte(flags*36), "abcabc 12", byte(0))
			f.Add(pattern, byte(flags*36), "ä💩K", byte(1))
		}
	}

	f.Fuzz(func(t *testing.T, pattern string, flagBits byte, text string, from byte) {
		flags := Flags(flagBits)
		if flags.Has(Unicode | UnicodeSets) {
			flags &^= Unicode
		}

		p, err := Compile(utf16.Encode([]rune(pattern)), flags)
		if err != nil {
			return
		}

		units := utf16.Encode([]rune(text))
		at := min(int(from), len(units))
		first := limited(t, p, units, at)

		bytes := make([]byte, len(units))
		for k, u := range units {
			if u >= 0x80 {
				return
			}
			bytes[k] = byte(u)
		}
		if second := limited(t, p, bytes, at); first != nil && second != nil && !equal(first, second) {
			t.Errorf("/%s/%s in %q: %v in code units, %v in bytes", pattern, flags, text, first, second)
		}
	})
}

// limited is where the groups of a match are; nil if it was stopped, which it is at its first look.
func limited[T unit](t *testing.T, p *Program, text []T, from int) []int32 {
	stop := uint32(1)
	m := Matcher{Interrupted: &stop, budget: 20_000}
	found, err := Match(&m, p, text, from, p.Flags.Has(Sticky))
	if errors.Is(err, ErrInterrupted) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	if !found {
		return []int32{}
	}

	for k := 0; k < len(m.Captures); k += 2 {
		begin, end := m.Captures[k], m.Captures[k+1]
		if begin >= 0 && end >= 0 && (begin > end || int(end) > len(text)) {
			t.Fatalf("group %d is at %d to %d of %d", k/2, begin, end, len(text))
		}
	}
	return m.Captures
}

func equal(a, b []int32) bool {
	if len(a) != len(b) {
		return false
	}

	for k := range a {
		if a[k] != b[k] {
			return false
		}
	}
	return true
}

package engine

import (
	"unicode/utf16"

	"github.com/dop251/goja"
)

// Text is a value as a text (ECMA-262, 7.1.17), by code units.
func Text(v goja.Value) goja.String {
	if text, ok := v.ToString().(goja.String); ok {
		return text
	}
	return goja.StringFromUTF16(utf16.Encode([]rune(v.String()))) // no kind of text that is known here
}

// CharacterAt is the character of a text that begins at a code unit, and how many units it has. A surrogate
// without its other half is U+FFFD.
func CharacterAt(text goja.String, at int) (character rune, units int) {
	unit := rune(text.CharAt(at))
	if !utf16.IsSurrogate(unit) {
		return unit, 1
	}

	if at+1 < text.Length() {
		if r := utf16.DecodeRune(unit, rune(text.CharAt(at+1))); r != '\uFFFD' {
			return r, 2
		}
	}
	return '\uFFFD', 1
}

// LoneSurrogate is where the first surrogate without its other half is in a text, from a code unit on; -1 if
// there is none.
func LoneSurrogate(text goja.String, from int) int {
	for at, length := from, text.Length(); at < length; at++ {
		if unit := rune(text.CharAt(at)); utf16.IsSurrogate(unit) {
			_, units := CharacterAt(text, at)
			if units == 1 {
				return at
			}
			at++
		}
	}
	return -1
}

package webapi

import (
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
	"github.com/clipperhouse/uax29/v2/sentences"
	"github.com/clipperhouse/uax29/v2/words"
	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
)

// intlSegment divides a text by Unicode's rules (UAX #29): (text, granularity). It gives where each segment
// ends, in code units, and of words whether each has a letter or a digit.
func (g *Global) intlSegment(c goja.FunctionCall) goja.Value {
	text := string(engine.UTF8(c.Argument(0).String()))

	var next func() bool
	var value func() string

	isWord := false
	switch c.Argument(1).String() {
	case "word":
		segments := words.FromString(text)
		next, value, isWord = segments.Next, segments.Value, true
	case "sentence":
		segments := sentences.FromString(text)
		next, value = segments.Next, segments.Value
	default:
		segments := graphemes.FromString(text)
		next, value = segments.Next, segments.Value
	}

	var ends, wordLike []any

	at := 0
	for next() {
		segment := value()
		at += codeUnits(segment)
		ends = append(ends, at)
		if isWord {
			wordLike = append(wordLike, hasLetter(segment))
		}
	}

	return g.VM.NewArray(g.VM.NewArray(ends...), g.VM.NewArray(wordLike...))
}

// codeUnits is the length of a text in UTF-16.
func codeUnits(text string) int {
	n := 0
	for _, r := range text {
		if n++; r > 0xffff {
			n++
		}
	}
	return n
}

// hasLetter reports whether there is a letter, a digit or an ideograph in a segment.
func hasLetter(segment string) bool {
	for len(segment) > 0 {
		r, size := utf8.DecodeRuneInString(segment)
		if unicode.IsLetter(r) || unicode.IsNumber(r) {
			return true
		}
		segment = segment[size:]
	}
	return false
}

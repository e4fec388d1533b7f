package webapi

import (
	"testing"
)

// A pattern's properties are written out, or it is refused; nothing else of it changes.
func FuzzExpandProperties(f *testing.F) {
	for _, s := range []string{`\p{L}+`, `[\p{Lu}x]`, `\\p{L}`, `[\]\P{N}]`, `\p{Script=Greek}`, `\p{`, `\q`, `[a--b]`, `\p{}`, `(?<n>\p{L})\k<n>`} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, source string, sets bool) {
		out, err := expandProperties(source, sets)
		if err == nil && len(out) < len(source) && len(out) > 0 && source[0] != '\\' && out[0] != source[0] {
			t.Errorf("%q became %q", source, out)
		}
	})
}

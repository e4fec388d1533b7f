package regex

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
)

// units are the code units of a text; halves of pairs that stand alone are written as UTF-8 would.
func units(text string) []uint16 {
	var out []uint16
	for _, c := range charsOf(text) {
		out = utf16.AppendRune(out, c)
		if utf16.IsSurrogate(c) {
			out[len(out)-1] = uint16(c)
		}
	}
	return out
}

// search is what a pattern finds in a text: each group, "-" for one that captured nothing; "null" without a
// match.
func search(t *testing.T, pattern, flags, text string, from int) string {
	t.Helper()

	f, ok := ParseFlags(flags)
	if !ok {
		return "flags"
	}
	p, err := Compile(units(pattern), f)
	if err != nil {
		return "error: " + err.Error()
	}

	var m Matcher
	found, err := Match(&m, p, units(text), from, f.Has(Sticky))
	if err != nil {
		return err.Error()
	}
	captured := captures(&m, found, units(text))

	// The same text as bytes finds the same.
	if strings.IndexFunc(text, func(r rune) bool { return r >= 0x80 }) < 0 {
		var m Matcher
		found, err := Match(&m, p, []byte(text), from, f.Has(Sticky))
		if got := captures(&m, found, units(text)); err != nil || got != captured {
			t.Errorf("/%s/%s in the bytes %q finds %s (%v), in the code units %s", pattern, flags, text, got, err, captured)
		}
	}

	return captured
}

func captures(m *Matcher, found bool, text []uint16) string {
	if !found {
		return "null"
	}

	var out []string
	for k := 0; k < len(m.Captures); k += 2 {
		if m.Captures[k] < 0 || m.Captures[k+1] < 0 {
			out = append(out, "-")
			continue
		}
		out = append(out, textOf(decode(text[m.Captures[k]:m.Captures[k+1]], true)))
	}
	return fmt.Sprintf("%d %s", m.Captures[0], strings.Join(out, ","))
}

func TestMatch(t *testing.T) {
	t.Parallel()

	for _, c := range []struct{ pattern, flags, text, want string }{
		{`^.+$`, "m", "id,name\r\n1,a\r\n", "0 id,name"},
		{`^(\w+): (.*)$`, "m", "k: v\r\nx: y\r\n", "0 k: v,k,v"},
		{`[\ud800-\udbff][\udc00-\udfff]`, "", "a💩b", "1 💩"},
		{`[\ud800-\udbff](?![\udc00-\udfff])`, "", "a💩b", "null"},
		{`(?:(a)|(b)|(c)|(d))+`, "", "abcd", "0 abcd,-,-,-,d"},
		{`(?:(a)|b)*`, "", "ab", "0 ab,-"},
		{`\b[a-z]`, "", "über", "1 b"},
		{`\b\w`, "", "日本 語b", "4 b"},
		{`\u017f`, "i", "s", "null"},
		{`\u017f`, "iu", "s", "0 s"},
		{`Ω`, "i", "\u2126", "null"},
		{`\u212a`, "iu", "k", "0 k"},
		{`(?i:a)b`, "", "Ab", "0 Ab"},
		{`(?i:a)b`, "", "AB", "null"},
		{`(?-i:a)b`, "i", "aB", "0 aB"},
		{`(?<y>\d{4})-(?<m>\d\d)|(?<m>\d\d)/(?<y>\d{4})`, "", "11/2026", "0 11/2026,-,-,11,2026"},
		{`(?<=\$)\d+(?:\.\d*)?`, "", "cost $10.50", "6 10.50"},
		{`(?<!\$)\b\d+`, "", "$10 20", "4 20"},
		{`(?<=(\d+)(\d+))$`, "", "1053", "4 ,1,053"},
		{`(?<=\1(\d+))c`, "", "1212c", "4 c,12"},
		{`(?=(a+))a*b\1`, "", "baaabac", "3 aba,a"},
		{`(z)((a+)?(b+)?(c))*`, "", "zaacbbbcac", "0 zaacbbbcac,z,ac,a,-,c"},
		{`(a*)*`, "", "b", "0 ,-"},
		{`(?:a*?){2,3}b`, "", "aab", "0 aab"},
		{`(?:){3}x`, "", "x", "0 x"},
		{`(a?){3}?b`, "", "aab", "0 aab,"},
		{`a{2,3}?`, "", "aaaa", "0 aa"},
		{`(?:ab){2,}`, "", "abababx", "0 ababab"},
		{`.`, "u", "💩", "0 💩"},
		{`^[^x]$`, "u", "💩", "0 💩"},
		{`^[^x]$`, "", "💩", "null"},
		{`\udca9`, "u", "💩", "null"},
		{`\p{Script=Greek}+`, "u", "abc αβγ", "4 αβγ"},
		{`\P{L}`, "u", "aβ1", "2 1"},
		{`[\p{L}--[a-z]]`, "v", "aB", "1 B"},
		{`[\w&&\d]+`, "v", "ab12", "2 12"},
		{`^\p{RGI_Emoji}$`, "v", "👨‍👩‍👧", "0 👨‍👩‍👧"},
		{`[\q{abc|d|}x]`, "v", "abc", "0 abc"},
		{`[^\P{Lu}]`, "vi", "a", "0 a"},
		{`\1(a)`, "", "aa", "0 a,a"},
		{`\8`, "", "8", "0 8"},
		{`\101`, "", "A", "0 A"},
		{`[\c_]`, "", "\x1f", "0 \x1f"},
		{`\c`, "", `\c`, `0 \c`},
		{`{`, "", "{", "0 {"},
		{`a{,3}`, "", "a{,3}", "0 a{,3}"},
		{`]`, "", "]", "0 ]"},
		{`\k<a>`, "", "k<a>", "0 k<a>"},
		{`(?<a>.)\k<a>`, "", "xx", "0 xx,x"},
		{`(?=a)*b`, "", "b", "0 b"},
		{`(?!(a))\1b`, "", "b", "0 b,-"},
		{`a.c`, "s", "a\nc", "0 a\nc"},
		{`^(?:\s*)$`, "", " \u00a0\ufeff", "0  \u00a0\ufeff"},
		{`foo.*?bar`, "", "xfoo bar bar", "1 foo bar"},
		{`"(?:[^"\\]|\\.)*"`, "", `say "a\"b" c"`, `4 "a\"b"`},
		{`(\w+)\s\1`, "i", "The the", "0 The the,The"},
		{`[^]`, "", "\n", "0 \n"},
		{`[]`, "", "a", "null"},
		{`a|ab|abc`, "", "abc", "0 a"},
		{`(?:a|ab)(?:c|bcd)(?:d*)`, "", "abcd", "0 abcd"},
	} {
		if got := search(t, c.pattern, c.flags, c.text, 0); got != c.want {
			t.Errorf("/%s/%s in %q finds %q, want %q", c.pattern, c.flags, c.text, got, c.want)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	t.Parallel()

	for _, c := range []struct{ pattern, flags, want string }{
		{`(`, "", "Unterminated group"},
		{`)`, "", "Unmatched ')'"},
		{`[`, "", "Unterminated character class"},
		{`*`, "", "Nothing to repeat"},
		{`a**`, "", "Nothing to repeat"},
		{`a{2,1}`, "", "numbers out of order in {} quantifier"},
		{`[b-a]`, "", "Range out of order in character class"},
		{`\`, "", "\\ at end of pattern"},
		{`(?<a>.)|(?<a>.)(?<a>.)`, "", "Duplicate capture group name"},
		{`(?<a`, "", "Invalid capture group name"},
		{`(?<a>.)\k<b>`, "", "Invalid named capture referenced"},
		{`(?x:a)`, "", "Invalid group"},
		{`(?-:a)`, "", "Invalid group"},
		{`(?ii:a)`, "", "Repeated flag in modifiers"},
		{`{`, "u", "Nothing to repeat"},
		{`a{`, "u", "Incomplete quantifier"},
		{`]`, "u", "Lone quantifier brackets"},
		{`\1`, "u", "Invalid escape"},
		{`\a`, "u", "Invalid escape"},
		{`\u{110000}`, "u", "Invalid Unicode escape"},
		{`\p{Nope}`, "u", "Invalid property name"},
		{`\p{L`, "u", "Invalid property name"},
		{`[\d-z]`, "u", "Invalid character class"},
		{`(?=a)*`, "u", "Nothing to repeat"},
		{`(?<=a)*`, "", "Nothing to repeat"},
		{`[a&&b--c]`, "v", "Invalid set operation in character class"},
		{`[(]`, "v", "Invalid character in character class"},
		{`[^\q{ab}]`, "v", "Negated character class may contain strings"},
		{`\P{RGI_Emoji}`, "v", "Invalid property name"},
		{strings.Repeat("(", 2000) + strings.Repeat(")", 2000), "", "Regular expression too large"},
	} {
		if got := search(t, c.pattern, c.flags, "", 0); got != "error: "+c.want {
			t.Errorf("/%.40s/%s gives %q, want the error %q", c.pattern, c.flags, got, c.want)
		}
	}
}

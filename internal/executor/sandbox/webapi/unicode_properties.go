package webapi

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"picloud/internal/executor/sandbox/realm"
)

// derived are the binary properties that Unicode derives from others (Unicode Standard Annex 44, 5.3), as
// those of them that are added, and those that are taken away.
var derived = map[string][2][]*unicode.RangeTable{
	"Alphabetic":            {{unicode.L, unicode.Nl, unicode.Other_Alphabetic}},
	"Alpha":                 {{unicode.L, unicode.Nl, unicode.Other_Alphabetic}},
	"Uppercase":             {{unicode.Lu, unicode.Other_Uppercase}},
	"Upper":                 {{unicode.Lu, unicode.Other_Uppercase}},
	"Lowercase":             {{unicode.Ll, unicode.Other_Lowercase}},
	"Lower":                 {{unicode.Ll, unicode.Other_Lowercase}},
	"Math":                  {{unicode.Sm, unicode.Other_Math}},
	"ID_Start":              {idStart, patternSyntax},
	"IDS":                   {idStart, patternSyntax},
	"ID_Continue":           {idContinue, patternSyntax},
	"IDC":                   {idContinue, patternSyntax},
	"White_Space":           {{unicode.White_Space}},
	"space":                 {{unicode.White_Space}},
	"Any":                   {{{R32: []unicode.Range32{{Lo: 0, Hi: unicode.MaxRune, Stride: 1}}}}},
	"ASCII":                 {{{R16: []unicode.Range16{{Lo: 0, Hi: 0x7f, Stride: 1}}}}},
	"Emoji_Modifier":        {{spans(0x1f3fb, 0x1f3ff)}},
	"EMod":                  {{spans(0x1f3fb, 0x1f3ff)}},
	"Emoji_Component":       {{emojiComponent}},
	"EComp":                 {{emojiComponent}},
	"Extended_Pictographic": {{pictographic}},
	"ExtPict":               {{pictographic}},
}

var (
	idStart    = []*unicode.RangeTable{unicode.L, unicode.Nl, unicode.Other_ID_Start}
	idContinue = append(slices.Clone(idStart),
		unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Continue)
	// patternSyntax is taken away from both.
	patternSyntax = []*unicode.RangeTable{unicode.Pattern_Syntax, unicode.Pattern_White_Space}
)

// emojiComponent is Emoji_Component (Unicode Technical Standard 51, emoji-data).
var emojiComponent = spans('#', '#', '*', '*', '0', '9', 0x200d, 0x200d, 0x20e3, 0x20e3, 0xfe0f, 0xfe0f,
	0x1f1e6, 0x1f1ff, 0x1f3fb, 0x1f3ff, 0x1f9b0, 0x1f9b3, 0xe0020, 0xe007f)

// pictographic is Extended_Pictographic (Unicode Technical Standard 51, emoji-data).
var pictographic = spans(
	0xa9, 0xa9, 0xae, 0xae, 0x203c, 0x203c, 0x2049, 0x2049, 0x2122, 0x2122,
	0x2139, 0x2139, 0x2194, 0x2199, 0x21a9, 0x21aa, 0x231a, 0x231b, 0x2328, 0x2328,
	0x2388, 0x2388, 0x23cf, 0x23cf, 0x23e9, 0x23f3, 0x23f8, 0x23fa, 0x24c2, 0x24c2,
	0x25aa, 0x25ab, 0x25b6, 0x25b6, 0x25c0, 0x25c0, 0x25fb, 0x25fe, 0x2600, 0x2605,
	0x2607, 0x2612, 0x2614, 0x2685, 0x2690, 0x2705, 0x2708, 0x2712, 0x2714, 0x2714,
	0x2716, 0x2716, 0x271d, 0x271d, 0x2721, 0x2721, 0x2728, 0x2728, 0x2733, 0x2734,
	0x2744, 0x2744, 0x2747, 0x2747, 0x274c, 0x274c, 0x274e, 0x274e, 0x2753, 0x2755,
	0x2757, 0x2757, 0x2763, 0x2767, 0x2795, 0x2797, 0x27a1, 0x27a1, 0x27b0, 0x27b0,
	0x27bf, 0x27bf, 0x2934, 0x2935, 0x2b05, 0x2b07, 0x2b1b, 0x2b1c, 0x2b50, 0x2b50,
	0x2b55, 0x2b55, 0x3030, 0x3030, 0x303d, 0x303d, 0x3297, 0x3297, 0x3299, 0x3299,
	0x1f000, 0x1f0ff, 0x1f10d, 0x1f10f, 0x1f12f, 0x1f12f, 0x1f16c, 0x1f171, 0x1f17e, 0x1f17f,
	0x1f18e, 0x1f18e, 0x1f191, 0x1f19a, 0x1f1ad, 0x1f1e5, 0x1f201, 0x1f20f, 0x1f21a, 0x1f21a,
	0x1f22f, 0x1f22f, 0x1f232, 0x1f23a, 0x1f23c, 0x1f23f, 0x1f249, 0x1f3fa, 0x1f400, 0x1f53d,
	0x1f546, 0x1f64f, 0x1f680, 0x1f6ff, 0x1f774, 0x1f77f, 0x1f7d5, 0x1f7ff, 0x1f80c, 0x1f80f,
	0x1f848, 0x1f84f, 0x1f85a, 0x1f85f, 0x1f888, 0x1f88f, 0x1f8ae, 0x1f8ff, 0x1f90c, 0x1f93a,
	0x1f93c, 0x1f945, 0x1f947, 0x1faff, 0x1fc00, 0x1fffd,
)

// spans makes a table of pairs of first and last, in order.
func spans(bounds ...uint32) *unicode.RangeTable {
	t := &unicode.RangeTable{}
	for k := 0; k < len(bounds); k += 2 {
		t.R32 = append(t.R32, unicode.Range32{Lo: bounds[k], Hi: bounds[k+1], Stride: 1})
	}
	return t
}

// tablesOf finds the tables of characters that a property is made of: those that are added, and those that
// are taken away.
func tablesOf(property string) (add, drop []*unicode.RangeTable, err error) {
	name, value, isPair := strings.Cut(property, "=")
	switch {
	case !isPair:
		if d, ok := derived[name]; ok {
			return d[0], d[1], nil
		}
		if t, ok := unicode.Properties[name]; ok && !strings.HasPrefix(name, "Other_") {
			return []*unicode.RangeTable{t}, nil, nil
		}
		value = name
		fallthrough
	case name == "General_Category" || name == "gc":
		if short, ok := unicode.CategoryAliases[value]; ok {
			value = short
		}
		if t, ok := unicode.Categories[value]; ok {
			return []*unicode.RangeTable{t}, nil, nil
		}
	case name == "Script" || name == "sc" || name == "Script_Extensions" || name == "scx":
		if t, ok := unicode.Scripts[value]; ok {
			return []*unicode.RangeTable{t}, nil, nil
		}
	}

	return nil, nil, fmt.Errorf("invalid regular expression: the property \\p{%s} is not known here; "+
		"write the characters out", realm.Clip(property))
}

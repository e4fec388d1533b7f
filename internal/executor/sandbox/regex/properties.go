package regex

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
)

// tables is the Unicode Character Database as far as regular expressions need it; tables.mjs writes it.
//
//go:embed tables.txt
var tables string

// property is a line of tables: its data are read when they are first asked for.
type property struct {
	data string
	of   *property // of script extensions that are the script's own characters

	once  sync.Once
	chars chars
}

// propertyTables has the properties by kind and name.
var propertyTables = sync.OnceValue(func() map[string]*property {
	all := map[string]*property{}
	for line := range strings.Lines(tables) {
		kind, rest, _ := strings.Cut(strings.TrimRight(line, "\n"), "\t")
		names, data, _ := strings.Cut(rest, "\t")

		list := strings.Fields(names)
		p := &property{data: data}
		if data == "=" {
			p.of = all["sc "+list[0]]
		}

		for _, name := range list {
			all[kind+" "+name] = p
		}
	}
	return all
})

// set gives the characters of a property.
func (p *property) set() chars {
	p.once.Do(func() {
		if p.of != nil {
			p.chars = p.of.set()
			return
		}

		end := rune(0)
		for field := range strings.FieldsSeq(p.data) {
			gap, length, isSpan := strings.Cut(field, "+")
			lo := end + number(gap)
			end = lo + 1
			if isSpan {
				end = lo + number(length)
			}
			p.chars = append(p.chars, span{lo, end - 1})
		}
		p.chars = normal(p.chars)
	})
	return p.chars
}

// number reads a number of tables, which are in base 36.
func number(s string) rune {
	n, err := strconv.ParseInt(s, 36, 32)
	if err != nil {
		panic("regex: tables.txt: " + err.Error())
	}
	return rune(n)
}

// propertySet gives the characters of what stands between the braces of \p{...}: false if there is no such
// property (22.2.2.9, tables 67 to 69).
func propertySet(text string) (chars, bool) {
	name, value, isPair := strings.Cut(text, "=")

	var keys []string
	switch {
	case !isPair:
		keys = []string{"gc " + name, "binary " + name}
	case name == "General_Category" || name == "gc":
		keys = []string{"gc " + value}
	case name == "Script" || name == "sc":
		keys = []string{"sc " + value}
	case name == "Script_Extensions" || name == "scx":
		keys = []string{"scx " + value}
	}

	for _, key := range keys {
		if p := propertyTables()[key]; p != nil {
			return p.set(), true
		}
	}

	return nil, false
}

// rgiEmoji is the union of the other properties of strings.
const rgiEmoji = "RGI_Emoji"

// propertyStrings gives a property of strings (table 70): its members of one character, and the others.
func propertyStrings(name string) (chars, []string, bool) {
	var lists []string

	all := propertyTables()
	if name == rgiEmoji {
		for _, part := range []string{
			"Basic_Emoji", "Emoji_Keycap_Sequence", "RGI_Emoji_Modifier_Sequence", "RGI_Emoji_Flag_Sequence",
			"RGI_Emoji_Tag_Sequence", "RGI_Emoji_ZWJ_Sequence",
		} {
			lists = append(lists, all["emoji "+part].data)
		}
	} else if p := all["emoji "+name]; p != nil {
		lists = append(lists, p.data)
	} else {
		return nil, nil, false
	}

	var singles []span

	var texts []string
	for _, list := range lists {
		for text := range strings.FieldsSeq(list) {
			if r := []rune(text); len(r) == 1 {
				singles = append(singles, span{r[0], r[0]})
			} else {
				texts = append(texts, text)
			}
		}
	}

	return normal(singles), texts, true
}

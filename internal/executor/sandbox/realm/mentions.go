package realm

import "strings"

// Mentions is names by which code can come to something that most code does without, so that it is loaded
// for that code alone. It may find a name in a string or a comment: then something is loaded for nothing.
type Mentions struct {
	Parts  []string // anywhere
	Starts []string // at the beginning of a word
	Words  []string // whole words
}

// In reports whether the code has one of the names. Searching for each is a hundred times as fast as one
// regular expression of all, which a script's first call would wait for.
func (m Mentions) In(code string) bool {
	for _, s := range m.Parts {
		if strings.Contains(code, s) {
			return true
		}
	}

	for _, s := range m.Starts {
		if hasWord(code, s, false) {
			return true
		}
	}

	for _, s := range m.Words {
		if hasWord(code, s, true) {
			return true
		}
	}

	return false
}

// hasWord finds name at the beginning of a word, which is all of the word if whole. Words are made of ASCII
// letters, digits and underscores.
func hasWord(code, name string, whole bool) bool {
	for at := 0; ; at++ {
		k := strings.Index(code[at:], name)
		if k < 0 {
			return false
		}
		at += k

		end := at + len(name)
		begins := at == 0 || !isWord(code[at-1])
		ends := end == len(code) || !isWord(code[end])
		if begins && (ends || !whole) {
			return true
		}
	}
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

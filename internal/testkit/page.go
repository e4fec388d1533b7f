package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// GeneratedPart compares the generated part of a page of docs/ with what the code says now, and fails if the
// page is out of date. The part lies between the comments "<!-- name -->" and "<!-- end of name -->". With
// UPDATE=1 in the environment the page is written anew instead.
func GeneratedPart(t testing.TB, page, name, want string) {
	t.Helper()
	file := filepath.Join(Root(), "docs", page)

	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	begin, end := fmt.Sprintf("<!-- %s -->\n", name), fmt.Sprintf("<!-- end of %s -->\n", name)
	before, rest, hasBegin := strings.Cut(string(text), begin)
	old, after, hasEnd := strings.Cut(rest, end)
	if !hasBegin || !hasEnd {
		t.Fatalf("docs/%s lacks one of the comments %q and %q", page, begin, end)
	}
	if old == want {
		return
	}

	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("docs/%s is out of date (UPDATE=1 writes it anew):\n%s", page, differentLines(old, want))
}

// differentLines lists the lines that only one of two texts has, marked with - and +.
func differentLines(old, want string) string {
	var out strings.Builder

	mark := func(sign, from, other string) {
		there := map[string]bool{}
		for line := range strings.Lines(other) {
			there[line] = true
		}

		for line := range strings.Lines(from) {
			if !there[line] {
				out.WriteString(sign + " " + line)
			}
		}
	}

	mark("-", old, want)
	mark("+", want, old)
	return out.String()
}

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"picloud/internal/testkit"
)

// Every name of the Minimum Common Web API is there, or is not, as web/test/names.js tests it in the sandbox;
// the page docs/web-apis.md says so. UPDATE=1 writes the page's table anew.
func TestWebAPINames(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	source := bundle(t, filepath.Join(testkit.Root(), "web", "test", "names.js"))
	w.api("PUT", "/apps/default/scripts/names", map[string]any{"source": source}).want(201)
	r := w.do("GET", "/f/default/names", nil, "Authorization", "Bearer "+w.token).want(200)
	var names []struct{ Name, Spec, Status, Note, Passed string }
	if err := json.Unmarshal([]byte(r.body), &names); err != nil {
		t.Fatal(err)
	}

	if len(names) != 78 {
		t.Errorf("%d names, the standard has 78", len(names))
	}
	count := map[string]int{}

	var table strings.Builder
	for _, n := range names {
		t.Run(n.Name, func(t *testing.T) {
			if n.Passed != "" {
				t.Errorf("%s: its test %s", n.Status, n.Passed)
			}
		})
		count[n.Status]++
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", n.Name, n.Spec, n.Status, n.Note)
	}

	got := fmt.Sprintf("%d yes, %d partial, %d no, of %d.\n\n| Name | Standard | There | Where it differs |\n|---|---|---|---|\n%s",
		count["yes"], count["partial"], count["no"], len(names), table.String())

	file := filepath.Join(testkit.Root(), "docs", "web-apis.md")
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	const begin, end = "<!-- names -->\n", "<!-- end of names -->\n"
	before, rest, ok := strings.Cut(string(page), begin)
	old, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", file)
	}

	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(before+begin+got+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		old = got
	}

	if old != got {
		t.Errorf("the page has changed (UPDATE=1 writes it anew):\n%s", strings.Join(changedLines(old, got), "\n"))
	}
}

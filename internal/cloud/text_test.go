package cloud

import (
	"strings"
	"testing"
)

// A text is cut between characters, never inside one.
func TestShorten(t *testing.T) {
	t.Parallel()

	for _, c := range []struct{ name, text, want string }{
		{"empty", "", ""},
		{"as long as can be", strings.Repeat("a", 80), strings.Repeat("a", 80)},
		{"longer", strings.Repeat("a", 81), strings.Repeat("a", 77) + "..."},
		{"two-byte characters", strings.Repeat("ä", 41), strings.Repeat("ä", 38) + "..."},
		{"four-byte characters", strings.Repeat("😀", 21), strings.Repeat("😀", 19) + "..."},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := Shorten(c.text); got != c.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestValidPrefix(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"", 0, ""}, {"abc", 5, "abc"}, {"abc", 3, "abc"}, {"abc", 2, "ab"}, {"abc", 0, ""},
		{"aä", 2, "a"}, {"aä", 3, "aä"}, {"ä", 1, ""}, {"😀", 3, ""}, {"\x80\x80\x80", 2, ""},
	} {
		if got := ValidPrefix(c.text, c.n); got != c.want {
			t.Errorf("%q up to %d: %q", c.text, c.n, got)
		}
	}
}

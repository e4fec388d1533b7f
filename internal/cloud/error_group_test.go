package cloud

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// What varies from event to event is replaced: numbers, and words with a digit.
func TestErrorGroup(t *testing.T) {
	t.Parallel()

	for _, c := range []struct{ name, message, want string }{
		{"Error", "order 4711 is not there", "Error: order # is not there"},
		{"Error", "order 01900000-0000-7000-8000-00000000abcd is not there", "Error: order # is not there"},
		{"TypeError", "x is undefined\n    at somewhere", "TypeError: x is undefined"},
		{
			"Error", "status 503 from https://api.test/v1/items/99?page=2",
			"Error: status # from https://api.test/#/items/#?page=#",
		},
		{"Error", "größer als 5", "Error: größer als #"},
		{"Error", "a-b -1 c_2", "Error: a-b -# #"},
		{"", "trigger deleted", "trigger deleted"},
		{"Error", "a\x00b", "Error: a\uFFFDb"},
		{"", "", ""},
		{"", strings.Repeat("7 ", 150), strings.Repeat("# ", 100)},
		{"", strings.Repeat("ä", 150), strings.Repeat("ä", 100)},
	} {
		t.Run(c.name+" "+Shorten(c.message), func(t *testing.T) {
			t.Parallel()
			if got := ErrorGroup(c.name, c.message); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// Whatever a script throws, its group is short and can be stored.
func FuzzErrorGroup(f *testing.F) {
	f.Add("Error", strings.Repeat("ü7 ", 500))
	f.Add("\xff\xfe", "\xff\x00\n")
	f.Fuzz(func(t *testing.T, name, message string) {
		g := ErrorGroup(name, message)
		if len(g) > maxGroup || !utf8.ValidString(g) || strings.ContainsAny(g, "\x00") {
			t.Errorf("ErrorGroup(%q, %q) = %q", name, message, g)
		}
	})
}

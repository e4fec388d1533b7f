package cloud

import (
	"strings"
	"testing"
)

// A zone is found by its name in any case, and by no other text.
func TestZone(t *testing.T) {
	t.Parallel()

	for _, c := range []struct{ name, want string }{
		{"UTC", "UTC"}, {"utc", "UTC"}, {"Etc/UTC", "UTC"}, {"zulu", "UTC"}, {"GMT", "UTC"},
		{"Europe/Berlin", "Europe/Berlin"},
		{"europe/berlin", "Europe/Berlin"},
		{"EUROPE/BERLIN", "Europe/Berlin"},
		{"america/argentina/buenos_aires", "America/Argentina/Buenos_Aires"},
		{"Etc/GMT+5", "Etc/GMT+5"},
		{"EST", "EST"},

		{
			"", ""}, {"Local", ""}, {"local", ""}, {"Mars/Base", ""}, {"../etc/passwd",
			""}, {"/etc/localtime", ""},
		{"Europe/../Europe/Berlin", ""}, {"+01:00", ""}, {"Europe/Berlin\x00", ""}, {"a/b/c/d", ""},
		{strings.Repeat("A", 65), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()

			for range 2 { // from the files, and from the cache
				name, loc := Zone(c.name)
				if name != c.want || (loc == nil) != (c.want == "") {
					t.Errorf("got %q, %v", name, loc)
				}
				if loc != nil && loc.String() != c.want {
					t.Errorf("the location is %s", loc)
				}
			}
		})
	}
}

package webapi

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Intl gives what Node does (ICU 78, CLDR 48) where it gives anything; in testdata/intl_values.json, pairs of an
// expression and its value. Offsets as time zones, which that Node does not take, are those of ECMA-402.
func TestIntlValues(t *testing.T) {
	t.Parallel()

	raw, err := os.ReadFile(filepath.Join("testdata", "intl_values.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases [][2]string
	if err := json.Unmarshal(raw, &cases); err != nil || len(cases) < 100 {
		t.Fatal(len(cases), err)
	}

	g, _ := newGlobal(t)
	g.loadIntl()

	for _, c := range cases {
		v, err := g.VM.RunString("String(" + c[0] + ")")
		if err != nil {
			t.Errorf("%s: %v", c[0], err)
			continue
		}
		if got := v.String(); got != c[1] {
			t.Errorf("%s\n got %s\nwant %s", c[0], got, c[1])
		}
	}
}

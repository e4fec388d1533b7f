package regex

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// nodeCases is what Node.js finds; testdata/node.mjs wrote it.
//
//go:embed testdata/node.tsv
var nodeCases string

// Patterns made at random find what they find in Node.js.
func TestNode(t *testing.T) {
	t.Parallel()

	for line := range strings.Lines(nodeCases) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		flags, _ := ParseFlags(fields[1])
		from, err := strconv.Atoi(fields[3])
		if err != nil {
			t.Fatal(err)
		}

		if got := places(read(fields[0]), flags, read(fields[2]), from); got != fields[4] {
			t.Errorf("/%s/%s in %q from %d finds %s, want %s", fields[0], fields[1], fields[2], from, got, fields[4])
		}
	}
}

// read gives the code units of a text as testdata/node.mjs writes it.
func read(s string) []uint16 {
	var out []uint16
	for len(s) > 0 {
		if escape, ok := strings.CutPrefix(s, `\u`); ok {
			n, err := strconv.ParseUint(escape[:4], 16, 16)
			if err != nil {
				panic(err)
			}
			out = append(out, uint16(n))
			s = escape[4:]
			continue
		}
		out = append(out, uint16(s[0]))
		s = s[1:]
	}
	return out
}

// places is where the groups of a match are.
func places(pattern []uint16, flags Flags, text []uint16, from int) string {
	p, err := Compile(pattern, flags)
	if err != nil {
		return "error"
	}

	var m Matcher
	found, err := Match(&m, p, text, from, flags.Has(Sticky))
	if err != nil {
		return err.Error()
	}
	if !found {
		return "null"
	}

	var out []string
	for k := 0; k < len(m.Captures); k += 2 {
		if m.Captures[k] < 0 || m.Captures[k+1] < 0 {
			out = append(out, "-")
			continue
		}
		out = append(out, fmt.Sprintf("%d-%d", m.Captures[k], m.Captures[k+1]))
	}
	return strings.Join(out, ",")
}

package main

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// result is what one file gave.
type result struct {
	area, name string
	passed     int
	failed     []failure
	trouble    string // of the file as a whole; empty if it ran to its end
	node       int    // subtests that Node passes
	both       int    // subtests that Node passes and we pass
}

// failure is one subtest that did not pass.
type failure struct{ name, message string }

func (r *result) total() int { return r.passed + len(r.failed) }

// maxNamed is how many failed subtests of a file expected.txt names; of a file with more it has the number.
const maxNamed = 60

// lostSince names what passed before and does not now.
func (r *result) lostSince(old *result) []string {
	if old == nil {
		return nil
	}

	var lost []string
	if len(old.failed) > 0 || old.total() <= old.passed {
		known := map[string]bool{}
		for _, f := range old.failed {
			known[f.name] = true
		}

		for _, f := range r.failed {
			if !known[f.name] && len(r.failed) <= maxNamed && len(old.failed) <= maxNamed {
				lost = append(lost, f.name)
			}
		}
	}
	if r.passed < old.passed {
		lost = append(lost, fmt.Sprintf("%d subtests passed, now %d", old.passed, r.passed))
	}

	return lost
}

// readExpected reads what passed before; a file that is not there has nothing.
func readExpected(name string) (map[string]*result, error) {
	results := map[string]*result{}
	in, err := os.Open(name)
	if os.IsNotExist(err) {
		return results, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()

	var last *result

	lines := bufio.NewScanner(in)
	for lines.Scan() {
		line := lines.Text()
		if failed, ok := strings.CutPrefix(line, "\t"); ok && last != nil {
			text, err := strconv.Unquote(failed)
			if err != nil {
				return nil, fmt.Errorf("%s: %q: %w", name, line, err)
			}
			last.failed = append(last.failed, failure{name: text})
			continue
		}

		last = &result{}
		failed := 0
		_, err := fmt.Sscanf(line, "%s %s passed %d failed %d node %d both %d",
			&last.area, &last.name, &last.passed, &failed, &last.node, &last.both)
		if err != nil {
			return nil, fmt.Errorf("%s: %q: %w", name, line, err)
		}
		if failed > maxNamed {
			last.failed = make([]failure, failed)
		}
		results[last.name] = last
	}

	return results, lines.Err()
}

// writeExpected writes what passes.
func writeExpected(name string, results map[string]*result) error {
	var text strings.Builder
	for _, file := range slices.Sorted(maps.Keys(results)) {
		r := results[file]
		fmt.Fprintf(&text, "%s %s passed %d failed %d node %d both %d\n",
			r.area, r.name, r.passed, len(r.failed), r.node, r.both)
		if len(r.failed) > maxNamed {
			continue
		}

		for _, f := range r.failed {
			fmt.Fprintf(&text, "\t%q\n", f.name)
		}
	}

	return os.WriteFile(name, []byte(text.String()), 0o644)
}

// sum is what the files of one area give together.
type sum struct {
	name                             string
	files, passed, total, node, both int
}

// share is the part of what Node passes that we pass, in percent.
func (s sum) share() float64 {
	if s.node == 0 {
		return 0
	}
	return 100 * float64(s.both) / float64(s.node)
}

// sumUp adds the files of each area, in the order of the list.
func sumUp(results map[string]*result) []sum {
	var sums []sum
	for line := range strings.Lines(testsList) {
		area, _, _ := strings.Cut(line, " ")
		if area == "-" || strings.HasPrefix(area, "#") || strings.TrimSpace(line) == "" ||
			slices.ContainsFunc(sums, func(s sum) bool { return s.name == area }) {
			continue
		}

		s := sum{name: area}
		for _, r := range results {
			if r.area == area {
				s.files++
				s.passed += r.passed
				s.total += r.total()
				s.node += r.node
				s.both += r.both
			}
		}
		if s.files > 0 {
			sums = append(sums, s)
		}
	}

	return sums
}

// writeTable writes the page's table anew, between its marks.
func writeTable(page string, results map[string]*result) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}

	const begin, end = "<!-- wpt -->\n", "<!-- end of wpt -->\n"
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no place for the table", page)
	}

	var table strings.Builder
	table.WriteString("| Area | Files | Tests | Node passes | of these here |\n|---|---|---|---|---|\n")

	for _, s := range sumUp(results) {
		fmt.Fprintf(&table, "| %s | %d | %d | %d | %d (%.1f %%) |\n",
			s.name, s.files, s.total, s.node, s.both, s.share())
	}

	return os.WriteFile(page, []byte(before+begin+table.String()+end+after), 0o644)
}

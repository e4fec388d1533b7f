package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"picloud/internal/testkit"
)

// The web APIs of the sandbox say what Node's say, or differ as the golden file has it:
// web/test/conformance.js has the cases. UPDATE=1 writes the golden file anew. Under another major version of
// Node only the sandbox's side is compared.
func TestConformance(t *testing.T) {
	t.Parallel()
	needsNode(t)
	web := filepath.Join(testkit.Root(), "web")
	cmd := exec.Command("node", "--input-type=module", "-e", `import { run } from "./test/conformance.js";
		const alive = setInterval(() => {}, 1000);
		console.log(JSON.stringify({ version: process.versions.node.split(".")[0], cases: await run() }));
		clearInterval(alive);`)
	cmd.Dir = web
	cmd.Stderr = testWriter{t}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v", err)
	}

	var node struct {
		Version string
		Cases   map[string]string
	}
	if err := json.Unmarshal(out, &node); err != nil {
		t.Fatal(err)
	}

	w := newFixture(t)
	source := bundle(t, filepath.Join(web, "test", "conformance.js"))
	limits := map[string]any{"timeout_ms": 30_000} // nothing here is about time
	w.api("PUT", "/apps/default/scripts/conformance", map[string]any{"source": source, "limits": limits}).want(201)
	r := w.do("GET", "/f/default/conformance", nil, "Authorization", "Bearer "+w.token).want(200)
	var here map[string]string
	if err := json.Unmarshal([]byte(r.body), &here); err != nil {
		t.Fatal(err)
	}

	file := filepath.Join(web, "test", "conformance.golden")
	got := conformanceTable(node.Version, node.Cases, here)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := string(b)
	if !strings.Contains(want, " with Node "+node.Version+".\n") {
		t.Logf("the table was made with another version of Node than %s", node.Version)
		want = oursOf(want)
		got = oursOf(got)
	}

	golden := casesOf(want)
	for name, says := range casesOf(got) {
		t.Run(name, func(t *testing.T) {
			if says != golden[name] {
				t.Errorf("it says\n%swant\n%s", says, golden[name])
			}
		})
	}

	if got != want {
		t.Errorf("the table has changed (UPDATE=1 writes it anew):\n%s", strings.Join(changedLines(want, got), "\n"))
	}
}

// conformanceTable has two sections of cases in the order of their names: "- name" and what the two say, or
// what both do.
func conformanceTable(version string, node, here map[string]string) string {
	var agree, differ strings.Builder

	agreed := 0
	for _, name := range slices.Sorted(maps.Keys(node)) {
		if here[name] == node[name] {
			agreed++
			fmt.Fprintf(&agree, "- %s\n    picloud %s\n", name, here[name])
		} else {
			fmt.Fprintf(&differ, "- %s\n    node    %s\n    picloud %s\n", name, node[name], here[name])
		}
	}

	return fmt.Sprintf("%d of %d cases agree with Node %s.\n\nThey differ:\n\n%s\nThey agree:\n\n%s",
		agreed, len(node), version, differ.String(), agree.String())
}

// casesOf is what a table says of each case, by its name.
func casesOf(table string) map[string]string {
	cases := map[string]string{}

	name := ""
	for l := range strings.Lines(table) {
		switch {
		case strings.HasPrefix(l, "- "):
			name = strings.TrimSpace(l[2:])
		case strings.HasPrefix(l, "    ") && name != "":
			cases[name] += l
		}
	}

	return cases
}

// oursOf is what a table says of the sandbox, case by case.
func oursOf(table string) string {
	var cases []string

	name := ""
	for l := range strings.Lines(table) {
		switch {
		case strings.HasPrefix(l, "- "):
			name = l
		case strings.HasPrefix(l, "    picloud "):
			cases = append(cases, name+l)
		}
	}

	slices.Sort(cases)
	return strings.Join(cases, "")
}

// changedLines are those that only one of two texts has.
func changedLines(a, b string) []string {
	var out []string
	for _, side := range [][3]string{{a, b, "- "}, {b, a, "+ "}} {
		other := strings.Split(side[1], "\n")
		for _, l := range strings.Split(side[0], "\n") {
			if !slices.Contains(other, l) {
				out = append(out, side[2]+l)
			}
		}
	}

	return out
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"picloud/internal/testkit"
)

// The web APIs of the sandbox say what Node's say, or differ as the golden file has it: web/test/conformance.js has the
// cases. UPDATE=1 writes the golden file anew.
func TestConformance(t *testing.T) {
	web := filepath.Join(testkit.Root(), "web")
	cmd := exec.Command("node", "--input-type=module", "-e", `import { run } from "./test/conformance.js"; const alive = setInterval(() => {}, 1000); console.log(JSON.stringify(await run())); clearInterval(alive);`)
	cmd.Dir = web
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v", err)
	}
	var node, here map[string]string
	if err := json.Unmarshal(out, &node); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.api("PUT", "/apps/default/scripts/conformance", map[string]any{"source": bundle(t, filepath.Join(web, "test", "conformance.js"))}).want(201)
	if err := json.Unmarshal([]byte(w.do("GET", "/f/default/conformance", nil, "Authorization", "Bearer "+w.token).want(200).body), &here); err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range node {
		names = append(names, name)
	}
	slices.Sort(names)
	var agree, differ bytes.Buffer
	agreed := 0
	for _, name := range names {
		if here[name] == node[name] {
			agreed++
			fmt.Fprintln(&agree, name)
		} else {
			fmt.Fprintf(&differ, "%s\n    node    %s\n    picloud %s\n", name, node[name], here[name])
		}
	}
	got := fmt.Sprintf("%d of %d cases agree with Node.\n\nThey differ:\n\n%s\nThey agree:\n\n%s", agreed, len(names), differ.String(), agree.String())
	file := filepath.Join(web, "test", "conformance.golden")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the table has changed (UPDATE=1 writes it anew):\n%s", strings.Join(changedLines(string(want), got), "\n"))
	}
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

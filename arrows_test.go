package picloud

import (
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// arrows says which of our packages each package may import. cmd sees everyone. The packages of lab stand in a module of
// their own and see PiCloud from outside: its database and its machine, never its stations.
var arrows = map[string][]string{
	"migrations": {}, "db": {}, "db/pglocal": {}, "internal/cloud": {}, "internal/timerwheel": {}, "static": {},
	"views":                     {"internal/cloud"},
	"internal/schedule":         {"internal/cloud"},
	"internal/auth":             {"internal/cloud", "db"},
	"internal/manager":          {"internal/cloud", "db", "internal/auth", "internal/schedule"},
	"internal/orchestrator":     {"internal/cloud", "db", "internal/auth", "internal/schedule"},
	"internal/executor":         {"internal/cloud", "internal/executor/wire", "internal/timerwheel"},
	"internal/executor/wire":    {"internal/cloud"},
	"internal/executor/sandbox": {"internal/cloud", "internal/executor/wire"},
	"internal/services/kv":      {"internal/cloud", "db"},
	"internal/services/fetch":   {"internal/cloud"},
	"internal/services/secrets": {"internal/cloud"},
	"internal/testkit":          {"db", "db/pglocal", "internal/testkit/wire", "migrations"},
	"internal/testkit/machine":  {},
	"internal/testkit/wire":     {},
	"handlers":                  {"internal/cloud", "db", "internal/auth", "internal/timerwheel", "internal/manager", "internal/orchestrator", "internal/services/kv", "views", "static"},
	"lab/bench":                 {"db", "db/pglocal", "internal/testkit/machine"},
	"lab/faultlab":              {"db", "db/pglocal", "internal/testkit/machine", "internal/testkit/wire"},
}

// modules are the directories of our Go modules, and how many packages of each the table holds at least.
var modules = map[string]int{".": 10, "lab": 2}

// The stations meet only in cmd.
func TestArrows(t *testing.T) {
	t.Parallel()
	for dir, least := range modules {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			if seen := checkArrows(t, dir); seen < least {
				t.Errorf("only %d packages were checked", seen)
			}
		})
	}
}

// checkArrows holds the packages of the module in a directory against the table, and gives their number.
func checkArrows(t *testing.T, dir string) (seen int) {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}

	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); err == io.EOF {
			return seen
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, "picloud/")
		if name == "picloud" || strings.HasPrefix(name, "cmd/") {
			continue
		}

		allowed, known := arrows[name]
		if !known {
			t.Errorf("package %s has no place in the table of arrows", name)
			continue
		}
		seen++
		for _, imp := range p.Imports {
			ours, ok := strings.CutPrefix(imp, "picloud/")
			if ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s must not import %s", name, ours)
			}
		}
	}
}

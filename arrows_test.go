package picloud

import (
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// arrows says which of our packages each package may import. cmd sees everyone. The packages of lab, a module of its own,
// see PiCloud from outside: its database and its processes, never its stations.
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
	"lab/bench":                 {"db", "db/pglocal", "internal/testkit/machine"},
	"lab/faultlab":              {"db", "db/pglocal", "internal/testkit/machine", "internal/testkit/wire"},
	"internal/testkit":          {"db", "db/pglocal", "internal/testkit/wire", "migrations"},
	"internal/testkit/machine":  {},
	"internal/testkit/wire":     {},
	"handlers":                  {"internal/cloud", "db", "internal/auth", "internal/timerwheel", "internal/manager", "internal/orchestrator", "internal/services/kv", "views", "static"},
}

// The stations meet only in cmd.
func TestArrows(t *testing.T) {
	t.Parallel()
	if seen := checkArrows(t, "."); seen < 10 {
		t.Errorf("only %d packages were checked", seen)
	}
	if seen := checkArrows(t, "lab"); seen < 2 {
		t.Errorf("only %d packages of lab were checked", seen)
	}
}

// checkArrows holds the packages of the Go module in a directory against the table, and counts them.
func checkArrows(t *testing.T, module string) (seen int) {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = module
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
			if ok && !contains(allowed, ours) {
				t.Errorf("%s must not import %s", name, ours)
			}
		}
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

package picloud

import (
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// arrows says which of our packages each package may import. cmd sees everyone.
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
	"handlers": {
		"internal/cloud", "internal/auth", "internal/manager", "internal/orchestrator", "internal/services/kv", "views", "static",
		"handlers/edge", "handlers/tail", "handlers/api", "handlers/admin", "handlers/ingress",
	},
	"handlers/edge": {
		"internal/cloud", "internal/auth", "internal/manager", "internal/orchestrator", "internal/services/kv", "views",
	},
	"handlers/tail": {"internal/cloud", "internal/auth", "internal/orchestrator", "handlers/edge"},
	"handlers/api": {
		"internal/cloud", "db", "internal/auth", "internal/manager", "internal/orchestrator", "internal/services/kv",
		"handlers/edge", "handlers/tail",
	},
	"handlers/admin": {
		"internal/cloud", "db", "internal/auth", "internal/manager", "internal/orchestrator", "internal/services/kv",
		"views", "handlers/edge", "handlers/tail",
	},
	"handlers/ingress": {"internal/cloud", "internal/auth", "internal/orchestrator", "internal/timerwheel", "handlers/edge"},
}

// The stations meet only in cmd.
func TestArrows(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := 0
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); err == io.EOF {
			break
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
	if seen < 10 {
		t.Errorf("only %d packages were checked", seen)
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

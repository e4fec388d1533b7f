package picloud

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// arrows says which of our packages each package may import. cmd sees everyone.
var arrows = map[string]string{
	// What everybody stands on.
	"db":                  "",
	"db/pglocal":          "",
	"migrations":          "",
	"static":              "",
	"internal/cloud":      "",
	"internal/timerwheel": "",
	"internal/fairshare":  "",
	"internal/ratelimit":  "",
	"internal/schedule":   "internal/cloud",
	"internal/auth":       "internal/cloud internal/fairshare db",

	// The control plane.
	"internal/manager": "internal/cloud internal/fairshare db internal/auth internal/schedule",

	// The data plane, from what stands alone to what puts it together.
	"internal/admission": "internal/cloud",
	"internal/cluster":   "internal/cloud db",
	"internal/retention": "db",
	"internal/catalog":   "internal/cloud db internal/auth internal/schedule",
	"internal/outbox":    "internal/cloud db internal/admission",
	"internal/commit":    "internal/cloud db internal/catalog internal/outbox",
	"internal/history":   "internal/cloud db internal/commit internal/schedule",
	"internal/cron":      "internal/cloud db internal/catalog internal/commit internal/outbox internal/schedule",
	"internal/orchestrator": "internal/cloud db internal/admission internal/catalog internal/cluster internal/commit " +
		"internal/cron internal/history internal/outbox internal/retention",

	// The executor, and the sandbox from the run loop down to the JavaScript engine's memory.
	"internal/executor":      "internal/cloud internal/executor/wire internal/timerwheel",
	"internal/executor/wire": "internal/cloud",
	"internal/executor/sandbox": "internal/cloud internal/executor/wire internal/executor/sandbox/sdk " +
		"internal/executor/sandbox/nodeapi internal/executor/sandbox/webapi internal/executor/sandbox/realm " +
		"internal/executor/sandbox/webassembly " +
		"internal/executor/sandbox/engine internal/executor/sandbox/rawsys internal/executor/sandbox/wall",
	"internal/executor/sandbox/wall": "internal/executor/sandbox/rawsys",
	"internal/executor/sandbox/sdk": "internal/cloud internal/executor/wire internal/executor/sandbox/webapi " +
		"internal/executor/sandbox/realm internal/executor/sandbox/engine",
	"internal/executor/sandbox/nodeapi": "internal/executor/sandbox/webapi internal/executor/sandbox/realm " +
		"internal/executor/sandbox/engine",
	"internal/executor/sandbox/webapi": "internal/cloud internal/executor/wire internal/executor/sandbox/webcrypto " +
		"internal/executor/sandbox/charset internal/executor/sandbox/webassembly " +
		"internal/executor/sandbox/realm internal/executor/sandbox/engine",
	"internal/executor/sandbox/webcrypto":   "internal/executor/sandbox/realm",
	"internal/executor/sandbox/webassembly": "internal/executor/sandbox/realm internal/executor/sandbox/engine",
	"internal/executor/sandbox/realm": "internal/cloud internal/executor/sandbox/engine " +
		"internal/executor/sandbox/regexps",
	"internal/executor/sandbox/regexps": "internal/executor/sandbox/engine internal/executor/sandbox/regex",
	"internal/executor/sandbox/engine":  "internal/executor/sandbox/regex",
	"internal/executor/sandbox/regex":   "",
	"internal/executor/sandbox/charset": "",
	"internal/executor/sandbox/rawsys":  "",

	// What a script can use.
	"internal/services/kv":      "internal/cloud db internal/fairshare",
	"internal/services/fetch":   "internal/cloud internal/fairshare",
	"internal/services/secrets": "internal/cloud",

	// HTTP: the API, the dashboard and the scripts' endpoints do not know each other.
	"views": "internal/cloud",
	"handlers/edge": "internal/cloud internal/auth internal/manager internal/catalog internal/history internal/orchestrator " +
		"internal/fairshare internal/services/kv views",
	"handlers/tail": "internal/cloud internal/auth internal/history internal/orchestrator handlers/edge",
	"handlers/api": "internal/cloud internal/fairshare db internal/auth internal/manager internal/history internal/orchestrator " +
		"internal/services/kv handlers/edge handlers/tail",
	"handlers/admin": "internal/cloud db internal/auth internal/manager internal/history internal/orchestrator " +
		"internal/services/kv views handlers/edge handlers/tail",
	"handlers/ingress": "internal/cloud internal/auth internal/catalog internal/orchestrator internal/ratelimit " +
		"internal/timerwheel handlers/edge",
	"handlers": "internal/cloud internal/auth internal/manager internal/orchestrator internal/services/kv views static " +
		"handlers/edge handlers/tail handlers/api handlers/admin handlers/ingress",

	// What only tests import.
	"internal/testkit": "db db/pglocal internal/testkit/wire migrations",
	"internal/testkit/testcloud": "internal/cloud db internal/manager internal/orchestrator internal/services/kv " +
		"internal/services/secrets internal/testkit",
	"internal/testkit/machine": "",
	"internal/testkit/wire":    "",

	// The benchmark and the fault lab see PiCloud from outside: its database and its processes, never its
	// parts.
	"lab/bench":    "db db/pglocal internal/testkit/machine",
	"lab/faultlab": "db db/pglocal internal/testkit/machine internal/testkit/wire",
	"lab/wpt": "internal/cloud internal/executor/sandbox internal/executor/sandbox/realm internal/executor/sandbox/engine internal/executor/sandbox/sdk " +
		"internal/executor/sandbox/webapi internal/executor/wire",
}

// mayUseUnsafe are the packages that read the JavaScript engine's memory, and that give buffers to the
// kernel.
var mayUseUnsafe = []string{"internal/executor/sandbox/engine", "internal/executor/sandbox/rawsys"}

// Each package imports what the table says, and nothing else of ours: the parts of PiCloud meet only in cmd.
func TestArrows(t *testing.T) {
	t.Parallel()

	seen := map[string]bool{}
	for _, module := range modules {
		for _, p := range packagesOf(t, module) {
			name := strings.TrimPrefix(p.ImportPath, "picloud/")
			if name == "picloud" || strings.HasPrefix(name, "cmd/") {
				continue
			}
			seen[name] = true
			checkImports(t, name, p.Imports)
		}
	}

	for name := range arrows {
		if !seen[name] {
			t.Errorf("the table of arrows has %s, which is no package", name)
		}
	}
}

// modules are the directories of our Go modules.
var modules = []string{".", "lab"}

type listedPackage struct {
	ImportPath string
	Imports    []string
}

// packagesOf lists the packages of the module in a directory.
func packagesOf(t *testing.T, module string) []listedPackage {
	t.Helper()

	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = module
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}

	var packages []listedPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listedPackage
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func checkImports(t *testing.T, name string, imports []string) {
	t.Helper()

	row, known := arrows[name]
	if !known {
		t.Errorf("package %s has no place in the table of arrows", name)
		return
	}

	allowed := strings.Fields(row)
	for _, imported := range imports {
		if imported == "unsafe" && !slices.Contains(mayUseUnsafe, name) {
			t.Errorf("%s must not use unsafe", name)
		}
		ours, ok := strings.CutPrefix(imported, "picloud/")
		if ok && !slices.Contains(allowed, ours) {
			t.Errorf("%s must not import %s", name, ours)
		}
	}
}

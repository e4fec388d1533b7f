package picloud

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// licensesFile is what "picloud licenses" prints.
const licensesFile = "cmd/picloud/licenses.txt"

const licensesHead = `What the picloud binary is made of, beside its own code, and the licences of that. Each text is followed by nothing but
the next; the names above it are of what it belongs to. PostgreSQL, if PiCloud runs it, is a program of its own.
`

// licenseName is that of a file which says how a module may be used.
var licenseName = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)`)

// builtPackage is a package of the binary, as "go list" shows it.
type builtPackage struct {
	Dir    string
	Module *struct {
		Path, Version, Dir string
		Main               bool
	}
}

// The binary carries the notices of everything that is compiled into it: most licences ask for that.
// UPDATE=1 go test -run TestLicenses . writes them.
func TestLicenses(t *testing.T) {
	t.Parallel()

	got := licensesHead
	for _, group := range licenseGroups(t) {
		got += "\n" + strings.Repeat("=", 100) + "\n" + strings.Join(group.owners, "\n") + "\n" +
			strings.Repeat("-", 100) + "\n\n" + group.text + "\n"
	}

	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(licensesFile, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want := readNotices(t, licensesFile); got != want {
		t.Errorf("%s is not what the binary is made of: UPDATE=1 go test -run TestLicenses . writes it", licensesFile)
	}
}

// licenseGroup is a text and what it belongs to.
type licenseGroup struct {
	text   string
	owners []string
}

// licenseGroups are the texts of all licences, each once, in the order of the first module that has it.
func licenseGroups(t *testing.T) []licenseGroup {
	t.Helper()

	files := map[string]string{} // the owner by the path of its licence
	for _, p := range builtPackages(t) {
		if p.Module == nil || p.Module.Main {
			continue
		}
		found := licensesAbove(t, p.Dir, p.Module.Dir)
		if len(found) == 0 {
			t.Errorf("%s has no licence", p.Module.Path)
		}

		for path := range found {
			below, err := filepath.Rel(p.Module.Dir, filepath.Dir(path))
			if err != nil {
				t.Fatal(err)
			}
			files[path] = strings.TrimSuffix(filepath.Join(p.Module.Path, below)+" "+p.Module.Version, " ")
		}
	}

	files[filepath.Join(goRoot(t), "LICENSE")] = "the Go standard library"
	files["static/LICENSES.md"] = "what the dashboard sends to browsers"
	return groupByText(t, files)
}

// groupByText puts owners with one text together.
func groupByText(t *testing.T, files map[string]string) []licenseGroup {
	t.Helper()

	owners := map[string][]string{}
	for path, owner := range files {
		text := strings.TrimSpace(strings.ReplaceAll(readNotices(t, path), "\r\n", "\n"))
		owners[text] = append(owners[text], owner)
	}

	var groups []licenseGroup
	for text, list := range owners {
		slices.Sort(list)
		groups = append(groups, licenseGroup{text, slices.Compact(list)})
	}
	slices.SortFunc(groups, func(a, b licenseGroup) int {
		return strings.Compare(a.owners[0]+a.text, b.owners[0]+b.text)
	})
	return groups
}

// licensesAbove finds the licences of a package: in its directory and in those above it, up to the module's.
func licensesAbove(t *testing.T, dir, module string) map[string]bool {
	t.Helper()

	found := map[string]bool{}
	for {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}

		for _, e := range entries {
			if !e.IsDir() && licenseName.MatchString(e.Name()) && filepath.Ext(e.Name()) != ".go" {
				found[filepath.Join(dir, e.Name())] = true
			}
		}

		if dir == module || len(dir) <= len(module) {
			return found
		}
		dir = filepath.Dir(dir)
	}
}

// builtPackages lists what is compiled into the binary for Linux, which is where it runs.
func builtPackages(t *testing.T) []builtPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=Dir,Module", "./cmd/picloud")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("list packages: %v", err)
	}

	var packages []builtPackage

	d := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p builtPackage
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatalf("read the list of packages: %v", err)
		}
		packages = append(packages, p)
	}
}

// goRoot is where the Go that builds the binary lies.
func goRoot(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatalf("ask for GOROOT: %v", err)
	}
	return strings.TrimSpace(string(out))
}

func readNotices(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !(errors.Is(err, os.ErrNotExist) && path == licensesFile) {
		t.Fatal(err)
	}
	return string(text)
}

package pglocal

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
)

// minMajor is the oldest PostgreSQL that the schema works on.
const minMajor = 15

// Binaries is a directory with initdb and postgres of one major version.
type Binaries struct {
	Dir   string
	Major int
}

// Find looks for PostgreSQL in PATH, Debian's and Homebrew's places. want is the major version of existing data, 0 for
// any; the newest wins.
func Find(want int) (Binaries, error) {
	var dirs []string
	for _, name := range []string{"postgres", "initdb"} {
		if p, err := exec.LookPath(name); err == nil {
			if p, err = filepath.EvalSymlinks(p); err == nil {
				dirs = append(dirs, filepath.Dir(p))
			}
		}
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin",
		"/usr/local/opt/postgresql@*/bin", "/opt/homebrew/bin"} {
		found, _ := filepath.Glob(pattern)
		dirs = append(dirs, found...)
	}
	if dir := os.Getenv("PICLOUD_TEST_POSTGRES"); dir != "" { // make test-postgres tries one after the other
		dirs = []string{dir}
	}
	var all []Binaries
	for _, d := range dirs {
		if _, err := os.Stat(filepath.Join(d, "initdb")); err != nil {
			continue
		}
		if major := majorOf(filepath.Join(d, "postgres")); major >= minMajor {
			all = append(all, Binaries{Dir: d, Major: major})
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Major > all[j].Major })
	for _, b := range all {
		if want == 0 || b.Major == want {
			return b, nil
		}
	}
	if want != 0 && len(all) > 0 {
		return Binaries{}, fmt.Errorf("the data directory was made by PostgreSQL %d, and this machine has %d: install the package "+
			"postgresql-%d, or set DATABASE_URL", want, all[0].Major, want)
	}
	return Binaries{}, fmt.Errorf("no PostgreSQL %d or later was found: run \"%s\", or set DATABASE_URL", max(minMajor, want), installCommand())
}

func installCommand() string {
	if runtime.GOOS == "darwin" {
		return "brew install postgresql@17"
	}
	if _, err := exec.LookPath("dnf"); err == nil {
		return "sudo dnf install postgresql-server"
	}
	return "sudo apt-get install -y postgresql"
}

func majorOf(postgres string) int {
	out, err := exec.Command(postgres, "--version").Output()
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(out))
	if len(fields) < 3 {
		return 0
	}
	end := strings.IndexFunc(fields[2], func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(fields[2])
	}
	n, _ := strconv.Atoi(fields[2][:end])
	return n
}

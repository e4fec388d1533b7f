package pglocal

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
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

// Find looks for PostgreSQL in PATH and where Debian, Red Hat and Homebrew put it. want is the major
// version that made the existing data, which no other can read; 0 takes the newest.
func Find(want int) (Binaries, error) {
	all := installed(searchDirs())
	for _, b := range all {
		if want == 0 || b.Major == want {
			return b, nil
		}
	}

	if want != 0 && len(all) > 0 {
		text := fmt.Sprintf("the data directory was made by PostgreSQL %d, and this machine has %d: "+
			"install the package postgresql-%d, or set DATABASE_URL", want, all[0].Major, want)
		if all[0].Major > want {
			text += fmt.Sprintf("; with both installed, \"picloud upgrade-postgres\" moves the data to %d",
				all[0].Major)
		}
		return Binaries{}, errors.New(text)
	}

	return Binaries{}, fmt.Errorf("no PostgreSQL %d or later was found: run \"%s\", or set DATABASE_URL",
		max(minMajor, want), installCommand())
}

// Tool returns the path of a client program for a server of a major version. It is that of the same version,
// or else of the next one that is installed: a program reads servers up to its own version, and what a
// later one writes may be foreign to them. 0 takes the newest.
func Tool(name string, server int) (string, error) {
	best, newest := pickTool(versionsOf(name, searchDirs()), server)
	switch {
	case best.Dir != "":
		return filepath.Join(best.Dir, name), nil
	case newest.Dir != "":
		return "", fmt.Errorf("the database is PostgreSQL %d, and %s of this machine is %d, which cannot "+
			"read it: install the package postgresql-client-%d", server, name, newest.Major, server)
	default:
		return "", fmt.Errorf("%s is missing: install PostgreSQL's client programs", name)
	}
}

// pickTool returns the best of the versions of a program, newest first, for a server; or else the newest.
func pickTool(all []Binaries, server int) (best, newest Binaries) {
	for k, b := range all {
		if k == 0 {
			newest = b
		}
		if best.Dir == "" && server == 0 || b.Major >= server && server > 0 {
			best = b
		}
	}

	return best, newest
}

// searchDirs lists the directories that may have the binaries; those in PATH come first.
func searchDirs() []string {
	// make test-postgres tries one version after the other.
	if dirs := os.Getenv("PICLOUD_TEST_POSTGRES"); dirs != "" {
		return filepath.SplitList(dirs)
	}

	var dirs []string
	for _, name := range []string{"postgres", "initdb", "pg_dump"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}

		// A link in /usr/bin leads to where the other programs are.
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}

	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",
		"/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql@*/bin",
		"/usr/local/opt/postgresql@*/bin",
		"/opt/homebrew/bin",
	} {
		found, _ := filepath.Glob(pattern)
		dirs = append(dirs, found...)
	}

	return dirs
}

// installed returns those of the directories that have a server of minMajor or later, the newest first.
func installed(dirs []string) []Binaries {
	return slices.DeleteFunc(versionsOf("postgres", dirs), func(b Binaries) bool {
		_, err := os.Stat(filepath.Join(b.Dir, "initdb"))
		return err != nil
	})
}

// versionsOf returns those of the directories that have a program, of minMajor or later, the newest first.
func versionsOf(name string, dirs []string) []Binaries {
	var all []Binaries
	for _, dir := range dirs {
		if major := majorOf(filepath.Join(dir, name)); major >= minMajor {
			all = append(all, Binaries{Dir: dir, Major: major})
		}
	}

	slices.SortStableFunc(all, func(a, b Binaries) int { return b.Major - a.Major })
	return all
}

// installCommand is what a user of this system would type.
func installCommand() string {
	if runtime.GOOS == "darwin" {
		return "brew install postgresql@17"
	}
	if _, err := exec.LookPath("dnf"); err == nil {
		return "sudo dnf install postgresql-server"
	}
	return "sudo apt-get install -y postgresql"
}

// majorOf asks a program of PostgreSQL's for its major version, 0 if it does not say.
func majorOf(program string) int {
	cmd := exec.Command(program, "--version")
	cmd.Env = serverEnvironment()
	out, err := cmd.Output()
	if err != nil {
		return 0
	}
	return parseMajor(string(out))
}

// parseMajor reads a text like "postgres (PostgreSQL) 17.2 (Debian 17.2-1)" or "... 18beta1".
func parseMajor(version string) int {
	fields := strings.Fields(version)
	if len(fields) < 3 {
		return 0
	}

	number := fields[2]
	end := strings.IndexFunc(number, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(number)
	}

	major, _ := strconv.Atoi(number[:end])
	return major
}

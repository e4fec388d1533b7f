package pglocal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseMajor(t *testing.T) {
	t.Parallel()

	for version, want := range map[string]int{
		"postgres (PostgreSQL) 17.2 (Debian 17.2-1.pgdg120+1)": 17,
		"postgres (PostgreSQL) 18beta1":                        18,
		"postgres (PostgreSQL) 15":                             15,
		"postgres (PostgreSQL) devel":                          0,
		"postgres":                                             0,
		"":                                                     0,
	} {
		if got := parseMajor(version); got != want {
			t.Errorf("%q is %d, want %d", version, got, want)
		}
	}
}

// Of several installations the newest is taken, or the one that made the data.
func TestFind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	install := func(name, version string) string {
		t.Helper()
		bin := filepath.Join(dir, name)
		if err := os.Mkdir(bin, 0o755); err != nil {
			t.Fatal(err)
		}

		script := "#!/bin/sh\necho 'postgres (PostgreSQL) " + version + "'\n"
		for _, program := range []string{"initdb", "postgres"} {
			if err := os.WriteFile(filepath.Join(bin, program), []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
		}

		return bin
	}

	dirs := []string{install("a", "16.1"), install("b", "18.0"), install("old", "14.9"),
		filepath.Join(dir, "none")}
	all := installed(dirs)
	if len(all) != 2 || all[0].Major != 18 || all[1].Major != 16 || all[1].Dir != dirs[0] {
		t.Errorf("installed: %+v", all)
	}

	newest, err := Find(0)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Find(newest.Major); err != nil || got != newest {
		t.Errorf("version %d: %+v %v", newest.Major, got, err)
	}

	_, err = Find(99)
	if err == nil || !strings.Contains(err.Error(), "the data directory was made by PostgreSQL 99") {
		t.Errorf("version 99: %v", err)
	}
}

// A client program is taken for the server's version, or a later one: an earlier one cannot read the server.
func TestPickTool(t *testing.T) {
	t.Parallel()
	all := []Binaries{{"18", 18}, {"17", 17}, {"15", 15}}

	for _, c := range []struct {
		server int
		want   string
	}{{0, "18"}, {15, "15"}, {16, "17"}, {17, "17"}, {18, "18"}, {19, ""}} {
		if best, newest := pickTool(all, c.server); best.Dir != c.want || newest.Dir != "18" {
			t.Errorf("server %d: %v %v", c.server, best, newest)
		}
	}
	if best, newest := pickTool(nil, 15); best.Dir != "" || newest.Dir != "" {
		t.Errorf("without any: %v %v", best, newest)
	}

	_, err := Tool("pg_dump", 99)
	if err == nil || !strings.Contains(err.Error(), "install the package postgresql-client-99") {
		t.Errorf("for a server of version 99: %v", err)
	}
	if _, err := Tool("pg_nothing", 15); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("a program that is not there: %v", err)
	}
}

// PostgreSQL and its programs get nothing of PiCloud's environment, which has the master key and passwords.
func TestEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"PICLOUD_SECRET_KEY": "x", "DATABASE_URL": "x", "AWS_SECRET_ACCESS_KEY": "x", "PATH": "/bin",
		"PGSSLMODE": "require", "PGHOSTADDR": "x", "HOME": "/root",
	} {
		t.Setenv(name, value)
	}

	for _, name := range append([]string{"KRB5CCNAME", "KRB5_CONFIG", "SSL_CERT_FILE", "SSL_CERT_DIR"}, passedOn[1:]...) {
		t.Setenv(name, "") // so that it is as before afterwards
		_ = os.Unsetenv(name)
	}

	if got := strings.Join(serverEnvironment(), " "); got != "PATH=/bin LC_ALL=C" {
		t.Errorf("the server's environment is %s", got)
	}
	got := strings.Join(ClientEnvironment(), " ")
	if !strings.HasPrefix(got, "PATH=/bin LC_ALL=C HOME=/root") || !strings.Contains(got, " PGSSLMODE=require") ||
		strings.Contains(got, "=x") {
		t.Errorf("the clients' environment is %s", got)
	}
}

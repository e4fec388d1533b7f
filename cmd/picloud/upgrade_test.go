package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"picloud/db/pglocal"
	"picloud/internal/testkit"
)

// laterPostgres makes programs that call themselves PostgreSQL 99, and are those of the newest version that
// is installed otherwise. It returns the PATH-like list of both.
func laterPostgres(t *testing.T) (dirs string, real pglocal.Binaries) {
	t.Helper()
	real, err := pglocal.Find(0)
	if err != nil {
		t.Fatal(err)
	}

	later := filepath.Dir(ownDir(t))
	for _, name := range []string{"postgres", "initdb", "pg_dump", "pg_restore"} {
		script := fmt.Sprintf("#!/bin/sh\n[ \"$1\" = --version ] && echo '%s (PostgreSQL) 99.1' && exit\nexec '%s/%s' \"$@\"\n",
			name, real.Dir, name)
		if err := os.WriteFile(filepath.Join(later, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}

	return real.Dir + ":" + later, real
}

// The data moves to the next major version; the old cluster is kept, and is the way back.
func TestUpgradePostgres(t *testing.T) {
	t.Parallel()
	needsNode(t)
	dirs, real := laterPostgres(t)
	dir := ownDir(t)
	env := []string{"PICLOUD_DATA_DIR=" + dir, "DATABASE_URL="}
	p := startProcess(t, env...)
	p.fixture().api("PUT", "/apps/default/kv/c/k", map[string]any{"value": "before"}).want(200)

	upgrade := func(says, postgres string) {
		t.Helper()
		cmd := exec.Command(testkit.Binary(t), "upgrade-postgres")
		cmd.Dir = "/"
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "PICLOUD_TEST_POSTGRES=" + postgres}, env...)
		out, err := cmd.CombinedOutput()
		if !strings.Contains(string(out), says) || (err == nil) != strings.HasPrefix(says, "PiCloud's PostgreSQL is") {
			t.Errorf("%v: %s, want %q", err, out, says)
		}
	}
	upgrade("another PiCloud uses the data directory", dirs)
	p.stop()
	upgrade("this machine has no later one", real.Dir)

	// Without the programs that made the data nothing can be read; both must be installed.
	cluster := filepath.Join(dir, "postgres")
	upgrade("upgrade-postgres\" moves the data to 99", filepath.Dir(filepath.Join(strings.Split(dirs, ":")[1], "x")))
	kept := fmt.Sprintf("%s-%d", cluster, real.Major)
	upgrade("PiCloud's PostgreSQL is 99 now. The data of ", dirs)
	upgrade(kept+" is left of an earlier upgrade", dirs)

	p = startProcess(t, env...)
	w := p.fixture()
	if got := w.kv("c", "k"); got != "before" {
		t.Errorf("after the upgrade the value is %v", got)
	}
	w.api("PUT", "/apps/default/kv/c/k", map[string]any{"value": "after"}).want(200)
	p.stop()

	if err := os.RemoveAll(cluster); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(kept, cluster); err != nil {
		t.Fatal(err)
	}
	p = startProcess(t, env...)
	defer p.stop()
	if got := p.fixture().kv("c", "k"); got != "before" {
		t.Errorf("on the way back the value is %v", got)
	}
}

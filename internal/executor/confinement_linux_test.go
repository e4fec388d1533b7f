package executor_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/executor"
	"picloud/internal/testkit"
)

// firstUser is the first of the users of this test's sandboxes, by which it finds them.
const firstUser = 2_100_910_000

// ids are the real, effective, saved and file system ids of one kind in a process's status, and its
// supplementary groups.
func ids(status, field string) string {
	_, rest, _ := strings.Cut(status, "\n"+field+":")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.Join(strings.Fields(line), " ")
}

// statusOfUser returns /proc/PID/status of the processes that a user has.
func statusOfUser(t *testing.T, uid int) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}

	var found []string
	for _, file := range files {
		b, err := os.ReadFile(file)
		if real, _, _ := strings.Cut(ids(string(b), "Uid"), " "); err == nil && real == strconv.Itoa(uid) {
			found = append(found, string(b))
		}
	}
	return found
}

// As root, the sandboxes of each app have a user and a group that no other app's have, and nothing of root is
// left; all system calls but a list are refused.
func TestUserPerApp(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root becomes others")
	}
	f := newFixture(t)
	f.pool.Close()
	f.startPool(executor.Users{UID: firstUser, GID: firstUser, Count: 1000})

	for app := range cloud.AppID(3) {
		s := f.deploy(app+1, `export default () => 1`)
		s.Limits.Timeout = notTimed
		if o := f.call(s, ""); o.Status != cloud.Succeeded {
			t.Fatalf("outcome %+v", o)
		}
	}

	for app := 1; app <= 3; app++ {
		uid := firstUser + app
		all := statusOfUser(t, uid)
		if len(all) == 0 {
			t.Errorf("no process runs as %d", uid)
		}

		for _, status := range all {
			four := strings.TrimSpace(strings.Repeat(fmt.Sprintf("%d ", uid), 4))
			if ids(status, "Uid") != four || ids(status, "Gid") != four || ids(status, "Groups") != "" {
				t.Errorf("app %d runs as\n%s", app, status)
			}
			if ids(status, "Seccomp") != "2" || ids(status, "CapEff") != "0000000000000000" ||
				ids(status, "NoNewPrivs") != "1" {
				t.Errorf("app %d may do too much\n%s", app, status)
			}
		}
	}
}

// A probe says what stands around the sandboxes of this machine, those of a service as well.
func TestProbe(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c, err := f.pool.Probe(t.Context())
	if err != nil || !c.Known || !c.Seccomp {
		t.Errorf("%+v (%v)", c, err)
	}
	if root := os.Geteuid() == 0; c.OwnUser != root || c.UserPerApp {
		t.Errorf("users: %+v", c)
	}

	socket, stop := startService(t, "silence") // of children that say nothing
	defer stop()
	p := newClientPool(socket)
	defer p.Close()
	if c, err := p.Probe(t.Context()); err != nil || c.Known {
		t.Errorf("a service of another version: %+v (%v)", c, err)
	}
}

// BenchmarkChildStart starts and ends sandbox processes, one after the other, with all that stands around them.
func BenchmarkChildStart(b *testing.B) {
	p := executor.New(executor.Config{
		Launcher:  &executor.Launcher{Command: []string{testkit.Binary(b), "sandbox"}},
		MemoryMiB: 128,
		Log:       slog.New(slog.DiscardHandler),
	})
	defer p.Close()

	for b.Loop() {
		if _, err := p.Probe(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

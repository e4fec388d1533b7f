package main

import (
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"picloud/internal/testkit"
)

// serviceUID is a user that owns nothing else, as that of a unit: nobody, because PostgreSQL wants one that
// the system knows.
const serviceUID = 65534

// newUnit makes the data directory of a service as its unit does, below a directory that a private /tmp does
// not hide. It skips the test where nobody can make namespaces or become another user.
func newUnit(t *testing.T) (dir string) {
	t.Helper()
	needsNode(t)
	if os.Geteuid() != 0 || exec.Command("unshare", "--mount", "true").Run() != nil {
		t.Skip("only root can make a mount namespace and become a service's user")
	}

	if _, err := user.LookupId(strconv.Itoa(serviceUID)); err != nil {
		t.Skip(err)
	}

	parent, err := os.MkdirTemp("/var/lib", "picloud-unit-")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(parent) })
	if err := os.Chmod(parent, 0o755); err != nil {
		t.Fatal(err)
	}

	dir = filepath.Join(parent, "picloud")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, serviceUID, serviceUID); err != nil {
		t.Fatal(err)
	}

	return dir
}

// startUnit runs PiCloud as its unit does: as a user of its own, with a /tmp of its own.
func startUnit(t *testing.T, dir string) *process {
	t.Helper()
	p := &process{t: t, url: "http://127.0.0.1:" + freePort(t)}
	p.program = []string{"unshare", "--mount", "sh", "-c",
		`mount -t tmpfs tmpfs /tmp && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$0" serve`,
		publicBinary(t)}
	p.restart("PICLOUD_DATA_DIR="+dir, "DATABASE_URL=")
	return p
}

// publicBinary is a copy of the binary that every user can run.
func publicBinary(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/lib", "picloud-bin-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })

	copied := filepath.Join(dir, "picloud")
	if out, err := exec.Command("cp", testkit.Binary(t), copied).CombinedOutput(); err != nil {
		t.Fatalf("copy the binary: %s", out)
	}

	for _, path := range []string{dir, copied} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}

	return copied
}

// operator runs commands as an operator types them, in / and with nothing of the tests' environment.
type operator struct {
	t      *testing.T
	binary string
	uid    uint32
	env    []string
}

func newOperator(t *testing.T, uid uint32, env ...string) operator {
	t.Helper()
	env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	return operator{t: t, binary: publicBinary(t), uid: uid, env: env}
}

func (o operator) try(args ...string) (out string, err error) {
	o.t.Helper()
	cmd := exec.Command(o.binary, args...)
	cmd.Dir = "/"
	cmd.Env = o.env
	if int(o.uid) != os.Geteuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: o.uid, Gid: o.uid}}
	}
	b, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(b)), err
}

func (o operator) run(args ...string) string {
	o.t.Helper()
	out, err := o.try(args...)
	if err != nil {
		o.t.Fatalf("%v as %d: %v: %s", args, o.uid, err, out)
	}
	return out
}

// While the unit is stopped, every command works as well, and root's leave nothing that the unit cannot use.
// Root restores into a new directory beside the unit's, or in its place.
func TestCommandsOfStoppedUnit(t *testing.T) {
	dir := newUnit(t)
	p := startUnit(t, dir)
	p.stop()

	o := newOperator(t, 0, "PICLOUD_DATA_DIR="+dir)
	has(t, "user list", o.run("user", "list"), "admin")
	dump := filepath.Join(t.TempDir(), "dump")
	o.run("backup", dump)
	o.run("rotate-key")
	belongsTo(t, dir, serviceUID)

	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}

	for _, to := range []string{dir, dir + "-new"} {
		o.env = []string{"PATH=" + os.Getenv("PATH"), "PICLOUD_DATA_DIR=" + to}
		has(t, "restore", o.run("restore", dump), "Restored")
		belongsTo(t, to, serviceUID)
	}

	p = startUnit(t, dir)
	defer p.stop()
	o.env = []string{"PATH=" + os.Getenv("PATH"), "PICLOUD_DATA_DIR=" + dir}
	has(t, "release", o.run("release"), "Released")
}

// belongsTo asserts that everything below a directory has one owner, and that nobody else can enter it.
func belongsTo(t *testing.T, dir string, uid uint32) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if got := info.Sys().(*syscall.Stat_t).Uid; got != uid {
			t.Errorf("%s belongs to %d", path, got)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}

	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%s: %v %v", dir, info, err)
	}
}

// Beside a PiCloud that a unit runs, every command works, for root and for the unit's user.
func TestCommandsBesideUnit(t *testing.T) {
	dir := newUnit(t)
	p := startUnit(t, dir)
	defer p.stop()

	for _, uid := range []uint32{0, serviceUID} {
		o := newOperator(t, uid, "PICLOUD_DATA_DIR="+dir)
		has(t, "user list", o.run("user", "list"), "admin")
		has(t, "doctor", o.run("doctor"), "ok    master key")
		has(t, "reset-password", o.run("reset-password", "admin"), "New password")
		has(t, "release", o.run("release"), "Released")

		to := filepath.Join(t.TempDir(), "dump")
		if uid != 0 {
			to = filepath.Join(dir, "dump")
		}
		has(t, "backup", o.run("backup", to), "Wrote "+to)
	}
}

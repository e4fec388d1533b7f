package pglocal

import (
	"os"
	"path/filepath"
	"testing"
)

// A directory is reached if each of its parents can be entered; those that do not exist will be made.
func TestReaches(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	private := filepath.Join(dir, "private")
	if err := os.Mkdir(private, 0o700); err != nil {
		t.Fatal(err)
	}

	stranger := Account{Name: "stranger", UID: 12345, GID: 12345, other: true}
	me := Account{Name: "me", UID: os.Getuid(), GID: os.Getgid(), other: true}

	for _, c := range []struct {
		name string
		acc  Account
		dir  string
		want bool
	}{
		{"the present user", Account{}, filepath.Join(private, "pg"), true},
		{"owner", me, filepath.Join(private, "pg"), true},
		{"stranger", stranger, filepath.Join(private, "pg"), false},
		{"stranger below what is not there", stranger, filepath.Join(private, "a", "b", "pg"), false},
		{"stranger elsewhere", stranger, "/nowhere/at/all", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := c.acc.Reaches(c.dir); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// As root the server of what is a service's runs as the service's user: the cluster's owner, or that of the
// directory which will hold the cluster.
func TestAccountOf(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	standard, err := ServerAccount()
	if err != nil {
		t.Fatal(err)
	}

	const service, other = 54321, 54322
	for _, c := range []struct {
		name             string
		home, dir, wants int
	}{
		{"root's", 0, 0, standard.UID},
		{"nothing there", -1, -1, standard.UID},
		{"a service's", service, service, service},
		{"a service's new one", service, -1, service},
		{"root's with a cluster", 0, other, other},
		{"a service's with another's cluster", service, other, other},
	} {
		home := filepath.Join(t.TempDir(), "home")
		dir := filepath.Join(home, "postgres")

		for path, uid := range map[string]int{home: c.home, dir: c.dir} {
			if uid < 0 {
				continue
			}
			if err := os.MkdirAll(path, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(path, uid, uid); err != nil {
				t.Fatal(err)
			}
		}

		acc, err := AccountOf(dir)
		if err != nil || acc.UID != c.wants || !acc.other {
			t.Errorf("%s: %+v %v, want %d", c.name, acc, err, c.wants)
		}
	}
}

// The permissions of the first class to which a user belongs count, even if those of a later one are wider.
func TestMayEnter(t *testing.T) {
	t.Parallel()
	owner := Account{UID: os.Getuid(), GID: 12345}
	group := Account{UID: 12345, GID: os.Getgid()}

	other := Account{UID: 12345, GID: 12345}
	for _, c := range []struct {
		mode                os.FileMode
		owner, group, other bool
	}{
		{0o700, true, false, false},
		{0o070, false, true, false},
		{0o007, false, false, true},
		{0o755, true, true, true},
		{0o666, false, false, false},
	} {
		dir := filepath.Join(t.TempDir(), "d")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, c.mode); err != nil {
			t.Fatal(err)
		}

		info, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := [3]bool{owner.mayEnter(info), group.mayEnter(info),
			other.mayEnter(info)}; got != [3]bool{c.owner, c.group, c.other} {
			t.Errorf("mode %o: %v", c.mode, got)
		}
	}
}

package pglocal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The socket lies in the data directory, where every command of the installation sees it. Where that path is
// too long for a socket it lies in the service's runtime directory.
func TestSocketDir(t *testing.T) {
	t.Parallel()
	long := "/" + strings.Repeat("d", maxSocketDir)

	for _, c := range []struct{ home, runtime, dir, parent string }{
		{"/var/lib/picloud", "", "/var/lib/picloud/postgres.run", ""},
		{"/var/lib/picloud", "/run/picloud", "/var/lib/picloud/postgres.run", ""},
		{long, "/run/picloud:/run/other", "", "/run/picloud"},
		{long, "", "", "/tmp"},
		{long, long, "", "/tmp"},
	} {
		dir, parent := place{home: c.home, name: "postgres"}.socketDir(c.runtime)
		if dir != c.dir || parent != c.parent {
			t.Errorf("%.30s %.30s: %s, %s", c.home, c.runtime, dir, parent)
		}
		if longest := max(len(dir), len(parent)+len("/picloud-pg-0123456789")); longest > maxSocketDir {
			t.Errorf("%.30s: the path can have %d bytes", c.home, longest)
		}
	}
}

// A path is resolved as far as it exists.
func TestResolve(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "disk"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("disk", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}

	for path, want := range map[string]string{
		"disk":           "disk",
		"link":           "disk",
		"link/postgres":  "disk/postgres",
		"link/a/b":       "disk/a/b",
		"nowhere/at/all": "nowhere/at/all",
	} {
		got, err := Resolve(filepath.Join(dir, path))
		if err != nil || got != filepath.Join(dir, want) {
			t.Errorf("%s: %s %v", path, got, err)
		}
	}
}

// A file that root makes in a service's directory is the service's.
func TestInherit(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}

	const service = 54321
	home := t.TempDir()
	if err := os.Chown(home, service, service); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(t.TempDir(), "root's")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}

	// A link that the service's user made must not give away what it points to.
	secret := filepath.Join(home, "secret")
	if err := os.Symlink(target, secret); err != nil {
		t.Fatal(err)
	}
	if err := Inherit(secret); err != nil {
		t.Fatal(err)
	}
	if _, ok := OwnerOf(target); ok {
		t.Error("the target of a link was given away")
	}

	if err := WritePrivate(secret, "text"); err != nil {
		t.Fatal(err)
	}
	acc, ok := OwnerOf(secret)
	info, err := os.Lstat(secret)
	if !ok || err != nil || acc.UID != service || info.Mode() != 0o600 {
		t.Errorf("the file is %+v %v %v", acc, info.Mode(), err)
	}
	if b, err := os.ReadFile(target); err != nil || len(b) != 0 {
		t.Errorf("the link was followed: %q %v", b, err)
	}
}

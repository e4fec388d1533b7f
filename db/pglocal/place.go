package pglocal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// place is where a server keeps its files.
type place struct {
	// dir is the cluster's directory, without symbolic links.
	dir string
	// home holds what lies beside the cluster: passwords, the log, and the socket's directory.
	home string
	// name is the cluster's name in home.
	name string
}

func placeOf(dir string) (place, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return place{}, fmt.Errorf("resolve data directory: %w", err)
	}

	real, err := Resolve(abs)
	if err != nil {
		return place{}, err
	}
	home, err := Resolve(filepath.Dir(abs))
	if err != nil {
		return place{}, err
	}

	return place{dir: real, home: home, name: filepath.Base(abs)}, nil
}

// Resolve makes a path absolute and follows its symbolic links, as far as it exists. A process knows its
// own directory only by that name.
func Resolve(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("resolve %s: %w", path, err)
	}

	for existing := abs; ; existing = filepath.Dir(existing) {
		real, err := filepath.EvalSymlinks(existing)
		if err == nil {
			return filepath.Join(real, strings.TrimPrefix(abs, existing)), nil
		}
		if !errors.Is(err, fs.ErrNotExist) || existing == filepath.Dir(existing) {
			return abs, nil
		}
	}
}

// Exists reports whether a directory holds a cluster, or will at the next start because an upgrade was cut
// off. It returns an error if the present user may not look.
func Exists(dir string) (bool, error) {
	p, err := placeOf(dir)
	if err != nil {
		return false, err
	}

	for _, dir := range []string{p.dir, p.ready()} {
		if version, err := clusterVersion(dir); version != 0 || err != nil {
			return version != 0, err
		}
	}
	return false, nil
}

// passwordFile keeps a role's password. Only the data directory's owner can read it.
func (p place) passwordFile(role string) string {
	if role == adminRole {
		return filepath.Join(p.home, ".pg-admin-password")
	}
	return filepath.Join(p.home, ".pg-password")
}

func (p place) logFile() string { return filepath.Join(p.home, "postgres.log") }

// maxSocketDir bounds the path of a socket's directory, in bytes: with the socket's name it stays below the
// 100 bytes that every system allows.
const maxSocketDir = 85

// socketDir is where the socket goes. It is the data directory, which every command of the installation can
// see; a private /tmp, as services have one, would hide it. Where that path is too long for a socket, the
// service's runtime directory takes its place, and without a service /tmp. It returns an empty path if the
// directory needs a name of its own in parent.
func (p place) socketDir(runtimeDirs string) (dir, parent string) {
	if dir = filepath.Join(p.home, p.name+".run"); len(dir) <= maxSocketDir {
		return dir, ""
	}

	first, _, _ := strings.Cut(runtimeDirs, ":")
	if first != "" && len(first) <= maxSocketDir-len("/"+socketDirPrefix+"0123456789") {
		return "", first
	}
	return "", "/tmp"
}

// Inherit gives a file or directory that root has made to the owner of the directory that it lies in, so
// that a service which runs as that owner can go on with it. Other users than root give nothing away.
func Inherit(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}

	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("look for the owner of %s: %w", filepath.Dir(path), err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}

	if err := os.Lchown(path, int(st.Uid), int(st.Gid)); err != nil {
		return fmt.Errorf("give %s to its directory's owner: %w", path, err)
	}
	return nil
}

// WritePrivate writes a file that the owner of its directory alone can read. A symbolic link in its place is
// replaced, not followed.
func WritePrivate(path, text string) error {
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}

	f, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}

	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}

	if err := Inherit(part); err != nil {
		return err
	}
	return os.Rename(part, path)
}

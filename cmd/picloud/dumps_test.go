package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A backup goes into a file, or into a directory under the time as its name.
func TestBackupTarget(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Date(2026, 11, 30, 4, 17, 9, 0, time.FixedZone("", 3600))

	for _, c := range []struct {
		file string
		keep int
		want string
		says string
	}{
		{dir, 0, dir + "/picloud-20261130T031709Z.dump", ""},
		{dir + "/", 14, dir + "/picloud-20261130T031709Z.dump", ""},
		{dir + "/x.dump", 0, dir + "/x.dump", ""},
		{"-", 0, "-", ""},
		{dir + "/x.dump", 1, "", "--keep is for a directory"},
		{"-", 1, "", "--keep is for a directory"},
		{dir + "/none/", 0, "", "does not exist: make it first"},
		{dir, -1, "", "--keep must be 0 or more"},
	} {
		got, err := (&BackupCmd{File: c.file, Keep: c.keep}).target(now)
		if got != c.want || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s, %d: %q %v", c.file, c.keep, got, err)
		}
	}
}

// Of the backups in a directory the newest stay. Other files are nobody's to delete, nor is a backup that is
// being written.
func TestPrune(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()

	names := []string{
		"picloud-20261127T031700Z.dump", "picloud-20261128T031700Z.dump", "picloud-20261129T031700Z.dump",
		"picloud-20261126T031700Z.dump.part", "picloud-20261130T031700Z.dump.part",
		"picloud-before-upgrade.dump", "notes.txt", "picloud-20200101T000000Z.dump.gpg",
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	left := func() []string {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}

		var left []string
		for _, e := range entries {
			left = append(left, e.Name())
		}
		return left
	}

	if err := prune(dir, 0); err != nil || len(left()) != len(names) {
		t.Errorf("with 0: %v %v", left(), err)
	}

	writing, err := openPart(filepath.Join(dir, names[4]))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = writing.Close() }()

	want := []string{"notes.txt", "picloud-20200101T000000Z.dump.gpg", names[1], names[2], names[4], names[5]}
	if err := prune(dir, 2); err != nil || !slices.Equal(left(), want) {
		t.Errorf("with 2: %v, want %v: %v", left(), want, err)
	}
}

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// standardOutput is the name that a backup to standard output has on the command line.
const standardOutput = "-"

// Names of the backups in a directory: they sort by time.
const (
	dumpLayout  = "picloud-20060102T150405Z.dump"
	dumpPattern = "picloud-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z.dump"
)

// target is the file that a backup is written to.
func (c *BackupCmd) target(now time.Time) (string, error) {
	info, err := os.Stat(c.File)
	isDir := err == nil && info.IsDir()

	switch {
	case c.Keep < 0:
		return "", errors.New("--keep must be 0 or more")
	case isDir:
		return filepath.Join(c.File, now.UTC().Format(dumpLayout)), nil
	case c.Keep > 0:
		return "", fmt.Errorf("--keep is for a directory of backups, and %s is none", c.File)
	case strings.HasSuffix(c.File, "/"):
		return "", fmt.Errorf("the directory %s does not exist: make it first", c.File)
	default:
		return c.File, nil
	}
}

// prune deletes the oldest backups of a directory, beyond a number of those that stay, and what backups that
// were killed left behind. With 0 it deletes nothing.
func prune(dir string, keep int) error {
	if keep == 0 {
		return nil
	}

	whole, err := filepath.Glob(filepath.Join(dir, dumpPattern))
	if err != nil {
		return fmt.Errorf("look for old backups: %w", err)
	}
	slices.Sort(whole)
	old := whole[:max(0, len(whole)-keep)]

	parts, err := filepath.Glob(filepath.Join(dir, dumpPattern+".part"))
	if err != nil {
		return fmt.Errorf("look for old backups: %w", err)
	}

	for _, name := range parts {
		if part, err := openPart(name); err == nil { // else it is being written
			_ = part.Close()
			old = append(old, name)
		}
	}

	for _, name := range old {
		if err := os.Remove(name); err != nil {
			return fmt.Errorf("delete an old backup: %w", err)
		}
	}
	return nil
}

package pglocal

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

func clusterVersion(dir string) (int, error) {
	b, err := os.ReadFile(filepath.Join(dir, "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read cluster version: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0, fmt.Errorf("read cluster version: %w", err)
	}
	return n, nil
}

// initCluster makes the cluster beside its place and moves it there, so that a crash in between leaves none by halves.
func initCluster(ctx context.Context, bin Binaries, acc Account, dir string) error {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty and holds no PostgreSQL cluster: choose another data directory", dir)
	}
	half := dir + ".new"
	if err := os.RemoveAll(half); err != nil {
		return fmt.Errorf("clear unfinished cluster: %w", err)
	}
	if err := os.MkdirAll(half, 0o700); err != nil {
		return fmt.Errorf("make cluster directory: %w", err)
	}
	if acc.other {
		if err := os.Chown(half, acc.UID, acc.GID); err != nil {
			return fmt.Errorf("give cluster directory to %s: %w", acc.Name, err)
		}
	}
	// Peer authentication would tie the data to one system user; the password is only read by this one.
	password := randomHex()
	file := filepath.Join(filepath.Dir(dir), ".pg-password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		return fmt.Errorf("write database password: %w", err)
	}
	handover, err := os.CreateTemp("", "picloud-init-") // initdb reads the password as the server's user
	if err != nil {
		return fmt.Errorf("write database password: %w", err)
	}
	defer func() { _ = os.Remove(handover.Name()) }()
	_, _ = handover.WriteString(password + "\n")
	if acc.other {
		_ = handover.Chown(acc.UID, acc.GID)
	}
	if err := handover.Close(); err != nil {
		return fmt.Errorf("write database password: %w", err)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin.Dir, "initdb"), "-D", half, "-U", "picloud", "-E", "UTF8", "--locale=C",
		"--auth-local=scram-sha-256", "--auth-host=scram-sha-256", "--pwfile="+handover.Name(), "--no-instructions", "--data-checksums")
	cmd.Dir = "/"
	cmd.SysProcAttr = acc.SysProcAttr()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, lastLine(out.String()))
	}
	_ = os.Remove(dir) // an empty directory in the way
	if err := os.Rename(half, dir); err != nil {
		return fmt.Errorf("move new cluster into place: %w", err)
	}
	return nil
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

func randomHex() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

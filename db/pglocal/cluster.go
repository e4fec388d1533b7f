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

// clusterVersion is the major version that made a cluster, 0 if there is none.
func clusterVersion(dir string) (int, error) {
	b, err := os.ReadFile(filepath.Join(dir, "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read cluster version: %w", err)
	}

	version, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0, fmt.Errorf("read cluster version: %w", err)
	}

	return version, nil
}

// initCluster makes the cluster beside its place and moves it there, so that a crash in between never
// leaves half of one.
func initCluster(ctx context.Context, bin Binaries, acc Account, p place) error {
	dir := p.dir
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty and holds no PostgreSQL cluster: "+
			"choose another data directory", dir)
	}

	half := dir + ".new"
	if err := os.RemoveAll(half); err != nil {
		return fmt.Errorf("clear unfinished cluster: %w", err)
	}
	if err := os.MkdirAll(half, 0o700); err != nil {
		return fmt.Errorf("make cluster directory: %w", err)
	}
	if err := acc.Give(half); err != nil {
		return err
	}

	if _, err := p.ensurePassword(userRole); err != nil {
		return err
	}
	if err := runInitdb(ctx, bin, acc, p, adminRole, half); err != nil {
		return err
	}

	_ = os.Remove(dir) // an empty directory would be in the way
	if err := os.Rename(half, dir); err != nil {
		return fmt.Errorf("move new cluster into place: %w", err)
	}

	return nil
}

func (p place) readPassword(role string) (string, error) {
	b, err := os.ReadFile(p.passwordFile(role))
	if err != nil {
		return "", fmt.Errorf("read database password: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// ensurePassword reads the password of a role of a new cluster, or makes a random one and writes it to the
// role's file. Peer authentication needs no password, but it would tie the data to one system user.
func (p place) ensurePassword(role string) (string, error) {
	password, err := p.readPassword(role)
	if !errors.Is(err, os.ErrNotExist) {
		return password, err
	}

	password = randomHex()
	if err := WritePrivate(p.passwordFile(role), password+"\n"); err != nil {
		return "", fmt.Errorf("write database password: %w", err)
	}
	return password, nil
}

// runInitdb makes a cluster of a superuser in a directory.
func runInitdb(ctx context.Context, bin Binaries, acc Account, p place, role, dir string) error {
	password, err := p.ensurePassword(role)
	if err != nil {
		return err
	}

	handover, err := p.handOver(password, acc)
	if err != nil {
		return fmt.Errorf("write database password: %w", err)
	}
	defer func() { _ = os.Remove(handover) }()

	cmd := exec.CommandContext(ctx, filepath.Join(bin.Dir, "initdb"),
		"-D", dir,
		"-U", role,
		"-E", "UTF8",
		"--locale=C",
		"--auth-local=scram-sha-256",
		"--auth-host=scram-sha-256",
		"--pwfile="+handover,
		"--no-instructions",
		"--data-checksums")
	cmd.Env = serverEnvironment()
	cmd.Dir = "/" // the server's user may be unable to enter ours
	cmd.SysProcAttr = acc.SysProcAttr()
	var out bytes.Buffer
	cmd.Stdout = &out
	cmd.Stderr = &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, lastLine(out.String()))
	}

	return nil
}

// handOver writes the password to a temporary file that the server's user can read. It returns the file's
// name.
func (p place) handOver(password string, acc Account) (string, error) {
	file, err := os.CreateTemp(p.home, ".initdb-") // that user can enter no other place for sure
	if err != nil {
		return "", err
	}

	_, _ = file.WriteString(password + "\n") // initdb refuses an empty password
	if acc.other {
		_ = file.Chown(acc.UID, acc.GID)
	}
	if err := file.Close(); err != nil {
		_ = os.Remove(file.Name())
		return "", err
	}

	return file.Name(), nil
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

func randomHex() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails
	return hex.EncodeToString(b[:])
}

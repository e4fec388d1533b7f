package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"picloud/db"
	"picloud/db/pglocal"
	"picloud/migrations"
)

// attach opens the database of an installation that exists, for a command: a PostgreSQL that another process
// runs in the data directory is used as it is. It makes nothing.
func (n *node) attach(ctx context.Context) error {
	if err := n.cfg.requireInstallation(); err != nil {
		return err
	}
	if err := n.shareDataDir(ctx); err != nil {
		return err
	}
	if err := n.connect(ctx); err != nil {
		return err
	}

	return requireSchema(ctx, n.db)
}

// attachAlone opens the same while no other PiCloud uses the data directory, and brings the schema up to
// date.
func (n *node) attachAlone(ctx context.Context) error {
	if err := n.cfg.requireInstallation(); err != nil {
		return err
	}
	if err := n.connect(ctx); err != nil {
		return err
	}
	if err := requireSchema(ctx, n.db); err != nil {
		return err
	}

	return n.migrate(ctx)
}

// attachToWrite is attach for a command that changes the database.
func (n *node) attachToWrite(ctx context.Context) error {
	if err := n.attach(ctx); err != nil {
		return err
	}
	return requirePrimary(ctx, n.db)
}

// migrate brings the schema up to date.
func (n *node) migrate(ctx context.Context) error {
	if err := requirePrimary(ctx, n.db); err != nil {
		return err
	}
	if err := n.db.CheckRestored(ctx); err != nil {
		return err
	}
	return n.db.Migrate(ctx, migrations.FS)
}

// requirePrimary refuses a standby, which nobody can write to.
func requirePrimary(ctx context.Context, d *db.DB) error {
	standby, err := d.Standby(ctx)
	if err == nil && standby != "" {
		err = fmt.Errorf("the database is a standby, which cannot be written to: %s: let DATABASE_URL name "+
			"the primary, or all servers and target_session_attrs=read-write", standby)
	}
	return err
}

// requireInstallation refuses a data directory that holds no PiCloud: a command that made one there would
// work on an empty copy of what was meant.
func (c *Config) requireInstallation() error {
	if c.DatabaseURL == "" {
		exists, err := pglocal.Exists(c.clusterDir())
		if err == nil && !exists {
			err = fmt.Errorf("no PiCloud in %s: set PICLOUD_DATA_DIR or DATABASE_URL as the service has it",
				c.DataDir)
		}
		return explainAccess(c.DataDir, err)
	}

	if c.key != nil {
		return nil
	}
	_, err := os.Stat(c.keyFile())
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no PiCloud in %s, where its master key would be: set PICLOUD_SECRET_KEY, or "+
			"PICLOUD_DATA_DIR, as the service has it", c.DataDir)
	}
	return explainAccess(c.DataDir, err)
}

// requireSchema refuses a database that is not PiCloud's, or not yet.
func requireSchema(ctx context.Context, d *db.DB) error {
	ours, err := d.Ours(ctx)
	if err != nil {
		return err
	}
	if !ours {
		return errors.New("there is no PiCloud in the database: set PICLOUD_DATA_DIR or DATABASE_URL " +
			"as the service has it")
	}
	return d.CheckRestored(ctx)
}

const (
	// lockPatience is how long a command waits for a PiCloud that starts or stops.
	lockPatience = 30 * time.Second
	lockPoll     = 100 * time.Millisecond
)

// shareDataDir makes a command use what the data directory has, beside a PiCloud that runs or instead of one.
func (n *node) shareDataDir(ctx context.Context) error {
	if n.cfg.DatabaseURL != "" {
		return n.readKeyOnly()
	}

	for deadline := time.Now().Add(lockPatience); ; {
		url, err := pglocal.Running(n.cfg.clusterDir())
		if err != nil {
			return explainAccess(n.cfg.DataDir, err)
		}
		if url != "" {
			n.cfg.DatabaseURL = pglocal.Database(url, ownDatabase)
			n.ownData = n.cfg.DataDir
			return n.readKeyOnly()
		}

		// The lock is free, or its owner is about to start or stop PostgreSQL.
		err = n.lockDataDir()
		if !errors.Is(err, errLocked) || time.Now().After(deadline) {
			return err
		}

		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(lockPoll):
		}
	}
}

// readKeyOnly takes the master key from the data directory, and leaves the directory to its owner otherwise.
func (n *node) readKeyOnly() error {
	if n.cfg.key == nil {
		key, err := readKey(n.cfg.keyFile())
		if err != nil {
			return explainAccess(n.cfg.DataDir, err)
		}
		n.cfg.key = key
	}

	n.cfg.DataDir = ""
	return nil
}

// openForRestore opens the database that a backup is restored into.
func (n *node) openForRestore(ctx context.Context) error {
	if n.cfg.DatabaseURL != "" {
		// A PiCloud that runs, on another database, may have the directory's lock.
		if err := n.readKeyOnly(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}

	if err := n.connect(ctx); err != nil {
		return err
	}
	return requirePrimary(ctx, n.db)
}

// serviceUser is whom the shipped units run PiCloud as.
const serviceUser = "picloud"

// adoptDataDir gives a data directory that root fills for a service to the service's user: the owner of the
// directory above it, or of another data directory beside it, or the shipped units' user.
func adoptDataDir(dir string) error {
	if _, taken := pglocal.OwnerOf(dir); taken || os.Geteuid() != 0 || !vacant(dir) {
		return nil
	}
	owner, found := heirOf(dir)
	if !found {
		return nil
	}

	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the data directory: %w", err)
	}

	// The master key may have been put there for the copy.
	key := filepath.Join(dir, keyName)
	if _, err := os.Lstat(key); err == nil {
		if err := owner.Give(key); err != nil {
			return err
		}
	}

	return owner.Give(dir)
}

// vacant reports whether a directory is missing, or holds at most the master key of the copy to come.
func vacant(dir string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	return len(entries) == 0 || len(entries) == 1 && entries[0].Name() == keyName
}

// heirOf looks for the user to whom a data directory belongs that is missing or root's.
func heirOf(dir string) (pglocal.Account, bool) {
	parent := filepath.Dir(dir)
	for above := parent; above != filepath.Dir(above); above = filepath.Dir(above) {
		if owner, ok := pglocal.OwnerOf(above); ok {
			return owner, true
		}
	}

	beside, _ := filepath.Glob(filepath.Join(parent, "*", "postgres", "PG_VERSION"))
	for _, version := range beside {
		if owner, ok := pglocal.OwnerOf(filepath.Dir(filepath.Dir(version))); ok {
			return owner, true
		}
	}

	return pglocal.LookupAccount(serviceUser)
}

// openDataDir makes the directory, takes its lock and reads or makes the master key.
func (n *node) openDataDir() error {
	dir := n.cfg.DataDir
	// Others may pass through (PostgreSQL's user has its cluster below); they cannot list or read.
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}

	if err := n.lockDataDir(); err != nil {
		return err
	}
	if n.cfg.key != nil {
		return nil
	}

	var err error
	n.cfg.key, err = masterKey(n.cfg.keyFile())
	return explainAccess(dir, err)
}

var errLocked = errors.New("another PiCloud uses the data directory")

// lockDataDir takes the directory's lock, unless this process has it. It returns errLocked if another has it.
func (n *node) lockDataDir() error {
	if n.lock != nil {
		return nil
	}

	name := filepath.Join(n.cfg.DataDir, "lock")
	lock, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return explainAccess(n.cfg.DataDir, fmt.Errorf("open the data directory's lock: %w", err))
	}
	if err := pglocal.Inherit(name); err != nil {
		_ = lock.Close()
		return err
	}

	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return fmt.Errorf("%w %s: stop it, or set PICLOUD_DATA_DIR to another directory",
			errLocked, n.cfg.DataDir)
	}

	n.lock = lock
	return nil
}

// explainAccess says whose a data directory is when the present user may not use it.
func explainAccess(dir string, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("the data directory %s is not this user's: run the command as root, or as the user "+
		"that PiCloud runs as (sudo -u picloud): %w", dir, err)
}

// keyFile is where the master key is, unless it is given by the environment.
func (c *Config) keyFile() string { return filepath.Join(c.DataDir, keyName) }

const keyName = "secret.key"

// masterKey reads the key file, or makes it.
func masterKey(file string) ([]byte, error) {
	key, err := readKey(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}

	key = make([]byte, keySize)
	_, _ = rand.Read(key)
	return key, writeKey(file, key)
}

func readKey(file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the master key: %w", err)
	}

	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(b)))
	if err != nil || len(key) != keySize {
		return nil, fmt.Errorf("%s does not hold 32 bytes in base64: restore it from your backup", file)
	}
	return key, nil
}

// writeKey writes a key for the owner of the directory alone.
func writeKey(file string, key []byte) error {
	text := base64.StdEncoding.EncodeToString(key) + "\n"
	if err := pglocal.WritePrivate(file, text); err != nil {
		return fmt.Errorf("write the master key: %w", err)
	}
	return nil
}

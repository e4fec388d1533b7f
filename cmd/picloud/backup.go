package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"picloud/db"
	"picloud/db/pglocal"
	"picloud/migrations"
)

// BackupCmd writes the database to a file.
type BackupCmd struct {
	Config
	File string `arg:"" help:"File to write; it must not exist."`
}

// RestoreCmd fills an empty database from one.
type RestoreCmd struct {
	Config
	File string `arg:"" help:"File that picloud backup wrote." type:"existingfile"`
}

// ReleaseCmd lets a restored copy work.
type ReleaseCmd struct{ Config }

// Run takes a consistent copy while PiCloud runs. Variables and secrets stay sealed in it: keep the master
// key as well.
func (c *BackupCmd) Run() error {
	return c.withDatabase(func(ctx context.Context, n *node) error {
		if err := backup(ctx, n.url, c.File); err != nil {
			return err
		}
		fmt.Printf(
			"Wrote %s. The master key is not in it: keep PICLOUD_SECRET_KEY, or secret.key of the data "+
				"directory, as well.\n",
			c.File,
		)
		return nil
	})
}

// Run fills an empty database and puts it on hold.
func (c *RestoreCmd) Run() error {
	return c.withDatabase(func(ctx context.Context, n *node) error {
		if err := restore(ctx, n, c.File); err != nil {
			return err
		}
		fmt.Println("Restored, and on hold: requests are answered, but no event and no schedule runs. " +
			"Everybody has to log in again. API keys, passwords and users are as they were at the time of " +
			"the backup: revoke again what was revoked since. " +
			"When the installation that it was copied from is gone, run \"picloud release\".")
		return nil
	})
}

// Run ends the hold.
func (c *ReleaseCmd) Run() error {
	return c.withDatabase(func(ctx context.Context, n *node) error {
		if err := release(ctx, n.db); err != nil {
			return err
		}
		fmt.Println("Released: events and schedules run.")
		return nil
	})
}

// withDatabase opens the database that the configuration names, also that of a PiCloud which is running.
func (c *Config) withDatabase(f func(ctx context.Context, n *node) error) error {
	return c.withNode((*node).attach, f)
}

// withNode opens a database for a command, and closes it.
func (c *Config) withNode(
	open func(*node, context.Context) error, f func(ctx context.Context, n *node) error,
) error {
	if err := c.complete(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	n := &node{cfg: c, log: openLog(os.Stderr, c.LogFormat)}
	defer n.Stop()
	if err := open(n, ctx); err != nil {
		return err
	}
	return f(ctx, n)
}

// attach connects as connect does, also to PiCloud's own PostgreSQL while another process runs it.
func (n *node) attach(ctx context.Context) error {
	if n.cfg.DatabaseURL == "" {
		if err := n.useRunning(); err != nil {
			return err
		}
	}

	return n.connect(ctx)
}

// useRunning makes the PostgreSQL that another process runs in the data directory the configured one, if
// there is one.
func (n *node) useRunning() error {
	url, err := pglocal.Running(n.cfg.clusterDir())
	if err != nil || url == "" {
		return err
	}
	n.cfg.DatabaseURL = pglocal.Database(url, ownDatabase)

	if n.cfg.key == nil {
		n.cfg.key, err = masterKey(filepath.Join(n.cfg.DataDir, "secret.key"))
		if err != nil {
			return err
		}
	}

	n.cfg.DataDir = "" // the other process has its lock
	return nil
}

// tool runs a client program of PostgreSQL's. The address goes by the environment: a command line can be read
// by others.
func tool(ctx context.Context, url, name string, args ...string) error {
	path, err := exec.LookPath(name)
	if bin, findErr := pglocal.Find(0); findErr == nil { // the newest: it reads older servers
		path = filepath.Join(bin.Dir, name)
		err = nil
	}
	if err != nil {
		return fmt.Errorf("%s is missing: install PostgreSQL's client programs", name)
	}

	env, err := db.ClientEnv(url)
	if err != nil {
		return err
	}

	// Cancelled, it is asked to end before it is killed, so that it can end its own session.
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(out.String()))
	}

	return nil
}

// backup writes a whole file or none: pg_dump fills one beside it, which gets the name when it is on disk.
func backup(ctx context.Context, url, file string) error {
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("%s exists: choose another name", file)
	}
	part := file + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}

	_ = f.Close()
	defer func() { _ = os.Remove(part) }()

	err = tool(ctx, url, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", "--file="+part)
	if err != nil {
		return err
	}

	if f, err = os.Open(part); err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err == nil {
		err = os.Rename(part, file)
	}
	if err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}

	return nil
}

// restore fills a database that has nothing in it, in one transaction, and holds it.
func restore(ctx context.Context, n *node, file string) error {
	empty, err := n.db.Empty(ctx)
	if err != nil {
		return err
	}
	if !empty {
		return errors.New("the database is not empty: restore into a new one, named by DATABASE_URL " +
			"or in a new PICLOUD_DATA_DIR")
	}

	if !isDump(file) {
		return fmt.Errorf("%s is no file that picloud backup wrote", file)
	}

	err = tool(ctx, n.url, "pg_restore", "--exit-on-error", "--single-transaction",
		"--no-owner", "--no-privileges", "--dbname="+db.Name(n.url), file)
	if err != nil {
		return err
	}

	// The file may be of an older version, and its nodes are not this installation's.
	if err := n.db.Migrate(ctx, migrations.FS); err != nil {
		return err
	}
	if err := n.db.Queries().ForgetNodes(ctx); err != nil {
		return fmt.Errorf("forget nodes: %w", db.Translate(err))
	}

	// Sessions that ended since the backup, perhaps because they were stolen, must not go on.
	if _, err := n.db.Queries().DeleteAllSessions(ctx); err != nil {
		return fmt.Errorf("end sessions: %w", db.Translate(err))
	}

	at := time.Now().UTC().Format("2 January 2006 15:04 UTC")
	return n.db.Queries().SetHold(ctx, "restored from a backup on "+at)
}

// isDump reports whether a file begins as pg_dump's custom format does.
func isDump(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	head := make([]byte, 5)
	_, err = io.ReadFull(f, head)
	return err == nil && string(head) == "PGDMP"
}

// release ends the hold and notifies the nodes.
func release(ctx context.Context, d *db.DB) error {
	if err := d.Queries().SetHold(ctx, ""); err != nil {
		return fmt.Errorf("end the hold: %w", db.Translate(err))
	}
	return d.Queries().NotifyDefinitions(ctx, "0")
}

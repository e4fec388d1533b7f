package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"picloud/db"
	"picloud/migrations"
)

// BackupCmd writes the database to a file.
type BackupCmd struct {
	Config
	File string `arg:"" help:"File to write, which must not exist; a directory, where the file gets the time as its name; or - for standard output."`
	Keep int    `help:"How many backups stay in the directory; older ones of PiCloud's names are deleted after this one is whole (0 keeps all)."`
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
	target, err := c.target(time.Now())
	if err != nil {
		return err
	}

	return c.withDatabase(func(ctx context.Context, n *node) error {
		standby, err := n.db.Standby(ctx)
		if err != nil {
			return err
		}
		if target == standardOutput {
			err = dump(ctx, n.url, os.Stdout)
		} else {
			err = backup(ctx, n.url, target)
		}
		if err != nil {
			return err
		}

		if standby != "" {
			fmt.Fprintf(os.Stderr, "The copy is that of a standby, %s: what the primary committed since is "+
				"not in it. With target_session_attrs=read-write in DATABASE_URL the primary is copied.\n",
				standby)
		}
		if target == standardOutput {
			return nil
		}
		fmt.Printf(
			"Wrote %s. The master key is not in it: keep PICLOUD_SECRET_KEY, or secret.key of the data "+
				"directory, as well.\n",
			target,
		)
		return prune(filepath.Dir(target), c.Keep)
	})
}

// Run fills an empty database and puts it on hold.
func (c *RestoreCmd) Run() error {
	if err := requireDump(context.Background(), c.File); err != nil {
		return err
	}

	c.adopts = true
	return c.withNode((*node).openForRestore, func(ctx context.Context, n *node) error {
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
	return c.withNode((*node).attachToWrite, func(ctx context.Context, n *node) error {
		if err := release(ctx, n.db); err != nil {
			return err
		}
		fmt.Println("Released: events and schedules run.")
		return nil
	})
}

// withDatabase opens the database of an installation that exists, also while PiCloud runs there.
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

// backup writes a whole file or none: pg_dump fills one beside it, which gets the name when it is on disk.
func backup(ctx context.Context, url, file string) error {
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("%s exists: choose another name", file)
	}

	part, err := openPart(file + ".part")
	if err != nil {
		return err
	}
	defer func() { _ = part.Close() }()

	err = dump(ctx, url, part)
	if err == nil {
		err = part.Sync()
	}
	if err == nil {
		err = os.Rename(part.Name(), file)
	}
	if err != nil {
		_ = os.Remove(part.Name())
		return fmt.Errorf("write the backup: %w", err)
	}

	return nil
}

// dump writes a copy of a database.
func dump(ctx context.Context, url string, to *os.File) error {
	run := toolRun{
		name:    "pg_dump",
		args:    []string{"--format=custom", "--no-owner", "--no-privileges"},
		out:     to,
		address: url,
	}
	return run.run(ctx)
}

// openPart opens the file that a backup is written to, for this backup alone. What a backup that was killed
// left there is overwritten. The lock is one of the open file, which pg_dump inherits: it lasts until both
// have ended.
func openPart(name string) (*os.File, error) {
	part, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("write the backup: %w", err)
	}

	if err := syscall.Flock(int(part.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = part.Close()
		return nil, fmt.Errorf("another backup is writing %s: wait for it, or choose another name", name)
	}

	// The one that had it may have finished between the two steps: then this file is its whole backup.
	err = isStill(part)
	if err == nil {
		err = errors.Join(part.Truncate(0), part.Chmod(0o600))
	}
	if err != nil {
		_ = part.Close()
		return nil, fmt.Errorf("write the backup: %w", err)
	}
	return part, nil
}

// isStill returns an error if an open file has lost its name.
func isStill(f *os.File) error {
	opened, err := f.Stat()
	if err != nil {
		return err
	}
	named, err := os.Lstat(f.Name())
	if err != nil || !os.SameFile(opened, named) {
		return fmt.Errorf("%s was moved away meanwhile: try again", f.Name())
	}
	return nil
}

// restore fills a database that has nothing in it, and holds it. Until it is on hold nobody can use it.
func restore(ctx context.Context, n *node, file string) error {
	r, err := n.db.BeginRestore(ctx)
	if err != nil {
		return err
	}
	defer r.Close()

	fill := toolRun{
		name: "pg_restore",
		args: []string{"--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges",
			"--dbname=" + db.Name(n.url), file},
		address: n.url,
	}
	if err := fill.run(ctx); err != nil {
		return errors.Join(err, abandon(ctx, r))
	}

	if err := holdCopy(ctx, n); err != nil {
		return err
	}
	return r.End(ctx)
}

// abandonTime is how long the look at what a failed restore left may take.
const abandonTime = 30 * time.Second

// abandon makes an empty database usable again after pg_restore has failed. If it was interrupted the mark
// stays: its session may just be committing.
func abandon(ctx context.Context, r *db.Restore) error {
	if ctx.Err() != nil {
		return nil
	}

	ctx, stop := context.WithTimeout(ctx, abandonTime)
	defer stop()
	return r.Abandon(ctx)
}

// holdCopy makes of a copy one that handles no event and has no session.
func holdCopy(ctx context.Context, n *node) error {
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

// requireDump refuses a file that is no backup of PiCloud, before anything is made for it.
func requireDump(ctx context.Context, file string) error {
	if !isDump(file) {
		return fmt.Errorf("%s is no file that picloud backup wrote", file)
	}

	var contents bytes.Buffer
	list := toolRun{name: "pg_restore", args: []string{"--list", file}, out: &contents}
	if err := list.run(ctx); err != nil {
		return err
	}
	if !tableLine.Match(contents.Bytes()) {
		return fmt.Errorf("%s has no PiCloud in it: it is a copy of another database, or of an empty one",
			file)
	}

	return nil
}

// tableLine is that of a table of PiCloud's in pg_restore's list.
var tableLine = regexp.MustCompile(`(?m) TABLE \S+ outbox `)

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

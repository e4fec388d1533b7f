package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"picloud/db"
	"picloud/db/pglocal"
)

// UpgradeCmd moves PiCloud's own PostgreSQL to another major version.
type UpgradeCmd struct{ Config }

// Run copies the database into a new cluster, and keeps the old one.
func (c *UpgradeCmd) Run() error {
	if c.DatabaseURL != "" {
		return errors.New("upgrade-postgres is for the PostgreSQL that PiCloud runs itself: " +
			"upgrade the one of DATABASE_URL as its own guide says")
	}
	if err := c.complete(); err != nil {
		return err
	}
	if err := c.requireInstallation(); err != nil {
		return err
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	n := &node{cfg: &c.Config, log: openLog(os.Stderr, c.LogFormat)}
	defer n.Stop()
	if err := n.lockDataDir(); err != nil {
		return err
	}

	options := pglocal.Options{Dir: c.clusterDir(), MaxConnections: c.DBConnections + 10, Log: n.log}
	done, err := pglocal.Upgrade(ctx, options, copyDatabase)
	if err != nil {
		return fmt.Errorf("upgrade PostgreSQL: %w", err)
	}

	fmt.Printf("PiCloud's PostgreSQL is %d now. The data of %d is still in %s: delete it when everything "+
		"works. The way back is in the guide, under \"PostgreSQL's next major version\".\n",
		done.To, done.From, done.Kept)
	return nil
}

// copyDatabase fills the database of a new server. The programs are those of the new version, as PostgreSQL
// recommends.
func copyDatabase(ctx context.Context, from, to *pglocal.Server) error {
	if err := db.CreateDatabase(ctx, to.UserURL(), ownDatabase); err != nil {
		return err
	}
	target := pglocal.Database(to.UserURL(), ownDatabase)
	major, err := db.ServerMajor(ctx, target)
	if err != nil {
		return err
	}

	reader, writer := io.Pipe()
	dump := toolRun{
		name:    "pg_dump",
		args:    []string{"--format=custom", "--no-owner", "--no-privileges"},
		out:     writer,
		address: pglocal.Database(from.UserURL(), ownDatabase),
		server:  major,
	}
	fill := toolRun{
		name: "pg_restore",
		args: []string{"--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges",
			"--dbname=" + ownDatabase},
		in:      reader,
		address: target,
	}

	dumped := make(chan error, 1)
	go func() {
		err := dump.run(ctx)
		_ = writer.CloseWithError(err) // what is read so is no whole copy, and pg_restore says so
		dumped <- err
	}()
	err = fill.run(ctx)
	_ = reader.CloseWithError(err) // pg_dump does not wait for a reader that has ended
	if err := errors.Join(<-dumped, err); err != nil {
		return err
	}

	return db.Analyze(ctx, target)
}

package db

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Migrate brings the schema to the version of the files. Nodes that start together take turns: one
// migrates, the others wait and find nothing to do.
func (d *DB) Migrate(ctx context.Context, files fs.FS) error {
	conn := stdlib.OpenDBFromPool(d.General)
	defer func() { _ = conn.Close() }()

	oneAtATime, err := d.migrationLock()
	if err != nil {
		return fmt.Errorf("prepare migration lock: %w", err)
	}

	provider, err := goose.NewProvider(goose.DialectPostgres, conn, files, oneAtATime)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}

	// Most starts find nothing to do, and need no lock for it.
	if pending, err := provider.HasPending(ctx); err == nil && !pending {
		return nil
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}

	return nil
}

// migrationLock is a lock of the session or, behind a pooler where sessions do not last, a row with a lease.
func (d *DB) migrationLock() (goose.ProviderOption, error) {
	if d.pooled {
		locker, err := lock.NewPostgresTableLocker()
		return goose.WithLocker(locker), err
	}
	locker, err := lock.NewPostgresSessionLocker()
	return goose.WithSessionLocker(locker), err
}

// CreateDatabase makes a database on a server, given the address of the server's maintenance database. It
// is no error if the database exists.
func CreateDatabase(ctx context.Context, url, name string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("reach the database server: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()

	// The template of a server in another encoding would be refused, template0 never is.
	sql := "CREATE DATABASE " + pgx.Identifier{name}.Sanitize() + " ENCODING 'UTF8' TEMPLATE template0"
	_, err = conn.Exec(ctx, sql)

	// Two that make it at once: one of them sees a unique violation in the system's catalog.
	if errors.Is(Translate(err), ErrDuplicate) || HasCode(err, codeDuplicateDatabase) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create database: %w", Translate(err))
	}

	return nil
}

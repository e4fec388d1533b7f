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
// migrates, the others wait and find nothing to do. Its errors are sentences for the operator where the
// database is a read-only one, its user may not make tables, or the schema is of a newer PiCloud.
func (d *DB) Migrate(ctx context.Context, files fs.FS) error {
	if err := d.checkRights(ctx); err != nil {
		return err
	}
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
		return checkVersion(ctx, provider)
	}
	if err := checkVersion(ctx, provider); err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", notOurs(notOwner(err)))
	}

	return nil
}

// checkRights refuses a database in which no table can be made: each day has one of its own.
func (d *DB) checkRights(ctx context.Context) error {
	rights, err := d.Queries().SchemaRights(ctx)
	if err != nil {
		return fmt.Errorf("ask what the database's user may do: %w", Translate(err))
	}

	user := rights.Username
	switch {
	case rights.ReadOnly == "on":
		return errors.New("the database is read-only: a replica, or one that is set so; let DATABASE_URL " +
			"lead to the primary (with several hosts, target_session_attrs=read-write finds it)")
	case rights.Schema == "":
		return fmt.Errorf("permission denied: the database's user %s may use no schema of its search path; "+
			"as the database's owner run: GRANT USAGE, CREATE ON SCHEMA public TO %s", user, user)
	case !rights.MayCreate:
		return fmt.Errorf("permission denied for schema %s: the database's user %s may not make tables in "+
			"it; as the database's owner run: GRANT CREATE ON SCHEMA %s TO %s",
			rights.Schema, user, rights.Schema, user)
	default:
		return nil
	}
}

// checkVersion refuses a schema that a newer PiCloud has made: what that promises in it, this one does not
// know.
func checkVersion(ctx context.Context, provider *goose.Provider) error {
	present, known, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", notOwner(err))
	}
	if present > known {
		return fmt.Errorf("the database's schema is that of a newer PiCloud (%d; this one knows up to %d): "+
			"start that version or a later one, or restore a backup made before the upgrade", present, known)
	}

	return nil
}

// notOwner says what to do when the tables are those of another user.
func notOwner(err error) error {
	if HasCode(err, codeInsufficientPrivilege) {
		return fmt.Errorf("the database's user may not use or change PiCloud's tables: connect as the user "+
			"who owns them, or give them to this one (REASSIGN OWNED BY): %w", err)
	}
	return err
}

// notOurs says what to do when another program's tables have the names of PiCloud's.
func notOurs(err error) error {
	if HasCode(err, codeDuplicateTable) {
		return fmt.Errorf("the database has tables that PiCloud did not make: "+
			"give it a database of its own: %w", err)
	}
	return err
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

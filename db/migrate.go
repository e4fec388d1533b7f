package db

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Migrate brings the schema to this version. Several nodes may start at once: one migrates, the others wait.
func (d *DB) Migrate(ctx context.Context, files fs.FS) error {
	conn := stdlib.OpenDBFromPool(d.General)
	defer func() { _ = conn.Close() }()
	oneAtATime, err := d.migrationLock()
	if err != nil {
		return fmt.Errorf("prepare migration lock: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectPostgres, conn, files, oneAtATime)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if pending, err := p.HasPending(ctx); err == nil && !pending {
		return nil
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// migrationLock is a lock of the session or, where sessions do not last, a row with a lease.
func (d *DB) migrationLock() (goose.ProviderOption, error) {
	if d.pooled {
		locker, err := lock.NewPostgresTableLocker()
		return goose.WithLocker(locker), err
	}
	locker, err := lock.NewPostgresSessionLocker()
	return goose.WithSessionLocker(locker), err
}

// CreateDatabase makes a database on a server, given its maintenance URL, if it is not there yet.
func CreateDatabase(ctx context.Context, url, name string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("reach the database server: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()+" ENCODING 'UTF8' TEMPLATE template0")
	if err = Translate(err); err != nil && !errors.Is(err, ErrDuplicate) && !isDuplicateDatabase(err) {
		return fmt.Errorf("create database: %w", err)
	}
	return nil
}

// EnsurePartitions makes the partitions of executions from today to so many days ahead.
func (d *DB) EnsurePartitions(ctx context.Context, days int) error {
	today := time.Now().UTC().Truncate(24 * time.Hour)
	for k := -1; k <= days; k++ {
		from := today.AddDate(0, 0, k)
		name := "executions_" + from.Format("20060102")
		sql := fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s PARTITION OF executions FOR VALUES FROM ('%s') TO ('%s')",
			pgx.Identifier{name}.Sanitize(), uuidAt(from), uuidAt(from.AddDate(0, 0, 1)))
		if _, err := d.General.Exec(ctx, sql); err != nil {
			return fmt.Errorf("make partition %s: %w", name, Translate(err))
		}
	}
	return nil
}

// DropPartitions drops the partitions whose last day is before a time.
func (d *DB) DropPartitions(ctx context.Context, before time.Time) error {
	rows, err := d.General.Query(ctx, `SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'executions'::regclass AND c.relname ~ '^executions_[0-9]{8}$'`)
	if err != nil {
		return fmt.Errorf("list partitions: %w", Translate(err))
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("list partitions: %w", Translate(err))
	}
	for _, name := range names {
		day, err := time.Parse("20060102", name[len("executions_"):])
		if err != nil || !day.AddDate(0, 0, 1).Before(before) {
			continue
		}
		if _, err := d.General.Exec(ctx, "DROP TABLE IF EXISTS "+pgx.Identifier{name}.Sanitize()); err != nil {
			return fmt.Errorf("drop partition %s: %w", name, Translate(err))
		}
	}
	_, err = d.General.Exec(ctx, "DELETE FROM executions_default WHERE started_at < $1", before)
	return Translate(err)
}

// uuidAt is the least UUIDv7 of a moment.
func uuidAt(t time.Time) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(t.UnixMilli())<<16)
	return fmt.Sprintf("%x-%x-0000-0000-000000000000", b[0:4], b[4:6])
}

package db

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Partitions of executions hold one day each, and their names end with it. Days are UTC.
const (
	partitionPrefix = "executions_"
	partitionDay    = "20060102"
	day             = 24 * time.Hour
)

// tableLockTimeout is how long making or dropping a partition waits for its locks. Whoever reads executions,
// such as a backup, holds them up; and whoever writes an execution would wait behind them.
const tableLockTimeout = "250ms"

// EnsurePartitions makes the partitions of executions from yesterday to so many days ahead, unless they
// exist. Days are those of the database's clock. A partition that cannot be made keeps no other from being
// made; executions of its day are kept all the same, in executions_default. One that would have to wait for
// a reader of executions is left for the next time, without an error.
func (d *DB) EnsurePartitions(ctx context.Context, days int) error {
	now, err := d.Queries().DatabaseTime(ctx)
	if err != nil {
		return fmt.Errorf("ask for the day: %w", Translate(err))
	}
	names, err := d.Queries().DailyPartitions(ctx)
	if err != nil {
		return fmt.Errorf("list partitions: %w", Translate(err))
	}

	var failed error

	today := now.UTC().Truncate(day)
	for k := -1; k <= days; k++ {
		from := today.AddDate(0, 0, k)
		name := partitionPrefix + from.Format(partitionDay)
		if slices.Contains(names, name) {
			continue
		}

		err := d.makePartition(ctx, name, from)
		switch {
		case HasCode(err, codeLockNotAvailable):
			return failed // the next one would wait as well
		case err != nil && !HasCode(err, codeDuplicateTable): // another node may have made it
			failed = errors.Join(failed, fmt.Errorf("make partition %s: %w", name, Translate(err)))
		}
	}

	return failed
}

// makePartition makes a day's partition, of the executions in executions_default that are of that day: a
// node's clock was days ahead when they ran, or nobody could make partitions for days. Nothing can be
// recorded there meanwhile, but in every other partition.
func (d *DB) makePartition(ctx context.Context, name string, from time.Time) error {
	partition := pgx.Identifier{name}.Sanitize()
	return d.alterTables(ctx,
		"LOCK TABLE executions_default IN ACCESS EXCLUSIVE MODE",
		"CREATE TABLE "+partition+" (LIKE executions INCLUDING ALL)",
		fmt.Sprintf("WITH moved AS (DELETE FROM executions_default"+
			" WHERE id >= '%s' AND id < '%s' RETURNING *) INSERT INTO %s SELECT * FROM moved",
			uuidAt(from), uuidAt(from.AddDate(0, 0, 1)), partition),
		"ALTER TABLE executions ATTACH PARTITION "+partition+" "+boundsOf(from),
	)
}

// alterTables makes one transaction of statements that lock tables, none of which waits long for a lock.
// Identifiers and bounds cannot be parameters: those of the statements are made here, of a date.
func (d *DB) alterTables(ctx context.Context, statements ...string) error {
	return pgx.BeginFunc(ctx, d.General, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '"+tableLockTimeout+"'"); err != nil {
			return err
		}

		for _, sql := range statements {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
}

func boundsOf(from time.Time) string {
	return fmt.Sprintf("FOR VALUES FROM ('%s') TO ('%s')", uuidAt(from), uuidAt(from.AddDate(0, 0, 1)))
}

// DropPartitions drops the partitions whose whole day is before a time, and the older executions that had
// no partition. What would have to wait for a reader of executions is left for the next time, without an
// error.
func (d *DB) DropPartitions(ctx context.Context, before time.Time) error {
	names, err := d.Queries().DailyPartitions(ctx)
	if err != nil {
		return fmt.Errorf("list partitions: %w", Translate(err))
	}

	for _, name := range names {
		from, err := time.Parse(partitionDay, strings.TrimPrefix(name, partitionPrefix))
		if err != nil || !from.AddDate(0, 0, 1).Before(before) {
			continue
		}

		err = d.alterTables(ctx, "DROP TABLE IF EXISTS "+pgx.Identifier{name}.Sanitize())
		if HasCode(err, codeLockNotAvailable) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("drop partition %s: %w", name, Translate(err))
		}
	}

	return Translate(d.Queries().SweepDefaultPartition(ctx, before))
}

// uuidAt is the least UUIDv7 of a moment.
func uuidAt(t time.Time) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(t.UnixMilli())<<16)
	return fmt.Sprintf("%x-%x-0000-0000-000000000000", b[0:4], b[4:6])
}

package db

import (
	"context"
	"encoding/binary"
	"fmt"
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

// EnsurePartitions makes the partitions of executions from yesterday to so many days ahead, unless they
// exist.
func (d *DB) EnsurePartitions(ctx context.Context, days int) error {
	today := time.Now().UTC().Truncate(day)
	for k := -1; k <= days; k++ {
		from := today.AddDate(0, 0, k)
		name := partitionPrefix + from.Format(partitionDay)

		// Identifiers and bounds cannot be parameters. Both are made here, of a date.
		sql := fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s "+
			"PARTITION OF executions FOR VALUES FROM ('%s') TO ('%s')",
			pgx.Identifier{name}.Sanitize(), uuidAt(from), uuidAt(from.AddDate(0, 0, 1)))
		if _, err := d.General.Exec(ctx, sql); err != nil {
			return fmt.Errorf("make partition %s: %w", name, Translate(err))
		}
	}

	return nil
}

// DropPartitions drops the partitions whose whole day is before a time, and the older executions that had
// no partition.
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
		sql := "DROP TABLE IF EXISTS " + pgx.Identifier{name}.Sanitize()
		if _, err := d.General.Exec(ctx, sql); err != nil {
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

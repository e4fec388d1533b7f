package db

import (
	"context"
	"errors"
	"fmt"
)

// restoreMark is a table that stands in a database while a backup is restored into it. Between the commit of
// the copy and the one that ends its sessions and puts it on hold, which may have a migration between them,
// the database looks like an installation that works. The mark is a table because those of the copy are of
// whatever version the backup has.
const restoreMark = "unfinished_restore"

// BeginRestore marks an empty database as one that is being restored. Its errors are sentences for the
// operator where the database has tables already, or where no table can be made in it.
func (d *DB) BeginRestore(ctx context.Context) error {
	if err := d.checkRights(ctx); err != nil {
		return err
	}

	empty, err := d.Empty(ctx)
	if err != nil {
		return fmt.Errorf("look for tables: %w", err)
	}
	if !empty {
		return errors.New("the database is not empty: restore into a new one, named by DATABASE_URL " +
			"or in a new PICLOUD_DATA_DIR")
	}

	_, err = d.General.Exec(ctx, "CREATE TABLE IF NOT EXISTS "+restoreMark+" ()")
	return Translate(err)
}

// EndRestore takes the mark away: the copy is as it should be, or there is none.
func (d *DB) EndRestore(ctx context.Context) error {
	_, err := d.General.Exec(ctx, "DROP TABLE "+restoreMark)
	return Translate(err)
}

// CheckRestored refuses a database whose restore was cut off, with a sentence: it would work beside the
// installation that it was copied from, and take its ended sessions.
func (d *DB) CheckRestored(ctx context.Context) error {
	unfinished, err := d.restoring(ctx)
	if err == nil && unfinished {
		err = errors.New("the restore of this database was cut off before the copy was put on hold: " +
			"restore the backup into a new database, or a new PICLOUD_DATA_DIR")
	}
	return err
}

func (d *DB) restoring(ctx context.Context) (bool, error) {
	var marked bool
	err := d.General.QueryRow(ctx, "SELECT to_regclass('"+restoreMark+"') IS NOT NULL").Scan(&marked)
	if err != nil {
		return false, fmt.Errorf("look for a restore that was cut off: %w", Translate(err))
	}
	return marked, nil
}

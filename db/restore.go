package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// restoreMark is a table that stands in a database while a backup is restored into it. Between the commit of
// the copy and the one that ends its sessions and puts it on hold, which may have a migration between them,
// the database looks like an installation that works. The mark is a table because those of the copy are of
// whatever version the backup has.
const restoreMark = "unfinished_restore"

// Restore is a restore under way: the database has the mark, and nobody else restores into it.
type Restore struct {
	d *DB
	// turn is a session with an advisory lock; nil behind a pooler, where sessions do not last.
	turn *pgx.Conn
}

// BeginRestore marks an empty database as one that is being restored; the caller closes the Restore. Its
// errors are sentences for the operator where the database has tables already, where no table can be made in
// it, or where another restore is under way.
func (d *DB) BeginRestore(ctx context.Context) (*Restore, error) {
	if err := d.checkRights(ctx); err != nil {
		return nil, err
	}

	r := &Restore{d: d}
	if err := r.takeTurn(ctx); err != nil {
		r.Close()
		return nil, err
	}
	if err := r.mark(ctx); err != nil {
		r.Close()
		return nil, err
	}

	return r, nil
}

// takeTurn takes the lock of restores. Without it, one that fails could take the mark from another's copy.
func (r *Restore) takeTurn(ctx context.Context) (err error) {
	if r.d.pooled {
		return nil
	}

	if r.turn, err = pgx.Connect(ctx, r.d.url); err != nil {
		return fmt.Errorf("reach the database: %w", Translate(err))
	}

	var mine bool
	if err := r.turn.QueryRow(ctx, "SELECT pg_try_advisory_lock(11, 0)").Scan(&mine); err != nil {
		return fmt.Errorf("lock the database for the restore: %w", Translate(err))
	}
	if !mine {
		return errors.New("another restore into this database is under way: wait for its end, or restore " +
			"into a new one, named by DATABASE_URL or in a new PICLOUD_DATA_DIR")
	}
	return nil
}

func (r *Restore) mark(ctx context.Context) error {
	empty, err := r.d.Empty(ctx)
	if err != nil {
		return fmt.Errorf("look for tables: %w", err)
	}
	if !empty {
		return errors.New("the database is not empty: restore into a new one, named by DATABASE_URL " +
			"or in a new PICLOUD_DATA_DIR")
	}

	_, err = r.d.General.Exec(ctx, "CREATE TABLE IF NOT EXISTS "+restoreMark+" ()")
	return Translate(err)
}

// End takes the mark away: the copy is as it should be.
func (r *Restore) End(ctx context.Context) error {
	_, err := r.d.General.Exec(ctx, "DROP TABLE IF EXISTS "+restoreMark)
	return Translate(err)
}

// Abandon takes the mark away after a copy that failed, if there is nothing of it. What failed may have been
// the answer to a commit: then the copy is there, is not on hold, and keeps its mark.
func (r *Restore) Abandon(ctx context.Context) error {
	empty, err := r.d.Empty(ctx)
	if err != nil {
		return fmt.Errorf("look for tables: %w", err)
	}
	if !empty {
		return r.d.CheckRestored(ctx)
	}
	return r.End(ctx)
}

// Close lets others restore. The mark stays as it is.
func (r *Restore) Close() {
	if r.turn != nil {
		ctx, stop := context.WithTimeout(context.Background(), connectTimeout)
		defer stop()
		// The server notices only after a while that a session has ended.
		_, _ = r.turn.Exec(ctx, "SELECT pg_advisory_unlock_all()")
		_ = r.turn.Close(ctx)
	}
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

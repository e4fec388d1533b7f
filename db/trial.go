package db

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// A commit of nothing would succeed on a server that cannot write. So a trial writes what leaves no trace: a
// record of the write-ahead log that says nothing, which has to be on the disk before the commit is
// answered; and a few pages of a table that only the connection sees, and that is empty again afterwards, for
// which a full disk has no place. The table is filled sparsely, so that few rows take many pages.
const (
	trialRecord = `SELECT pg_logical_emit_message(true, 'picloud', 'trial')`
	trialPages  = `CREATE TEMP TABLE IF NOT EXISTS picloud_trial (n int)
			WITH (fillfactor = 10) ON COMMIT DELETE ROWS;
		INSERT INTO picloud_trial SELECT generate_series(1, 400)`
)

// TryCommit commits something on the connections of runs' commits, as durably as they do, and leaves no
// trace. Its error is translated; NoCommit says it in words.
func (d *DB) TryCommit(ctx context.Context) error {
	err := d.exec(ctx, trialPages+"; "+trialRecord)
	if HasCode(err, codeInsufficientPrivilege) { // a user may be denied temporary tables
		err = d.exec(ctx, trialRecord)
	}
	return Translate(err)
}

// exec runs statements in one transaction and one round trip.
func (d *DB) exec(ctx context.Context, statements string) error {
	_, err := d.Commits.Exec(ctx, statements, pgx.QueryExecModeSimpleProtocol)
	return err
}

// NoCommit says why a commit failed, in words that are safe to show.
func NoCommit(err error) string {
	switch {
	case HasCode(err, codeDiskFull):
		return "the database's disk is full"
	case HasCode(err, codeTooManyConnections):
		return "the database has no connection left for commits"
	case HasCode(err, codeReadOnlyTransaction):
		return "the database is read-only: a replica, or one that is set so"
	case HasCode(err, codeInsufficientPrivilege):
		return "the database's user may not write"
	default:
		return "the database takes no commit"
	}
}

package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The errors that the rest of PiCloud tells apart.
var (
	ErrNotFound    = errors.New("no such row")
	ErrDuplicate   = errors.New("already exists")
	ErrReference   = errors.New("is referenced, or refers to something that is gone")
	ErrUnavailable = errors.New("the database does not answer")
)

// Translate turns a pgx error into one of this package's, keeping the original in the chain.
func Translate(err error) error {
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case errors.As(err, &pg):
		switch {
		case pg.Code == "23505":
			return fmt.Errorf("%w: %w", ErrDuplicate, err)
		case pg.Code == "23503":
			return fmt.Errorf("%w: %w", ErrReference, err)
		case pg.Code == "22021": // the text looked for has a NUL or is not UTF-8: no row holds it
			return fmt.Errorf("%w: %w", ErrNotFound, err)
		case pg.Code[:2] == "08", pg.Code[:2] == "57", pg.Code == "53300":
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return err
	case errors.Is(err, context.Canceled):
		return err
	case IsConnectionError(err):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	default:
		return err
	}
}

// IsConnectionError reports that the statement may or may not have reached the server: it gave no answer.
func IsConnectionError(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		// 57P01 admin_shutdown, 57P02 crash_shutdown, 57P03 cannot_connect_now: the session is over. 25006
		// read_only_sql_transaction: its server is the primary no more.
		return pg.Code == "57P01" || pg.Code == "57P02" || pg.Code == "57P03" || pg.Code == "25006" || pg.Code[:2] == "08"
	}
	// Anything else that is not the caller's own doing comes from the connection.
	return err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, pgx.ErrNoRows)
}

// IsSQLError reports that the server refused a statement and is well.
func IsSQLError(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && !IsConnectionError(err)
}

// Constraint names the constraint that an error is about, if any.
func Constraint(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.ConstraintName
	}
	return ""
}

func isDuplicateDatabase(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "42P04"
}

// HasCode reports whether the error is a server's with one of the SQLSTATE codes.
func HasCode(err error, codes ...string) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	for _, c := range codes {
		if pg.Code == c {
			return true
		}
	}
	return false
}

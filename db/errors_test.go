package db_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"picloud/db"
)

// A caller distinguishes four errors, whether the server answered, and nothing else.
func TestErrors(t *testing.T) {
	t.Parallel()
	sql := func(code string) error { return fmt.Errorf("insert: %w", &pgconn.PgError{Code: code}) }

	for _, c := range []struct {
		name       string
		err        error
		translated error // nil: passes unchanged
		connection bool
		sql        bool
	}{
		{"none", nil, nil, false, false},
		{"no row", pgx.ErrNoRows, db.ErrNotFound, false, false},
		{"unique_violation", sql("23505"), db.ErrDuplicate, false, true},
		{"foreign_key_violation", sql("23503"), db.ErrReference, false, true},
		{"check_violation", sql("23514"), nil, false, true},
		{"deadlock_detected", sql("40P01"), nil, false, true},
		{"query_canceled", sql("57014"), db.ErrUnavailable, false, true},
		{"too_many_connections", sql("53300"), db.ErrUnavailable, false, true},
		{"disk_full", sql("53100"), db.ErrUnavailable, false, true},
		{"connection_failure", sql("08006"), db.ErrUnavailable, true, false},
		{"admin_shutdown", sql("57P01"), db.ErrUnavailable, true, false},
		{"crash_shutdown", sql("57P02"), db.ErrUnavailable, true, false},
		{"cannot_connect_now", sql("57P03"), db.ErrUnavailable, true, false},
		{"read_only_sql_transaction", sql("25006"), nil, true, false},
		{"end of the connection", io.ErrUnexpectedEOF, db.ErrUnavailable, true, false},
		{"deadline", context.DeadlineExceeded, db.ErrUnavailable, true, false},
		{"the caller is gone", context.Canceled, nil, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := db.Translate(c.err)
			if !errors.Is(got, c.err) {
				t.Errorf("the original is lost: %v", got)
			}
			if c.translated == nil {
				if got != c.err {
					t.Errorf("translated to %v", got)
				}
			} else if !errors.Is(got, c.translated) {
				t.Errorf("translated to %v, want %v", got, c.translated)
			}

			if db.IsConnectionError(c.err) != c.connection || db.IsSQLError(c.err) != c.sql {
				t.Errorf("connection %v, SQL %v", db.IsConnectionError(c.err), db.IsSQLError(c.err))
			}
		})
	}

	err := fmt.Errorf("insert: %w", &pgconn.PgError{Code: "23505", ConstraintName: "users_pkey"})
	if name := db.Constraint(err); name != "users_pkey" {
		t.Errorf("the constraint is %q", name)
	}
	if name := db.Constraint(io.EOF); name != "" {
		t.Errorf("the constraint is %q", name)
	}
	if !db.HasCode(err, "23503", "23505") || db.HasCode(err, "23503") || db.HasCode(io.EOF, "23505") {
		t.Error("codes are not recognized")
	}
}

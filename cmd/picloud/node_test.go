package main

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"picloud/internal/cloud"
)

// A run whose script's code could not be read is told that the database was away, if that is the reason.
func TestNoCode(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		err    error
		isAway bool
	}{
		"shut down":     {&pgconn.PgError{Code: "57P01"}, true},
		"full":          {&pgconn.PgError{Code: "53100"}, true},
		"deleted":       {pgx.ErrNoRows, false},
		"another error": {&pgconn.PgError{Code: "42P01"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := noCode(c.err)
			var known *cloud.Error
			isAway := errors.As(got, &known) && known.Message == cloud.ErrDatabaseAway.Message
			if !errors.Is(got, c.err) || isAway != c.isAway {
				t.Errorf("got %v", got)
			}
		})
	}

	if err := noCode(nil); err != nil {
		t.Errorf("code that was read: %v", err)
	}
}

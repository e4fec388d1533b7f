package db

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The errors that the rest of PiCloud distinguishes.
var (
	ErrNotFound    = errors.New("no such row")
	ErrDuplicate   = errors.New("already exists")
	ErrReference   = errors.New("is referenced, or refers to something that is gone")
	ErrUnavailable = errors.New("the database does not answer")
)

// SQLSTATE codes (PostgreSQL, appendix A), and the two-letter classes of some.
const (
	codeUniqueViolation     = "23505"
	codeForeignKeyViolation = "23503"
	codeDuplicateTable      = "42P07"
	codeLockNotAvailable    = "55P03"
	codeTooManyConnections  = "53300"
	codeUntranslatable      = "22021" // a text with a NUL, or one that is not UTF-8
	codeDuplicateDatabase   = "42P04"
	codeProtocolViolation   = "08P01"
	codeAdminShutdown       = "57P01"
	codeCrashShutdown       = "57P02"
	codeCannotConnectNow    = "57P03"
	codeReadOnlyTransaction = "25006"
	codeDiskFull            = "53100"

	codeInsufficientPrivilege = "42501"

	classConnection   = "08"
	classIntervention = "57" // of the operator: shutdown, cancel
)

// Translate turns a pgx error into one of this package's, and keeps the original in the chain. An error
// that is none of them passes unchanged.
func Translate(err error) error {
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case errors.As(err, &pg):
		return translateCode(err, pg.Code)
	case errors.Is(err, context.Canceled):
		return err
	case IsConnectionError(err):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	default:
		return err
	}
}

func translateCode(err error, code string) error {
	switch class := code[:2]; {
	case code == codeUniqueViolation:
		return fmt.Errorf("%w: %w", ErrDuplicate, err)
	case code == codeForeignKeyViolation:
		return fmt.Errorf("%w: %w", ErrReference, err)
	case code == codeUntranslatable: // no row holds such a text
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case class == classConnection, class == classIntervention, code == codeTooManyConnections,
		code == codeDiskFull:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	default:
		return err
	}
}

// IsNotFound reports that a query found no row.
func IsNotFound(err error) bool { return errors.Is(Translate(err), ErrNotFound) }

// IsConnectionError reports that the server gave no answer: the statement may or may not have taken effect.
func IsConnectionError(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case codeAdminShutdown, codeCrashShutdown, codeCannotConnectNow: // the session is over
			return true
		case codeReadOnlyTransaction: // the server is no longer the primary
			return true
		default:
			return pg.Code[:2] == classConnection
		}
	}

	// Anything else that is not the caller's own doing comes from the connection.
	return err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, pgx.ErrNoRows)
}

// fromDatabase reports whether an error is one that pgx gives, as far as that can be seen: of what a caller
// made itself, nothing says that the database is away.
func fromDatabase(err error) bool {
	var pg *pgconn.PgError
	var connecting *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &pg) || errors.As(err, &connecting) || errors.As(err, &network) ||
		errors.Is(err, pgx.ErrNoRows) || errors.Is(err, pgx.ErrTxClosed) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		pgconn.SafeToRetry(err)
}

// IsSQLError reports that the server refused a statement and goes on serving.
func IsSQLError(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && !IsConnectionError(err)
}

// Constraint returns the name of the constraint that an error is about, "" for none.
func Constraint(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.ConstraintName
	}
	return ""
}

// HasCode reports whether the error is a server's with one of the SQLSTATE codes.
func HasCode(err error, codes ...string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && slices.Contains(codes, pg.Code)
}

package manager

import (
	"errors"

	"picloud/db"
	"picloud/internal/cloud"
)

// explain gives database errors that a caller can do something about their code; safe errors pass.
func explain(err error) error {
	var ce *cloud.Error
	switch {
	case err == nil || errors.As(err, &ce):
		return err
	case errors.Is(err, db.ErrDuplicate):
		return cloud.Errorf(cloud.CodeConflict, "the name is taken").Because(err)
	case errors.Is(err, db.ErrNotFound):
		return cloud.Errorf(cloud.CodeNotFound, "no such thing").Because(err)
	case errors.Is(err, db.ErrReference):
		return cloud.Errorf(cloud.CodeConflict, "something it refers to was changed meanwhile; try again").Because(err)
	case errors.Is(err, db.ErrUnavailable):
		return cloud.Errorf(cloud.CodeUnavailable, "the database does not answer; try again").Because(err)
	default:
		return err
	}
}

func invalid(format string, args ...any) error {
	return cloud.Errorf(cloud.CodeInvalid, format, args...)
}

func notFound(what string) error { return cloud.Errorf(cloud.CodeNotFound, "no such %s", what) }

// found maps a missing row to a 404 that says what is missing.
func found(err error, what string) error {
	if errors.Is(db.Translate(err), db.ErrNotFound) {
		return notFound(what)
	}
	return explain(db.Translate(err))
}

// firstError takes the first of joined errors, for a message of one sentence.
func firstError(err error) error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()[0]
	}
	return err
}

package manager

import (
	"errors"

	"picloud/db"
	"picloud/internal/cloud"
)

// explain gives a database error that the caller can act on its code and a safe message. Errors that have a
// code already and unknown errors pass unchanged.
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
		changed := cloud.Errorf(cloud.CodeConflict, "something it refers to was changed meanwhile; try again")
		return changed.Because(err)
	case errors.Is(err, db.ErrUnavailable):
		return cloud.Errorf(cloud.CodeUnavailable, "the database does not answer; try again").Because(err)
	default:
		return err
	}
}

// invalid is an error about what the caller asked for.
func invalid(format string, args ...any) error {
	return cloud.Errorf(cloud.CodeInvalid, format, args...)
}

// notFound names what is missing.
func notFound(what string) error { return cloud.Errorf(cloud.CodeNotFound, "no such %s", what) }

// found turns the error of a lookup into one that names what is missing.
func found(err error, what string) error {
	err = db.Translate(err)
	if errors.Is(err, db.ErrNotFound) {
		return notFound(what)
	}
	return explain(err)
}

// firstError picks the first of joined errors, because a message is one sentence.
func firstError(err error) error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()[0]
	}
	return err
}

package cloud

import (
	"errors"
	"fmt"
	"maps"
)

// Code classifies an error. Handlers map it to an HTTP status in one place.
type Code string

// The codes of errors that a user may see.
const (
	CodeInvalid      Code = "invalid"           // 422
	CodeMalformed    Code = "malformed"         // 400
	CodeUnauthorized Code = "unauthorized"      // 401
	CodeForbidden    Code = "forbidden"         // 403
	CodeNotFound     Code = "not-found"         // 404
	CodeNotRecorded  Code = "not-recorded"      // 404
	CodeMethod       Code = "method"            // 405
	CodeConflict     Code = "conflict"          // 409
	CodePrecondition Code = "precondition"      // 412
	CodeTooLarge     Code = "too-large"         // 413
	CodeTooMany      Code = "too-many-requests" // 429
	CodeQueueFull    Code = "queue-full"        // 503
	CodeQuota        Code = "quota"             // 503
	CodeUnavailable  Code = "unavailable"       // 503
	CodeTimeout      Code = "timeout"           // 504
	CodeUnknown      Code = "outcome-unknown"   // 500, no Retry-After
	CodeInternal     Code = "internal"          // 500
)

// Error is an error with a message that is safe to show.
type Error struct {
	Code    Code
	Message string
	// Details are extra members for the problem document, such as line and column.
	Details map[string]any
	cause   error
}

// Error returns code, message and cause. It is for logs, never for users.
func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.cause)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Errorf makes an error whose message is safe to show.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Because returns a copy that carries a cause for the log.
func (e *Error) Because(cause error) *Error {
	with := *e
	with.cause = cause
	return &with
}

// With returns a copy that carries one more detail.
func (e *Error) With(key string, value any) *Error {
	with := *e
	with.Details = make(map[string]any, len(e.Details)+1)
	maps.Copy(with.Details, e.Details)
	with.Details[key] = value
	return &with
}

// CodeOf returns the code of the first Error in the chain; anything else is internal.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}

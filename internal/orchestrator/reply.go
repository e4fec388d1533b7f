package orchestrator

import (
	"errors"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"picloud/db"
	"picloud/internal/catalog"
	"picloud/internal/cloud"
)

// HTTPReply is what the caller is sent.
type HTTPReply struct {
	Response  *cloud.Response
	Execution cloud.ID
	// Accepted is set for an asynchronous call.
	Accepted time.Time
	// Failure is set when there is no response.
	Failure *cloud.Error
	Status  int
	// RetryAfter, in seconds, goes with what may succeed later; 0 for none.
	RetryAfter int
	// Replayed says that the answer is that of an earlier call with the same Idempotency-Key.
	Replayed bool
	// HungUp says that nobody is there any more; what would have been sent is an abandoned execution.
	HungUp bool
}

// failure is the reply for an error; id is that of the run, zero if there was none.
func failure(id cloud.ID, err *cloud.Error) *HTTPReply {
	r := &HTTPReply{Execution: id, Failure: err, Status: cloud.StatusOf(err.Code)}
	r.RetryAfter = cloud.RetryAfter(r.Status, err.Code)
	return r
}

// replyOf turns a task's outcome into what the caller is sent.
func replyOf(fin *finished) *HTTPReply {
	r := &HTTPReply{Execution: fin.record.ID, Status: fin.record.HTTPStatus}
	if fin.succeeded() && fin.outcome.Response != nil {
		r.Response = fin.outcome.Response
		return r
	}

	switch {
	case fin.unknown:
		r.Failure = fin.commitErr
		r.Status = http.StatusInternalServerError
	case fin.commitErr != nil:
		r.Failure = fin.commitErr
	default:
		r.Failure = &cloud.Error{Code: cloud.Code(fin.outcome.Status), Message: fin.outcome.Error.String()}
	}
	r.RetryAfter = cloud.RetryAfter(r.Status, r.Failure.Code)

	return r
}

const (
	// maxSummary bounds what is kept of a body that nobody received, in bytes.
	maxSummary = 2000
	// maxMaskedBody bounds what of a body is searched for secrets before it is cut to its summary.
	maxMaskedBody = 64 << 10
)

// summaryOf is what is kept of an outcome that nobody waited for.
func summaryOf(app *catalog.App, fin *finished) string {
	if fin.outcome.Response == nil {
		return fin.outcome.Error.String()
	}
	return bodySummary(app, fin.outcome.Response)
}

// bodySummary is the beginning of a body. Its caller might have read the app's secrets in it, but a viewer of
// the app may not. The app is nil if it was deleted meanwhile.
func bodySummary(app *catalog.App, r *cloud.Response) string {
	if !utf8.Valid(r.Body) && len(r.Body) <= maxSummary {
		return fmt.Sprintf("%d bytes", len(r.Body))
	}

	text := string(r.Body[:min(len(r.Body), maxMaskedBody)])
	if app != nil {
		text = app.MaskText(text)
	}
	return db.Storable(text[:min(len(text), maxSummary)])
}

// safeError is why a commit failed, with a code and a message for the caller.
func safeError(err error) *cloud.Error {
	var ce *cloud.Error
	if errors.As(err, &ce) {
		return ce
	}
	// The server answered, and had no room.
	if db.IsSQLError(err) && errors.Is(db.Translate(err), db.ErrUnavailable) {
		full := cloud.Errorf(cloud.CodeUnavailable, "%s; nothing of this run was kept", db.NoCommit(err))
		return full.Because(err)
	}

	return cloud.Errorf(cloud.CodeInternal, "the run could not be committed").Because(err)
}

package cloud

import "net/http"

// StatusOf maps an error's code to its HTTP status. It is the one table for errors that are not outcomes of
// runs; those have HTTPStatus.
func StatusOf(c Code) int {
	switch c {
	case CodeInvalid:
		return http.StatusUnprocessableEntity
	case CodeMalformed:
		return http.StatusBadRequest
	case CodeUnauthorized:
		return http.StatusUnauthorized
	case CodeForbidden:
		return http.StatusForbidden
	case CodeNotFound, CodeNotRecorded:
		return http.StatusNotFound
	case CodeMethod:
		return http.StatusMethodNotAllowed
	case CodeConflict:
		return http.StatusConflict
	case CodePrecondition:
		return http.StatusPreconditionFailed
	case CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case CodeTooMany:
		return http.StatusTooManyRequests
	case CodeQueueFull, CodeQuota, CodeUnavailable:
		return http.StatusServiceUnavailable
	case CodeTimeout:
		return http.StatusGatewayTimeout
	default:
		return http.StatusInternalServerError
	}
}

// RetryAfter is after how many seconds it is worth asking again for what was refused with a status and a
// code; 0 if time alone does not mend it. A quota is used up until somebody deletes something or sets a
// larger one.
func RetryAfter(status int, c Code) int {
	if status != http.StatusServiceUnavailable || c == CodeQuota {
		return 0
	}
	return 1
}

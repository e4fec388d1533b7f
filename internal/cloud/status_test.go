package cloud

import "testing"

// Every code of an error has its status; an unknown one is our fault.
func TestStatusOf(t *testing.T) {
	t.Parallel()

	for code, want := range map[Code]int{
		CodeInvalid:      422,
		CodeMalformed:    400,
		CodeUnauthorized: 401,
		CodeForbidden:    403,
		CodeNotFound:     404,
		CodeNotRecorded:  404,
		CodeMethod:       405,
		CodeConflict:     409,
		CodePrecondition: 412,
		CodeTooLarge:     413,
		CodeTooMany:      429,
		CodeQueueFull:    503,
		CodeUnavailable:  503,
		CodeTimeout:      504,
		CodeUnknown:      500,
		CodeInternal:     500,
		"anything":       500,
	} {
		if got := StatusOf(code); got != want {
			t.Errorf("%s: %d, want %d", code, got, want)
		}
	}
}

// Only what passes with time is worth asking for again.
func TestRetryAfter(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		status int
		code   Code
		want   int
	}{
		{503, CodeUnavailable, 1},
		{503, CodeQueueFull, 1},
		{503, Code(Conflicted), 1},
		{503, Code(Interrupted), 1},
		{503, CodeQuota, 0},
		{500, CodeUnknown, 0},
		{409, CodeConflict, 0},
		{422, CodeInvalid, 0},
	} {
		if got := RetryAfter(c.status, c.code); got != c.want {
			t.Errorf("%d %s: %d, want %d", c.status, c.code, got, c.want)
		}
	}
}

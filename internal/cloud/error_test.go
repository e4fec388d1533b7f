package cloud

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

// The message goes to users, the cause to the log; an error that is none of ours is internal.
func TestError(t *testing.T) {
	t.Parallel()
	plain := Errorf(CodeConflict, "the name %q is taken", "x")
	caused := plain.Because(io.EOF)

	for _, c := range []struct {
		name  string
		err   error
		code  Code
		text  string
		cause error
	}{
		{"plain", plain, CodeConflict, `conflict: the name "x" is taken`, nil},
		{"with a cause", caused, CodeConflict, `conflict: the name "x" is taken: EOF`, io.EOF},
		{
			"wrapped", fmt.Errorf("make app: %w", caused), CodeConflict,
			`make app: conflict: the name "x" is taken: EOF`, io.EOF,
		},
		{"the first counts", Errorf(CodeInvalid, "bad").Because(plain), CodeInvalid, "", plain},
		{"foreign", io.EOF, CodeInternal, "EOF", io.EOF},
		{"none", nil, CodeInternal, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := CodeOf(c.err); got != c.code {
				t.Errorf("the code is %s", got)
			}
			if c.text != "" && c.err.Error() != c.text {
				t.Errorf("the text is %s", c.err)
			}
			if c.cause != nil && !errors.Is(c.err, c.cause) {
				t.Error("the cause is lost")
			}
		})
	}
}

// Errors are shared by all requests, so a cause and details go to copies.
func TestErrorsAreCopied(t *testing.T) {
	t.Parallel()
	shared := Errorf(CodeInvalid, "bad").With("line", 1)
	more := shared.With("column", 2).With("line", 3)
	caused := shared.Because(io.EOF)

	if len(shared.Details) != 1 || shared.Details["line"] != 1 || shared.Unwrap() != nil {
		t.Errorf("the shared error is %+v", shared)
	}
	if len(more.Details) != 2 || more.Details["line"] != 3 || more.Details["column"] != 2 {
		t.Errorf("the details are %v", more.Details)
	}
	if caused.Unwrap() != io.EOF || caused.Details["line"] != 1 {
		t.Errorf("with a cause it is %+v", caused)
	}
}

package history

import (
	"testing"

	"picloud/internal/cloud"
)

// An error is a ScriptError for readers, whether a run made it or there is only a reason.
func TestLetterError(t *testing.T) {
	t.Parallel()

	for stored, want := range map[string]cloud.ScriptError{
		`{"name":"TypeError","message":"x","stack":"at f"}`: {Name: "TypeError", Message: "x", Stack: "at f"},
		`the script "a" is gone`:                            {Name: "Error", Message: `the script "a" is gone`},
		``:                                                  {Name: "Error"},
	} {
		if got := letterError(stored); got != want {
			t.Errorf("%q: %+v, want %+v", stored, got, want)
		}
	}
}

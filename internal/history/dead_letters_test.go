package history

import "testing"

// A letter that was dealt with is out of the operator's way; one whose handler failed is not.
func TestIsUnresolved(t *testing.T) {
	t.Parallel()
	for resolution, want := range map[string]bool{
		"handler_failed": true, "handled": false, "replayed": false, "ignored": false,
	} {
		if got := IsUnresolved(&DeadLetter{Resolution: &resolution}); got != want {
			t.Errorf("%s is unresolved: %v", resolution, got)
		}
	}

	if !IsUnresolved(&DeadLetter{}) {
		t.Error("a letter that nobody has touched is resolved")
	}
}

// An error is JSON for readers, whether a run made it or there is only a reason.
func TestErrorOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ stored, want string }{
		{`{"name":"TypeError","message":"x"}`, `{"name":"TypeError","message":"x"}`},
		{`the script "a" is gone`, `{"name":"Error","message":"the script \"a\" is gone","stack":""}`},
		{``, `{"name":"Error","message":"","stack":""}`},
	} {
		if got := string(ErrorOf(&DeadLetter{Error: c.stored})); got != c.want {
			t.Errorf("%q: %s, want %s", c.stored, got, c.want)
		}
	}
}

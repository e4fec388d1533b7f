package cloud

import "testing"

// A letter that was dealt with is out of the operator's way; one whose handler failed is not.
func TestIsUnresolved(t *testing.T) {
	t.Parallel()

	for resolution, want := range map[string]bool{
		"":                      true,
		DeadLetterHandlerFailed: true,
		DeadLetterHandled:       false,
		DeadLetterReplayed:      false,
		DeadLetterIgnored:       false,
	} {
		letter := DeadLetter{Resolution: resolution}
		if got := letter.IsUnresolved(); got != want {
			t.Errorf("%q is unresolved: %v", resolution, got)
		}
	}
}

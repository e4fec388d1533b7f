package sandbox

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// This test binary can be a child that says what it has inherited.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "inherited" {
		printInherited()
		return
	}
	goleak.VerifyTestMain(m)
}

package catalog_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"picloud/internal/testkit"
)

// No test leaves a goroutine behind.
func TestMain(m *testing.M) {
	code := testkit.Main(m)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

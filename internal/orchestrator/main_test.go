package orchestrator_test

import (
	"os"
	"testing"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/testkit"
	"picloud/internal/testkit/testcloud"
)

// No test leaves a goroutine behind.
func TestMain(m *testing.M) { os.Exit(testkit.MainWithoutLeaks(m)) }

// receive gives what comes by a channel. What never comes is a failure, after a time that bounds only how
// long that takes.
func receive[T any](t *testing.T, ch <-chan T) (v T) {
	t.Helper()

	select {
	case v = <-ch:
	case <-time.After(30 * time.Second):
		t.Fatal("nothing came")
	}
	return v
}

// succeed is a script that does nothing.
func succeed(*testcloud.Run) cloud.Outcome { return cloud.Outcome{Status: cloud.Succeeded} }

package cron_test

import (
	"os"
	"testing"

	"picloud/internal/testkit"
)

// No test leaves a goroutine behind.
func TestMain(m *testing.M) { os.Exit(testkit.MainWithoutLeaks(m)) }

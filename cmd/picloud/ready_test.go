package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"picloud/internal/cloud"
)

// However many ask whether the node is ready, one commit a second is tried, by whoever asks first; nobody who
// goes away ends it for the others; and when nobody asks there is none.
func TestCommitTrialsAreShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tried := 0
		failure := error(nil)
		c := &commitTrials{log: slog.New(slog.DiscardHandler), try: func(ctx context.Context) error {
			tried++
			time.Sleep(100 * time.Millisecond) // of the synthetic clock
			return errors.Join(failure, ctx.Err())
		}}
		asks := func(n int) {
			t.Helper()
			before := tried
			if err := c.result(t.Context()); (err == nil) != (failure == nil) {
				t.Errorf("the result is %v", err)
			}
			if tried-before != n {
				t.Errorf("%d trials, want %d", tried-before, n)
			}
		}

		gone, leave := context.WithCancel(t.Context())
		leave()
		if err := c.result(gone); err == nil {
			t.Error("who has gone away got a result")
		}
		synctest.Wait()
		if tried != 1 {
			t.Errorf("%d trials for who has gone away", tried)
		}

		asks(0) // waits for the same one
		asks(0)
		failure = errors.New("full")
		time.Sleep(time.Second)
		asks(1)
		asks(0)

		time.Sleep(time.Hour)
		if tried != 2 {
			t.Errorf("%d trials while nobody asked", tried)
		}
		failure = nil
		asks(1)
	})
}

// Whoever asks is told that the sandbox is missing, and not what the system said of it.
func TestSandboxReady(t *testing.T) {
	t.Parallel()
	if err := sandboxReady(nil); err != nil {
		t.Errorf("a sandbox that starts: %v", err)
	}

	cause := errors.New("dial unix /run/picloud/executor.sock: connect: no such file or directory")
	err := sandboxReady(cause)
	var known *cloud.Error
	if !errors.As(err, &known) || known.Code != cloud.CodeUnavailable ||
		known.Message != "not ready: the sandbox could not be started" || !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}

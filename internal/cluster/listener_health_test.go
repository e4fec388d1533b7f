package cluster

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// healthFixture is the health of a listener, and the connection that it may give up. It counts the echoes
// that were sent; fail makes the sending fail.
type healthFixture struct {
	health     *health
	connection context.Context
	giveUp     context.CancelCauseFunc
	echoes     int
	fail       error
}

func newHealthFixture(t *testing.T) *healthFixture {
	t.Helper()
	f := &healthFixture{}
	f.health = newHealth(func(context.Context) error {
		f.echoes++
		return f.fail
	})
	f.connection, f.giveUp = context.WithCancelCause(t.Context())
	t.Cleanup(func() { f.giveUp(nil) })
	return f
}

func (f *healthFixture) givenUp() bool { return errors.Is(context.Cause(f.connection), errNoEcho) }

// lost takes the sign that the listener is unhealthy, if there is one.
func (f *healthFixture) lost() bool {
	select {
	case <-f.health.lostC:
		return true
	default:
		return false
	}
}

// A listener is healthy from its first echo, and its connection is given up if an echo does not arrive in
// time.
func TestHealthNeedsEchoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newHealthFixture(t)
		h := f.health
		if h.isHealthy() || !f.lost() {
			t.Error("healthy before the first echo")
		}

		h.connected(t.Context(), f.giveUp)
		if h.isHealthy() || f.echoes != 1 {
			t.Errorf("healthy after %d echoes that did not arrive", f.echoes)
		}
		time.Sleep(echoTimeout - time.Millisecond)
		if !h.echoed() || !h.isHealthy() {
			t.Error("an echo does not make it healthy")
		}
		time.Sleep(time.Hour)
		if f.givenUp() {
			t.Error("given up though the echo arrived")
		}

		h.check(t.Context())
		h.check(t.Context()) // one echo is awaited already
		if f.echoes != 2 {
			t.Errorf("%d echoes", f.echoes)
		}
		if h.echoed() {
			t.Error("it was healthy before")
		}

		h.check(t.Context())
		time.Sleep(echoTimeout)
		synctest.Wait()
		if !f.givenUp() {
			t.Error("an echo that does not arrive changes nothing")
		}
	})
}

// An echo that could not be sent says nothing about the listener.
func TestHealthWithoutDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newHealthFixture(t)
		f.fail = errors.New("away")
		f.health.connected(t.Context(), f.giveUp)
		time.Sleep(time.Hour)
		if f.givenUp() {
			t.Error("given up for an echo that was not sent")
		}
		f.health.check(t.Context())
		if f.echoes != 2 {
			t.Errorf("%d echoes: the next one is not sent", f.echoes)
		}
	})
}

// Without a connection there is nothing to check, and an echo that was awaited is not awaited any more.
func TestHealthDisconnected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newHealthFixture(t)
		f.lost()
		f.health.check(t.Context())
		if f.echoes != 0 {
			t.Error("checked without a connection")
		}

		f.health.connected(t.Context(), f.giveUp)
		f.health.echoed()
		f.health.check(t.Context())
		f.health.disconnected()
		if f.health.isHealthy() || !f.lost() {
			t.Error("healthy without a connection")
		}
		time.Sleep(time.Hour)
		if f.givenUp() {
			t.Error("a connection that is gone is given up")
		}

		f.health.connected(t.Context(), f.giveUp)
		if f.echoes != 3 {
			t.Errorf("%d echoes: the next connection is not checked", f.echoes)
		}
	})
}

func TestParseEcho(t *testing.T) {
	t.Parallel()

	for payload, want := range map[string]struct {
		node string
		echo bool
	}{
		"echo n1":     {"n1", true},
		"echo echo x": {"echo x", true},
		"echo ":       {"", true},
		"n1":          {"n1", false},
		"":            {"", false},
	} {
		if node, echo := parseEcho(payload); node != want.node || echo != want.echo {
			t.Errorf("%q: %q, %v", payload, node, echo)
		}
	}
}

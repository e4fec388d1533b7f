package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"picloud/internal/cloud"
)

// busy is one turn, which is taken.
func busy(t *testing.T) *turns {
	t.Helper()
	turns := newTurns(1)
	if err := turns.take(t.Context(), "busy"); err != nil {
		t.Fatal(err)
	}
	return turns
}

// queue has a client wait for its turn; its name goes to the channel when that has come.
func queue(t *testing.T, turns *turns, client, name string, came chan<- string) {
	t.Helper()
	go func() {
		if turns.take(t.Context(), client) == nil {
			came <- name
		}
	}()
	synctest.Wait()
}

// Clients take turns, however many attempts one of them has sent before.
func TestTurnsAreFair(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := busy(t)

		came := make(chan string, 6)
		for _, name := range []string{"guesser 1", "guesser 2", "guesser 3", "ann 1", "ann 2", "bob 1"} {
			queue(t, turns, clientOf(name), name, came)
		}

		var order []string
		turns.done("busy")

		for range 6 {
			name := <-came
			order = append(order, name)
			turns.done(clientOf(name))
		}

		want := []string{"guesser 1", "ann 1", "bob 1", "guesser 2", "ann 2", "guesser 3"}
		if !slices.Equal(order, want) {
			t.Errorf("turns of %v, want %v", order, want)
		}
		if turns.pool.Free() != 1 {
			t.Errorf("%d turns are free", turns.pool.Free())
		}
	})
}

func clientOf(name string) (client string) {
	_, _ = fmt.Sscan(name, &client)
	return client
}

// Where two may hash at once, one client has one of the turns, so that another finds one.
func TestTurnsAreLeftToOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(2)
		came := make(chan string, 3)
		queue(t, turns, "guesser", "guesser 1", came)
		queue(t, turns, "guesser", "guesser 2", came)
		queue(t, turns, "ann", "ann 1", came)

		if first, second := <-came, <-came; first != "guesser 1" || second != "ann 1" {
			t.Errorf("turns of %s and %s", first, second)
		}
		turns.done("guesser")
		<-came
	})
}

// A client has a short line, and all lines together are bounded: the next is told to come again.
func TestTurnsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := busy(t)
		came := make(chan string, maxHashWaiting+1)
		refused := func(client string) bool {
			err := turns.take(t.Context(), client)
			return err != nil && cloud.CodeOf(err) == cloud.CodeTooMany
		}

		for range maxHashWaitingOfOne {
			queue(t, turns, "guesser", "guesser", came)
		}
		if !refused("guesser") {
			t.Error("the line of one client is too long")
		}

		for k := range maxHashWaiting - maxHashWaitingOfOne {
			client := fmt.Sprint("client ", k)
			queue(t, turns, client, client, came)
		}
		if !refused("ann") {
			t.Error("the lines together are too long")
		}

		turns.done("busy")
		turns.done(<-came)
		queue(t, turns, "ann", "ann", came)

		for range maxHashWaiting {
			turns.done(<-came)
		}
		if turns.pool.Free() != 1 {
			t.Errorf("%d turns are free", turns.pool.Free())
		}
	})
}

// Whoever gives up leaves the line.
func TestTurnsAreGivenUp(t *testing.T) {
	t.Parallel()
	turns := busy(t)
	cause := errors.New("gone")
	gone, cancel := context.WithCancelCause(t.Context())
	cancel(cause)

	if err := turns.take(gone, "ann"); !errors.Is(err, cause) {
		t.Errorf("took a turn: %v", err)
	}
	if turns.pool.Waiting("ann") != 0 {
		t.Error("ann still waits")
	}
}

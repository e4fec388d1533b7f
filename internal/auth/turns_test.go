package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"picloud/internal/cloud"
)

// busy takes every turn that is free.
func busy(t *testing.T) *turns {
	t.Helper()
	turns := newTurns()

	for range maxHashing() {
		if err := turns.take(t.Context(), "busy"); err != nil {
			t.Fatal(err)
		}
	}
	return turns
}

// queue puts a client into its line, and returns its turn.
func queue(t *testing.T, turns *turns, client string) chan struct{} {
	t.Helper()
	turn, err := turns.join(client)
	if err != nil || turn == nil {
		t.Fatalf("%s does not wait: %v", client, err)
	}
	return turn
}

func came(turn chan struct{}) bool {
	select {
	case <-turn:
		return true
	default:
		return false
	}
}

// Clients take turns, however many attempts one of them has sent before.
func TestTurnsAreFair(t *testing.T) {
	t.Parallel()
	turns := busy(t)
	waiting := map[string]chan struct{}{}

	for _, name := range []string{"guesser 1", "guesser 2", "guesser 3", "ann 1", "ann 2", "bob 1"} {
		var client string
		_, _ = fmt.Sscan(name, &client)
		waiting[name] = queue(t, turns, client)
	}

	var order []string
	for len(waiting) > 0 {
		turns.done()

		for name, turn := range waiting {
			if came(turn) {
				order = append(order, name)
				delete(waiting, name)
			}
		}
	}

	want := []string{"guesser 1", "ann 1", "bob 1", "guesser 2", "ann 2", "guesser 3"}
	if !slices.Equal(order, want) {
		t.Errorf("turns of %v, want %v", order, want)
	}

	// All have had their turn, so all turns are free once more.
	for range maxHashing() {
		turns.done()
	}
	if turns.free != maxHashing() || turns.waiting != 0 || len(turns.lines) != 0 {
		t.Errorf("%d free, %d wait, lines %v", turns.free, turns.waiting, turns.lines)
	}
}

// A client has a short line, and all lines together are bounded: the next is told to come again.
func TestTurnsAreBounded(t *testing.T) {
	t.Parallel()
	turns := busy(t)
	refused := func(client string) bool {
		err := turns.take(t.Context(), client)
		return err != nil && cloud.CodeOf(err) == cloud.CodeTooMany
	}

	for range maxHashWaitingOfOne {
		queue(t, turns, "guesser")
	}
	if !refused("guesser") {
		t.Error("the line of one client is too long")
	}

	for k := range maxHashWaiting - maxHashWaitingOfOne {
		queue(t, turns, fmt.Sprint("client ", k))
	}
	if !refused("ann") {
		t.Error("the lines together are too long")
	}

	turns.done()
	queue(t, turns, "ann")
}

// Whoever gives up leaves the line, also when the turn comes at that moment.
func TestTurnsAreGivenUp(t *testing.T) {
	t.Parallel()
	turns := busy(t)
	cause := errors.New("gone")
	gone, cancel := context.WithCancelCause(t.Context())
	cancel(cause)

	if err := turns.take(gone, "ann"); !errors.Is(err, cause) {
		t.Errorf("took a turn: %v", err)
	}
	if turns.waiting != 0 || len(turns.order) != 0 || len(turns.lines) != 0 {
		t.Errorf("%d wait, lines %v", turns.waiting, turns.lines)
	}

	first := queue(t, turns, "ann")
	second := queue(t, turns, "ann")
	turns.done()
	if !came(first) || turns.leave("ann", first) {
		t.Error("a turn that came was still in the line")
	}
	if !turns.leave("ann", second) || turns.waiting != 0 {
		t.Error("a place in the line was not given up")
	}
}

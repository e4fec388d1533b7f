package auth

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"picloud/internal/cloud"
)

const (
	// maxHashWaiting and maxHashWaitingOfOne bound how many wait for that, of all clients and of one.
	maxHashWaiting      = 128
	maxHashWaitingOfOne = 8
)

// errManyLogins has no time to wait in it: a hash takes some 50 ms, and most who come again find room.
var errManyLogins = cloud.Errorf(cloud.CodeTooMany,
	"too many passwords are being checked; wait a second and try again")

// turns lets a few clients hash at once. The others wait, each client in a line of its own, and the lines
// take turns: whoever sends many attempts waits behind themselves. It is safe for concurrent use.
type turns struct {
	// mu guards everything below. No other lock is taken under it.
	mu sync.Mutex
	// free is how many more may hash now. While it is above 0, nobody waits.
	free int
	// lines has those who wait, by their client; a turn is given by closing the channel.
	lines map[string][]chan struct{}
	// order has the clients of lines, the one whose turn comes next first.
	order []string
	// waiting is how many wait in all lines.
	waiting int
}

// maxHashing is how many passwords are hashed at once: each takes the memory of its cost, and half of the
// processors are left to the scripts.
func maxHashing() int { return min(max(1, runtime.NumCPU()/2), 2) }

func newTurns() *turns { return &turns{free: maxHashing(), lines: map[string][]chan struct{}{}} }

// take waits for a turn, which the caller ends with done. Errors: too-many-requests when there are too many
// before it, else that of the context.
func (t *turns) take(ctx context.Context, client string) error {
	turn, err := t.join(client)
	if err != nil || turn == nil {
		return err
	}

	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		if !t.leave(client, turn) {
			t.done() // the turn came at the same moment
		}
		return context.Cause(ctx)
	}
}

// join takes a free turn, and returns nil then, or a place in the client's line.
func (t *turns) join(client string) (chan struct{}, error) {
	t.mu.Lock()
	defer t.mu.Unlock()

	if t.free > 0 {
		t.free--
		return nil, nil
	}

	line := t.lines[client]
	if t.waiting >= maxHashWaiting || len(line) >= maxHashWaitingOfOne {
		return nil, errManyLogins
	}
	if len(line) == 0 {
		t.order = append(t.order, client)
	}

	turn := make(chan struct{})
	t.lines[client] = append(line, turn)
	t.waiting++
	return turn, nil
}

// done ends a turn: the first of the next line has it, if anybody waits.
func (t *turns) done() {
	t.mu.Lock()
	defer t.mu.Unlock()

	if len(t.order) == 0 {
		t.free++
		return
	}

	client := t.order[0]
	t.order = t.order[1:]
	line := t.lines[client]
	close(line[0])
	t.waiting--

	if t.lines[client] = line[1:]; len(line) == 1 {
		delete(t.lines, client)
		return
	}
	t.order = append(t.order, client)
}

// leave gives a place in a line up. It reports false if the turn has come already.
func (t *turns) leave(client string, turn chan struct{}) bool {
	t.mu.Lock()
	defer t.mu.Unlock()

	line := t.lines[client]
	k := slices.Index(line, turn)
	if k < 0 {
		return false
	}

	t.waiting--
	if t.lines[client] = slices.Delete(line, k, k+1); len(line) == 1 {
		delete(t.lines, client)
		t.order = slices.DeleteFunc(t.order, func(other string) bool { return other == client })
	}
	return true
}

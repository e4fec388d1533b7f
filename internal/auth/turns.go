package auth

import (
	"context"
	"errors"
	"runtime"

	"picloud/internal/cloud"
	"picloud/internal/fairshare"
)

const (
	// maxHashWaiting and maxHashWaitingOfOne bound how many wait for that, of all clients and of one.
	maxHashWaiting      = 128
	maxHashWaitingOfOne = 8
)

// errManyLogins has no time to wait in it: a hash takes some 50 ms, and most who come again find room.
var errManyLogins = cloud.Errorf(cloud.CodeTooMany,
	"too many passwords are being checked; wait a second and try again")

// turns lets a few clients hash at once. The others wait, and take turns: whoever sends many attempts waits
// behind themselves. It is safe for concurrent use.
type turns struct{ pool *fairshare.Pool[string] }

// maxHashing is how many passwords are hashed at once: each takes the memory of its cost, and half of the
// processors are left to the scripts. Where it is 2, a client alone has one of these.
func maxHashing() int { return min(max(1, runtime.NumCPU()/2), 2) }

// newTurns lets n passwords be hashed at once.
func newTurns(n int) *turns {
	return &turns{fairshare.New[string](int64(n)).Bounded(maxHashWaiting, maxHashWaitingOfOne)}
}

// take waits for a turn, which the caller ends with done. Errors: too-many-requests when there are too many
// before it, else that of the context.
func (t *turns) take(ctx context.Context, client string) error {
	err := t.pool.Take(ctx, client, 1)
	if errors.Is(err, fairshare.ErrTooManyWait) {
		return errManyLogins
	}
	return err
}

// done ends a client's turn.
func (t *turns) done(client string) { t.pool.Give(client, 1) }

package api

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"picloud/internal/cloud"
	"picloud/internal/fairshare"
)

const (
	// listPatience is how long a list waits for its turn.
	listPatience = 10 * time.Second
	// maxListsWaiting is how many lists of one user may wait for their turns.
	maxListsWaiting = 32
)

var errManyLists = cloud.Errorf(cloud.CodeUnavailable,
	"too many lists are being read at once; ask for one after the other, or for shorter ones")

// newListTurns lets lists take half of the processors, users in turn: some megabytes of JSON a page are work,
// and a few readers of long lists would keep scripts waiting.
func newListTurns(processors int) *fairshare.Pool[int64] {
	return fairshare.New[int64](int64(max(1, processors/2)))
}

// inTurn has a list made in its caller's turn.
func (s *Server) inTurn(ctx huma.Context, next func(huma.Context)) {
	user := callerOf(ctx.Context()).UserID

	patience, cancel := context.WithTimeout(ctx.Context(), listPatience)
	defer cancel()

	if s.lists.Waiting(user) >= maxListsWaiting || s.lists.Take(patience, user, 1) != nil {
		s.refuse(ctx, errManyLists)
		return
	}
	defer s.lists.Give(user, 1)

	next(ctx)
}

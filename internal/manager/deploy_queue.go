package manager

import (
	"context"
	"errors"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/fairshare"
)

const (
	// maxDeploys bounds the deploys of a node that are under way. Each holds a database connection while a
	// sandbox process compiles.
	maxDeploys = 2
	// maxDeploysWaiting bounds the deploys of an app that wait behind another of the same app.
	maxDeploysWaiting = 20
	// maxDeployTime bounds a deploy, with the time that it waits: a module may be imported by hundreds of
	// scripts, each of which is compiled and evaluated again.
	maxDeployTime = time.Minute
)

// errDeployTime ends what a deploy waits for.
var errDeployTime = errors.New("the time of a deploy is over")

// deployQueue lets an app deploy one script at a time, and a node a few: an app alone has half of the places,
// which is one, so that no app ever holds all of them.
type deployQueue struct{ places *fairshare.Pool[int64] }

func newDeployQueue() *deployQueue {
	return &deployQueue{fairshare.New[int64](maxDeploys).Bounded(0, maxDeploysWaiting)}
}

// enter waits for the app's turn. The context ends with the time of a deploy; leave must be called.
func (q *deployQueue) enter(ctx context.Context, app int64) (
	deadline context.Context, leave func(), err error,
) {
	ctx, cancel := context.WithTimeoutCause(ctx, maxDeployTime, errDeployTime)

	switch err := q.places.Take(ctx, app, 1); {
	case errors.Is(err, fairshare.ErrTooManyWait):
		cancel()
		return nil, nil, cloud.Errorf(cloud.CodeTooMany,
			"%d deploys of this app wait already: try again when some of them have ended", maxDeploysWaiting)
	case err != nil:
		cancel()
		return nil, nil, explainDeployTime(err)
	}

	return ctx, func() {
		cancel()
		q.places.Give(app, 1)
	}, nil
}

// explainDeployTime says what it means that a deploy's time is over; any other error stays as it is.
func explainDeployTime(err error) error {
	if !errors.Is(err, errDeployTime) {
		return err
	}
	return cloud.Errorf(cloud.CodeTimeout,
		"the deploy did not end within %s, and nothing was changed: other deploys may have been before it, "+
			"or the script or those that import it take long to evaluate", maxDeployTime)
}

package manager

import (
	"context"
	"errors"
	"sync"
	"time"

	"picloud/internal/cloud"
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

// deployQueue lets an app deploy one script at a time, and a node a few. The deploys of an app wait for each
// other without a place, so that one app never holds all of them.
type deployQueue struct {
	places chan struct{}

	// mu guards apps and the counts in it. It is a leaf.
	mu   sync.Mutex
	apps map[int64]*appDeploys
}

// appDeploys are the deploys of an app that are under way or wait. There is none for an app without any.
type appDeploys struct {
	n     int
	turnC chan struct{}
}

func newDeployQueue() *deployQueue {
	return &deployQueue{places: make(chan struct{}, maxDeploys), apps: map[int64]*appDeploys{}}
}

// enter waits for the app's turn and for a place. The context ends with the time of a deploy; leave must be
// called.
func (q *deployQueue) enter(ctx context.Context, app int64) (
	deadline context.Context, leave func(), err error,
) {
	deploys, err := q.join(app)
	if err != nil {
		return nil, nil, err
	}

	ctx, cancel := context.WithTimeoutCause(ctx, maxDeployTime, errDeployTime)
	if !send(ctx, deploys.turnC) {
		cancel()
		q.quit(app)
		return nil, nil, explainDeployTime(context.Cause(ctx))
	}
	if !send(ctx, q.places) {
		cancel()
		<-deploys.turnC
		q.quit(app)
		return nil, nil, explainDeployTime(context.Cause(ctx))
	}

	return ctx, func() {
		cancel()
		<-q.places
		<-deploys.turnC
		q.quit(app)
	}, nil
}

// send puts a token into a channel, unless ctx ends first.
func send(ctx context.Context, c chan<- struct{}) bool {
	select {
	case c <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (q *deployQueue) join(app int64) (*appDeploys, error) {
	q.mu.Lock()
	defer q.mu.Unlock()

	deploys := q.apps[app]
	if deploys == nil {
		deploys = &appDeploys{turnC: make(chan struct{}, 1)}
		q.apps[app] = deploys
	}
	if deploys.n > maxDeploysWaiting {
		return nil, cloud.Errorf(cloud.CodeTooMany,
			"%d deploys of this app wait already: try again when some of them have ended", maxDeploysWaiting)
	}
	deploys.n++

	return deploys, nil
}

func (q *deployQueue) quit(app int64) {
	q.mu.Lock()
	defer q.mu.Unlock()

	deploys := q.apps[app]
	deploys.n--
	if deploys.n == 0 {
		delete(q.apps, app)
	}
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

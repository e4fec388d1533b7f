package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

const (
	// trialEvery is the least time between the beginnings of two trial commits of a node.
	trialEvery = time.Second
	// trialTimeout is shorter than what a request to /readyz may take.
	trialTimeout = 4 * time.Second
)

// commitTrials answers whether the database takes commits. It tries one when somebody asks, at most one a
// second, and all who ask meanwhile share its result: so nobody can load the database by asking, and an idle
// server of which nobody asks stays idle.
type commitTrials struct {
	// try commits something and leaves no trace.
	try func(ctx context.Context) error
	log *slog.Logger

	// mu guards last. No other lock is taken under it.
	mu   sync.Mutex
	last *commitTrial
}

// commitTrial is one trial; err may be read when done is closed.
type commitTrial struct {
	began time.Time
	done  chan struct{}
	err   error
}

// result is that of the present trial. Its error has CodeUnavailable and a message that is safe to show.
func (c *commitTrials) result(ctx context.Context) error {
	trial := c.current()
	select {
	case <-trial.done:
		return trial.err
	case <-ctx.Done():
		return cloud.Errorf(cloud.CodeUnavailable, "not ready: the database takes no commit in time")
	}
}

// current is the trial that is under way or that ended lately, else a new one.
func (c *commitTrials) current() *commitTrial {
	c.mu.Lock()
	defer c.mu.Unlock()

	if c.last != nil && (time.Since(c.last.began) < trialEvery || !c.last.ended()) {
		return c.last
	}

	c.last = &commitTrial{began: time.Now(), done: make(chan struct{})}
	go c.run(c.last)
	return c.last
}

func (t *commitTrial) ended() bool {
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}

// run is independent of who asked first: the others wait for it as well.
func (c *commitTrials) run(trial *commitTrial) {
	ctx, cancel := context.WithTimeout(context.Background(), trialTimeout)
	defer cancel()
	defer close(trial.done)

	if err := c.try(ctx); err != nil {
		c.log.Warn("not ready", "error", err)
		trial.err = cloud.Errorf(cloud.CodeUnavailable, "not ready: %s", db.NoCommit(err))
	}
}

// ready tries a commit. The sandbox is ready when a child can be started, which the first request does.
func (n *node) ready(ctx context.Context) error {
	if err := n.trials.result(ctx); err != nil {
		return err
	}
	return sandboxReady(n.executor.Ready(ctx))
}

// sandboxReady says that it is the sandbox which is missing. The reason is for the log alone.
func sandboxReady(err error) error {
	if err == nil {
		return nil
	}
	return cloud.Errorf(cloud.CodeUnavailable, "not ready: the sandbox could not be started").Because(err)
}

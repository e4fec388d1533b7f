package cluster

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"picloud/db"
)

const (
	// pollEvery is the pause between two polls, and so the most by which a node that polls lags behind.
	pollEvery = time.Second
	// pollsABeat is how many polls there are to one heartbeat of a node that polls.
	pollsABeat = 5
	// echoTimeout is how long a node waits for its own notification to arrive at its listener.
	echoTimeout = 3 * time.Second
	// echoPrefix starts the payload of an echo; the node's name follows.
	echoPrefix = "echo "
)

// errNoEcho ends the connection of a listener to which nothing comes.
var errNoEcho = errors.New("a notification of this node to itself does not arrive")

// health is whether notifications arrive. A connection can be silent without an error: the network lost
// it, or a pooler in transaction mode took LISTEN for one of its own sessions. So the node notifies itself by
// another connection, and the listener is healthy from the first echo until one does not arrive.
type health struct {
	// sendEcho notifies this node, within the time that an echo may take.
	sendEcho func(ctx context.Context) error
	healthy  atomic.Bool
	// lostC says that the listener is unhealthy.
	lostC chan struct{}

	// mu guards the fields below. No other lock is taken under it.
	mu sync.Mutex
	// timeout runs while an echo is awaited; nil otherwise.
	timeout *time.Timer
	// giveUp ends the listener's connection; nil while there is none.
	giveUp context.CancelCauseFunc
}

// newHealth returns the health of a listener that has not connected yet.
func newHealth(sendEcho func(ctx context.Context) error) *health {
	h := &health{sendEcho: sendEcho, lostC: make(chan struct{}, 1)}
	h.lostC <- struct{}{} // unhealthy until the first echo
	return h
}

func (h *health) isHealthy() bool { return h.healthy.Load() }

// connected begins to check a connection, which giveUp ends.
func (h *health) connected(ctx context.Context, giveUp context.CancelCauseFunc) {
	h.mu.Lock()
	h.giveUp = giveUp
	h.mu.Unlock()
	h.check(ctx)
}

// check sends an echo, if there is a connection to check and no other echo is awaited.
func (h *health) check(ctx context.Context) {
	if !h.await() {
		return
	}

	ctx, cancel := context.WithTimeout(ctx, echoTimeout)
	defer cancel()

	if err := h.sendEcho(ctx); err != nil {
		h.stopWaiting() // nothing was sent, so nothing is known
	}
}

// await starts the time within which an echo must arrive.
func (h *health) await() bool {
	h.mu.Lock()
	defer h.mu.Unlock()

	if h.giveUp == nil || h.timeout != nil {
		return false
	}

	giveUp := h.giveUp
	h.timeout = time.AfterFunc(echoTimeout, func() { giveUp(errNoEcho) })
	return true
}

// echoed notes that an echo of this node arrived. It reports whether that made the listener healthy.
func (h *health) echoed() (recovered bool) {
	h.stopWaiting()
	return !h.healthy.Swap(true)
}

// disconnected notes that the listener has no connection any more.
func (h *health) disconnected() {
	h.mu.Lock()
	h.stopTimeout()
	h.giveUp = nil
	h.mu.Unlock()

	h.healthy.Store(false)

	select {
	case h.lostC <- struct{}{}:
	default:
	}
}

func (h *health) stopWaiting() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopTimeout()
}

// stopTimeout ends the wait for an echo. The caller holds mu.
func (h *health) stopTimeout() {
	if h.timeout != nil {
		h.timeout.Stop()
		h.timeout = nil
	}
}

func (c *Cluster) sendEcho(ctx context.Context) error {
	return c.Send(ctx, ChannelNodes, echoPrefix+c.cfg.Node)
}

// parseEcho gives the node that sent an echo. It is false for a payload that is no echo.
func parseEcho(payload string) (node string, isEcho bool) {
	return strings.CutPrefix(payload, echoPrefix)
}

// pollWhileUnhealthy polls once a second while the listener is unhealthy, and sleeps otherwise, until ctx
// ends.
func (c *Cluster) pollWhileUnhealthy(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.health.lostC:
		}

		for n := 0; !c.health.isHealthy() && ctx.Err() == nil; n++ {
			select {
			case <-ctx.Done():
				return
			case <-time.After(c.pollEvery):
			}
			if !c.health.isHealthy() {
				c.poll(ctx, n%pollsABeat == 0)
			}
		}
	}
}

// poll reads everything that a notification might have been about. With seen it also writes a heartbeat.
func (c *Cluster) poll(ctx context.Context, seen bool) {
	ctx, cancel := context.WithTimeout(ctx, databaseTimeout)
	defer cancel()

	// The others see that this node lives by the time in the table alone, unless a connection listens again.
	if seen {
		if err := c.writeDown(ctx, c.cfg.DB.Queries()); err != nil {
			return // without the database there is nothing to read
		}
	}
	if err := errors.Join(c.handlers.Reload(ctx), c.LoadHold(ctx)); err != nil {
		c.cfg.Log.Warn("poll", "error", db.Translate(err))
		return
	}

	// Listeners cannot be counted now: there may be others.
	c.others.Store(max(1, c.others.Load()))
	c.handlers.Inbox(ctx)
	c.handlers.Scan(false)
	c.handlers.Cron()
}

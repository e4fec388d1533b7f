package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// notifyEvery is how long notifications are collected before they are sent.
const notifyEvery = 5 * time.Millisecond

// notification is one kind: those of the same channel and payload say the same.
type notification struct{ channel, payload string }

// notifier sends at most one notification of a kind every few milliseconds, apart from any commit: NOTIFY
// inside of transactions makes them wait for each other.
type notifier struct {
	send func(ctx context.Context, n notification)
	// wakeC says that something is pending.
	wakeC chan struct{}

	// mu guards the fields below. No other lock is taken under it.
	mu      sync.Mutex
	pending map[notification]struct{}
	// wakeups has the apps of which rows wait, and for each the time before which none of these is due.
	wakeups map[cloud.AppID]time.Time
}

func newNotifier(send func(ctx context.Context, n notification)) *notifier {
	n := &notifier{send: send, wakeC: make(chan struct{}, 1)}
	n.clear()
	return n
}

// clear makes room for the next batch. The caller holds mu, if the notifier is in use.
func (n *notifier) clear() {
	n.pending = map[notification]struct{}{}
	n.wakeups = map[cloud.AppID]time.Time{}
}

// notify sends a notification soon. It never blocks on the database.
func (n *notifier) notify(channel, payload string) {
	n.mu.Lock()
	n.pending[notification{channel, payload}] = struct{}{}
	n.mu.Unlock()
	n.wake()
}

// wakeup notifies soon of rows that wait; those of all apps go in one notification.
func (n *notifier) wakeup(app cloud.AppID, since time.Time) {
	n.mu.Lock()
	if earliest, ok := n.wakeups[app]; !ok || since.Before(earliest) {
		n.wakeups[app] = since
	}
	n.mu.Unlock()
	n.wake()
}

func (n *notifier) wake() {
	select {
	case n.wakeC <- struct{}{}:
	default:
	}
}

// run sends what is pending until ctx ends. A batch that the database holds up does not keep the next one
// waiting.
func (n *notifier) run(ctx context.Context) {
	var sending sync.WaitGroup
	defer sending.Wait()

	for {
		select {
		case <-n.wakeC:
		case <-ctx.Done():
			return
		}

		select {
		case <-time.After(notifyEvery):
		case <-ctx.Done():
			return
		}

		batch := n.take()
		sending.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, databaseTimeout)
			defer cancel()

			for _, notification := range batch {
				n.send(ctx, notification)
			}
		})
	}
}

// take gives what is pending, and leaves nothing.
func (n *notifier) take() []notification {
	n.mu.Lock()
	defer n.mu.Unlock()

	batch := make([]notification, 0, len(n.pending)+1)
	for pending := range n.pending {
		batch = append(batch, pending)
	}
	if len(n.wakeups) > 0 {
		batch = append(batch, notification{ChannelOutbox, encodeWakeups(n.wakeups)})
	}
	n.clear()
	return batch
}

// Notify sends a notification to the other nodes within a few milliseconds, one of a kind. A node that is
// alone sends nothing.
func (c *Cluster) Notify(channel, payload string) {
	if c.Others() {
		c.notifier.notify(channel, payload)
	}
}

// NotifyInbox notifies a node, which may be this one, of an answer that waits for it.
func (c *Cluster) NotifyInbox(node string) { c.notifier.notify(ChannelInbox, node) }

// NotifyWakeup notifies the other nodes of rows of an app that wait, of which none is due before since.
func (c *Cluster) NotifyWakeup(app cloud.AppID, since time.Time) {
	if c.Others() {
		c.notifier.wakeup(app, since)
	}
}

// Send sends a notification at once, in a transaction of its own, whether there are other nodes or not.
// PostgreSQL takes payloads of less than 8,000 bytes.
func (c *Cluster) Send(ctx context.Context, channel, payload string) error {
	return db.Translate(c.control().Notify(ctx, channel, payload))
}

// sendNotification sends one of the notifier's. A failure is logged only: the timers of the others find the
// row.
func (c *Cluster) sendNotification(ctx context.Context, n notification) {
	if err := c.Send(ctx, n.channel, n.payload); err != nil && !isStopped(ctx) {
		c.cfg.Log.Warn("notify", "channel", n.channel, "error", err)
	}
}

// isStopped reports whether ctx was ended from outside, and not by its own deadline.
func isStopped(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

package cluster

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"picloud/db"
	"picloud/internal/cloud"
)

const (
	// relisten is the pause before the listener connects again after its connection broke. After a connection
	// that was silent it doubles each time, up to maxRelisten.
	relisten    = 500 * time.Millisecond
	maxRelisten = time.Minute
	// closeTimeout bounds the end of the listener's connection.
	closeTimeout = time.Second
)

// listen gets notifications until ctx ends. While the connection is away or silent nothing that others may
// change is trusted, and when it is back everything is read again. Behind a pooler in transaction mode it
// gives up.
func (c *Cluster) listen(ctx context.Context) {
	pause := relisten
	for ctx.Err() == nil {
		err := c.listenOnce(ctx)
		c.health.disconnected()
		c.stopListening()
		c.handlers.Health(false)

		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, db.ErrPooled):
			c.cfg.Log.Warn("notifications cannot arrive: this node looks for news every second instead",
				"because", err)
			return
		case errors.Is(err, errNoEcho):
			pause = min(2*pause, maxRelisten)
		default:
			pause = relisten
		}
		c.cfg.Log.Warn("notifications interrupted: this node looks for news every second meanwhile",
			"error", err)

		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// listenOnce connects, and listens until the connection breaks, its echo does not arrive, or ctx ends.
func (c *Cluster) listenOnce(ctx context.Context) error {
	connected, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)

	conn, err := c.cfg.DB.Listen(
		connected, ChannelDefinitions, ChannelPrincipals, ChannelOutbox, ChannelInbox, ChannelNodes,
		ChannelCron, ChannelTail,
	)
	if err != nil {
		return err
	}
	defer closeListener(conn)

	if err := c.catchUp(ctx, connected, conn); err != nil {
		return err
	}
	c.health.connected(ctx, giveUp)

	err = c.receive(ctx, connected, conn)
	if cause := context.Cause(connected); errors.Is(cause, errNoEcho) {
		return cause
	}

	return err
}

func closeListener(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = conn.Close(ctx)
}

// catchUp reads everything that notifications may have been about while nobody listened. The order matters:
// LISTEN comes before the reads, so that a change is either read or notified; and the other nodes learn of
// this one last, when it can do something with what they send. connected ends with the connection, ctx with
// the node.
func (c *Cluster) catchUp(ctx, connected context.Context, conn *pgx.Conn) error {
	if err := errors.Join(c.handlers.Reload(connected), c.LoadHold(connected)); err != nil {
		return err
	}

	// By this connection the others see that the node lives.
	if err := c.startListening(connected, conn); err != nil {
		return err
	}

	c.handlers.Inbox(ctx)
	c.handlers.Scan(true)
	c.handlers.Cron()
	return db.New(conn).Notify(connected, ChannelNodes, c.cfg.Node)
}

// receive hands notifications to their handlers until the connection ends. What a handler began is not ended
// with the connection, but with ctx.
func (c *Cluster) receive(ctx, connected context.Context, conn *pgx.Conn) error {
	for {
		n, err := conn.WaitForNotification(connected)
		if err != nil {
			return err
		}
		c.handle(ctx, n)
	}
}

// handle calls the handler of a notification's channel. What it cannot read it ignores.
func (c *Cluster) handle(ctx context.Context, n *pgconn.Notification) {
	switch n.Channel {
	case ChannelDefinitions:
		if app, err := strconv.ParseInt(n.Payload, 10, 64); err == nil {
			c.handlers.Definitions(ctx, cloud.AppID(app))
		}
	case ChannelPrincipals:
		c.handlers.Principals()
	case ChannelOutbox:
		c.handleWakeups(n.Payload)
	case ChannelInbox:
		if n.Payload == c.cfg.Node {
			c.handlers.Inbox(ctx)
		}
	case ChannelNodes:
		c.handleNode(ctx, n.Payload)
	case ChannelCron:
		c.handlers.Cron()
	case ChannelTail:
		c.handlers.Tail(n.Payload)
	}
}

func (c *Cluster) handleWakeups(payload string) {
	wakeups, complete := decodeWakeups(payload)
	for _, w := range wakeups {
		c.handlers.Wakeup(w.app, w.since)
	}
	if !complete {
		c.handlers.Scan(false)
	}
}

// handleNode takes an echo, of whichever node, or the name of a node that has begun to listen.
func (c *Cluster) handleNode(ctx context.Context, payload string) {
	node, isEcho := parseEcho(payload)
	switch {
	case !isEcho:
		c.meet(ctx, payload)
	case node == c.cfg.Node:
		if c.health.echoed() {
			c.handlers.Health(true)
		}
	}
}

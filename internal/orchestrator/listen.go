package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

// Notification channels. Payloads: the app's id, nothing, apps and times (tidings), the node's name, the node's name, nothing, JSON.
const (
	channelDefinitions = "picloud_definitions"
	channelPrincipals  = "picloud_principals"
	channelOutbox      = "picloud_outbox"
	channelInbox       = "picloud_inbox"
	channelNodes       = "picloud_nodes"
	channelCron        = "picloud_cron"
	channelTail        = "picloud_tail"
)

// relisten is the pause before a broken listener connects again; before a deaf one does it grows up to maxRelisten.
const (
	relisten    = 500 * time.Millisecond
	maxRelisten = time.Minute
)

// listen hears of what other processes did. While the connection is away or silent nothing that others may change is
// trusted, and when it is back everything is looked at.
func (o *Orchestrator) listen() {
	pause := relisten
	for o.ctx.Err() == nil {
		err := o.listenOnce()
		o.ears.lose()
		switch {
		case o.ctx.Err() != nil:
			return
		case errors.Is(err, db.ErrPooled):
			o.cfg.Log.Warn("notifications cannot arrive: this node looks for news every second instead", "because", err)
			return
		case errors.Is(err, errDeaf):
			pause = min(2*pause, maxRelisten)
		default:
			pause = relisten
		}
		o.cfg.Log.Warn("notifications interrupted: this node looks for news every second meanwhile", "error", err)
		select {
		case <-o.ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (o *Orchestrator) listenOnce() error {
	ctx, giveUp := context.WithCancelCause(o.ctx)
	defer giveUp(nil)
	err := o.hear(ctx, giveUp)
	if cause := context.Cause(ctx); errors.Is(cause, errDeaf) {
		return cause
	}
	return err
}

func (o *Orchestrator) hear(ctx context.Context, giveUp context.CancelCauseFunc) error {
	conn, err := o.cfg.DB.Listen(ctx, channelDefinitions, channelPrincipals, channelOutbox, channelInbox, channelNodes, channelCron, channelTail)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	if err := errors.Join(o.definitions.loadAll(ctx), o.loadHold(ctx)); err != nil {
		return err
	}
	// By this connection the others see that the node lives.
	_, err = conn.Exec(ctx, `UPDATE nodes SET listener_pid = a.pid, listener_start = a.backend_start
		FROM pg_stat_activity a WHERE nodes.name = $1 AND a.pid = pg_backend_pid()`, o.cfg.Node)
	if err != nil {
		return err
	}
	o.inbox.fetch(o.ctx)
	o.dispatcher.scout.askAll(0) // it may be another server
	o.cron.wake()
	if _, err := conn.Exec(ctx, "SELECT pg_notify($1, $2)", channelNodes, o.cfg.Node); err != nil {
		return err
	}
	o.ears.connected(giveUp)
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		switch n.Channel {
		case channelDefinitions:
			if app, err := strconv.ParseInt(n.Payload, 10, 64); err == nil {
				o.definitions.refresh(o.ctx, cloud.AppID(app))
			}
		case channelPrincipals:
			if o.cfg.PeopleChanged != nil {
				o.cfg.PeopleChanged()
			}
		case channelOutbox:
			o.told(n.Payload)
		case channelInbox:
			if n.Payload == o.cfg.Node {
				o.inbox.fetch(o.ctx)
			}
		case channelNodes:
			if !o.ears.heard(n.Payload) {
				o.countPeers()
			}
		case channelCron:
			o.cron.wake()
		case channelTail:
			o.tails.peers.heard(n.Payload)
		}
	}
}

// countPeers looks how many other nodes listen.
func (o *Orchestrator) countPeers() {
	var n int64
	err := o.cfg.DB.General.QueryRow(o.ctx, `SELECT count(*) - 1 FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'picloud listener'`).Scan(&n)
	if err != nil {
		n = 1 // unknown: notify, to be safe
	}
	o.peers.Store(max(0, n))
}

// heartbeat tells the other nodes how many permits are free here; a node that is alone says nothing.
func (o *Orchestrator) heartbeat() {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for beats := 0; ; beats++ {
		select {
		case <-o.ctx.Done():
			return
		case <-tick.C:
		}
		if o.peers.Load() == 0 && beats%60 != 0 {
			continue
		}
		o.ears.ask()
		if !o.ears.hearing.Load() {
			continue // the poll says it
		}
		if err := o.cfg.DB.Queries().SeenNode(o.ctx, o.cfg.Node, o.cfg.Version, o.freeForOthers()); err != nil && o.ctx.Err() == nil {
			o.cfg.Log.Warn("heartbeat", "error", db.Translate(err))
		}
		if beats%12 == 0 {
			o.countPeers()
		}
	}
}

// peersFree reports whether another node said that it has permits.
func (o *Orchestrator) peersFree(ctx context.Context) bool {
	if o.peers.Load() == 0 {
		return false
	}
	n, err := o.cfg.DB.Queries().OtherNodesFree(ctx, o.cfg.Node)
	return err == nil && n > 0
}

// notifier sends at most one notification of a kind every few milliseconds, apart from any commit: NOTIFY inside of
// transactions makes them wait for each other.
type notifier struct {
	mu      sync.Mutex
	pending map[[2]string]bool        // nil: nothing is about to be sent
	due     map[cloud.AppID]time.Time // apps of which rows wait, and the time before which none of these wakes
}

const (
	notifyEvery = 5 * time.Millisecond
	// maxTold bounds the apps that one notification names: its payload may have 8,000 bytes.
	maxTold = 180
)

// notifyPeers wakes the other nodes; there is nobody to wake when this one is alone.
func (o *Orchestrator) notifyPeers(channel, payload string) {
	if o.peers.Load() > 0 || channel == channelInbox {
		o.notifySoon(func(n *notifier) { n.pending[[2]string{channel, payload}] = true })
	}
}

// tellPeers tells the other nodes of rows that wait.
func (o *Orchestrator) tellPeers(app cloud.AppID, since time.Time) {
	if o.peers.Load() == 0 {
		return
	}
	o.notifySoon(func(n *notifier) {
		if at, ok := n.due[app]; !ok || since.Before(at) {
			n.due[app] = since
		}
	})
}

func (o *Orchestrator) notifySoon(add func(*notifier)) {
	n := &o.notify
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.pending == nil {
		n.pending, n.due = map[[2]string]bool{}, map[cloud.AppID]time.Time{}
		time.AfterFunc(notifyEvery, o.sendNotifications)
	}
	add(n)
}

func (o *Orchestrator) sendNotifications() {
	n := &o.notify
	n.mu.Lock()
	pending, due := n.pending, n.due
	n.pending, n.due = nil, nil
	n.mu.Unlock()
	if len(due) > 0 {
		pending[[2]string{channelOutbox, tidings(due)}] = true
	}
	ctx, cancel := context.WithTimeout(o.ctx, 5*time.Second)
	defer cancel()
	for k := range pending {
		if _, err := o.cfg.DB.Control.Exec(ctx, "SELECT pg_notify($1, $2)", k[0], k[1]); err != nil && o.ctx.Err() == nil {
			o.cfg.Log.Warn("notify", "channel", k[0], "error", db.Translate(err)) // the others' timers find the row
		}
	}
}

// tidings writes apps and times, in microseconds since 1970; nothing when there are too many.
func tidings(due map[cloud.AppID]time.Time) string {
	if len(due) > maxTold {
		return ""
	}
	var b strings.Builder
	for app, since := range due {
		fmt.Fprintf(&b, "%d %d\n", app, since.UnixMicro())
	}
	return b.String()
}

// told reads tidings; those that cannot be read, or say nothing, make the scout look.
func (o *Orchestrator) told(tidings string) {
	for line := range strings.Lines(tidings) {
		var app cloud.AppID
		var us int64
		if _, err := fmt.Sscanf(line, "%d %d\n", &app, &us); err != nil {
			tidings = ""
			break
		}
		o.dispatcher.tell(app, time.UnixMicro(us))
	}
	if tidings == "" {
		o.dispatcher.scout.ask(0)
	}
}

package history

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"picloud/internal/cloud"
)

const (
	// tailBuffer is how many events wait for a slow follower before the next are dropped.
	tailBuffer = 1024
	// maxTails bounds the followers of one node, maxTailsOfApp those of an app and maxTailsOfUser those
	// that are one user: no viewer of an app shuts the live tail of others.
	maxTails       = 200
	maxTailsOfApp  = 50
	maxTailsOfUser = 20
)

// TailEvent is a log line as it comes, or a run that has just ended.
type TailEvent struct {
	Execution cloud.ID
	Script    string
	// Line is set for a log line; the fields below are those of a run.
	Line       *cloud.LogLine
	Source     string
	Request    string
	Status     cloud.Status
	HTTPStatus int // 0: it answered no request
	Attempt    int
	Started    time.Time
	Duration   time.Duration
	Error      cloud.ScriptError
	Logs       []cloud.LogLine
}

// Peers is the way to the other nodes.
type Peers interface {
	// Others reports whether there may be other nodes.
	Others() bool
	// Notify sends a payload to them soon, at most once every few milliseconds. It does not block.
	Notify(channel, payload string)
	// Send sends a payload to them at once.
	Send(ctx context.Context, channel, payload string) error
}

// TailsConfig is what Tails needs.
type TailsConfig struct {
	Node  string // the name of this node
	Peers Peers
	// Channel is the one on which Peers carries what Receive gets.
	Channel string
	// Done is closed when the node stops serving; every Tail hands it on.
	Done <-chan struct{}
	Log  *slog.Logger
}

// Tails hands ended runs and log lines to those who follow. Without followers, here or on another node, a run
// pays two atomic reads.
type Tails struct {
	cfg   TailsConfig
	peers tailPeers
	// n is the number of followers, written under mu.
	n atomic.Int64

	// mu guards followers, and ofUser, their number by the user's id. No other lock is taken under it.
	mu        sync.Mutex
	followers map[cloud.AppID]map[*Tail]struct{}
	ofUser    map[int64]int
}

// NewTails returns Tails of this node. Other nodes get and send events only while Run runs.
func NewTails(cfg TailsConfig) *Tails {
	return &Tails{
		cfg:       cfg,
		peers:     newTailPeers(&cfg),
		followers: map[cloud.AppID]map[*Tail]struct{}{},
		ofUser:    map[int64]int{},
	}
}

// Run exchanges events with the other nodes until ctx ends; then it returns nil.
func (t *Tails) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	parts.Go(func() { t.peers.announce(ctx, t.followed) })
	parts.Go(func() { t.peers.sendEvents(ctx) })
	parts.Wait()
	return nil
}

// Tail follows one app, on every node. Close it.
type Tail struct {
	// EventsCh has the events, MissedCh says that some were dropped elsewhere; they are never closed. Done is
	// closed when the node stops.
	EventsCh <-chan TailEvent
	MissedCh <-chan struct{}
	Done     <-chan struct{}

	eventsCh chan TailEvent
	missedCh chan struct{}
	dropped  atomic.Int64
	tails    *Tails
	app      cloud.AppID
	user     int64
}

// Tail has a user follow an app. Too many followers of the node get CodeUnavailable, too many of the app or
// of the user CodeTooMany.
func (t *Tails) Tail(app cloud.AppID, user int64) (*Tail, error) {
	eventsCh := make(chan TailEvent, tailBuffer)
	missedCh := make(chan struct{}, 1)
	tail := &Tail{
		EventsCh: eventsCh,
		MissedCh: missedCh,
		Done:     t.cfg.Done,
		eventsCh: eventsCh,
		missedCh: missedCh,
		tails:    t,
		app:      app,
		user:     user,
	}

	if err := t.register(tail); err != nil {
		return nil, err
	}
	t.peers.follow()
	return tail, nil
}

// register adds a follower, if there are not too many.
func (t *Tails) register(tail *Tail) error {
	t.mu.Lock()
	defer t.mu.Unlock()

	switch {
	case t.ofUser[tail.user] >= maxTailsOfUser:
		return cloud.Errorf(cloud.CodeTooMany, "you have %d live tails open; close one", maxTailsOfUser)
	case len(t.followers[tail.app]) >= maxTailsOfApp:
		return cloud.Errorf(cloud.CodeTooMany, "%d live tails of this app are open; close one", maxTailsOfApp)
	case t.n.Load() >= maxTails:
		return cloud.Errorf(cloud.CodeUnavailable, "%d live tails are open on this node; close one", maxTails)
	}

	if t.followers[tail.app] == nil {
		t.followers[tail.app] = map[*Tail]struct{}{}
	}
	t.followers[tail.app][tail] = struct{}{}
	t.ofUser[tail.user]++
	t.n.Add(1)
	return nil
}

// Dropped gives the number of events that found the buffer full since the last call.
func (t *Tail) Dropped() int64 { return t.dropped.Swap(0) }

// Close ends the tail. It may be called more than once.
func (t *Tail) Close() {
	all := t.tails
	all.mu.Lock()
	defer all.mu.Unlock()

	followers := all.followers[t.app]
	if _, ok := followers[t]; !ok {
		return
	}
	delete(followers, t)
	if len(followers) == 0 {
		delete(all.followers, t.app)
	}
	all.ofUser[t.user]--
	if all.ofUser[t.user] == 0 {
		delete(all.ofUser, t.user)
	}
	all.n.Add(-1)
}

// followed are the apps that have a follower on this node.
func (t *Tails) followed() []cloud.AppID {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Keys(t.followers))
}

// Wanted reports whether anybody follows anything. Callers ask before they prepare a line for PublishLine.
func (t *Tails) Wanted() bool { return t.n.Load() > 0 || t.peers.wanted.Load() > 0 }

// PublishRun shows a run that ended. Nobody may change the execution afterwards.
func (t *Tails) PublishRun(e *cloud.Execution) {
	if !t.Wanted() {
		return
	}
	t.publish(e.App, TailEvent{
		Execution:  e.ID,
		Script:     e.Name,
		Source:     e.Source,
		Request:    e.Request,
		Status:     e.Status,
		HTTPStatus: e.HTTPStatus,
		Attempt:    e.Attempt,
		Started:    e.Started,
		Duration:   e.Duration,
		Error:      e.Error,
		Logs:       e.Logs,
	})
}

// PublishLine shows a log line, in which the caller has hidden the app's secrets. A run that is made again
// because of a conflict logs again.
func (t *Tails) PublishLine(app cloud.AppID, execution cloud.ID, script string, line cloud.LogLine) {
	if !t.Wanted() {
		return
	}
	t.publish(app, TailEvent{Execution: execution, Script: script, Line: &line})
}

func (t *Tails) publish(app cloud.AppID, e TailEvent) {
	if t.peers.wanted.Load() > 0 {
		t.peers.add(app, &e)
	}
	t.deliver(app, e)
}

// Receive takes what another node sent, or this one itself. What it cannot read it ignores.
func (t *Tails) Receive(payload string) {
	m, ok := t.peers.decode(payload)
	if !ok {
		return
	}
	if len(m.Events) == 0 && m.Dropped == 0 {
		t.peers.interested(m.App)
		return
	}

	for _, text := range m.Events {
		if e, ok := decodePeerEvent(text); ok {
			t.deliver(m.App, e)
		}
	}
	t.miss(m.App, m.Dropped)
}

// deliver never waits: a follower that does not keep up misses events, and learns how many.
func (t *Tails) deliver(app cloud.AppID, e TailEvent) {
	t.mu.Lock()
	defer t.mu.Unlock()

	for tail := range t.followers[app] {
		select {
		case tail.eventsCh <- e:
		default:
			tail.dropped.Add(1)
		}
	}
}

// miss counts events for the followers of an app that did not come as far as here.
func (t *Tails) miss(app cloud.AppID, n int64) {
	if n == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()

	for tail := range t.followers[app] {
		tail.dropped.Add(n)

		select {
		case tail.missedCh <- struct{}{}:
		default:
		}
	}
}

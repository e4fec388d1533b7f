package orchestrator

import (
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
	// maxTails bounds the followers of one node.
	maxTails = 200
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
	HTTPStatus int
	Attempt    int
	Started    time.Time
	Duration   time.Duration
	Error      cloud.ScriptError
	Logs       []cloud.LogLine
}

// Tail follows one app, on every node. Close it.
type Tail struct {
	// EventsCh has the events, MissedCh says that some were dropped elsewhere; they are never closed. Done is closed when the
	// node stops.
	EventsCh <-chan TailEvent
	MissedCh <-chan struct{}
	Done     <-chan struct{}
	eventsCh chan TailEvent
	missedCh chan struct{}
	dropped  atomic.Int64
	hub      *tails
	app      cloud.AppID
}

// Dropped gives the number of events that found the buffer full since the last call.
func (t *Tail) Dropped() int64 { return t.dropped.Swap(0) }

// Close ends the tail.
func (t *Tail) Close() {
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	if _, ok := t.hub.of[t.app][t]; !ok {
		return
	}
	delete(t.hub.of[t.app], t)
	if len(t.hub.of[t.app]) == 0 {
		delete(t.hub.of, t.app)
	}
	t.hub.n.Add(-1)
}

// tails hands ended runs to those who follow. Without followers, here or on another node, a run pays two atomic reads.
type tails struct {
	n     atomic.Int64
	mu    sync.Mutex
	of    map[cloud.AppID]map[*Tail]struct{}
	peers tailPeers
}

// followed are the apps that are followed on this node.
func (h *tails) followed() []cloud.AppID {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Keys(h.of))
}

func (h *tails) wanted() bool { return h.n.Load() > 0 || h.peers.wanted.Load() > 0 }

// Tail starts to follow an app.
func (o *Orchestrator) Tail(app cloud.AppID) (*Tail, error) {
	h := &o.tails
	defer h.peers.follow()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n.Load() >= maxTails {
		return nil, cloud.Errorf(cloud.CodeUnavailable, "%d live tails are open on this node; close one", maxTails)
	}
	t := &Tail{eventsCh: make(chan TailEvent, tailBuffer), missedCh: make(chan struct{}, 1), Done: o.draining, hub: h, app: app}
	t.EventsCh, t.MissedCh = t.eventsCh, t.missedCh
	if h.of == nil {
		h.of = map[cloud.AppID]map[*Tail]struct{}{}
	}
	if h.of[app] == nil {
		h.of[app] = map[*Tail]struct{}{}
	}
	h.of[app][t] = struct{}{}
	h.n.Add(1)
	return t, nil
}

// publishRun tells of a run that ended.
func (h *tails) publishRun(rec *record) {
	if !h.wanted() {
		return
	}
	h.publish(rec.app, TailEvent{Execution: rec.id, Script: rec.name, Source: rec.source, Request: rec.request, Status: rec.status, HTTPStatus: rec.http,
		Attempt: rec.attempt, Started: rec.started, Duration: rec.duration, Error: rec.err, Logs: rec.logs})
}

// publishLine tells of a log line. A run that is made again because of a conflict logs again.
func (h *tails) publishLine(t *task, l cloud.LogLine) {
	if !h.wanted() {
		return
	}
	if t.app.mask != nil {
		l.Message = t.app.mask.Replace(l.Message)
	}
	h.publish(t.app.id, TailEvent{Execution: t.execution, Script: t.script.Name, Line: &l})
}

func (h *tails) publish(app cloud.AppID, e TailEvent) {
	if h.peers.wanted.Load() > 0 {
		h.peers.send(app, &e)
	}
	h.deliver(app, e)
}

// miss tells the followers of an app of events that did not come as far as here.
func (h *tails) miss(app cloud.AppID, n int64) {
	if n == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for t := range h.of[app] {
		t.dropped.Add(n)
		select {
		case t.missedCh <- struct{}{}:
		default:
		}
	}
}

// deliver never waits: who does not keep up misses events, and is told how many.
func (h *tails) deliver(app cloud.AppID, e TailEvent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for t := range h.of[app] {
		select {
		case t.eventsCh <- e:
		default:
			t.dropped.Add(1)
		}
	}
}

package orchestrator

import (
	"sync"
	"sync/atomic"
	"time"

	"picloud/internal/cloud"
)

const (
	// tailBuffer is how many runs wait for a slow follower before the next are dropped.
	tailBuffer = 256
	// maxTails bounds the followers of one node.
	maxTails = 200
)

// TailRun is a run that has just ended, as the live tail shows it.
type TailRun struct {
	Execution  cloud.ID
	Script     string
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

// Tail follows the runs of one app on this node as they end. Close it.
type Tail struct {
	// RunsCh has the runs; it is never closed. Done is closed when the node stops.
	RunsCh  <-chan TailRun
	Done    <-chan struct{}
	runsCh  chan TailRun
	dropped atomic.Int64
	hub     *tails
	app     cloud.AppID
}

// Dropped gives the number of runs that found the buffer full since the last call.
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

// tails hands ended runs to those who follow. Without followers a run pays one atomic read.
type tails struct {
	n  atomic.Int64
	mu sync.Mutex
	of map[cloud.AppID]map[*Tail]struct{}
}

// Tail starts to follow an app.
func (o *Orchestrator) Tail(app cloud.AppID) (*Tail, error) {
	h := &o.tails
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n.Load() >= maxTails {
		return nil, cloud.Errorf(cloud.CodeUnavailable, "%d live tails are open on this node; close one", maxTails)
	}
	t := &Tail{runsCh: make(chan TailRun, tailBuffer), Done: o.draining, hub: h, app: app}
	t.RunsCh = t.runsCh
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

// publish never waits: who does not keep up misses runs, and is told how many.
func (h *tails) publish(rec *record) {
	if h.n.Load() == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	followers := h.of[rec.app]
	if len(followers) == 0 {
		return
	}
	r := TailRun{Execution: rec.id, Script: rec.name, Source: rec.source, Request: rec.request, Status: rec.status, HTTPStatus: rec.http,
		Attempt: rec.attempt, Started: rec.started, Duration: rec.duration, Error: rec.err, Logs: rec.logs}
	for t := range followers {
		select {
		case t.runsCh <- r:
		default:
			t.dropped.Add(1)
		}
	}
}

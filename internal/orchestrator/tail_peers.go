package orchestrator

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

const (
	// tailInterest is how often a node tells the others which apps are followed there; they believe it three times as long.
	tailInterest = 5 * time.Second
	// tailFlush is how long events for other nodes are collected.
	tailFlush = 100 * time.Millisecond
	// maxTailPayload is what fits a notification (PostgreSQL takes 8,000 bytes), maxTailPayloads how many a flush sends; what is
	// more is dropped and counted.
	maxTailPayload  = 7500
	maxTailPayloads = 20
	maxTailPending  = 2000
)

// tailPeers brings the events of one node to the followers of another, by notifications. Nothing is sent for an app that
// nobody follows elsewhere.
type tailPeers struct {
	o *Orchestrator
	// wanted counts apps that are followed on other nodes; without any a run pays one atomic read.
	wanted atomic.Int64

	mu       sync.Mutex
	until    map[cloud.AppID]time.Time // interest of other nodes
	pending  map[cloud.AppID][]json.RawMessage
	size     int
	dropped  map[cloud.AppID]int64
	telling  bool // a goroutine tells others what is followed here
	flushing bool
}

// peerEvent is a TailEvent on its way between nodes.
type peerEvent struct {
	Execution  string            `json:"i"`
	Script     string            `json:"s"`
	Line       *cloud.LogLine    `json:"l,omitempty"`
	Source     string            `json:"o,omitempty"`
	Request    string            `json:"r,omitempty"`
	Status     cloud.Status      `json:"t,omitempty"`
	HTTPStatus int               `json:"h,omitempty"`
	Attempt    int               `json:"a,omitempty"`
	Started    time.Time         `json:"b"`
	Duration   time.Duration     `json:"d,omitempty"`
	Error      cloud.ScriptError `json:"e"`
	Logs       []cloud.LogLine   `json:"m,omitempty"`
}

// peerMessage is what a notification carries: an app that is followed on a node, or events and how many were dropped.
type peerMessage struct {
	Node    string            `json:"n"`
	App     cloud.AppID       `json:"a"`
	Events  []json.RawMessage `json:"e,omitempty"`
	Dropped int64             `json:"d,omitempty"`
}

// follow tells the other nodes, now and again, what is followed here, until nothing is.
func (p *tailPeers) follow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.telling {
		p.tell()
		return
	}
	p.telling = true
	p.o.wg.Go(func() {
		tick := time.NewTicker(tailInterest)
		defer tick.Stop()
		for {
			p.mu.Lock()
			p.telling = p.tell()
			more := p.telling
			p.mu.Unlock()
			if !more {
				return
			}
			select {
			case <-tick.C:
			case <-p.o.ctx.Done():
				return
			}
		}
	})
}

// tell announces the apps that are followed here; false: there are none.
func (p *tailPeers) tell() bool {
	apps := p.o.tails.followed()
	for _, app := range apps {
		if p.o.peers.Load() > 0 {
			p.o.notifyPeers(channelTail, p.encode(peerMessage{App: app}))
		}
	}
	return len(apps) > 0
}

func (p *tailPeers) encode(m peerMessage) string {
	m.Node = p.o.cfg.Node
	b, err := json.Marshal(m)
	if err != nil {
		return "{}" // nothing of it is from outside
	}
	return string(b)
}

// send takes an event for the nodes that want it.
func (p *tailPeers) send(app cloud.AppID, e *TailEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	until, ok := p.until[app]
	if !ok {
		return
	}
	if time.Now().After(until) {
		delete(p.until, app)
		p.wanted.Store(int64(len(p.until)))
		return
	}
	if p.pending == nil {
		p.pending, p.dropped = map[cloud.AppID][]json.RawMessage{}, map[cloud.AppID]int64{}
	}
	if b := encodePeerEvent(e); p.size < maxTailPending && b != nil {
		p.pending[app] = append(p.pending[app], b)
		p.size++
	} else {
		p.dropped[app]++
	}
	if !p.flushing {
		p.flushing = true
		time.AfterFunc(tailFlush, p.flush)
	}
}

// encodePeerEvent leaves the lines out of a run that is too long for a notification: they were sent as they came.
func encodePeerEvent(e *TailEvent) json.RawMessage {
	w := peerEvent{Execution: e.Execution.String(), Script: e.Script, Line: e.Line, Source: e.Source, Request: e.Request, Status: e.Status,
		HTTPStatus: e.HTTPStatus, Attempt: e.Attempt, Started: e.Started, Duration: e.Duration, Error: e.Error, Logs: e.Logs}
	const room = maxTailPayload - 500
	b, err := json.Marshal(w)
	if err == nil && len(b) > room {
		if w.Line != nil {
			l := *w.Line
			l.Message = strings.ToValidUTF8(l.Message[:min(len(l.Message), 1000)], "") + " ... cut"
			w.Line = &l
		}
		w.Logs, w.Error.Stack, w.Error.Message = nil, "", cloud.Shorten(w.Error.Message)
		b, err = json.Marshal(w)
	}
	if err != nil || len(b) > room {
		return nil
	}
	return b
}

// flush sends what was collected.
func (p *tailPeers) flush() {
	p.mu.Lock()
	pending, dropped := p.pending, p.dropped
	p.pending, p.dropped, p.size, p.flushing = nil, nil, 0, false
	p.mu.Unlock()
	var payloads []string
	for app, events := range pending {
		m := peerMessage{App: app, Dropped: dropped[app]}
		delete(dropped, app)
		size := 0
		for k, e := range events {
			if size+len(e) > maxTailPayload-300 && len(m.Events) > 0 {
				if payloads = append(payloads, p.encode(m)); len(payloads) >= maxTailPayloads-1 {
					m = peerMessage{App: app, Dropped: int64(len(events) - k)}
					break
				}
				m, size = peerMessage{App: app}, 0
			}
			m.Events = append(m.Events, e)
			size += len(e) + 1
		}
		payloads = append(payloads, p.encode(m))
	}
	for app, n := range dropped {
		payloads = append(payloads, p.encode(peerMessage{App: app, Dropped: n}))
	}
	ctx, cancel := context.WithTimeout(p.o.ctx, 5*time.Second)
	defer cancel()
	for _, payload := range payloads {
		if _, err := p.o.cfg.DB.Control.Exec(ctx, "SELECT pg_notify($1, $2)", channelTail, payload); err != nil {
			if p.o.ctx.Err() == nil {
				p.o.cfg.Log.Warn("tail for other nodes", "error", db.Translate(err))
			}
			return
		}
	}
}

// heard takes a notification of another node.
func (p *tailPeers) heard(payload string) {
	var m peerMessage
	if json.Unmarshal([]byte(payload), &m) != nil || m.Node == p.o.cfg.Node {
		return
	}
	if len(m.Events) == 0 && m.Dropped == 0 {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.until == nil {
			p.until = map[cloud.AppID]time.Time{}
		}
		p.until[m.App] = time.Now().Add(3 * tailInterest)
		p.wanted.Store(int64(len(p.until)))
		return
	}
	for _, b := range m.Events {
		var w peerEvent
		if json.Unmarshal(b, &w) != nil {
			continue
		}
		id, _ := cloud.ParseID(w.Execution)
		p.o.tails.deliver(m.App, TailEvent{Execution: id, Script: w.Script, Line: w.Line, Source: w.Source, Request: w.Request, Status: w.Status,
			HTTPStatus: w.HTTPStatus, Attempt: w.Attempt, Started: w.Started, Duration: w.Duration, Error: w.Error, Logs: w.Logs})
	}
	p.o.tails.miss(m.App, m.Dropped)
}

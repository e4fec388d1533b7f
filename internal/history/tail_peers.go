package history

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"picloud/db"
	"picloud/internal/cloud"
)

const (
	// tailInterest is how often a node announces to the others which apps are followed there. They believe it
	// three times as long.
	tailInterest = 5 * time.Second
	// tailFlush is how long events for other nodes are collected before they are sent together.
	tailFlush = 100 * time.Millisecond
	// tailSendTimeout bounds the sending of what was collected.
	tailSendTimeout = 5 * time.Second

	// maxTailPayload is what fits a notification, in bytes: PostgreSQL takes 8,000. A flush sends
	// maxTailPayloads of them, and maxTailPending events are collected for it. What is more is dropped and
	// counted.
	maxTailPayload  = 7500
	maxTailPayloads = 20
	maxTailPending  = 2000
	// envelopeRoom is the part of a payload that is left for what stands around the events, and eventRoom the
	// most that one event may take.
	envelopeRoom = 300
	eventRoom    = maxTailPayload - 500
)

// tailPeers brings the events of one node to the followers of another, by notifications. Nothing is sent for
// an app that nobody follows elsewhere.
type tailPeers struct {
	node    string
	channel string
	peers   Peers
	log     *slog.Logger

	// wanted counts apps that are followed on other nodes; without any a run pays one atomic read. Written
	// under mu.
	wanted atomic.Int64
	// followC says that something new is followed here, collectedC that there are events to send.
	followC    chan struct{}
	collectedC chan struct{}

	// mu guards the fields below. No other lock is taken under it.
	mu sync.Mutex
	// until is for how long the announcements of other nodes are believed.
	until map[cloud.AppID]time.Time
	batch peerBatch
}

// peerBatch is what was collected for the other nodes.
type peerBatch struct {
	events  map[cloud.AppID][]json.RawMessage
	size    int // number of events
	dropped map[cloud.AppID]int64
}

func newPeerBatch() peerBatch {
	return peerBatch{events: map[cloud.AppID][]json.RawMessage{}, dropped: map[cloud.AppID]int64{}}
}

func (b *peerBatch) isEmpty() bool { return len(b.events) == 0 && len(b.dropped) == 0 }

// add takes an event, nil for one that is too long, or counts it as dropped.
func (b *peerBatch) add(app cloud.AppID, event json.RawMessage) {
	if event == nil || b.size >= maxTailPending {
		b.dropped[app]++
		return
	}

	b.events[app] = append(b.events[app], event)
	b.size++
}

// peerMessage is what a notification carries: an app that is followed on a node, or events and how many were
// dropped.
type peerMessage struct {
	Node    string            `json:"n"`
	App     cloud.AppID       `json:"a"`
	Events  []json.RawMessage `json:"e,omitempty"`
	Dropped int64             `json:"d,omitempty"`
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

func newTailPeers(cfg *TailsConfig) tailPeers {
	return tailPeers{
		node:       cfg.Node,
		channel:    cfg.Channel,
		peers:      cfg.Peers,
		log:        cfg.Log,
		followC:    make(chan struct{}, 1),
		collectedC: make(chan struct{}, 1),
		until:      map[cloud.AppID]time.Time{},
		batch:      newPeerBatch(),
	}
}

// follow makes the node announce at once what is followed here.
func (p *tailPeers) follow() { signal(p.followC) }

// signal wakes the receiver of a channel with room for one signal, unless one is pending already.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// announce says again and again which apps are followed here, as long as there are any. It sleeps while there
// are none, and returns when ctx ends.
func (p *tailPeers) announce(ctx context.Context, followed func() []cloud.AppID) {
	var next <-chan time.Time // nil while nothing is followed
	for {
		select {
		case <-p.followC:
		case <-next:
		case <-ctx.Done():
			return
		}

		apps := followed()
		for _, app := range apps {
			if p.peers.Others() {
				p.peers.Notify(p.channel, p.encode(peerMessage{App: app}))
			}
		}

		next = nil
		if len(apps) > 0 {
			next = time.After(tailInterest)
		}
	}
}

// interested notes that an app is followed on another node.
func (p *tailPeers) interested(app cloud.AppID) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.until[app] = time.Now().Add(3 * tailInterest)
	p.wanted.Store(int64(len(p.until)))
}

// add collects an event for the nodes that want it.
func (p *tailPeers) add(app cloud.AppID, e *TailEvent) {
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

	isFirst := p.batch.isEmpty()
	p.batch.add(app, encodePeerEvent(e))
	if isFirst { // those after it go with the same flush
		signal(p.collectedC)
	}
}

// sendEvents sends what is collected, at most every tailFlush, until ctx ends.
func (p *tailPeers) sendEvents(ctx context.Context) {
	for {
		select {
		case <-p.collectedC:
		case <-ctx.Done():
			return
		}

		select {
		case <-time.After(tailFlush):
		case <-ctx.Done():
			return
		}

		p.flush(ctx)
	}
}

// flush sends what was collected. What cannot be sent is lost: the live tail promises nothing.
func (p *tailPeers) flush(ctx context.Context) {
	p.mu.Lock()
	batch := p.batch
	p.batch = newPeerBatch()
	p.mu.Unlock()

	sending, cancel := context.WithTimeout(ctx, tailSendTimeout)
	defer cancel()

	for _, payload := range p.payloads(&batch) {
		if err := p.peers.Send(sending, p.channel, payload); err != nil {
			if ctx.Err() == nil {
				p.log.Warn("tail for other nodes", "error", db.Translate(err))
			}
			return
		}
	}
}

// payloads packs a batch into notifications, each of events of one app.
func (p *tailPeers) payloads(batch *peerBatch) []string {
	var out []string
	for app, events := range batch.events {
		out = p.pack(out, app, events, batch.dropped[app])
	}

	// Apps of which every event was dropped.
	for app, n := range batch.dropped {
		if _, sent := batch.events[app]; !sent {
			out = append(out, p.encode(peerMessage{App: app, Dropped: n}))
		}
	}

	return out
}

// pack appends the events of one app, and the number of those that were dropped before.
func (p *tailPeers) pack(out []string, app cloud.AppID, events []json.RawMessage, dropped int64) []string {
	m := peerMessage{App: app, Dropped: dropped}
	size := 0

	for i, event := range events {
		if size+len(event) > maxTailPayload-envelopeRoom && len(m.Events) > 0 {
			out = append(out, p.encode(m))
			m = peerMessage{App: app}
			size = 0

			// The last notification only says how many events there was no room for.
			if len(out) >= maxTailPayloads-1 {
				m.Dropped = int64(len(events) - i)
				break
			}
		}

		m.Events = append(m.Events, event)
		size += len(event) + 1
	}

	return append(out, p.encode(m))
}

func (p *tailPeers) encode(m peerMessage) string {
	m.Node = p.node
	b, err := json.Marshal(m)
	if err != nil {
		return "{}" // it has nothing that cannot be encoded
	}

	return string(b)
}

// decode reads a notification. It is false for one of this node itself, and for what no node sends.
func (p *tailPeers) decode(payload string) (peerMessage, bool) {
	var m peerMessage
	err := json.Unmarshal([]byte(payload), &m)
	return m, err == nil && m.Node != p.node
}

// encodePeerEvent makes an event ready to be sent; nil if it is too long. The lines of a run that is too long
// for a notification are left out: they were sent as they came.
func encodePeerEvent(e *TailEvent) json.RawMessage {
	w := peerEvent{
		Execution:  e.Execution.String(),
		Script:     e.Script,
		Line:       e.Line,
		Source:     e.Source,
		Request:    e.Request,
		Status:     e.Status,
		HTTPStatus: e.HTTPStatus,
		Attempt:    e.Attempt,
		Started:    e.Started,
		Duration:   e.Duration,
		Error:      e.Error,
		Logs:       e.Logs,
	}

	b, err := json.Marshal(w)
	if err == nil && len(b) > eventRoom {
		w.shorten()
		b, err = json.Marshal(w)
	}

	if err != nil || len(b) > eventRoom {
		return nil
	}

	return b
}

// shorten leaves out what can be long. The event that others hold stays as it is.
func (w *peerEvent) shorten() {
	if w.Line != nil {
		line := *w.Line
		line.Message = strings.ToValidUTF8(line.Message[:min(len(line.Message), 1000)], "") + " ... cut"
		w.Line = &line
	}

	w.Logs = nil
	w.Error.Stack = ""
	w.Error.Message = cloud.Shorten(w.Error.Message)
}

func decodePeerEvent(text json.RawMessage) (TailEvent, bool) {
	var w peerEvent
	if json.Unmarshal(text, &w) != nil {
		return TailEvent{}, false
	}

	// An id that cannot be read is zero: the event is shown all the same.
	execution, _ := cloud.ParseID(w.Execution)
	return TailEvent{
		Execution:  execution,
		Script:     w.Script,
		Line:       w.Line,
		Source:     w.Source,
		Request:    w.Request,
		Status:     w.Status,
		HTTPStatus: w.HTTPStatus,
		Attempt:    w.Attempt,
		Started:    w.Started,
		Duration:   w.Duration,
		Error:      w.Error,
		Logs:       w.Logs,
	}, true
}

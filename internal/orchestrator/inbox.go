package orchestrator

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"sync"

	"picloud/db"
	"picloud/internal/cloud"
)

// inbox holds the clients of this node whose requests went through the outbox. Whoever runs such a row answers here: the
// same node by a channel, after its commit; another node by a row of the table and a notification.
type inbox struct {
	o   *Orchestrator
	max int

	mu      sync.Mutex
	waiters map[cloud.ID]*inboxWaiter
	gone    map[cloud.ID]*inboxWaiter // left, their answer is still to come
}

type inboxWaiter struct {
	id      cloud.ID
	target  *Target
	idem    *idempotentAnswer
	answerC chan *HTTPReply
	why     string // it left
}

func newInbox(o *Orchestrator) *inbox {
	return &inbox{o: o, max: 4 * o.cfg.Permits, waiters: map[cloud.ID]*inboxWaiter{}, gone: map[cloud.ID]*inboxWaiter{}}
}

// open makes a place for a client; false when too many wait.
func (b *inbox) open(t *Target, idem *idempotentAnswer) (*inboxWaiter, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiters) >= b.max {
		return nil, false
	}
	w := &inboxWaiter{id: b.o.cfg.IDs.New(), target: t, idem: idem, answerC: make(chan *HTTPReply, 1)}
	b.waiters[w.id] = w
	return w, true
}

func (b *inbox) close(w *inboxWaiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.waiters, w.id)
}

// leave says that the client is gone; an answer that is there already is returned.
func (b *inbox) leave(w *inboxWaiter, why string) (*HTTPReply, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case a := <-w.answerC:
		return a, true
	default:
	}
	delete(b.waiters, w.id)
	w.why = why
	b.gone[w.id] = w
	return nil, false
}

// take finds the waiter of an answer.
func (b *inbox) take(id cloud.ID) (w *inboxWaiter, present bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.waiters[id]; w != nil {
		delete(b.waiters, id)
		return w, true
	}
	w = b.gone[id]
	delete(b.gone, id)
	return w, false
}

// address adds the way of the answer to the commit that ends a row with a client: through the table when another node
// holds it. The client of this node is answered by deliver, after the commit.
func (b *inbox) address(x *commit, t *task, fin *finished) {
	if t.row.replyNode == b.o.cfg.Node {
		t.answer = func(f *finished) { b.deliver(t.row, f) }
		return
	}
	reply := replyOf(fin)
	x.inbox = &inboxMessage{id: t.row.replyTo, node: t.row.replyNode, script: t.script.ID, execution: fin.rec.id, status: reply.Status,
		response: encodeReply(reply)}
}

// deliver gives an answer to the client of this node, or keeps it as abandoned.
func (b *inbox) deliver(r *row, f *finished) {
	w, present := b.take(r.replyTo)
	if w == nil {
		return // the node was restarted since: nobody to tell, the execution is recorded
	}
	if f.outcome.Status != cloud.Succeeded {
		b.o.freeKey(w.idem)
	}
	if present {
		w.answerC <- replyOf(f)
		return
	}
	b.o.abandon(w.target, f, w.why)
}

// wireReply is an answer on its way between nodes.
type wireReply struct {
	Status  int         `json:"status"`
	Headers [][2]string `json:"headers"`
	Body    string      `json:"body"` // base64
	Code    string      `json:"code,omitempty"`
	Message string      `json:"message,omitempty"`
}

func encodeReply(r *HTTPReply) string {
	w := wireReply{Status: r.Status}
	if r.Response != nil {
		for _, h := range r.Response.Headers {
			w.Headers = append(w.Headers, [2]string{clean(h.Name), clean(h.Value)})
		}
		w.Body = base64.StdEncoding.EncodeToString(r.Response.Body)
	}
	if r.Failure != nil {
		w.Code, w.Message = string(r.Failure.Code), clean(r.Failure.Message)
	}
	return string(appendJSON(nil, w))
}

func decodeReply(execution cloud.ID, text string) (*HTTPReply, error) {
	var w wireReply
	if err := json.Unmarshal([]byte(text), &w); err != nil {
		return nil, err
	}
	r := &HTTPReply{Execution: execution, Status: w.Status}
	if w.Code != "" {
		r.Failure = &cloud.Error{Code: cloud.Code(w.Code), Message: w.Message}
		if w.Status == 503 {
			r.RetryAfter = 1
		}
		return r, nil
	}
	body, err := base64.StdEncoding.DecodeString(w.Body)
	if err != nil {
		return nil, err
	}
	r.Response = &cloud.Response{Status: w.Status, Body: body}
	for _, h := range w.Headers {
		r.Response.Headers = append(r.Response.Headers, cloud.Header{Name: h[0], Value: h[1]})
	}
	return r, nil
}

// fetch takes the answers that other nodes left for this one.
func (b *inbox) fetch(ctx context.Context) {
	rows, err := b.o.cfg.DB.Queries().TakeInbox(ctx, b.o.cfg.Node)
	if err != nil {
		b.o.cfg.Log.Error("take inbox", "error", db.Translate(err))
		return
	}
	for _, r := range rows {
		reply, err := decodeReply(r.ExecutionID, r.Response)
		if err != nil {
			b.o.cfg.Log.Error("read inbox message", "execution", cloud.ID(r.ExecutionID).String(), "error", err)
			continue
		}
		w, present := b.take(r.ID)
		if present {
			if reply.Failure != nil {
				b.o.freeKey(w.idem)
			}
			w.answerC <- reply
			continue
		}
		why, name := "node-lost", ""
		if w != nil {
			why, name = w.why, w.target.Script.Name
		}
		b.keep(cloud.AppID(r.AppID), r.ScriptID, name, reply, why)
	}
}

// orphans turns answers that their node never took into abandoned executions.
func (b *inbox) orphans(ctx context.Context) error {
	rows, err := b.o.cfg.DB.Queries().OrphanedInbox(ctx)
	if err != nil {
		return db.Translate(err)
	}
	for _, r := range rows {
		if reply, err := decodeReply(r.ExecutionID, r.Response); err == nil {
			b.keep(cloud.AppID(r.AppID), r.ScriptID, "", reply, "node-lost")
		}
	}
	return nil
}

func (b *inbox) keep(app cloud.AppID, script cloud.ID, name string, reply *HTTPReply, why string) {
	if a := b.o.definitions.app(app); name == "" && a != nil {
		name = a.scriptName(script)
	}
	g := &abandonedAnswer{app: app, id: b.o.cfg.IDs.New(), script: script, name: name, execution: reply.Execution, status: reply.Status, reason: why}
	if reply.Response != nil {
		g.summary = summary(reply.Response)
	} else {
		g.summary = reply.Failure.Message
	}
	b.o.committer.do(&commit{app: app, gone: g})
}

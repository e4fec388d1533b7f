package orchestrator

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"sync"

	"picloud/db"
	"picloud/internal/catalog"
	"picloud/internal/cloud"
	"picloud/internal/commit"
	"picloud/internal/outbox"
)

// inbox holds the clients of this node whose requests went through the outbox. Whoever runs such a row
// answers here: the same node by a channel, after its commit; another node by a row of the table and a
// notification.
type inbox struct {
	node      string
	max       int // clients that may wait
	db        *db.DB
	ids       *cloud.IDSource
	log       *slog.Logger
	catalog   *catalog.Catalog
	committer *commit.Committer
	keys      *idempotencyKeys

	// mu guards both maps. It is a leaf.
	mu      sync.Mutex
	waiters map[cloud.ID]*inboxWaiter
	left    map[cloud.ID]*inboxWaiter // their answer is still to come
}

// inboxWaiter is a client that waits for its answer.
type inboxWaiter struct {
	id     cloud.ID
	target *catalog.Target
	// key is the idempotency key that the request reserved, nil for none.
	key     *commit.IdempotencyKey
	answerC chan *HTTPReply
	// why says why the client left, guarded by the inbox's mutex.
	why string
}

// open makes a place for a client; false when too many wait.
func (b *inbox) open(t *catalog.Target, key *commit.IdempotencyKey) (*inboxWaiter, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()

	if len(b.waiters) >= b.max {
		return nil, false
	}
	w := &inboxWaiter{id: b.ids.New(), target: t, key: key, answerC: make(chan *HTTPReply, 1)}
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
	case reply := <-w.answerC:
		return reply, true
	default:
	}
	delete(b.waiters, w.id)
	w.why = why
	b.left[w.id] = w

	return nil, false
}

// take finds the waiter of an answer; present says that its client still waits.
func (b *inbox) take(id cloud.ID) (w *inboxWaiter, present bool) {
	b.mu.Lock()
	defer b.mu.Unlock()

	if w := b.waiters[id]; w != nil {
		delete(b.waiters, id)
		return w, true
	}
	w = b.left[id]
	delete(b.left, id)

	return w, false
}

// deliver gives the outcome of a row to the client of this node that waits for it, or keeps it as abandoned.
func (b *inbox) deliver(row *outbox.Row, fin *finished) {
	w, present := b.take(row.ReplyTo)
	if w == nil {
		return // the node was restarted since: there is nobody to tell, and the execution is recorded
	}

	if !fin.succeeded() {
		b.keys.free(w.key)
	}
	if present {
		w.answerC <- replyOf(fin)
		return
	}
	b.abandon(w.target, fin, w.why)
}

// fetch takes the answers that other nodes left for this one.
func (b *inbox) fetch(ctx context.Context) {
	rows, err := b.db.Queries().TakeInbox(ctx, b.node)
	if err != nil {
		b.log.Error("take inbox", "error", db.Translate(err))
		return
	}

	for _, r := range rows {
		reply, err := decodeReply(r.ExecutionID, r.Response)
		if err != nil {
			b.log.Error("read inbox message", "execution", cloud.ID(r.ExecutionID).String(), "error", err)
			continue
		}

		w, present := b.take(r.ID)
		if present {
			if reply.Failure != nil {
				b.keys.free(w.key)
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
	rows, err := b.db.Queries().OrphanedInbox(ctx)
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

// keep keeps another node's answer that nobody waits for.
func (b *inbox) keep(app cloud.AppID, script cloud.ID, name string, reply *HTTPReply, why string) {
	definitions := b.catalog.App(app)
	if name == "" && definitions != nil {
		name = definitions.ScriptName(script)
	}
	abandoned := commit.Abandoned{
		ID:        b.ids.New(),
		Script:    script,
		Name:      name,
		Execution: reply.Execution,
		Status:    reply.Status,
		Reason:    why,
	}
	if reply.Response != nil {
		abandoned.Summary = bodySummary(definitions, reply.Response)
	} else {
		abandoned.Summary = reply.Failure.Message
	}
	b.committer.Do(&commit.Commit{App: app, Parts: []commit.Part{abandoned}})
}

// abandon keeps an outcome of this node that nobody waited for.
func (b *inbox) abandon(t *catalog.Target, fin *finished, why string) {
	parts := []commit.Part{commit.Abandoned{
		ID:        b.ids.New(),
		Script:    t.Script.ID,
		Name:      t.Script.Name,
		Execution: fin.record.ID,
		Status:    fin.record.HTTPStatus,
		Summary:   summaryOf(t.App, fin),
		Reason:    why,
	}}
	if !fin.recorded { // an abandoned run is always recorded
		parts = append(parts, commit.Record{Execution: fin.record})
	}

	if result := b.committer.Do(&commit.Commit{App: t.App.ID, Parts: parts}); !result.Applied {
		b.log.Error("keep abandoned execution", "execution", fin.record.ID.String(), "error", result.Err)
	}
}

// replyPart leaves the outcome of a row for the client that waits for it at another node.
func replyPart(row *outbox.Row, script cloud.ID, fin *finished) commit.Reply {
	reply := replyOf(fin)
	return commit.Reply{
		ID:        row.ReplyTo,
		Node:      row.ReplyNode,
		Script:    script,
		Execution: fin.record.ID,
		Status:    reply.Status,
		Response:  encodeReply(reply),
	}
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
			w.Headers = append(w.Headers, [2]string{db.Storable(h.Name), db.Storable(h.Value)})
		}
		w.Body = base64.StdEncoding.EncodeToString(r.Response.Body)
	}
	if r.Failure != nil {
		w.Code = string(r.Failure.Code)
		w.Message = db.Storable(r.Failure.Message)
	}

	return string(cloud.AppendJSON(nil, w))
}

func decodeReply(execution cloud.ID, text string) (*HTTPReply, error) {
	var w wireReply
	if err := json.Unmarshal([]byte(text), &w); err != nil {
		return nil, err
	}

	r := &HTTPReply{Execution: execution, Status: w.Status}
	if w.Code != "" {
		r.Failure = &cloud.Error{Code: cloud.Code(w.Code), Message: w.Message}
		r.RetryAfter = cloud.RetryAfter(w.Status, r.Failure.Code)
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

package orchestrator

import (
	"context"
	"net/http"
	"sync"
	"time"

	"picloud/internal/admission"
	"picloud/internal/catalog"
	"picloud/internal/cloud"
	"picloud/internal/commit"
	"picloud/internal/history"
	"picloud/internal/outbox"
)

// MaxAsyncBody is the most bytes of the body of an asynchronous call.
const MaxAsyncBody = 1 << 20

// What an app may hold of rows from HTTP.
const (
	maxHTTPRows  = 100_000
	maxHTTPBytes = 1 << 30
)

// HTTPCall is one request to a script. Everything in it is the callee's to keep.
type HTTPCall struct {
	Target    *catalog.Target
	Request   *cloud.Request
	Principal cloud.Principal
	// Async and Outbox are the caller's wishes, honoured for who may run the script by credential.
	Async, Outbox bool
	// Stream says that the caller takes a body piece by piece.
	Stream         bool
	IdempotencyKey string
	Caller         Caller
}

// Caller tells whether whoever sent a request still waits for its answer.
type Caller interface {
	// Watch begins to look at whether the caller hangs up; the channel is closed soon after that. It is
	// called once, when the run begins or its answer is waited for.
	Watch() (gone <-chan struct{})
	// HungUp tells whether the caller has hung up by now.
	HungUp() bool
}

// Server answers requests to scripts. One request's way is ServeHTTP, then serveDirect, serveAsync or
// serveOutbox.
type Server struct {
	node      string
	ids       *cloud.IDSource
	gate      *admission.Gate
	runner    *runner
	committer *commit.Committer
	inbox     *inbox
	keys      *idempotencyKeys
	peers     freePeers
	queue     *history.AppSizes
	// runs counts the runs in progress, for whoever waits for them at the end.
	runs *sync.WaitGroup
	// runCtx ends the runs: a caller's going away does not.
	runCtx func() context.Context
	// takesEvents reports whether this node still handles rows of its own.
	takesEvents func() bool
}

// freePeers knows whether another node has permits to spare.
type freePeers interface {
	OthersFree(ctx context.Context) bool
}

// ServeHTTP runs a script for a request and returns what to send. A caller's hanging up does not end the run.
func (s *Server) ServeHTTP(ctx context.Context, c *HTTPCall) *HTTPReply {
	dispatch := c.Target.Dispatch
	switch {
	case c.Async || dispatch == cloud.DispatchAsync:
		return s.serveAsync(ctx, c)
	case !s.takesEvents(): // nobody would answer from the outbox
		return s.serveDirect(ctx, c)
	case c.Outbox || dispatch == cloud.DispatchOutbox || s.gate.Full() && s.peers.OthersFree(ctx):
		return s.serveOutbox(ctx, c)
	default:
		return s.serveDirect(ctx, c)
	}
}

// serveDirect runs the script now, in this node and in the caller's goroutine; waitUntil work goes on in one
// of its own.
func (s *Server) serveDirect(ctx context.Context, c *HTTPCall) *HTTPReply {
	id := s.ids.New()
	// The key comes before the permit: a call that is answered already needs none.
	key, reply := s.keys.reserve(ctx, c, id)
	if reply != nil {
		return reply
	}

	// A shutdown waits for runs that are counted, and one may be granted its permit during the shutdown.
	s.runs.Add(1)
	permit, err := s.gate.Acquire(c.Target.App.ID)
	if err != nil {
		s.runs.Done()
		s.keys.free(key)
		return failure(cloud.ID{}, admission.ErrSaturated)
	}
	t := directTask(c, id)
	t.permit = permit
	t.aborted = c.Caller.Watch()
	t.answerKey = key
	t.stream = c.Stream && key == nil // an answer that is kept is kept whole

	var finish func()
	defer func() { releaseAfter(t.permit, s.runs, finish) }()
	var fin *finished
	fin, finish = s.runner.perform(s.runCtx(), t)
	if !fin.succeeded() || fin.lost {
		s.keys.free(key)
	}
	if !c.Caller.HungUp() {
		return replyOf(fin)
	}

	// Nobody reads a streamed body any more; the script is told, and goes on.
	if response := fin.outcome.Response; response != nil && response.Stream != nil {
		response.Stream.Close()
	}
	s.inbox.abandon(c.Target, fin, "client-closed")

	return &HTTPReply{Execution: id, HungUp: true}
}

// releaseAfter releases a run's permit, once its waitUntil work is over.
func releaseAfter(permit *admission.Permit, runs *sync.WaitGroup, finish func()) {
	release := func() {
		permit.Release()
		runs.Done()
	}
	if finish == nil {
		release()
		return
	}
	go func() {
		defer release()
		finish()
	}()
}

func directTask(c *HTTPCall, id cloud.ID) *task {
	request := *c.Request
	request.Params = c.Target.Params
	key := c.IdempotencyKey
	if key == "" {
		key = id.String()
	}
	return &task{
		app:            c.Target.App,
		script:         c.Target.Script,
		handler:        "fetch",
		request:        &request,
		execution:      id,
		root:           id,
		attempt:        1,
		principal:      c.Principal,
		source:         cloud.SourceHTTP,
		idempotencyKey: key,
	}
}

// serveAsync puts the request into the outbox and answers 202.
func (s *Server) serveAsync(ctx context.Context, c *HTTPCall) *HTTPReply {
	if len(c.Request.Body) > MaxAsyncBody {
		tooLarge := cloud.Errorf(
			cloud.CodeTooLarge,
			"the body of an asynchronous call has at most %d bytes",
			MaxAsyncBody,
		)
		return failure(cloud.ID{}, tooLarge)
	}
	if err := s.queueHasRoom(ctx, c.Target.App.ID); err != nil {
		return failure(cloud.ID{}, err)
	}
	id := s.ids.New()
	key, reply := s.keys.reserve(ctx, c, id)
	if reply != nil {
		return reply
	}

	accepted := accept(id)
	parts := []commit.Part{commit.Enqueue{Row: s.row(c, id)}}
	if key != nil { // the acceptance is what a repeat of the call is answered with
		parts = append(parts, commit.StoreAnswer{Key: *key, Response: accepted.Response})
	}
	if err := s.enqueue(c.Target.App.ID, parts); err != nil {
		s.keys.free(key)
		return failure(id, err)
	}

	return accepted
}

// queueHasRoom refuses new rows from HTTP when an app holds too many.
func (s *Server) queueHasRoom(ctx context.Context, app cloud.AppID) *cloud.Error {
	size, err := s.queue.Of(ctx, app)
	if err != nil {
		return cloud.ErrDatabaseAway.Because(err)
	}
	if size.N >= maxHTTPRows || size.Bytes >= maxHTTPBytes {
		return cloud.Errorf(
			cloud.CodeQueueFull,
			"the app holds %d waiting requests of %d bytes: its queue is full",
			size.N,
			size.Bytes,
		)
	}

	return nil
}

// enqueue applies a commit that does nothing but insert rows.
func (s *Server) enqueue(app cloud.AppID, parts []commit.Part) *cloud.Error {
	return enqueueResult(s.committer.Do(&commit.Commit{App: app, Parts: parts}))
}

func enqueueResult(result commit.Result) *cloud.Error {
	switch {
	case result.Applied:
		return nil
	case result.Err == nil:
		return cloud.ErrDatabaseAway
	default:
		return safeError(result.Err)
	}
}

// row makes the outbox row of a request.
func (s *Server) row(c *HTTPCall, execution cloud.ID) *outbox.NewRow {
	principal := c.Principal.String()
	owner := ""
	if c.IdempotencyKey != "" {
		owner = keyOwner(c)
	}
	return &outbox.NewRow{Row: outbox.Row{
		App:            c.Target.App.ID,
		ID:             s.ids.New(),
		Source:         cloud.SourceHTTP,
		Op:             c.Request.Method,
		Script:         c.Target.Script.ID,
		Payload:        encodeRequest(c.Request, c.Target.Params, owner),
		Origin:         principal,
		RunAs:          principal,
		Root:           execution,
		IdempotencyKey: c.IdempotencyKey,
		Execution:      execution,
		Retry:          cloud.DefaultRetry(),
	}}
}

// serveOutbox sends the request through the outbox and waits for the answer in the inbox.
func (s *Server) serveOutbox(ctx context.Context, c *HTTPCall) *HTTPReply {
	id := s.ids.New()
	key, reply := s.keys.reserve(ctx, c, id)
	if reply != nil {
		return reply
	}
	// The place in the inbox comes before the row: another node may have answered before the commit returns.
	waiter, ok := s.inbox.open(c.Target, key)
	if !ok {
		s.keys.free(key)
		return failure(cloud.ID{}, admission.ErrSaturated)
	}

	row := s.row(c, id)
	row.ReplyTo = waiter.id
	row.ReplyNode = s.node
	if err := s.enqueue(c.Target.App.ID, []commit.Part{commit.Enqueue{Row: row}}); err != nil {
		s.inbox.close(waiter)
		s.keys.free(key)
		return failure(id, err)
	}

	return s.await(c, waiter, id)
}

// await waits for the answer of a request that went through the outbox, two seconds longer than its run may
// take.
func (s *Server) await(c *HTTPCall, waiter *inboxWaiter, execution cloud.ID) *HTTPReply {
	hungUp := c.Caller.Watch()
	timer := time.NewTimer(c.Target.Script.Limits.Timeout + 2*time.Second)
	defer timer.Stop()

	select {
	case reply := <-waiter.answerC:
		return reply
	case <-hungUp:
		if reply, late := s.inbox.leave(waiter, "client-closed"); late {
			return reply
		}
		return &HTTPReply{Execution: execution, HungUp: true}
	case <-timer.C:
		if reply, late := s.inbox.leave(waiter, "timeout"); late {
			return reply
		}
		return failure(execution, cloud.Errorf(cloud.CodeTimeout,
			"no answer came in time; the run goes on and its result is kept as an abandoned execution"))
	}
}

// accept is the answer to an asynchronous call.
func accept(id cloud.ID) *HTTPReply {
	at := time.Now().UTC().Truncate(time.Millisecond)
	body := cloud.AppendJSON(
		nil,
		map[string]string{"execution_id": id.String(), "accepted_at": at.Format(time.RFC3339Nano)},
	)
	response := &cloud.Response{
		Status:  http.StatusAccepted,
		Body:    body,
		Headers: []cloud.Header{{Name: "content-type", Value: "application/json"}},
	}

	return &HTTPReply{Execution: id, Accepted: at, Status: http.StatusAccepted, Response: response}
}

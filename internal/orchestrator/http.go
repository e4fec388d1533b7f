package orchestrator

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"picloud/internal/cloud"
)

// MaxAsyncBody is the most bytes of the body of an asynchronous call.
const MaxAsyncBody = 1 << 20

// What an app may hold of rows from HTTP.
const (
	maxHTTPRows  = 100_000
	maxHTTPBytes = 1 << 30
)

// Target is what a request met.
type Target struct {
	App      *appDefs
	Script   *cloud.Script
	Params   []cloud.Header
	Dispatch string
}

// AppID is the app the target belongs to.
func (t *Target) AppID() cloud.AppID { return t.App.id }

var (
	errNoRoute = cloud.Errorf(cloud.CodeNotFound, "nothing answers at this address")
)

// MatchScript finds the endpoint script of /f/{app}/{script}.
func (o *Orchestrator) MatchScript(app, script string) (*Target, error) {
	a := o.definitions.appBySlug(app)
	if a == nil {
		return nil, errNoRoute
	}
	s := a.scripts[script]
	if s == nil || s.Kind != cloud.KindEndpoint {
		return nil, errNoRoute
	}
	return &Target{App: a, Script: s, Dispatch: cloud.DispatchSync}, nil
}

// MatchRoute finds the script of a route. host is lower case, without port; path is as it came. An error of code method
// carries the detail "allow".
func (o *Orchestrator) MatchRoute(method, host, path string) (*Target, *cloud.Route, error) {
	st := o.definitions.state.Load()
	m, err := st.routes.Match(method, host, path)
	if err != nil {
		return nil, nil, err
	}
	if m.Route == nil {
		if len(m.Allow) > 0 {
			return nil, nil, cloud.Errorf(cloud.CodeMethod, "this address does not take %s", method).With("allow", m.Allow)
		}
		return nil, nil, errNoRoute
	}
	a := st.byID[m.Route.App]
	s := a.script(m.Route.Script)
	if s == nil {
		return nil, nil, errNoRoute
	}
	return &Target{App: a, Script: s, Params: m.Params, Dispatch: m.Route.Dispatch}, m.Route, nil
}

// HTTPCall is one request to a script. Everything in it is the callee's to keep.
type HTTPCall struct {
	Target    *Target
	Request   *cloud.Request
	Principal cloud.Principal
	// Async and Outbox are the caller's wishes, honoured for who may run the script by credential.
	Async, Outbox bool
	// Stream: the caller takes a body piece by piece.
	Stream         bool
	IdempotencyKey string
	Caller         Caller
}

// Caller tells whether whoever sent a request still waits for its answer.
type Caller interface {
	// Watch begins to look at whether the caller hangs up: what it gives is closed soon after. It is called once, when the run
	// begins or its answer is waited for.
	Watch() (gone <-chan struct{})
	// HungUp tells whether that is so now.
	HungUp() bool
}

// HTTPReply is what the caller is sent.
type HTTPReply struct {
	Response  *cloud.Response
	Execution cloud.ID
	// Accepted is set for an asynchronous call.
	Accepted time.Time
	// Failure is set when there is no response.
	Failure *cloud.Error
	Status  int
	// RetryAfter, in seconds, goes with a 503.
	RetryAfter int
	Replayed   bool
	// HungUp: nobody is there any more; what would have been sent is an abandoned execution.
	HungUp bool
}

// ServeHTTP runs a script for a request and returns what to send. A caller's hanging up does not end the run.
func (o *Orchestrator) ServeHTTP(ctx context.Context, c *HTTPCall) *HTTPReply {
	dispatch := c.Target.Dispatch
	switch {
	case c.Async || dispatch == cloud.DispatchAsync:
		return o.serveAsync(ctx, c)
	case o.isDraining() || o.Hold() != "": // what its own rows would answer is not waited for any more
		return o.serveDirect(ctx, c)
	case c.Outbox || dispatch == cloud.DispatchOutbox || o.gate.full() && o.peersFree(ctx):
		return o.serveOutbox(ctx, c)
	default:
		return o.serveDirect(ctx, c)
	}
}

func failure(id cloud.ID, err *cloud.Error) *HTTPReply {
	r := &HTTPReply{Execution: id, Failure: err, Status: StatusOf(err.Code)}
	if r.Status == http.StatusServiceUnavailable {
		r.RetryAfter = 1
	}
	return r
}

// StatusOf maps an error's code to its HTTP status. It is the one table for errors that are not outcomes.
func StatusOf(c cloud.Code) int {
	switch c {
	case cloud.CodeInvalid:
		return http.StatusUnprocessableEntity
	case cloud.CodeMalformed:
		return http.StatusBadRequest
	case cloud.CodeUnauthorized:
		return http.StatusUnauthorized
	case cloud.CodeForbidden:
		return http.StatusForbidden
	case cloud.CodeNotFound, cloud.CodeNotRecorded:
		return http.StatusNotFound
	case cloud.CodeMethod:
		return http.StatusMethodNotAllowed
	case cloud.CodeConflict:
		return http.StatusConflict
	case cloud.CodePrecondition:
		return http.StatusPreconditionFailed
	case cloud.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case cloud.CodeTooMany:
		return http.StatusTooManyRequests
	case cloud.CodeQueueFull, cloud.CodeUnavailable:
		return http.StatusServiceUnavailable
	case cloud.CodeTimeout:
		return http.StatusGatewayTimeout
	default:
		return http.StatusInternalServerError
	}
}

// replyOf turns a task's outcome into what the caller is sent.
func replyOf(fin *finished) *HTTPReply {
	r := &HTTPReply{Execution: fin.rec.id, Status: fin.rec.http, Response: fin.outcome.Response}
	if fin.outcome.Status == cloud.Succeeded && r.Response != nil {
		return r
	}
	r.Response = nil
	code := cloud.Code(fin.outcome.Status)
	if fin.unknown {
		r.Failure, r.Status = fin.commitErr, http.StatusInternalServerError
		return r
	}
	e := &fin.outcome.Error
	r.Failure = &cloud.Error{Code: code, Message: describe(e)}
	if fin.commitErr != nil {
		r.Failure = fin.commitErr
	}
	if r.Status == http.StatusServiceUnavailable {
		r.RetryAfter = 1
	}
	return r
}

// serveDirect runs the script now, in this node and in the caller's goroutine; waitUntil work goes on in one of its own.
func (o *Orchestrator) serveDirect(ctx context.Context, c *HTTPCall) *HTTPReply {
	id := o.cfg.IDs.New()
	t := o.httpTask(c, id)
	idem, reply := o.reserve(ctx, c, id)
	if reply != nil {
		return reply
	}
	app := c.Target.App.id
	o.runs.Add(1)
	if err := o.gate.acquire(app); err != nil {
		o.runs.Done()
		o.freeKey(idem)
		return failure(cloud.ID{}, errSaturated)
	}
	t.permit = &permit{gate: o.gate, app: app}
	var rest func()
	defer func() { o.giveBack(t, rest) }()
	t.aborted = c.Caller.Watch()
	t.idem = idem
	t.stream = c.Stream && idem == nil // an answer that is kept is kept whole
	rest = o.perform(o.ctx, t)
	fin := t.first
	if fin.outcome.Status != cloud.Succeeded || fin.lost {
		o.freeKey(idem)
	}
	if !c.Caller.HungUp() {
		return replyOf(fin)
	}
	if r := fin.outcome.Response; r != nil && r.Stream != nil {
		r.Stream.Close()
	}
	o.abandon(c.Target, fin, "client-closed")
	return &HTTPReply{Execution: id, HungUp: true}
}

// giveBack gives the permit of a request's run back, once its waitUntil work is over.
func (o *Orchestrator) giveBack(t *task, rest func()) {
	if rest == nil {
		t.permit.release()
		o.runs.Done()
		return
	}
	go func() {
		defer o.giveBack(t, nil)
		rest()
	}()
}

func (o *Orchestrator) httpTask(c *HTTPCall, id cloud.ID) *task {
	req := *c.Request
	req.Params = c.Target.Params
	t := &task{app: c.Target.App, script: c.Target.Script, handler: "fetch", request: &req, execution: id, root: id, attempt: 1,
		principal: c.Principal, source: cloud.SourceHTTP, idemKey: c.IdempotencyKey}
	if t.idemKey == "" {
		t.idemKey = id.String()
	}
	return t
}

// httpRow makes the outbox row of a request.
func (o *Orchestrator) httpRow(c *HTTPCall, execution cloud.ID) *newRow {
	key := c.IdempotencyKey
	return &newRow{row: row{app: c.Target.App.id, id: o.cfg.IDs.New(), source: cloud.SourceHTTP, op: c.Request.Method, script: c.Target.Script.ID,
		payload: payloadOf(c.Request, c.Target.Params), origin: c.Principal.String(), runAs: c.Principal.String(), root: execution,
		idempotencyKey: key, execution: execution, retry: cloud.DefaultRetry()}}
}

func payloadOf(r *cloud.Request, params []cloud.Header) string {
	p := httpPayload{Method: r.Method, URL: r.URL, Headers: [][2]string{}, BodyEncoding: "utf8"}
	for _, h := range r.Headers {
		p.Headers = append(p.Headers, [2]string{h.Name, h.Value})
	}
	for _, h := range params {
		p.Params = append(p.Params, [2]string{h.Name, h.Value})
	}
	if utf8.Valid(r.Body) {
		p.Body = string(r.Body)
	} else {
		p.Body, p.BodyEncoding = base64.StdEncoding.EncodeToString(r.Body), "base64"
	}
	return string(appendJSON(nil, p))
}

// requestOf reads what payloadOf wrote, or what an operator edited.
func requestOf(payload string) (*cloud.Request, error) {
	var p httpPayload
	if err := p.decode(payload); err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	if p.Method == "" || p.URL == "" {
		return nil, fmt.Errorf("method and url are needed")
	}
	r := &cloud.Request{Method: p.Method, URL: p.URL, Body: []byte(p.Body)}
	if p.BodyEncoding == "base64" {
		b, err := base64.StdEncoding.DecodeString(p.Body)
		if err != nil {
			return nil, fmt.Errorf("read body: %w", err)
		}
		r.Body = b
	}
	for _, h := range p.Headers {
		r.Headers = append(r.Headers, cloud.Header{Name: h[0], Value: h[1]})
	}
	for _, h := range p.Params {
		r.Params = append(r.Params, cloud.Header{Name: h[0], Value: h[1]})
	}
	return r, nil
}

// serveAsync puts the request into the outbox and answers 202.
func (o *Orchestrator) serveAsync(ctx context.Context, c *HTTPCall) *HTTPReply {
	if len(c.Request.Body) > MaxAsyncBody {
		return failure(cloud.ID{}, cloud.Errorf(cloud.CodeTooLarge, "the body of an asynchronous call has at most %d bytes", MaxAsyncBody))
	}
	if err := o.queueHasRoom(ctx, c.Target.App.id); err != nil {
		return failure(cloud.ID{}, err)
	}
	id := o.cfg.IDs.New()
	idem, reply := o.reserve(ctx, c, id)
	if reply != nil {
		return reply
	}
	accepted := time.Now().UTC().Truncate(time.Millisecond)
	r := &HTTPReply{Execution: id, Accepted: accepted, Status: http.StatusAccepted}
	r.Response = acceptedResponse(id, accepted)
	x := &commit{app: c.Target.App.id, enqueue: []*newRow{o.httpRow(c, id)}}
	if idem != nil { // the acceptance is what a repeat of the call is answered with
		idem.fill(r.Response)
		x.idem = idem
	}
	if err := o.enqueue(x); err != nil {
		o.freeKey(idem)
		return failure(id, err)
	}
	return r
}

// enqueue applies a commit that does nothing but insert rows.
func (o *Orchestrator) enqueue(x *commit) *cloud.Error {
	res := o.committer.do(x)
	switch {
	case res.applied:
		return nil
	case res.err == nil:
		return errDatabaseAway
	default:
		return safeError(res.err)
	}
}

func acceptedResponse(id cloud.ID, at time.Time) *cloud.Response {
	body, _ := json.Marshal(map[string]string{"execution_id": id.String(), "accepted_at": at.Format(time.RFC3339Nano)})
	return &cloud.Response{Status: http.StatusAccepted, Body: body, Headers: []cloud.Header{{Name: "content-type", Value: "application/json"}}}
}

// queueHasRoom refuses new rows from HTTP when an app holds too many.
func (o *Orchestrator) queueHasRoom(ctx context.Context, app cloud.AppID) *cloud.Error {
	size, err := o.recorder.queueSize(ctx, app)
	if err != nil {
		return errDatabaseAway.Because(err)
	}
	if size.N >= maxHTTPRows || size.Bytes >= maxHTTPBytes {
		return cloud.Errorf(cloud.CodeQueueFull, "the app holds %d waiting requests of %d bytes: its queue is full", size.N, size.Bytes)
	}
	return nil
}

// serveOutbox sends the request through the outbox and waits for the answer in the inbox.
func (o *Orchestrator) serveOutbox(ctx context.Context, c *HTTPCall) *HTTPReply {
	id := o.cfg.IDs.New()
	idem, reply := o.reserve(ctx, c, id)
	if reply != nil {
		return reply
	}
	w, ok := o.inbox.open(c.Target, idem)
	if !ok {
		o.freeKey(idem)
		return failure(cloud.ID{}, errSaturated)
	}
	n := o.httpRow(c, id)
	n.replyTo, n.replyNode = w.id, o.cfg.Node
	if err := o.enqueue(&commit{app: c.Target.App.id, enqueue: []*newRow{n}}); err != nil {
		o.inbox.close(w)
		o.freeKey(idem)
		return failure(id, err)
	}
	gone := c.Caller.Watch()
	clock := time.NewTimer(c.Target.Script.Limits.Timeout + 2*time.Second)
	defer clock.Stop()
	select {
	case a := <-w.answerC:
		return a
	case <-gone:
		if a, late := o.inbox.leave(w, "client-closed"); late {
			return a
		}
		return &HTTPReply{Execution: id, HungUp: true}
	case <-clock.C:
		if a, late := o.inbox.leave(w, "timeout"); late {
			return a
		}
		return failure(id, cloud.Errorf(cloud.CodeTimeout, "no answer came in time; the run goes on and its result is kept as an abandoned execution"))
	}
}

// abandon keeps what nobody waited for.
func (o *Orchestrator) abandon(t *Target, f *finished, why string) {
	g := &abandonedAnswer{app: t.App.id, id: o.cfg.IDs.New(), script: t.Script.ID, name: t.Script.Name, execution: f.rec.id, status: f.rec.http,
		summary: summaryOf(f), reason: why}
	x := &commit{app: t.App.id, gone: g}
	if !f.recorded { // an abandoned run is always recorded
		x.record = f.rec
	}
	if res := o.committer.do(x); !res.applied {
		o.cfg.Log.Error("keep abandoned execution", "execution", f.rec.id.String(), "error", res.err)
	}
}

// maxSummary bounds what is kept of a body that nobody received.
const maxSummary = 2000

func summaryOf(f *finished) string {
	if f.outcome.Response == nil {
		return describe(&f.outcome.Error)
	}
	return summary(f.outcome.Response)
}

func summary(r *cloud.Response) string {
	body := r.Body
	if len(body) > maxSummary {
		body = body[:maxSummary]
	}
	if !utf8.Valid(body) && len(r.Body) <= maxSummary {
		return fmt.Sprintf("%d bytes", len(r.Body))
	}
	return clean(string(body))
}

package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"picloud/internal/cloud"
)

// Session makes the requests of one run. The context of a request ends it, its body included; so when the run
// ends, all of its requests do, and a session need not be closed.
type Session struct {
	fetcher  *Fetcher
	app      cloud.AppID
	inFlight chan struct{} // a semaphore of maxPerRun

	// mu guards open, not the bodies in it. No other lock is taken under it.
	mu   sync.Mutex
	open map[uint64]*openBody // by the number of the request
}

// openBody is a response's body that has not been read to its end.
type openBody struct {
	ctx context.Context //nolint:containedctx // the request's: it ends the body too
	url string

	// mu guards body and left, and is held while the network is read: pieces are read one after the other.
	mu   sync.Mutex
	body io.ReadCloser
	left int // bytes that the body may still have
}

// Open starts the session of an app's run.
func (f *Fetcher) Open(app cloud.AppID) *Session {
	return &Session{
		fetcher:  f,
		app:      app,
		inFlight: make(chan struct{}, maxPerRun),
		open:     map[uint64]*openBody{},
	}
}

// Call makes a request, or reads on in the body of one. n is the number of the call in the run; FetchRead
// names the request by it. Every error is a *cloud.HostError, except for the cause of a context that is done.
func (s *Session) Call(ctx context.Context, n uint64, call cloud.FetchCall) (cloud.HostReply, error) {
	switch call := call.(type) {
	case cloud.Fetch:
		return s.fetch(ctx, n, call)
	case cloud.FetchRead:
		return s.read(call)
	default:
		return cloud.HostReply{}, &cloud.HostError{Name: "TypeError", Message: "unknown call"}
	}
}

// fetch makes one request and returns its response, with the final URL as Value. A short body comes with it.
// Otherwise the reply is Partial, and the body is kept open for FetchRead.
func (s *Session) fetch(ctx context.Context, n uint64, call cloud.Fetch) (cloud.HostReply, error) {
	in := call.Request
	if in == nil {
		return cloud.HostReply{}, &cloud.HostError{Name: "TypeError", Message: "fetch needs a request"}
	}

	req, err := s.newRequest(ctx, in)
	if err != nil {
		return cloud.HostReply{}, err
	}

	// First a slot of the run, then a place of the node: a run with many requests waits without taking places
	// from others.
	select {
	case s.inFlight <- struct{}{}:
		defer func() { <-s.inFlight }()
	case <-ctx.Done():
		return cloud.HostReply{}, context.Cause(ctx)
	}
	if err := s.fetcher.places.Take(ctx, s.app, 1); err != nil {
		return cloud.HostReply{}, err
	}
	defer s.fetcher.places.Give(s.app, 1)

	pool := s.fetcher.pools.enter(s.app)
	defer s.fetcher.pools.leave(pool)

	res, err := do(pool.transport, req, call.Redirect) //nolint:bodyclose // an openBody closes it
	if err != nil {
		return cloud.HostReply{}, explain(ctx, in.URL, err)
	}

	out := &cloud.Response{Status: res.StatusCode, StatusText: reasonOf(res), Headers: headersOf(res)}
	reply := cloud.HostReply{Found: true, Response: out, Value: res.Request.URL.String()}

	body := &openBody{ctx: ctx, url: in.URL, body: res.Body, left: s.fetcher.cfg.MaxBody}
	isShort := res.ContentLength >= 0 && res.ContentLength <= wholeBody
	if isShort || in.Method == http.MethodHead {
		out.Body, err = body.all(s.fetcher.cfg.MaxBody)
		return reply, err
	}

	reply.Partial = true
	return reply, s.keep(n, body)
}

// reasonOf is the reason phrase of a response (RFC 9112, 4).
func reasonOf(res *http.Response) string {
	return strings.TrimPrefix(strings.TrimPrefix(res.Status, strconv.Itoa(res.StatusCode)), " ")
}

// ignoredHeaders belong to the connection and not to a script (RFC 9110, 7.6.1), or are set by the client
// itself.
var ignoredHeaders = []string{
	"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te",
	"trailer", "transfer-encoding", "upgrade", "host", "content-length", "accept-encoding", "expect",
}

// newRequest checks a script's request and makes the transport's of it.
func (s *Session) newRequest(ctx context.Context, in *cloud.Request) (*http.Request, error) {
	if len(in.Body) > s.fetcher.cfg.MaxBody {
		return nil, tooLarge("request", s.fetcher.cfg.MaxBody)
	}

	req, err := http.NewRequestWithContext(ctx, in.Method, in.URL, bytes.NewReader(in.Body))
	if err != nil || !isHTTP(req.URL) {
		return nil, fail("%q is not an http or https address", cloud.Shorten(in.URL))
	}
	if len(in.Body) == 0 {
		req.Body = nil
	}

	for _, h := range in.Headers {
		if !slices.Contains(ignoredHeaders, strings.ToLower(h.Name)) {
			req.Header.Add(h.Name, h.Value)
		}
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "PiCloud/"+s.fetcher.cfg.Version)
	}
	return req, nil
}

func headersOf(res *http.Response) []cloud.Header {
	var headers []cloud.Header
	for name, values := range res.Header {
		for _, value := range values {
			headers = append(headers, cloud.Header{Name: strings.ToLower(name), Value: value})
		}
	}
	return headers
}

// keep remembers the body of request n for FetchRead.
func (s *Session) keep(n uint64, b *openBody) error {
	s.mu.Lock()
	defer s.mu.Unlock()

	if len(s.open) >= maxOpen {
		_ = b.body.Close()
		message := fmt.Sprintf("a run can have %d responses whose bodies are not read to their end", maxOpen)
		return &cloud.HostError{Name: "LimitError", Message: message}
	}
	s.open[n] = b
	return nil
}

// read returns the next piece of a request's body, or all of the rest. The reply of the last piece is not
// Partial.
func (s *Session) read(call cloud.FetchRead) (cloud.HostReply, error) {
	s.mu.Lock()
	b := s.open[call.Fetch]
	s.mu.Unlock()
	if b == nil {
		return cloud.HostReply{}, fail("this response has no body that could be read")
	}

	reply := cloud.HostReply{Found: true}
	var err error
	if call.All {
		reply.Bytes, err = b.all(s.fetcher.cfg.MaxBody)
	} else {
		reply.Bytes, reply.Partial, err = b.piece(s.fetcher.cfg.MaxBody)
	}

	if err != nil || !reply.Partial {
		s.mu.Lock()
		delete(s.open, call.Fetch)
		s.mu.Unlock()
	}
	return reply, err
}

// all reads a body to its end and closes it. limit is for the message: the body may have left bytes more.
func (b *openBody) all(limit int) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer func() { _ = b.body.Close() }()

	// One byte beyond the limit tells a body that is too long from one that just fits.
	raw, err := io.ReadAll(io.LimitReader(b.body, int64(b.left)+1))
	if err != nil {
		return nil, b.explain(err)
	}
	if len(raw) > b.left {
		return nil, tooLarge("response", limit)
	}
	return raw, nil
}

// piece reads what has arrived, waiting for a byte at least. more reports whether the body goes on; if not,
// it is closed.
func (b *openBody) piece(limit int) (raw []byte, more bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()

	raw = make([]byte, wholeBody)

	n := 0
	for n == 0 && err == nil {
		n, err = b.body.Read(raw)
	}

	b.left -= n
	if b.left < 0 {
		_ = b.body.Close()
		return nil, false, tooLarge("response", limit)
	}

	switch {
	case err == nil:
		return raw[:n], true, nil
	case errors.Is(err, io.EOF):
		_ = b.body.Close()
		return raw[:n], false, nil
	default:
		_ = b.body.Close()
		return nil, false, b.explain(err)
	}
}

// explain turns an error of the body into one for the script, which may have cancelled the request itself.
func (b *openBody) explain(err error) error {
	if b.ctx.Err() != nil {
		return fail("fetch of %q: the request was cancelled", cloud.Shorten(b.url))
	}
	return explain(b.ctx, b.url, err)
}

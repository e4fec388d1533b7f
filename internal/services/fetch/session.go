package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"picloud/internal/cloud"
)

// Session makes the requests of one run. The context of a request ends it, its body included; when the run ends, all do.
type Session struct {
	f      *Fetcher
	places chan struct{}

	mu   sync.Mutex
	open map[uint64]*openBody
}

// openBody is a response's body that has not been read to its end.
type openBody struct {
	ctx context.Context //nolint:containedctx // the request's: it ends the body too
	url string

	mu   sync.Mutex
	body io.ReadCloser
	room int // bytes that may still come
}

// Open starts the session of a run.
func (f *Fetcher) Open() *Session {
	return &Session{f: f, places: make(chan struct{}, maxPerRun), open: map[uint64]*openBody{}}
}

// Call makes a request, or reads on in the body of one; n is the request's number in the run.
func (s *Session) Call(ctx context.Context, n uint64, op cloud.HostOp, args cloud.HostArgs) (cloud.HostReply, error) {
	if op == cloud.OpFetchRead {
		return s.read(uint64(args.Number), args.Flag)
	}
	if args.Request == nil {
		return cloud.HostReply{}, &cloud.HostError{Name: "TypeError", Message: "fetch needs a request"}
	}
	return s.fetch(ctx, n, args.Request, args.Value)
}

// hopByHop fields belong to a connection, not to a script (RFC 9110, 7.6.1), and the client sets these itself.
var hopByHop = []string{"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
	"transfer-encoding", "upgrade", "host", "content-length", "accept-encoding", "expect"}

func (s *Session) request(ctx context.Context, r *cloud.Request, mode string) (*http.Request, error) {
	if mode == manual || mode == refuse {
		ctx = context.WithValue(ctx, modeKey{}, mode)
	}
	if len(r.Body) > s.f.cfg.MaxBody {
		return nil, tooLarge("request", s.f.cfg.MaxBody)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil || req.URL.Scheme != "http" && req.URL.Scheme != "https" || req.URL.Host == "" {
		return nil, fail("%q is not an http or https address", cloud.Shorten(r.URL))
	}
	if len(r.Body) == 0 {
		req.Body = nil
	}
	for _, h := range r.Headers {
		if !slices.Contains(hopByHop, strings.ToLower(h.Name)) {
			req.Header.Add(h.Name, h.Value)
		}
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "PiCloud/"+s.f.cfg.Version)
	}
	return req, nil
}

// fetch makes one request. The reply's Value is the final URL. A short body comes with it; else it is Partial.
func (s *Session) fetch(ctx context.Context, n uint64, r *cloud.Request, mode string) (cloud.HostReply, error) {
	req, err := s.request(ctx, r, mode)
	if err != nil {
		return cloud.HostReply{}, err
	}
	for _, places := range []chan struct{}{s.places, s.f.places} {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
		case <-ctx.Done():
			return cloud.HostReply{}, context.Cause(ctx)
		}
	}
	res, err := s.f.client.Do(req) //nolint:bodyclose // an openBody closes it
	if err != nil {
		return cloud.HostReply{}, explain(ctx, r.URL, err)
	}
	out := &cloud.Response{Status: res.StatusCode}
	for name, values := range res.Header {
		for _, v := range values {
			out.Headers = append(out.Headers, cloud.Header{Name: strings.ToLower(name), Value: v})
		}
	}
	reply := cloud.HostReply{Found: true, Response: out, Value: res.Request.URL.String()}
	b := &openBody{ctx: ctx, url: r.URL, body: res.Body, room: s.f.cfg.MaxBody}
	if res.ContentLength >= 0 && res.ContentLength <= wholeBody || r.Method == http.MethodHead {
		out.Body, err = b.all(s.f.cfg.MaxBody)
		return reply, err
	}
	reply.Partial = true
	return reply, s.keep(n, b)
}

func (s *Session) keep(n uint64, b *openBody) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) >= maxOpen {
		_ = b.body.Close()
		return &cloud.HostError{Name: "LimitError", Message: fmt.Sprintf("a run can have %d responses whose bodies are not read to their end", maxOpen)}
	}
	s.open[n] = b
	return nil
}

// read gives the next piece of a body, or all of the rest. The last one is not Partial.
func (s *Session) read(n uint64, all bool) (cloud.HostReply, error) {
	s.mu.Lock()
	b := s.open[n]
	s.mu.Unlock()
	if b == nil {
		return cloud.HostReply{}, fail("this response has no body that could be read")
	}
	reply := cloud.HostReply{Found: true}
	var err error
	if all {
		reply.Bytes, err = b.all(s.f.cfg.MaxBody)
	} else {
		reply.Bytes, reply.Partial, err = b.piece(s.f.cfg.MaxBody)
	}
	if err != nil || !reply.Partial {
		s.mu.Lock()
		delete(s.open, n)
		s.mu.Unlock()
	}
	return reply, err
}

// all reads a body to its end and closes it.
func (b *openBody) all(limit int) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer func() { _ = b.body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(b.body, int64(b.room)+1))
	if err != nil {
		return nil, b.explain(err)
	}
	if len(raw) > b.room {
		return nil, tooLarge("response", limit)
	}
	return raw, nil
}

// piece reads what is there, at least a byte; more says whether the body goes on.
func (b *openBody) piece(limit int) (raw []byte, more bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	raw = make([]byte, wholeBody)
	n := 0
	for n == 0 && err == nil {
		n, err = b.body.Read(raw)
	}
	if b.room -= n; b.room < 0 {
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

// explain says why a body ended early; a request that the script gave up is its own affair.
func (b *openBody) explain(err error) error {
	if b.ctx.Err() != nil {
		return fail("fetch of %q: the request was cancelled", cloud.Shorten(b.url))
	}
	return explain(b.ctx, b.url, err)
}

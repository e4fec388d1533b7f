package handlers

import (
	"net"
	"net/http"
	"picloud/internal/catalog"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
)

// ownCookies are the names of PiCloud's session cookies; scripts neither see nor set them.
var ownCookies = []string{secureCookie, plainCookie}

// ingress answers everything that is not PiCloud's own: /f/{app}/{script}, and routes.
func (s *Server) ingress(c *fiber.Ctx) error {
	ctx := c.Context()
	path := string(ctx.URI().PathOriginal())
	target, err := s.match(c, path)
	if err != nil {
		if path == "/" && wantsHTML(c) && s.servesAdmin(c) && cloud.CodeOf(err) == cloud.CodeNotFound {
			return c.Redirect("/admin", http.StatusSeeOther) // who opens the address in a browser looks for the dashboard
		}
		return err
	}
	principal, err := s.admit(c, target)
	if err != nil {
		return err
	}
	body, err := readBody(c, s.cfg.MaxBody)
	if err != nil {
		return err
	}
	watch := newHangupWatch(ctx.Conn())
	defer watch.stop()
	call := &orchestrator.HTTPCall{Caller: watch, Target: target, Request: s.request(c, path, body), Principal: principal.Cloud(),
		Stream: ctx.Request.Header.IsHTTP11() && !ctx.IsHead()} // a body of unknown length is chunked
	if key := ctx.Request.Header.Peek("Idempotency-Key"); key != nil {
		call.IdempotencyKey = string(key)
		if !orchestrator.ValidIdempotencyKey(call.IdempotencyKey) {
			return cloud.Errorf(cloud.CodeInvalid, "Idempotency-Key has 1 to 255 visible ASCII characters")
		}
	}
	if err := s.wishes(c, call, principal); err != nil {
		return err
	}
	reply := s.cfg.Orchestrator.Requests.ServeHTTP(c.UserContext(), call)
	if reply.HungUp {
		ctx.SetConnectionClose()
		return nil
	}
	return s.send(c, call, reply)
}

// hangupAfter is how old a run is before it hears of a caller that hung up.
const hangupAfter = 10 * time.Millisecond

func (s *Server) match(c *fiber.Ctx, path string) (*catalog.Target, error) {
	if !s.servesScripts(c) {
		return nil, cloud.Errorf(cloud.CodeNotFound, "nothing answers at this address")
	}
	if rest, ok := strings.CutPrefix(path, "/f/"); ok {
		app, rest, _ := strings.Cut(rest, "/")
		script, _, _ := strings.Cut(rest, "/")
		return s.cfg.Orchestrator.Catalog.MatchScript(app, script)
	}
	if cloud.ReservedPath(path) {
		return nil, cloud.Errorf(cloud.CodeNotFound, "nothing answers at this address")
	}
	t, _, err := s.cfg.Orchestrator.Catalog.MatchRoute(string(c.Context().Method()), s.host(c), path)
	return t, err
}

// admit decides who may call a script. Only a Bearer token counts; the dashboard's cookie never does.
func (s *Server) admit(c *fiber.Ctx, t *catalog.Target) (*auth.Principal, error) {
	access := t.Script.Access
	header := string(c.Context().Request.Header.Peek("Authorization"))
	token, bearer := auth.BearerToken(header)
	own := auth.IsOwnCredential(header)
	if !own || !bearer {
		if access == cloud.AccessPublic {
			return nil, nil
		}
		return nil, cloud.Errorf(cloud.CodeUnauthorized, "this endpoint needs a credential: Authorization: Bearer <API key or token>")
	}
	p, err := s.cfg.Auth.Authenticate(c.UserContext(), token)
	if err != nil || access == cloud.AccessPublic {
		return p, err
	}
	if access == cloud.AccessKey && !p.Key {
		return nil, cloud.Errorf(cloud.CodeForbidden, "this endpoint takes API keys with the scope scripts:run")
	}
	if err := s.mayRun(c, p, t); err != nil {
		if cloud.CodeOf(err) == cloud.CodeNotFound {
			return nil, cloud.Errorf(cloud.CodeForbidden, "this credential is not for this app")
		}
		return nil, err
	}
	return p, nil
}

func (s *Server) mayRun(c *fiber.Ctx, p *auth.Principal, t *catalog.Target) error {
	role, err := s.cfg.Auth.AppRole(c.UserContext(), p, t.AppID())
	if err != nil {
		return err
	}
	return p.May(auth.RunScripts, role, t.AppID())
}

// wishes honours Prefer and X-PiCloud-Dispatch for callers whose credential may run the script; others are served sync.
func (s *Server) wishes(c *fiber.Ctx, call *orchestrator.HTTPCall, p *auth.Principal) error {
	async := strings.Contains(strings.ToLower(c.Get("Prefer")), "respond-async")
	outbox := strings.EqualFold(c.Get("X-PiCloud-Dispatch"), "outbox")
	if !async && !outbox || p == nil {
		return nil
	}
	err := s.mayRun(c, p, call.Target)
	switch {
	case err == nil:
		call.Async, call.Outbox = async, outbox
		return nil
	case cloud.StatusOf(cloud.CodeOf(err)) >= http.StatusInternalServerError:
		return err
	default:
		return nil
	}
}

// droppedFromRequest never reach a script: they belong to one connection (RFC 9110, 7.6.1), or were rebuilt here.
var droppedFromRequest = []string{"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te",
	"trailer", "transfer-encoding", "upgrade", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "x-real-ip"}

// request copies what the caller sent, without PiCloud's own credentials.
func (s *Server) request(c *fiber.Ctx, path string, body []byte) *cloud.Request {
	ctx := c.Context()
	r := &cloud.Request{Method: c.Method(), Body: body}
	scheme, host := "http", ctx.Host()
	if ctx.IsTLS() {
		scheme = "https"
	}
	if s.fromTrustedProxy(c) {
		if p := c.Get("X-Forwarded-Proto"); p == "https" || p == "http" {
			scheme = p
		}
		if h := ctx.Request.Header.Peek("X-Forwarded-Host"); len(h) > 0 {
			host = h
		}
	}
	r.URL = scheme + "://" + string(host) + path
	if q := ctx.URI().QueryString(); len(q) > 0 {
		r.URL += "?" + string(q)
	}
	r.Headers = make([]cloud.Header, 0, ctx.Request.Header.Len()+1)
	for k, v := range ctx.Request.Header.All() {
		name, value := string(k), string(v)
		switch lower := strings.ToLower(name); {
		case slices.Contains(droppedFromRequest, lower):
			continue
		case lower == "authorization" && auth.IsOwnCredential(value):
			continue
		case lower == "cookie":
			if value = withoutOwnCookies(value); value == "" {
				continue
			}
		}
		r.Headers = append(r.Headers, cloud.Header{Name: name, Value: value})
	}
	r.Headers = append(r.Headers, cloud.Header{Name: "X-Forwarded-For", Value: s.client(c).String()})
	return r
}

func withoutOwnCookies(header string) string {
	var kept []string
	for part := range strings.SplitSeq(header, ";") {
		name, _, _ := strings.Cut(strings.TrimSpace(part), "=")
		if part = strings.TrimSpace(part); part != "" && !slices.Contains(ownCookies, name) {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "; ")
}

// send writes a run's answer.
func (s *Server) send(c *fiber.Ctx, call *orchestrator.HTTPCall, r *orchestrator.HTTPReply) error {
	if !r.Execution.IsZero() {
		c.Set("X-Execution-Id", r.Execution.String())
	}
	retryAfter(c, r.RetryAfter)
	if r.Failure != nil {
		return s.sendProblem(c, failureOf(call, r))
	}
	if r.Replayed {
		c.Set("Idempotent-Replayed", "true")
	}
	res := c.Response()
	status := r.Response.Status
	if status < 200 || status > 599 {
		return s.sendProblem(c, &problem{Status: http.StatusBadGateway, Code: "failed", Detail: "the script answered with an invalid status"})
	}
	res.SetStatusCode(status)
	s.copyHeaders(res, r.Response.Headers)
	switch {
	case r.Response.Stream != nil:
		res.ImmediateHeaderFlush = true
		res.SetBodyStream(&bodyReader{stream: r.Response.Stream, conn: c.Context().Conn()}, -1)
	case status != http.StatusNoContent && status != http.StatusNotModified:
		res.SetBodyRaw(r.Response.Body)
	}
	return nil
}

// bodyReader reads the body that a script is still writing. The server flushes after every Read; an error ends the connection,
// so that the caller sees that the body is cut off. A caller that hangs up, or takes no piece for writeTimeout, ends the stream.
type bodyReader struct {
	stream cloud.ResponseStream
	conn   net.Conn
	rest   []byte
	stop   func() // of the watch for a hang-up
}

// Read gives the next bytes.
func (b *bodyReader) Read(p []byte) (int, error) {
	if b.stop == nil {
		b.watch()
	}
	for len(b.rest) == 0 {
		piece, err := b.stream.Next()
		if err != nil {
			return 0, err
		}
		b.rest = piece
	}
	_ = b.conn.SetWriteDeadline(time.Now().Add(pieceTimeout))
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// watch ends the stream of a caller that hangs up while the script makes it wait.
func (b *bodyReader) watch() {
	watch := newHangupWatch(b.conn)
	goneC := watch.now()
	overCh := make(chan struct{})
	go func() {
		select {
		case <-goneC:
			b.stream.Close()
		case <-overCh:
		}
	}()
	b.stop = func() {
		close(overCh)
		watch.stop()
	}
}

// Close ends the stream, whether it was read to its end or not.
func (b *bodyReader) Close() error {
	if b.stop != nil {
		b.stop()
		b.stop = func() {}
	}
	b.stream.Close()
	return b.conn.SetWriteDeadline(time.Time{})
}

// pieceTimeout bounds the write of one piece to a caller who does not read.
const pieceTimeout = 30 * time.Second

// failureOf tells a caller what happened. What a script threw is for who may see the script, not for anybody.
func failureOf(call *orchestrator.HTTPCall, r *orchestrator.HTTPReply) *problem {
	p := &problem{Status: r.Status, Detail: r.Failure.Message, Code: string(r.Failure.Code), Details: r.Failure.Details}
	if !r.Execution.IsZero() {
		p.Execution = r.Execution.String()
	}
	if cloud.Status(r.Failure.Code) == cloud.Failed && call.Principal.IsZero() {
		p.Detail = "the script failed; its error is recorded with the execution"
	}
	return p
}

// droppedFromResponse never leave: they belong to a connection, or are computed.
var droppedFromResponse = []string{"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te",
	"trailer", "transfer-encoding", "upgrade", "content-length", "x-execution-id", "idempotent-replayed"}

// droppedOnAdminHost would act on the dashboard's origin.
var droppedOnAdminHost = []string{"set-cookie", "clear-site-data", "service-worker-allowed", "strict-transport-security", "alt-svc"}

// sandboxPolicy keeps a script's page from acting as the dashboard, whatever its type.
const sandboxPolicy = "sandbox allow-scripts allow-forms allow-popups"

func (s *Server) copyHeaders(res *fasthttp.Response, headers []cloud.Header) {
	shared := s.cfg.AdminHost == "" // scripts answer on the dashboard's host
	for _, h := range headers {
		name := strings.ToLower(h.Name)
		if !validHeader(name, h.Value) || slices.Contains(droppedFromResponse, name) {
			continue
		}
		if shared && slices.Contains(droppedOnAdminHost, name) {
			continue
		}
		if name == "set-cookie" {
			cookie, _, _ := strings.Cut(h.Value, "=")
			if slices.Contains(ownCookies, strings.TrimSpace(cookie)) {
				continue
			}
		}
		res.Header.Add(h.Name, h.Value)
	}
	if shared {
		res.Header.Add("Content-Security-Policy", sandboxPolicy)
		res.Header.Set("X-Content-Type-Options", "nosniff")
	}
}

// validHeader guards against a sandbox that does not check: a token, and a value without line ends or NUL.
func validHeader(name, value string) bool {
	if name == "" || strings.ContainsAny(value, "\r\n\x00") {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

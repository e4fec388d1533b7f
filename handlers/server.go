// Package handlers speaks HTTP: the JSON API, the scripts' ingress, health and metrics. Nothing of Fiber goes below it:
// what a request carries is copied here, since Fiber uses its buffers again once a handler has returned.
package handlers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/internal/orchestrator"
	"picloud/internal/services/kv"
	"picloud/views"
)

// Timeouts and limits of the edge.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 30 * time.Second
	idleTimeout   = 75 * time.Second
	maxHeaders    = 32 << 10
	maxAPIBody    = 8 << 20
)

// Config is what a Server needs.
type Config struct {
	Manager      *manager.Manager
	Orchestrator *orchestrator.Orchestrator
	KV           *kv.Store
	Auth         *auth.Authenticator
	IDs          *cloud.IDSource
	Log          *slog.Logger
	Version      string
	// Node is this node's name, PublicURL where it is reached from outside, if that is known.
	Node      string
	PublicURL string
	MaxBody   int
	// Limits of scripts that have none of their own, as the editor shows them.
	ScriptTimeout time.Duration
	ScriptMemory  int
	// AdminHost, if set, is the only host of /admin and /api; scripts answer on every other.
	AdminHost string
	// NoAdmin: dashboard and API answer at another process; NoScripts: endpoints do.
	NoAdmin, NoScripts bool
	TrustedProxies     []netip.Prefix
	// CursorKey signs the cursors of lists.
	CursorKey []byte
	// Sandbox gives the counters of the sandbox processes.
	Sandbox func() SandboxStats
	// Ready says whether database and sandbox work.
	Ready func(ctx context.Context) error
	// Metrics are served at /metrics to keys with instance:admin, unless MetricsElsewhere.
	Metrics          prometheus.Gatherer
	MetricsElsewhere bool
}

// SandboxStats counts sandbox processes: alive, started, died with work in hand.
type SandboxStats struct {
	Children      int
	Started, Died int64
}

// Server is the HTTP side of PiCloud.
type Server struct {
	cfg      Config
	started  time.Time
	assets   views.Assets
	app      *fiber.App
	api      huma.API
	throttle *auth.Throttle
}

// New builds the server; Serve starts it.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, throttle: auth.NewThrottle(), started: time.Now(), assets: assets()}
	s.app = fiber.New(fiber.Config{
		DisableStartupMessage: true,
		Immutable:             true,
		CaseSensitive:         true,
		StrictRouting:         true,
		StreamRequestBody:     true,
		BodyLimit:             1 << 40, // the body is a stream; readBody sets the limit and answers 413
		ReadBufferSize:        maxHeaders,
		ReadTimeout:           headerTimeout,
		IdleTimeout:           idleTimeout,
		ErrorHandler:          s.handleError,
		RequestMethods:        methods,
	})
	srv := s.app.Server()
	srv.HeaderReceived = func(*fasthttp.RequestHeader) fasthttp.RequestConfig {
		return fasthttp.RequestConfig{ReadTimeout: bodyTimeout}
	}
	srv.NoDefaultContentType = true
	srv.NoDefaultServerHeader = true
	srv.NoDefaultDate = true
	srv.ErrorHandler = badRequest
	route := srv.Handler
	srv.Handler = func(ctx *fasthttp.RequestCtx) {
		if slices.Contains(methods, string(ctx.Method())) {
			route(ctx)
		} else {
			malformed(ctx, fasthttp.StatusBadRequest, "this method is not known here; known are "+strings.Join(methods, ", "))
		}
		setDate(ctx)
	}
	s.app.Use(s.recoverPanic)
	s.app.Get("/healthz", s.healthz)
	s.app.Get("/readyz", s.readyz)
	s.app.Get("/version", s.version)
	s.app.Get("/metrics", s.metrics)
	s.adminPages()
	s.app.Use("/api", s.adminHostOnly, s.readAPIBody, s.authenticate)
	s.api = s.newAPI()
	s.app.Use(s.ingress)
	return s
}

// methods are what a request may have; the router knows no others.
var methods = append(slices.Clone(fiber.DefaultMethods), "PROPFIND", "REPORT", "SEARCH")

// badRequest answers what fasthttp could not read as a request.
func badRequest(ctx *fasthttp.RequestCtx, err error) {
	status, detail := fasthttp.StatusBadRequest, "the request could not be read"
	var small *fasthttp.ErrSmallBuffer
	var netErr net.Error
	switch {
	case errors.As(err, &small):
		status, detail = fasthttp.StatusRequestHeaderFieldsTooLarge, "the headers are over 32 KiB"
	case errors.As(err, &netErr) && netErr.Timeout():
		status, detail = fasthttp.StatusRequestTimeout, "the request did not arrive in time"
	}
	malformed(ctx, status, detail)
	ctx.SetConnectionClose()
	setDate(ctx)
}

// malformed answers what is no request to the router.
func malformed(ctx *fasthttp.RequestCtx, status int, detail string) {
	ctx.SetStatusCode(status)
	ctx.Response.Header.SetContentType(problemType)
	ctx.SetBody(encodeProblem(&problem{Status: status, Detail: detail, Code: "malformed"}))
}

// lastDate is the Date of the last answer.
var lastDate atomic.Pointer[date]

type date struct {
	second int64
	text   []byte
}

// setDate sets the header Date (RFC 9110, section 6.6.1), which no script decides. fasthttp takes it from nobody, and keeps one
// of its own current by a goroutine that wakes an idle server every second: so it is added under a name that is none, and renamed.
func setDate(ctx *fasthttp.RequestCtx) {
	now := time.Now()
	d := lastDate.Load()
	if d == nil || d.second != now.Unix() {
		d = &date{now.Unix(), fasthttp.AppendHTTPDate(nil, now)}
		lastDate.Store(d)
	}
	ctx.Response.Header.AddBytesV("?ate", d.text)
	for key := range ctx.Response.Header.All() {
		if len(key) > 0 && key[0] == '?' {
			key[0] = 'D'
		}
	}
}

// Serve answers on a listener until Shutdown.
func (s *Server) Serve(l net.Listener) error {
	return s.app.Listener(&patient{Listener: l, log: s.cfg.Log})
}

// Shutdown closes the listener and waits for the requests in progress, at most until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error { return s.app.ShutdownWithContext(ctx) }

// API is the OpenAPI description.
func (s *Server) API() *huma.OpenAPI { return s.api.OpenAPI() }

func (s *Server) recoverPanic(c *fiber.Ctx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.cfg.Log.Error("panic in handler", "path", c.Path(), "panic", p)
			err = cloud.Errorf(cloud.CodeInternal, "internal error")
		}
	}()
	return c.Next()
}

// adminHostOnly hides the API from the hosts of scripts.
func (s *Server) adminHostOnly(c *fiber.Ctx) error {
	if !s.servesAdmin(c) {
		return cloud.Errorf(cloud.CodeNotFound, "nothing answers at this address")
	}
	return c.Next()
}

// servesAdmin reports whether dashboard and API answer on the request's host.
func (s *Server) servesAdmin(c *fiber.Ctx) bool {
	return !s.cfg.NoAdmin && (s.cfg.AdminHost == "" || s.host(c) == s.cfg.AdminHost)
}

// servesScripts reports whether scripts do.
func (s *Server) servesScripts(c *fiber.Ctx) bool {
	return !s.cfg.NoScripts && (s.cfg.AdminHost == "" || s.host(c) != s.cfg.AdminHost)
}

// readAPIBody reads the whole body, so that the API's handlers find it in memory.
func (s *Server) readAPIBody(c *fiber.Ctx) error {
	body, err := readBody(c, maxAPIBody)
	if err != nil {
		return err
	}
	c.Request().SetBodyStream(bytes.NewReader(body), len(body))
	return c.Next()
}

// readBody reads at most limit bytes. A longer body is dropped, up to four times the limit, so that the client sees the
// 413 instead of a broken connection.
func readBody(c *fiber.Ctx, limit int) ([]byte, error) {
	stream := c.Request().BodyStream()
	if stream == nil {
		return bytes.Clone(c.Request().Body()), nil
	}
	tooLarge := cloud.Errorf(cloud.CodeTooLarge, "the body is over %d bytes", limit)
	declared := c.Request().Header.ContentLength()
	var b bytes.Buffer
	if declared > 0 && declared <= limit {
		b.Grow(declared)
	}
	if declared <= limit {
		if _, err := io.Copy(&b, io.LimitReader(stream, int64(limit)+1)); err != nil {
			c.Context().SetConnectionClose()
			return nil, cloud.Errorf(cloud.CodeMalformed, "the body did not arrive").Because(err)
		}
		if b.Len() <= limit {
			return b.Bytes(), nil
		}
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(stream, 4*int64(limit)))
	c.Context().SetConnectionClose()
	return nil, tooLarge
}

// host is the request's host, lower case and without port. Forwarded hosts count from trusted proxies alone.
func (s *Server) host(c *fiber.Ctx) string {
	h := string(c.Context().Host())
	if s.fromTrustedProxy(c) {
		if f := c.Get("X-Forwarded-Host"); f != "" {
			h = f
		}
	}
	if host, _, err := net.SplitHostPort(h); err == nil {
		h = host
	}
	return strings.ToLower(strings.TrimSuffix(h, "."))
}

func (s *Server) fromTrustedProxy(c *fiber.Ctx) bool {
	if len(s.cfg.TrustedProxies) == 0 {
		return false
	}
	return s.isTrusted(peer(c))
}

func (s *Server) isTrusted(a netip.Addr) bool {
	for _, p := range s.cfg.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func peer(c *fiber.Ctx) netip.Addr {
	a, ok := c.Context().RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return a.AddrPort().Addr().Unmap()
}

// client is the caller's address: the last one in X-Forwarded-For that is no trusted proxy.
func (s *Server) client(c *fiber.Ctx) netip.Addr {
	a := peer(c)
	if !s.fromTrustedProxy(c) {
		return a
	}
	parts := strings.Split(c.Get("X-Forwarded-For"), ",")
	for k := len(parts) - 1; k >= 0; k-- {
		f, err := netip.ParseAddr(strings.TrimSpace(parts[k]))
		if err != nil {
			break
		}
		if a = f.Unmap(); !s.isTrusted(a) {
			break
		}
	}
	return a
}

func (s *Server) healthz(c *fiber.Ctx) error { return c.JSON(fiber.Map{"status": "ok"}) }

func (s *Server) readyz(c *fiber.Ctx) error {
	ctx, cancel := context.WithTimeout(c.UserContext(), 5*time.Second)
	defer cancel()
	if err := s.cfg.Ready(ctx); err != nil {
		s.cfg.Log.Warn("not ready", "error", err)
		return cloud.Errorf(cloud.CodeUnavailable, "not ready")
	}
	return c.JSON(fiber.Map{"status": "ready"})
}

func (s *Server) version(c *fiber.Ctx) error { return c.JSON(fiber.Map{"version": s.cfg.Version}) }

// statusText is net/http's text of a status.
func statusText(status int) string {
	if t := http.StatusText(status); t != "" {
		return t
	}
	return "Error"
}

// Routes lists what the server answers, for tests that look at every route.
func (s *Server) Routes() []fiber.Route { return s.app.GetRoutes(true) }

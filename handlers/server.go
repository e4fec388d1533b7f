// Package handlers speaks HTTP: it wires the JSON API, the dashboard and the scripts' requests, each a
// package of its own, to one server with its limits, and answers for static files, health and metrics itself.
// Nothing of Fiber goes below these packages: what a request carries is copied here, since Fiber uses its
// buffers again once a handler has returned.
package handlers

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"picloud/handlers/admin"
	"picloud/handlers/api"
	"picloud/handlers/edge"
	"picloud/handlers/ingress"
	"picloud/handlers/tail"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/internal/orchestrator"
	"picloud/internal/services/kv"
)

// Timeouts and limits of the server.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 30 * time.Second
	readyTimeout  = 5 * time.Second // of the checks behind /readyz
	maxHeaders    = 32 << 10        // bytes; badRequest names the number
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
	// MaxBody bounds the body of a script's request, in bytes.
	MaxBody int
	// ScriptTimeout and ScriptMemory (MiB) are the limits of scripts that have none of their own, as the
	// editor shows them.
	ScriptTimeout time.Duration
	ScriptMemory  int
	// AdminHost, if set, is the only host of /admin and /api; scripts answer on every other.
	AdminHost string
	// NoAdmin is set where dashboard and API answer at another process; NoScripts where endpoints do.
	NoAdmin, NoScripts bool
	// TrustedProxies may say for whom they ask: their X-Forwarded headers count.
	TrustedProxies []netip.Prefix
	// BodyBudget is how many bytes of memory the bodies of requests and answers may take.
	BodyBudget int64
	// CursorKey signs the cursors of lists and the tokens of forms.
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
type SandboxStats = admin.SandboxStats

// Server is the HTTP side of PiCloud.
type Server struct {
	cfg  Config
	edge *edge.Edge
	app  *fiber.App
	api  *api.Server // for its description; the dashboard and the ingress are known to the router alone
}

// New builds the server; Serve starts it.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, edge: newEdge(cfg)}

	s.app = fiber.New(fiber.Config{
		DisableStartupMessage: true,
		Immutable:             true,
		CaseSensitive:         true,
		StrictRouting:         true,
		StreamRequestBody:     true,
		BodyLimit:             1 << 40, // the body is a stream; edge.ReadBody sets the limit and answers 413
		ReadBufferSize:        maxHeaders,
		ReadTimeout:           headerTimeout,
		IdleTimeout:           ingress.IdleTimeout,
		ErrorHandler:          s.edge.HandleError,
		RequestMethods:        methods,
	})

	setUp(s.app.Server())
	s.route()
	return s
}

func newEdge(cfg Config) *edge.Edge {
	return edge.New(edge.Config{
		Manager:        cfg.Manager,
		Auth:           cfg.Auth,
		IDs:            cfg.IDs,
		Log:            cfg.Log,
		AdminHost:      cfg.AdminHost,
		NoAdmin:        cfg.NoAdmin,
		NoScripts:      cfg.NoScripts,
		TrustedProxies: cfg.TrustedProxies,
		BodyBudget:     cfg.BodyBudget,
		SigningKey:     cfg.CursorKey,
	})
}

// setUp makes the server below Fiber answer as this package does, and send no header of its own.
func setUp(srv *fasthttp.Server) {
	srv.HeaderReceived = func(*fasthttp.RequestHeader) fasthttp.RequestConfig {
		return fasthttp.RequestConfig{ReadTimeout: bodyTimeout}
	}
	srv.NoDefaultContentType = true
	srv.NoDefaultServerHeader = true
	srv.NoDefaultDate = true
	srv.ErrorHandler = badRequest

	route := srv.Handler
	srv.Handler = func(ctx *fasthttp.RequestCtx) {
		if fault := faultOf(ctx); fault != nil {
			fault.answer(ctx)
		} else {
			route(ctx)
		}
		setDate(ctx)
	}
}

// route is the table of what answers where. The order counts: scripts have what nothing before them takes.
func (s *Server) route() {
	live := tail.Stream{Edge: s.edge, Auth: s.cfg.Auth, Orchestrator: s.cfg.Orchestrator}

	s.app.Use(s.recoverPanic, s.accountBodies)
	s.app.Get("/healthz", s.healthz)
	s.app.Get("/readyz", s.readyz)
	s.app.Get("/version", s.version)
	s.app.Get("/metrics", s.metrics)

	admin.New(admin.Config{
		Edge:          s.edge,
		Tail:          live,
		Manager:       s.cfg.Manager,
		Orchestrator:  s.cfg.Orchestrator,
		KV:            s.cfg.KV,
		Version:       s.cfg.Version,
		Node:          s.cfg.Node,
		PublicURL:     s.cfg.PublicURL,
		AdminHost:     s.cfg.AdminHost,
		ScriptTimeout: s.cfg.ScriptTimeout,
		ScriptMemory:  s.cfg.ScriptMemory,
		Sandbox:       s.cfg.Sandbox,
		Assets:        assets(),
	}).Register(s.app)

	s.app.Get("/static/:file", s.edge.AdminHostOnly, staticFile)
	s.api = api.New(s.app, api.Config{
		Edge:         s.edge,
		Tail:         live,
		Auth:         s.cfg.Auth,
		Manager:      s.cfg.Manager,
		Orchestrator: s.cfg.Orchestrator,
		KV:           s.cfg.KV,
		Version:      s.cfg.Version,
		Node:         s.cfg.Node,
	})

	s.app.Use(ingress.New(ingress.Config{
		Edge:         s.edge,
		Auth:         s.cfg.Auth,
		Orchestrator: s.cfg.Orchestrator,
		MaxBody:      s.cfg.MaxBody,
	}).Serve)
}

// Serve answers on a listener until Shutdown.
func (s *Server) Serve(l net.Listener) error {
	return s.app.Listener(pacedListener{&retryListener{Listener: l, log: s.cfg.Log}})
}

// Shutdown closes the listener and waits for the requests in progress, at most until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error { return s.app.ShutdownWithContext(ctx) }

// API is the OpenAPI description.
func (s *Server) API() *huma.OpenAPI { return s.api.OpenAPI() }

// Routes lists what the server answers, for tests that look at every route.
func (s *Server) Routes() []fiber.Route { return s.app.GetRoutes(true) }

// accountBodies gives back the memory of a request's body when the request is over, and that of the answer's
// when the caller has it.
func (s *Server) accountBodies(c *fiber.Ctx) error {
	defer s.settleBodies(c) // after a panic as well
	return c.Next()
}

func (s *Server) settleBodies(c *fiber.Ctx) {
	read := edge.ReleaseBody(c.Context())

	conn, ok := c.Context().Conn().(*pacedConn)
	if !ok {
		return
	}
	if sent := s.edge.ChargeAnswer(c); sent != nil {
		conn.afterAnswer(sent)
	}
	conn.linger(!read && c.Request().IsBodyStream())
}

// recoverPanic turns a programmer's mistake into the answer of an internal error: one request fails, not the
// node.
func (s *Server) recoverPanic(c *fiber.Ctx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.cfg.Log.Error("panic in handler", "path", c.Path(), "panic", p)
			err = cloud.Errorf(cloud.CodeInternal, "internal error")
		}
	}()
	return c.Next()
}

// Package api is the JSON API: one huma operation per thing that can be done, a file for each noun. It checks
// what a caller sends, asks the manager, the orchestrator or the KV store, and shows what they answer. It
// decides nothing about apps, scripts or events itself, and knows no page.
package api

import (
	"bytes"
	"context"
	"net/netip"
	"runtime"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/gofiber/fiber/v2"

	"picloud/handlers/edge"
	"picloud/handlers/tail"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/fairshare"
	"picloud/internal/manager"
	"picloud/internal/orchestrator"
	"picloud/internal/services/kv"
)

// maxAPIBody bounds the body of an operation, in bytes.
const maxAPIBody = 8 << 20

// Config is what the API needs.
type Config struct {
	*edge.Edge
	Tail         tail.Stream
	Auth         *auth.Authenticator
	Manager      *manager.Manager
	Orchestrator *orchestrator.Orchestrator
	KV           *kv.Store
	Version      string
	// Node is the name of the node that answers.
	Node string
}

// Server answers the operations.
type Server struct {
	Config
	app *fiber.App // for the one operation that huma cannot serve
	// lists are the turns of the users whose lists are made now.
	lists *fairshare.Pool[int64]
	api   huma.API
}

// New registers every operation below /api. The literal list is here, one function a noun.
func New(app *fiber.App, cfg Config) *Server {
	useProblems()
	s := &Server{Config: cfg, app: app, lists: newListTurns(runtime.NumCPU())}
	app.Use("/api", s.AdminHostOnly, s.authenticate, s.readBody)
	s.api = humafiber.New(app, description(cfg.Version))

	for _, register := range []func(){
		s.authAPI,
		s.appsAPI,
		s.scriptsAPI,
		s.routesAPI,
		s.triggersAPI,
		s.kvAPI,
		s.variablesAPI,
		s.outboxAPI,
		s.deadLettersAPI,
		s.executionsAPI,
		s.statsAPI,
		s.tailAPI,
		s.membersAPI,
		s.usersAPI,
		s.keysAPI,
		s.auditAPI,
		s.nodesAPI,
		s.doctorAPI,
	} {
		register()
	}

	app.Use("/api", func(*fiber.Ctx) error { return cloud.Errorf(cloud.CodeNotFound, "no such API address") })
	return s
}

// OpenAPI is the description of the operations.
func (s *Server) OpenAPI() *huma.OpenAPI { return s.api.OpenAPI() }

// description is the head of the OpenAPI document, and how huma serves it.
func description(version string) huma.Config {
	cfg := huma.DefaultConfig("PiCloud", version)
	cfg.OpenAPIPath = "/api/v1/openapi"
	cfg.DocsPath = ""
	cfg.SchemasPath = "/api/v1/schemas"
	cfg.CreateHooks = nil // no $schema members in answers

	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {
			Type:        "http",
			Scheme:      "bearer",
			Description: "An API key (pic_...) or a session token (pcs_...).",
		},
	}
	cfg.Security = []map[string][]string{{"bearer": {}}}
	return cfg
}

// maxOpenBody bounds the body where no credential is asked for, in bytes: a login.
const maxOpenBody = 64 << 10

// readBody reads the whole body, so that the operations find it in memory.
func (s *Server) readBody(c *fiber.Ctx) error {
	limit := maxAPIBody
	if isOpen(c.Path()) {
		limit = maxOpenBody
	}

	body, err := s.ReadBody(c, limit)
	if err != nil {
		return err
	}
	c.Request().SetBodyStream(bytes.NewReader(body), len(body))
	return c.Next()
}

// contextKey is the type of this package's context keys.
type contextKey int

const (
	callerKey    contextKey = iota // the *auth.Principal
	appCallerKey                   // the *edge.AppCaller, in operations in an app
	clientKey                      // the client's address
)

// authenticate finds out who calls, for every address of the API but login and the description.
func (s *Server) authenticate(c *fiber.Ctx) error {
	ctx := context.WithValue(c.UserContext(), clientKey, s.Client(c))
	c.SetUserContext(ctx)
	c.Set("Cache-Control", "no-store")
	c.Set("X-Content-Type-Options", "nosniff")
	if isOpen(c.Path()) {
		return c.Next()
	}

	token, ok := auth.BearerToken(c.Get("Authorization"))
	if !ok {
		return cloud.Errorf(cloud.CodeUnauthorized,
			"log in at /api/v1/auth/login, or use an API key: Authorization: Bearer <token or key>")
	}

	p, err := s.Auth.Authenticate(ctx, token)
	if err != nil {
		return err
	}
	c.SetUserContext(context.WithValue(ctx, callerKey, p))
	return c.Next()
}

// isOpen reports an address that answers without a credential.
func isOpen(path string) bool {
	return path == "/api/v1/auth/login" ||
		strings.HasPrefix(path, "/api/v1/openapi") ||
		strings.HasPrefix(path, "/api/v1/schemas")
}

// clientOf is the address that an operation is called from.
func clientOf(ctx context.Context) netip.Addr {
	client, _ := ctx.Value(clientKey).(netip.Addr)
	return client
}

// appCallerOf is who calls an operation in an app.
func appCallerOf(ctx context.Context) *edge.AppCaller {
	c, _ := ctx.Value(appCallerKey).(*edge.AppCaller)
	if c == nil {
		panic("API operation without an app") // appOp comes first
	}
	return c
}

// callerOf is who calls an operation.
func callerOf(ctx context.Context) *auth.Principal {
	p, _ := ctx.Value(callerKey).(*auth.Principal)
	if p == nil {
		panic("API operation without a caller") // authenticate comes first
	}
	return p
}

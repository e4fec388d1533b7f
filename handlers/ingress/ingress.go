// Package ingress answers the requests of scripts: /f/{app}/{script}, and routes. It decides who may call
// and how often, hands a copy of the request to the orchestrator, and writes what the script answers, at once
// or piece by piece, as long as the caller is there. It does not know how a run is made.
package ingress

import (
	"net/http"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/catalog"
	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
	"picloud/internal/ratelimit"
)

// IdleTimeout is how long a connection may rest between two requests. The server sets it, and the watch for a
// hang-up sets it again when it is done with the connection's read deadline.
const IdleTimeout = 75 * time.Second

// Config is what the ingress needs.
type Config struct {
	*edge.Edge
	Auth         *auth.Authenticator
	Orchestrator *orchestrator.Orchestrator
	// MaxBody bounds the body of a request, in bytes.
	MaxBody int
}

// Server answers the requests of scripts.
type Server struct {
	Config
	// rates counts the requests to what has a rate limit, by the id of its owner.
	rates *ratelimit.Limiter[cloud.ID]
	// apps counts the requests to apps that have a quota of them.
	apps *ratelimit.Limiter[cloud.AppID]
}

// New returns a Server.
func New(cfg Config) *Server {
	return &Server{Config: cfg, rates: ratelimit.New[cloud.ID](), apps: ratelimit.New[cloud.AppID]()}
}

// Serve answers everything that is not PiCloud's own.
func (s *Server) Serve(c *fiber.Ctx) error {
	ctx := c.Context()
	path := string(ctx.URI().PathOriginal())
	target, err := s.match(c, path)
	if err != nil {
		if path == "/" && edge.WantsHTML(c) && s.ServesAdmin(c) && cloud.CodeOf(err) == cloud.CodeNotFound {
			// A person who opens the address in a browser looks for the dashboard.
			return c.Redirect("/admin", http.StatusSeeOther)
		}
		return err
	}

	principal, refusal := s.admit(c, target)
	if err := s.limitRate(c, target, refusal != nil); err != nil {
		return err
	}
	if refusal != nil {
		return refusal
	}
	if err := s.limitApp(target.App); err != nil {
		return err
	}

	if err := s.CheckRoom(c); err != nil {
		return err
	}
	body, err := s.ReadBody(c, s.MaxBody)
	if err != nil {
		return err
	}

	watch := newHangupWatch(ctx.Conn())
	defer watch.stop()
	call := &orchestrator.HTTPCall{
		Caller:    watch,
		Target:    target,
		Request:   s.request(c, path, body),
		Principal: principal.Cloud(),
		Stream:    ctx.Request.Header.IsHTTP11() && !ctx.IsHead(), // a body of unknown length is chunked
	}

	if key := ctx.Request.Header.Peek("Idempotency-Key"); key != nil {
		call.IdempotencyKey = string(key)
		if !orchestrator.ValidIdempotencyKey(call.IdempotencyKey) {
			return cloud.Errorf(cloud.CodeInvalid, "Idempotency-Key has 1 to 255 visible ASCII characters")
		}
	}
	if err := s.wishes(c, call, principal); err != nil {
		return err
	}

	reply := s.Orchestrator.Requests.ServeHTTP(c.UserContext(), call)
	if reply.HungUp {
		ctx.SetConnectionClose()
		return nil
	}
	if reply.Failure != nil && !s.mayReadScript(c, principal, target) {
		hideError(reply)
	}
	return s.send(c, reply)
}

// match finds the script that answers a path.
func (s *Server) match(c *fiber.Ctx, path string) (*catalog.Target, error) {
	if !s.ServesScripts(c) {
		return nil, cloud.Errorf(cloud.CodeNotFound, "nothing answers at this address")
	}

	if rest, ok := strings.CutPrefix(path, "/f/"); ok {
		app, rest, _ := strings.Cut(rest, "/")
		script, _, _ := strings.Cut(rest, "/")
		return s.Orchestrator.Catalog.MatchScript(app, script)
	}

	if cloud.ReservedPath(path) {
		return nil, cloud.Errorf(cloud.CodeNotFound, "nothing answers at this address")
	}
	target, _, err := s.Orchestrator.Catalog.MatchRoute(string(c.Context().Method()), s.Host(c), path)
	return target, err
}

// admit decides who may call a script: nil for anybody. Only a Bearer token counts; the dashboard's cookie
// never does.
func (s *Server) admit(c *fiber.Ctx, target *catalog.Target) (*auth.Principal, error) {
	access := target.Script.Access
	header := string(c.Context().Request.Header.Peek("Authorization"))
	token, bearer := auth.BearerToken(header)
	if !bearer || !auth.IsOwnToken(token) { // what is not PiCloud's is the script's to read
		if access == cloud.AccessPublic {
			return nil, nil
		}
		return nil, cloud.Errorf(cloud.CodeUnauthorized,
			"this endpoint needs a credential: Authorization: Bearer <API key or token>")
	}

	p, err := s.Auth.Authenticate(c.UserContext(), token)
	if err != nil || access == cloud.AccessPublic {
		return p, err
	}

	if access == cloud.AccessKey && !p.Key {
		return nil, cloud.Errorf(cloud.CodeForbidden,
			"this endpoint takes API keys with the scope scripts:run")
	}

	if err := s.mayRun(c, p, target); err != nil {
		if cloud.CodeOf(err) == cloud.CodeNotFound {
			return nil, cloud.Errorf(cloud.CodeForbidden, "this credential is not for this app")
		}
		return nil, err
	}
	return p, nil
}

func (s *Server) mayRun(c *fiber.Ctx, p *auth.Principal, target *catalog.Target) error {
	role, err := s.Auth.AppRole(c.UserContext(), p, target.AppID())
	if err != nil {
		return err
	}
	return p.May(auth.RunScripts, role, target.AppID())
}

// mayReadScript reports whether a caller may see what the script throws. While that cannot be found out he
// may not.
func (s *Server) mayReadScript(c *fiber.Ctx, p *auth.Principal, target *catalog.Target) bool {
	if p == nil {
		return false
	}
	role, err := s.Auth.AppRole(c.UserContext(), p, target.AppID())
	return err == nil && p.May(auth.ReadScripts, role, target.AppID()) == nil
}

// wishes honours Prefer and X-PiCloud-Dispatch for callers whose credential may run the script; others are
// served sync.
func (s *Server) wishes(c *fiber.Ctx, call *orchestrator.HTTPCall, p *auth.Principal) error {
	async := strings.Contains(strings.ToLower(c.Get("Prefer")), "respond-async")
	outbox := strings.EqualFold(c.Get("X-PiCloud-Dispatch"), "outbox")
	if !async && !outbox || p == nil {
		return nil
	}

	err := s.mayRun(c, p, call.Target)
	switch {
	case err == nil:
		call.Async = async
		call.Outbox = outbox
		return nil
	case cloud.StatusOf(cloud.CodeOf(err)) >= http.StatusInternalServerError:
		return err
	default:
		return nil
	}
}

package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"picloud/internal/cloud"
	"picloud/views"
)

// problemType is the media type of RFC 9457.
const problemType = "application/problem+json"

// problem is a problem document (RFC 9457) with PiCloud's code, and the execution it is about.
type problem struct {
	Status    int
	Detail    string
	Code      string
	Execution string
	Details   map[string]any
}

// MarshalJSON puts the details beside the standard members.
func (p *problem) MarshalJSON() ([]byte, error) {
	m := maps.Clone(p.Details)
	if m == nil {
		m = map[string]any{}
	}
	m["type"] = "urn:picloud:problem:" + p.Code
	m["title"] = statusText(p.Status)
	m["status"] = p.Status
	m["detail"] = p.Detail
	m["code"] = p.Code
	if p.Execution != "" {
		m["execution_id"] = p.Execution
	}
	return json.Marshal(m)
}

// Error, GetStatus and ContentType make a problem what huma sends.
func (p *problem) Error() string             { return p.Code + ": " + p.Detail }
func (p *problem) GetStatus() int            { return p.Status }
func (p *problem) ContentType(string) string { return problemType }

func encodeProblem(p *problem) []byte {
	b, err := json.Marshal(p)
	if err != nil {
		return []byte(`{"status":500}`)
	}
	return b
}

// problemOf turns any error into what the caller may see. Internal ones are logged under an id that the caller is given.
func (s *Server) problemOf(err error) *problem {
	var ce *cloud.Error
	var fe *fiber.Error
	var p *problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &ce) && ce.Code != cloud.CodeInternal:
		if ce.Code == cloud.CodeUnavailable && errors.Unwrap(ce) != nil {
			s.cfg.Log.Warn("unavailable", "error", err)
		}
		return &problem{Status: cloud.StatusOf(ce.Code), Detail: ce.Message, Code: string(ce.Code), Details: ce.Details}
	case errors.As(err, &fe):
		return &problem{Status: fe.Code, Detail: statusText(fe.Code), Code: strings.ToLower(strings.ReplaceAll(statusText(fe.Code), " ", "-"))}
	default:
		id := s.cfg.IDs.New().String()
		s.cfg.Log.Error("internal error", "id", id, "error", err)
		return &problem{Status: 500, Detail: "internal error; the server's log has it under " + id, Code: string(cloud.CodeInternal)}
	}
}

// handleError is the one place where errors become responses: JSON, or HTML for browsers.
func (s *Server) handleError(c *fiber.Ctx, err error) error {
	return s.sendProblem(c, s.problemOf(err))
}

func (s *Server) sendProblem(c *fiber.Ctx, p *problem) error {
	switch p.Status {
	case fiber.StatusServiceUnavailable:
		if len(c.Response().Header.Peek("Retry-After")) == 0 {
			c.Set("Retry-After", "1")
		}
	case fiber.StatusUnauthorized:
		c.Set("WWW-Authenticate", `Bearer realm="picloud"`)
	case fiber.StatusMethodNotAllowed:
		if allow, ok := p.Details["allow"].([]string); ok {
			c.Set("Allow", strings.Join(allow, ", "))
		}
	}
	c.Status(p.Status)
	c.Set("X-Content-Type-Options", "nosniff")
	c.Set("Cache-Control", "no-store")
	if c.Get("HX-Request") == "true" && strings.HasPrefix(c.Path(), "/admin/") {
		return sendNotice(c, p)
	}
	if wantsHTML(c) {
		var b bytes.Buffer
		vm := views.ErrorPage{Status: p.Status, Title: statusText(p.Status), Detail: p.Detail, Execution: p.Execution}
		if strings.HasPrefix(c.Path(), "/admin") {
			vm.Home = "/admin"
		}
		if err := views.Error(vm).Render(c.UserContext(), &b); err != nil {
			return err
		}
		c.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		c.Set("Content-Type", "text/html; charset=utf-8")
		return c.Send(b.Bytes())
	}
	c.Set("Content-Type", problemType)
	return c.Send(encodeProblem(p))
}

// sendNotice shows a problem at the top of the page whose piece was asked for.
func sendNotice(c *fiber.Ctx, p *problem) error {
	var b bytes.Buffer
	if err := views.Notice(p.Detail).Render(c.UserContext(), &b); err != nil {
		return err
	}
	c.Set("HX-Retarget", "#content")
	c.Set("HX-Reswap", "afterbegin show:window:top")
	c.Set("Content-Type", "text/html; charset=utf-8")
	return c.Send(b.Bytes())
}

// wantsHTML reports a browser: it names text/html and prefers nothing of JSON to it.
func wantsHTML(c *fiber.Ctx) bool {
	accept := c.Get("Accept")
	return strings.Contains(accept, "text/html") && !strings.HasPrefix(c.Path(), "/api/")
}

func retryAfter(c *fiber.Ctx, seconds int) {
	if seconds > 0 {
		c.Set("Retry-After", strconv.Itoa(seconds))
	}
}

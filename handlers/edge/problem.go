package edge

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"picloud/internal/cloud"
	"picloud/views"
)

// ProblemType is the media type of RFC 9457.
const ProblemType = "application/problem+json"

// Problem is a problem document (RFC 9457) with PiCloud's code, and the execution it is about.
type Problem struct {
	Status int
	// Detail is for people: what is wrong and, where there is something to do, what mends it.
	Detail string
	// Code is for programs.
	Code string
	// Execution is the id of the run that failed, if one did.
	Execution string
	// Details stand beside the standard members, such as the line of a compile error.
	Details map[string]any
}

// MarshalJSON puts the details beside the standard members.
func (p *Problem) MarshalJSON() ([]byte, error) {
	m := maps.Clone(p.Details)
	if m == nil {
		m = map[string]any{}
	}

	m["type"] = "urn:picloud:problem:" + p.Code
	m["title"] = StatusText(p.Status)
	m["status"] = p.Status
	m["detail"] = p.Detail
	m["code"] = p.Code
	if p.Execution != "" {
		m["execution_id"] = p.Execution
	}
	return json.Marshal(m)
}

// Error, GetStatus and ContentType make a problem what huma sends.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is ProblemType, whatever was negotiated.
func (p *Problem) ContentType(string) string { return ProblemType }

// GetHeaders are the headers that belong to a problem, as huma and SendProblem send them: after how many
// seconds the caller may come again.
func (p *Problem) GetHeaders() http.Header {
	seconds := cloud.RetryAfter(p.Status, cloud.Code(p.Code))
	if p.Status == http.StatusTooManyRequests {
		seconds, _ = p.Details["retry_after"].(int)
		seconds = max(seconds, 1)
	}

	h := http.Header{}
	if seconds > 0 {
		h.Set("Retry-After", strconv.Itoa(seconds))
	}
	return h
}

// EncodeProblem is the document as it is sent.
func EncodeProblem(p *Problem) []byte {
	b, err := json.Marshal(p)
	if err != nil {
		return []byte(`{"status":500}`)
	}
	return b
}

// ProblemOf turns any error into what the caller may see. Internal ones are logged under an id that the
// caller is given.
func (e *Edge) ProblemOf(err error) *Problem {
	var known *cloud.Error
	var routing *fiber.Error

	var p *Problem
	switch {
	case errors.As(err, &p):
		return p

	case errors.As(err, &known) && known.Code != cloud.CodeInternal:
		if known.Code == cloud.CodeUnavailable && errors.Unwrap(known) != nil {
			e.cfg.Log.Warn("unavailable", "error", err)
		}
		return &Problem{
			Status:  cloud.StatusOf(known.Code),
			Detail:  known.Message,
			Code:    string(known.Code),
			Details: known.Details,
		}

	case errors.As(err, &routing):
		text := StatusText(routing.Code)
		return &Problem{
			Status: routing.Code,
			Detail: text,
			Code:   strings.ToLower(strings.ReplaceAll(text, " ", "-")),
		}

	default:
		id := e.cfg.IDs.New().String()
		e.cfg.Log.Error("internal error", "id", id, "error", err)
		return &Problem{
			Status: http.StatusInternalServerError,
			Detail: "internal error; the server's log has it under " + id,
			Code:   string(cloud.CodeInternal),
		}
	}
}

// HandleError is the one place where errors become responses: JSON, or HTML for browsers.
func (e *Edge) HandleError(c *fiber.Ctx, err error) error {
	return SendProblem(c, e.ProblemOf(err))
}

// SendProblem answers with a problem: a notice for a piece of a dashboard page, a page for a browser, else
// the document.
func SendProblem(c *fiber.Ctx, p *Problem) error {
	if after := p.GetHeaders().Get("Retry-After"); len(c.Response().Header.Peek("Retry-After")) == 0 &&
		after != "" {
		c.Set("Retry-After", after)
	}

	switch p.Status {
	case http.StatusUnauthorized:
		c.Set("WWW-Authenticate", `Bearer realm="picloud"`)
	case http.StatusMethodNotAllowed:
		if allow, ok := p.Details["allow"].([]string); ok {
			c.Set("Allow", strings.Join(allow, ", "))
		}
	}

	c.Status(p.Status)
	c.Set("X-Content-Type-Options", "nosniff")
	c.Set("Cache-Control", "no-store")

	switch {
	case c.Get("HX-Request") == "true" && strings.HasPrefix(c.Path(), "/admin/"):
		return sendNotice(c, p)
	case WantsHTML(c):
		return sendErrorPage(c, p)
	default:
		c.Set("Content-Type", ProblemType)
		return c.Send(EncodeProblem(p))
	}
}

// sendErrorPage shows a problem to a browser. The page loads nothing and runs nothing.
func sendErrorPage(c *fiber.Ctx, p *Problem) error {
	page := views.ErrorPage{
		Status:    p.Status,
		Title:     StatusText(p.Status),
		Detail:    p.Detail,
		Execution: p.Execution,
	}

	if strings.HasPrefix(c.Path(), "/admin") {
		page.Home = "/admin"
	}
	var b bytes.Buffer
	if err := views.Error(page).Render(c.UserContext(), &b); err != nil {
		return err
	}

	c.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	c.Set("Content-Type", "text/html; charset=utf-8")
	return c.Send(b.Bytes())
}

// sendNotice shows a problem at the top of the page whose piece was asked for.
func sendNotice(c *fiber.Ctx, p *Problem) error {
	var b bytes.Buffer
	if err := views.Notice(p.Detail).Render(c.UserContext(), &b); err != nil {
		return err
	}

	c.Set("HX-Retarget", "#content")
	c.Set("HX-Reswap", "afterbegin show:window:top")
	c.Set("Content-Type", "text/html; charset=utf-8")
	return c.Send(b.Bytes())
}

// WantsHTML reports a browser: it names text/html. The API answers it with JSON all the same.
func WantsHTML(c *fiber.Ctx) bool {
	accept := c.Get("Accept")
	return strings.Contains(accept, "text/html") && !strings.HasPrefix(c.Path(), "/api/")
}

// StatusText is net/http's text of a status.
func StatusText(status int) string {
	if t := http.StatusText(status); t != "" {
		return t
	}
	return "Error"
}

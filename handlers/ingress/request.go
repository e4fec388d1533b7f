package ingress

import (
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
)

// droppedFromRequest never reach a script: they belong to one connection (RFC 9110, 7.6.1), or were rebuilt
// here.
var droppedFromRequest = []string{
	"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te",
	"trailer", "transfer-encoding", "upgrade",
	"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "x-real-ip",
}

// request copies what the caller sent, without PiCloud's own credentials.
func (s *Server) request(c *fiber.Ctx, path string, body []byte) *cloud.Request {
	ctx := c.Context()
	r := &cloud.Request{Method: c.Method(), Body: body}

	scheme := "http"
	if ctx.IsTLS() {
		scheme = "https"
	}

	if s.FromTrustedProxy(c) {
		if forwarded := edge.Forwarded(c, "X-Forwarded-Proto"); forwarded == "https" || forwarded == "http" {
			scheme = forwarded
		}
	}

	r.URL = scheme + "://" + s.authority(c) + path
	if query := ctx.URI().QueryString(); len(query) > 0 {
		r.URL += "?" + string(query)
	}

	r.Headers = make([]cloud.Header, 0, ctx.Request.Header.Len()+1)

	for k, v := range ctx.Request.Header.All() {
		name := string(k)
		value := string(v)

		switch lower := strings.ToLower(name); {
		case slices.Contains(droppedFromRequest, lower):
			continue
		case lower == "authorization" && auth.HasOwnCredential(value):
			continue
		case lower == "host": // an absolute target counts instead (RFC 9112, 3.2.2)
			value = string(ctx.Host())
		case lower == "cookie":
			if value = withoutOwnCookies(value); value == "" {
				continue
			}
		}
		r.Headers = append(r.Headers, cloud.Header{Name: name, Value: value})
	}

	r.Headers = append(r.Headers, cloud.Header{Name: "X-Forwarded-For", Value: s.Client(c).String()})
	return r
}

// authority is the host of a script's URL. HTTP/1.0 may name none, and an URL without one would be read as if
// the first part of the path were it: the address that was called stands there then (RFC 9110, 7.1).
func (s *Server) authority(c *fiber.Ctx) string {
	if named := s.Authority(c); len(named) > 0 {
		return string(named)
	}
	return c.Context().LocalAddr().String()
}

// withoutOwnCookies is a Cookie header without the dashboard's session, "" if nothing else is in it.
func withoutOwnCookies(header string) string {
	var kept []string
	for part := range strings.SplitSeq(header, ";") {
		part = strings.TrimSpace(part)
		name, _, _ := strings.Cut(part, "=")
		if part != "" && !edge.IsOwnCookie(name) {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "; ")
}

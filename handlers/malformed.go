package handlers

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"picloud/handlers/edge"
)

// methods are what a request may have; the router knows no others.
var methods = append(slices.Clone(fiber.DefaultMethods), "PROPFIND", "REPORT", "SEARCH")

// fault is why a request never reaches the router.
type fault struct {
	status int
	detail string
	// framed says that the body ends where the header says, so that the connection can take another request.
	framed bool
}

// faultOf looks for what fasthttp lets pass and RFC 9110 and 9112 do not, nil for nothing. A proxy may read
// such a request otherwise than a script would: then who checked it and who answers it saw two requests.
func faultOf(ctx *fasthttp.RequestCtx) *fault {
	h := &ctx.Request.Header
	switch {
	case !strings.HasPrefix(string(h.Protocol()), "HTTP/1."):
		return &fault{status: http.StatusHTTPVersionNotSupported, detail: "this server speaks HTTP/1.1"}
	case !slices.Contains(methods, string(ctx.Method())):
		return &fault{
			status: http.StatusBadRequest,
			detail: "this method is not known here; known are " + strings.Join(methods, ", "),
			framed: true,
		}
	case !validNames(h):
		return &fault{status: http.StatusBadRequest, detail: "the name of a header has a space"}
	case len(h.Host()) > 0 && !edge.ValidHost(string(h.Host())):
		return &fault{
			status: http.StatusBadRequest,
			detail: "the header Host must be a name or an address, with or without a port, and nothing else",
		}
	case !validTarget(string(h.RequestURI())):
		return &fault{
			status: http.StatusBadRequest,
			detail: "the target of a request must be a path, or an address of the form http://host/path",
		}
	case !expectsContinue(h):
		return &fault{
			status: http.StatusExpectationFailed,
			detail: "the only expectation that can be met is Expect: 100-continue",
		}
	default:
		return nil
	}
}

// validNames reports whether no name of a header has a space. fasthttp refuses all other characters that do
// not belong there.
func validNames(h *fasthttp.RequestHeader) bool {
	for name := range h.All() {
		if bytes.IndexByte(name, ' ') >= 0 {
			return false
		}
	}
	return true
}

// validTarget reports whether the target of a request is a path, an absolute address of this server, or "*".
// Where "://" follows a doubled slash, fasthttp would take the host from there.
func validTarget(target string) bool {
	scheme, rest, absolute := strings.Cut(target, "://")
	switch {
	case strings.HasPrefix(target, "//"):
		return !absolute
	case strings.HasPrefix(target, "/"), target == "*":
		return true
	case !absolute || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https"):
		return false
	}

	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	return edge.ValidHost(rest)
}

// expectsContinue reports whether a request expects nothing but 100-continue. In HTTP/1.0 there is no such
// header.
func expectsContinue(h *fasthttp.RequestHeader) bool {
	if !h.IsHTTP11() {
		return true
	}

	for _, line := range h.PeekAll(fasthttp.HeaderExpect) {
		for expectation := range strings.SplitSeq(string(line), ",") {
			expectation = strings.TrimSpace(expectation)
			if expectation != "" && !strings.EqualFold(expectation, "100-continue") {
				return false
			}
		}
	}
	return true
}

// badRequest answers what fasthttp could not read as a request.
func badRequest(ctx *fasthttp.RequestCtx, err error) {
	f := &fault{
		status: http.StatusBadRequest,
		detail: "the request could not be read: its first line or a header is malformed, or Host is missing",
	}
	var small *fasthttp.ErrSmallBuffer

	var netErr net.Error
	switch {
	case errors.As(err, &small):
		f.status = http.StatusRequestHeaderFieldsTooLarge
		f.detail = "the headers are over 32 KiB"
	case errors.As(err, &netErr) && netErr.Timeout():
		f.status = http.StatusRequestTimeout
		f.detail = "the request did not arrive in time"
	case len(ctx.Request.Header.RawHeaders()) > 0: // it was read, and is refused for what it says
		if known := faultOf(ctx); known != nil {
			f = known
			f.framed = false
		}
	}

	f.answer(ctx)
	setDate(ctx)
}

// answer sends the problem, and closes the connection if what follows could be read in two ways.
func (f *fault) answer(ctx *fasthttp.RequestCtx) {
	ctx.SetStatusCode(f.status)
	ctx.Response.Header.SetContentType(edge.ProblemType)
	ctx.SetBody(edge.EncodeProblem(&edge.Problem{Status: f.status, Detail: f.detail, Code: "malformed"}))
	if !f.framed {
		ctx.SetConnectionClose()
	}
}

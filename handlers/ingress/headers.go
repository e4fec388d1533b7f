package ingress

import (
	"strings"

	"github.com/valyala/fasthttp"

	"picloud/handlers/edge"
	"picloud/internal/cloud"
)

// sandboxPolicy keeps a script's page from acting as the dashboard, whatever its type.
const sandboxPolicy = "sandbox allow-scripts allow-forms allow-popups"

// copyHeaders writes a script's headers, but for those that are not a script's to set.
func (s *Server) copyHeaders(res *fasthttp.Response, headers []cloud.Header) {
	shared := s.SharesHost()

	for _, h := range headers {
		name := strings.ToLower(h.Name)
		if !edge.ValidHeader(name, h.Value) || neverLeaves(name) || shared && actsOnOrigin(name) {
			continue
		}
		if name == "set-cookie" && !mayLeaveCookie(h.Value) {
			continue
		}
		res.Header.Add(h.Name, h.Value)
	}

	if shared {
		res.Header.Add("Content-Security-Policy", sandboxPolicy)
		res.Header.Set("X-Content-Type-Options", "nosniff")
	}
}

// neverLeaves reports headers that are no script's to set on any host, by their name in lower case.
func neverLeaves(name string) bool {
	switch name {
	// They belong to one connection (RFC 9110, 7.6.1).
	case "connection", "keep-alive", "proxy-authenticate", "proxy-authentication-info", "proxy-authorization",
		"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings":
		return true

	// They are computed here.
	case "content-length", "x-execution-id", "idempotent-replayed":
		return true

	// They order the reverse proxy to answer with a file, or with another address, in place of this answer.
	case "x-accel-redirect", "x-sendfile", "x-lighttpd-send-file", "x-lighttpd-send-tempfile",
		"x-reproxy-url", "x-reproxy-file":
		return true
	default:
		return false
	}
}

// actsOnOrigin reports headers that a browser keeps, or applies to more than the answer that carries them.
// On the dashboard's host they would act on the dashboard. Policies of one document (Permissions-Policy,
// Refresh, Speculation-Rules) and what a cache knows of one address (No-Vary-Search) are none.
func actsOnOrigin(name string) bool {
	switch name {
	// What the browser stores for the origin, or for its whole site, and what empties that.
	case "set-cookie", "set-cookie2", "clear-site-data", "shared-storage-write", "activate-storage-access":
		return true

	// How the browser connects to the host from now on, and which certificates it takes.
	case "strict-transport-security", "public-key-pins", "public-key-pins-report-only", "expect-ct",
		"expect-staple", "alt-svc", "alternate-protocol":
		return true

	// Who is told which addresses of the origin were opened, and how that went.
	case "nel", "report-to", "reporting-endpoints", "observe-browsing-topics":
		return true

	// Which requests later pages of the origin send, and in which process and with which features they run.
	case "accept-ch", "accept-ch-lifetime", "critical-ch", "origin-agent-cluster", "origin-isolation",
		"origin-trial", "critical-origin-trial", "use-as-dictionary", "dictionary-id":
		return true

	// Whether somebody is logged in at the origin.
	case "set-login", "idp-signin-status":
		return true

	// Whose software answers: the same for every address of a host.
	case "server":
		return true
	}

	// Names that begin with Sec- are the browser's own. Among them are sessions that are bound to a device:
	// the browser would refresh the cookies of the origin at an address that the script names.
	for _, prefix := range []string{"sec-", "secure-session-", "service-worker-", "attribution-reporting-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// mayLeaveCookie reports whether a script may set a cookie: not by a name of PiCloud's own cookies, and not
// without a name. A browser sends a cookie without a name as its bare value, so that "=picloud=x" would come
// back as the cookie picloud (RFC 6265bis, 5.8.3). Nor with a control character, which some take for the end.
func mayLeaveCookie(value string) bool {
	pair, _, _ := strings.Cut(value, ";")
	name, _, named := strings.Cut(pair, "=")

	control := strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
	return named && !control && strings.TrimSpace(name) != "" && !edge.IsOwnCookie(name)
}

package ingress

import (
	"slices"
	"testing"

	"picloud/handlers/edge"
	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
)

// ownHosts gives scripts hosts of their own.
func ownHosts(cfg *edge.Config) { cfg.AdminHost = "admin.example" }

// leaves reports whether a header of a script's is sent, on a host of the scripts' own and on the dashboard's.
func leaves(t *testing.T, h cloud.Header) (own, shared bool) {
	t.Helper()
	sent := func(change func(*edge.Config)) bool {
		res := reply(t, newServer(change), &orchestrator.HTTPReply{
			Response: &cloud.Response{Status: 200, Headers: []cloud.Header{h}},
		})
		values := res.Header.Values(h.Name)
		if h.Name == "Set-Cookie" && len(values) > 0 && !slices.Contains(values, h.Value) {
			t.Errorf("%q was changed to %q", h.Value, values)
		}
		return slices.Contains(values, h.Value)
	}
	return sent(ownHosts), sent(nil)
}

// A script sets its headers, but none that belong to the connection or to PiCloud, none that would split
// the answer, and on the dashboard's host none that act on the dashboard.
func TestHeadersThatScriptsSet(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		header, value string
		own, shared   bool // whether it leaves on a host of the scripts' own, and on the dashboard's
	}{
		// They say something of the answer that carries them.
		{"X-Test", "a", true, true},
		{"Content-Type", "text/plain", true, true},
		{"Location", "/elsewhere", true, true},
		{"WWW-Authenticate", `Basic realm="shop"`, true, true},
		{"Cache-Control", "no-store", true, true},
		{"Link", "</a.css>; rel=preload", true, true},
		{"Permissions-Policy", "camera=()", true, true},
		{"Document-Policy", "force-load-at-top", true, true},
		{"Content-Security-Policy-Report-Only", "default-src 'self'", true, true},
		{"Cross-Origin-Opener-Policy", "same-origin", true, true},
		{"Access-Control-Allow-Origin", "*", true, true},
		{"Timing-Allow-Origin", "*", true, true},
		{"Supports-Loading-Mode", "credentialed-prerender", true, true},
		{"Speculation-Rules", `"/rules.json"`, true, true},
		{"No-Vary-Search", "params", true, true},
		{"Refresh", "1; url=/next", true, true},
		{"X-Accel-Buffering", "no", true, true},

		// They act on the whole origin, or on its site.
		{"Set-Cookie", "a=1", true, false},
		{"Set-Cookie2", "a=1; Version=1", true, false},
		{"Clear-Site-Data", `"cookies"`, true, false},
		{"Shared-Storage-Write", `clear`, true, false},
		{"Activate-Storage-Access", "load", true, false},
		{"Service-Worker-Allowed", "/", true, false},
		{"Service-Worker-Next", "/", true, false},
		{"Strict-Transport-Security", "max-age=1", true, false},
		{"Public-Key-Pins", "max-age=1", true, false},
		{"Public-Key-Pins-Report-Only", "max-age=1", true, false},
		{"Expect-CT", "max-age=1", true, false},
		{"Expect-Staple", "max-age=1", true, false},
		{"Alt-Svc", `h3=":443"`, true, false},
		{"Alternate-Protocol", "443:quic", true, false},
		{"NEL", `{"report_to":"x","max_age":1}`, true, false},
		{"nEl", `{"report_to":"x","max_age":1}`, true, false},
		{"Report-To", `{"group":"x"}`, true, false},
		{"Reporting-Endpoints", `x="https://elsewhere.example"`, true, false},
		{"Observe-Browsing-Topics", "?1", true, false},
		{"Accept-CH", "Sec-CH-UA-Model", true, false},
		{"Accept-CH-Lifetime", "1", true, false},
		{"Critical-CH", "Sec-CH-UA-Model", true, false},
		{"Origin-Agent-Cluster", "?1", true, false},
		{"Origin-Isolation", "?1", true, false},
		{"Origin-Trial", "token", true, false},
		{"Critical-Origin-Trial", "x", true, false},
		{"Use-As-Dictionary", `match="/*"`, true, false},
		{"Dictionary-ID", `"x"`, true, false},
		{"Set-Login", "logged-out", true, false},
		{"IdP-SignIn-Status", "action=signout-all", true, false},
		{"Secure-Session-Registration", `(ES256);path="/start"`, true, false},
		{"Sec-Session-Registration", `(ES256);path="/start"`, true, false},
		{"Secure-Session-Challenge", `"x"`, true, false},
		{"Sec-Session-Challenge", `"x"`, true, false},
		{"Sec-What-Browsers-Invent", "x", true, false},
		{"Attribution-Reporting-Register-Source", "{}", true, false},
		{"Server", "nginx", true, false},

		// They belong to the connection, to the proxy, or to PiCloud.
		{"Transfer-Encoding", "gzip", false, false},
		{"Connection", "close", false, false},
		{"Upgrade", "h2c", false, false},
		{"Proxy-Authenticate", "Basic", false, false},
		{"Proxy-Authentication-Info", "x", false, false},
		{"X-Accel-Redirect", "/internal", false, false},
		{"X-Sendfile", "/etc/passwd", false, false},
		{"X-Lighttpd-Send-File", "/etc/passwd", false, false},
		{"X-Reproxy-URL", "http://10.0.0.1/", false, false},
		{"Content-Length", "1", false, false},
		{"X-Execution-Id", "forged", false, false},
		{"Idempotent-Replayed", "true", false, false},

		// They are no headers.
		{"X-Bad", "a\r\nSet-Cookie: picloud=stolen", false, false},
		{"X Bad", "a", false, false},
		{"", "a", false, false},
	} {
		t.Run(c.header+" "+c.value, func(t *testing.T) {
			t.Parallel()
			own, shared := leaves(t, cloud.Header{Name: c.header, Value: c.value})
			if own != c.own || shared != c.shared {
				t.Errorf("sent on a host of its own: %v, want %v; on the dashboard's: %v, want %v",
					own, c.own, shared, c.shared)
			}
		})
	}
}

// On hosts of their own scripts set cookies, but none that comes back as the dashboard's: a cookie with a
// Domain is sent to the dashboard's host too. On the dashboard's host they set none.
func TestCookiesThatScriptsSet(t *testing.T) {
	t.Parallel()

	for value, want := range map[string]bool{
		"a=1":                              true,
		"a=":                               true,
		"a=1; Path=/; HttpOnly":            true,
		"a=picloud":                        true,
		"a=1; Domain=example":              true,
		"picloud2=a":                       true,
		"__Host-session=a; Path=/; Secure": true,
		"session[id]=a":                    true,
		"a=1; picloud=2":                   true, // an attribute that means nothing

		"picloud=stolen":                  false,
		"picloud=stolen; Domain=example":  false,
		"picloud=":                        false,
		" __Host-picloud =stolen; Path=/": false,
		"\tpicloud\t=stolen":              false,
		`"picloud"=stolen`:                false,
		"'picloud'=stolen":                true, // the quote is a character of names
		"\u00a0picloud=stolen":            false,
		"=picloud=stolen; Domain=example": false,
		" = picloud=stolen":               false,
		"\t=__Host-picloud=stolen":        false,
		"==picloud=stolen":                false,
		"=a":                              false,
		"picloud":                         false,
		"a":                               false,
		"":                                false,
		"; picloud=stolen":                false,
		"picloud\x01=stolen":              false,
		"a\x01picloud=stolen":             false,
		"a=1\x1fpicloud=stolen":           false,
		"a=1; Path=/\x7f":                 false,
	} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			own, shared := leaves(t, cloud.Header{Name: "Set-Cookie", Value: value})
			if own != want {
				t.Errorf("sent on a host of its own: %v, want %v", own, want)
			}
			if shared {
				t.Error("sent on the dashboard's host")
			}
		})
	}
}

// On the dashboard's host a script's page is in a sandbox, whatever policy of its own it sends.
func TestScriptPagesAreSandboxed(t *testing.T) {
	t.Parallel()
	page := &orchestrator.HTTPReply{Response: &cloud.Response{
		Status:  200,
		Body:    []byte("<html>"),
		Headers: []cloud.Header{{Name: "Content-Security-Policy", Value: "default-src *"}},
	}}
	res := reply(t, newServer(nil), page)
	if got := res.Header["Content-Security-Policy"]; !slices.Contains(got, sandboxPolicy) {
		t.Errorf("policies %q", got)
	}

	if res.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Error("a browser may guess the type")
	}

	res = reply(t, newServer(ownHosts), page)
	if got := res.Header["Content-Security-Policy"]; !slices.Equal(got, []string{"default-src *"}) {
		t.Errorf("on a host of its own: %q", got)
	}
}

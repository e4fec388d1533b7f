package fetch

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Redirect modes of a request (Fetch standard, 2.2.5). A manual one returns the redirect itself, as on
// Cloudflare.
const (
	follow = "follow"
	manual = "manual"
	refuse = "error"
)

var (
	errRedirect  = errors.New("it answered with a redirect, and the request's redirect mode is error")
	errRedirects = fmt.Errorf("it redirects more than %d times", MaxRedirects)
	errLocation  = errors.New("it redirects to what is not an http or https address")
	errUser      = errors.New("it redirects to an address with a username or password")
)

// redirects are the statuses that lead elsewhere (Fetch standard, 2.2.3).
var redirects = []int{
	http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect,
	http.StatusPermanentRedirect,
}

// do makes a request, and follows redirects as its mode says: any but manual and error does. Go's own client
// is not used for that: it tells each host the URL of the one before in a Referer, leaves credentials to
// other ports and to subdomains, and makes a GET of a PUT.
func do(transport http.RoundTripper, req *http.Request, mode string) (*http.Response, error) {
	for hops := 0; ; hops++ {
		res, err := transport.RoundTrip(req)
		if err != nil {
			return nil, err
		}

		location := res.Header.Get("Location")
		if mode == manual || location == "" || !slices.Contains(redirects, res.StatusCode) {
			return res, nil
		}

		next, err := redirected(req, res.StatusCode, location)
		switch {
		case mode == refuse:
			err = errRedirect
		case hops == MaxRedirects:
			err = errRedirects
		}

		discard(res.Body)
		if err != nil {
			return nil, err
		}
		req = next
	}
}

// discard reads what is left of a short body, so that its connection can be used again.
func discard(body io.ReadCloser) {
	const short = 2 << 10
	_, _ = io.CopyN(io.Discard, body, short)
	_ = body.Close()
}

// bodyHeaders are the fields that a redirect drops together with the body (Fetch standard, 4.4).
var bodyHeaders = []string{"Content-Encoding", "Content-Language", "Content-Location", "Content-Type"}

// credentials are the fields that are for one origin alone. The standard names Authorization; cookies belong
// to the browser there, and to the script here.
var credentials = []string{"Authorization", "Cookie"}

// redirected is the request that follows one which was redirected (Fetch standard, 4.4).
func redirected(req *http.Request, status int, location string) (*http.Request, error) {
	to, err := req.URL.Parse(location)
	switch {
	case err != nil || !isHTTP(to):
		return nil, errLocation
	case to.User != nil:
		return nil, errUser // a Request cannot have one either
	}

	next := req.Clone(req.Context())
	next.URL, next.Host = to, ""

	if becomesGet(req.Method, status) {
		next.Method, next.Body, next.GetBody, next.ContentLength = http.MethodGet, nil, nil, 0
		drop(next.Header, bodyHeaders)
	} else if req.GetBody != nil {
		if next.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
	}

	if !sameOrigin(req.URL, to) {
		drop(next.Header, credentials)
	}

	return next, nil
}

// becomesGet reports whether a redirect makes a GET without a body of a request.
func becomesGet(method string, status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound:
		return method == http.MethodPost
	case http.StatusSeeOther:
		return method != http.MethodGet && method != http.MethodHead
	default:
		return false
	}
}

func drop(header http.Header, names []string) {
	for _, name := range names {
		header.Del(name)
	}
}

func isHTTP(u *url.URL) bool { return (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" }

// sameOrigin compares scheme, host and port.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	default:
		return "80"
	}
}

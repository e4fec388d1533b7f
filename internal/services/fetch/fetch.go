// Package fetch makes the HTTP requests of scripts, from the parent process: a sandbox child has no network. It decides on
// the resolved address at the moment of dialling, for every connection anew, so that neither DNS nor a redirect leads inside.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"picloud/internal/cloud"
)

// Limits of one request, of one run, and of all runs of this process.
const (
	// MaxRedirects is how many redirects a request follows (Fetch standard, 4.4).
	MaxRedirects = 20
	maxHeader    = 64 << 10
	// maxPerRun bounds the requests of a run whose answers are waited for; more wait for their turn.
	maxPerRun = 16
	// maxOpen bounds the bodies that a run has not read to their end.
	maxOpen = 100
	// maxUnderWay bounds the requests of all runs whose answers are waited for.
	maxUnderWay = 256
	// wholeBody is the most bytes of a body that comes with its answer; a longer one, or one of unknown length, is read
	// piece by piece.
	wholeBody = 64 << 10
)

// Config is what a Fetcher needs.
type Config struct {
	// AllowPrivate lets scripts reach loopback and private networks, for development. Metadata addresses stay refused.
	AllowPrivate bool
	// MaxBody is the most bytes of a request's body and of a response's, the latter decompressed.
	MaxBody int
	Version string
}

// Fetcher makes requests. It is safe for concurrent use.
type Fetcher struct {
	cfg    Config
	guard  guard
	client *http.Client
	places chan struct{}
}

// New returns a Fetcher.
func New(cfg Config) *Fetcher {
	f := &Fetcher{cfg: cfg, guard: publicOnly(), places: make(chan struct{}, maxUnderWay)}
	if cfg.AllowPrivate {
		f.guard = notMetadata
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: f.control}
	f.client = &http.Client{
		Transport: &http.Transport{DialContext: dialer.DialContext, ForceAttemptHTTP2: true, MaxIdleConns: 256, MaxIdleConnsPerHost: 64,
			IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: maxHeader, Proxy: nil},
		CheckRedirect: redirect,
	}
	return f
}

// Redirect modes of a request (Fetch standard, 2.2.5). A manual one gives the redirect itself, as on Cloudflare.
const (
	follow = "follow"
	manual = "manual"
	refuse = "error"
)

type modeKey struct{}

var (
	errRedirect  = errors.New("it answered with a redirect, and the request's redirect mode is error")
	errRedirects = fmt.Errorf("it redirects more than %d times", MaxRedirects)
)

// aboutBody are the fields that a redirect drops together with the body (Fetch standard, 4.4).
var aboutBody = []string{"Content-Encoding", "Content-Language", "Content-Location", "Content-Type"}

func redirect(req *http.Request, via []*http.Request) error {
	switch req.Context().Value(modeKey{}) {
	case manual:
		return http.ErrUseLastResponse
	case refuse:
		return errRedirect
	}
	if len(via) > MaxRedirects {
		return errRedirects
	}
	if req.Method != via[0].Method {
		for _, name := range aboutBody {
			req.Header.Del(name)
		}
	}
	return nil
}

func fail(format string, args ...any) error {
	return &cloud.HostError{Name: "FetchError", Message: fmt.Sprintf(format, args...)}
}

func tooLarge(what string, limit int) error {
	return &cloud.HostError{Name: "LimitError", Message: fmt.Sprintf("the %s has more than the %d bytes that are allowed", what, limit)}
}

// explain says what went wrong without what it would tell of the network inside.
func explain(ctx context.Context, url string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	url = cloud.Shorten(url)
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, errRefused):
		return fail("fetch of %q: %s", url, errRefused)
	case errors.Is(err, errPort):
		return fail("fetch of %q: %s", url, errPort)
	case errors.Is(err, errRedirect):
		return fail("fetch of %q: %s", url, errRedirect)
	case errors.Is(err, errRedirects):
		return fail("fetch of %q: %s", url, errRedirects)
	case errors.As(err, &dns):
		return fail("fetch of %q: the host name does not resolve", url)
	case errors.As(err, &op) && op.Op == "dial":
		return fail("fetch of %q: the connection could not be made", url)
	default:
		return fail("fetch of %q failed: the connection ended, or what came is not HTTP", url)
	}
}

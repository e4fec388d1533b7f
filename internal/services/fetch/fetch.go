// Package fetch makes the HTTP requests of scripts from the parent process, since a sandbox child has no
// network. It decides on the resolved address at the moment of dialling, for every connection anew, so that
// neither DNS nor a redirect leads to a private address. It keeps nothing between runs but each app's own
// connections, and knows nothing of the script but its requests.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/fairshare"
)

// Limits of one request, of one run, and of all runs of this process.
const (
	// MaxRedirects is how many redirects a request follows (Fetch standard, 4.4).
	MaxRedirects = 20
	// maxHeader is the most bytes of a response's header.
	maxHeader = 64 << 10
	// maxPerRun bounds the requests of a run that wait for their response; more wait until one has it.
	maxPerRun = 16
	// maxOpen bounds the bodies that a run has not read to their end.
	maxOpen = 100
	// maxInFlight bounds the requests of all runs that wait for their response. One app has at most half of
	// them.
	maxInFlight = 512
	// wholeBody is the most bytes of a body that comes with its response. A longer one, or one of unknown
	// length, is read in pieces of at most this size.
	wholeBody = 64 << 10

	// maxConnections is how many connections may be open before idle ones are closed, those of the app with
	// the most first.
	maxConnections = 1024
	// maxIdlePerApp and maxIdlePerHost bound the connections that an app keeps for its next requests.
	maxIdlePerApp  = 128
	maxIdlePerHost = 64

	dialTimeout     = 10 * time.Second
	tlsTimeout      = 10 * time.Second
	idleConnTimeout = 30 * time.Second
)

// Config is what a Fetcher needs.
type Config struct {
	// AllowPrivate lets scripts reach loopback and private networks, for development. Metadata addresses stay
	// refused.
	AllowPrivate bool
	// MaxBody is the most bytes of a request's body, and of a response's after decompression.
	MaxBody int
	// Version is PiCloud's, for the User-Agent of requests that have none.
	Version string
}

// Fetcher makes requests. It is safe for concurrent use.
type Fetcher struct {
	cfg    Config
	guard  guard
	places *fairshare.Pool[cloud.AppID]
	pools  *pools
}

// New returns a Fetcher.
func New(cfg Config) *Fetcher {
	f := &Fetcher{cfg: cfg, guard: publicOnly(), places: fairshare.New[cloud.AppID](maxInFlight)}
	if cfg.AllowPrivate {
		f.guard = notMetadata
	}

	dialer := &net.Dialer{Timeout: dialTimeout, Control: f.control}
	f.pools = newPools(dialer.DialContext, maxConnections)

	return f
}

func fail(format string, args ...any) error {
	return &cloud.HostError{Name: "FetchError", Message: fmt.Sprintf(format, args...)}
}

func tooLarge(what string, limit int) error {
	message := fmt.Sprintf("the %s has more than the %d bytes that are allowed", what, limit)
	return &cloud.HostError{Name: "LimitError", Message: message}
}

// explain turns a client's error into one for the script. It names no address and no cause: they would
// describe the network that the platform runs in.
func explain(ctx context.Context, url string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}

	url = cloud.Shorten(url)
	for _, known := range []error{errRefused, errPort, errRedirect, errRedirects, errLocation, errUser} {
		if errors.Is(err, known) {
			return fail("fetch of %q: %s", url, known)
		}
	}

	var dns *net.DNSError

	var op *net.OpError
	switch {
	case errors.As(err, &dns):
		return fail("fetch of %q: the host name does not resolve", url)
	case errors.As(err, &op) && op.Op == "dial":
		return fail("fetch of %q: the connection could not be made", url)
	default:
		return fail("fetch of %q failed: the connection ended, or what came is not HTTP", url)
	}
}

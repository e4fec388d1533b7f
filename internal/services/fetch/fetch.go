// Package fetch makes the HTTP requests of scripts, from the parent process: a sandbox child has no network. It decides on
// the resolved address at the moment of dialling, for every connection anew, so that neither DNS nor a redirect leads inside.
package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"

	"picloud/internal/cloud"
)

// Limits of one request.
const (
	maxRedirects = 5
	maxHeader    = 64 << 10
	// maxUnderWay bounds what all runs of this process have under way.
	maxUnderWay = 256
)

// Config is what a Fetcher needs.
type Config struct {
	// AllowPrivate lets scripts reach loopback and private networks, for development. Metadata addresses stay refused.
	AllowPrivate bool
	// MaxBody is the most bytes of a response body, decompressed.
	MaxBody int
	Version string
}

// Fetcher makes requests. It is safe for concurrent use.
type Fetcher struct {
	cfg    Config
	client *http.Client
	places chan struct{}
}

// metadata are the addresses at which clouds serve credentials to their machines.
var metadata = []netip.Addr{
	netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("169.254.170.2"), netip.MustParseAddr("100.100.100.200"),
	netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("fd20:ce::254"),
}

var errRefused = errors.New("this address is not reachable for scripts")

// New returns a Fetcher.
func New(cfg Config) *Fetcher {
	guard := ssrf.New(ssrf.WithAnyPort())
	control := func(network, address string, c syscall.RawConn) error {
		if cfg.AllowPrivate {
			return notMetadata(address)
		}
		if err := guard.Safe(network, address, c); err != nil {
			return errRefused
		}
		return nil
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: control}
	f := &Fetcher{cfg: cfg, places: make(chan struct{}, maxUnderWay)}
	f.client = &http.Client{
		Transport: &http.Transport{DialContext: dialer.DialContext, ForceAttemptHTTP2: true, MaxIdleConns: 100, MaxIdleConnsPerHost: 16,
			IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: maxHeader, Proxy: nil},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("more than %d redirects", maxRedirects)
			}
			return nil
		},
	}
	return f
}

func notMetadata(address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil || slices.Contains(metadata, ap.Addr().Unmap()) {
		return errRefused
	}
	return nil
}

func fail(format string, args ...any) error {
	return &cloud.HostError{Name: "FetchError", Message: fmt.Sprintf(format, args...)}
}

// hopByHop fields belong to a connection, not to a script (RFC 9110, 7.6.1), and the client sets these itself.
var hopByHop = []string{"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
	"upgrade", "host", "content-length", "accept-encoding"}

// Fetch makes one request. The reply's Value is the final URL.
func (f *Fetcher) Fetch(ctx context.Context, r *cloud.Request) (cloud.HostReply, error) {
	select {
	case f.places <- struct{}{}:
		defer func() { <-f.places }()
	case <-ctx.Done():
		return cloud.HostReply{}, context.Cause(ctx)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil || req.URL.Scheme != "http" && req.URL.Scheme != "https" || req.URL.Host == "" {
		return cloud.HostReply{}, fail("%q is not an http or https address", cloud.Shorten(r.URL))
	}
	if len(r.Body) == 0 {
		req.Body = nil
	}
	for _, h := range r.Headers {
		if !slices.Contains(hopByHop, strings.ToLower(h.Name)) {
			req.Header.Add(h.Name, h.Value)
		}
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "PiCloud/"+f.cfg.Version)
	}
	res, err := f.client.Do(req)
	if err != nil {
		return cloud.HostReply{}, explain(ctx, r.URL, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(f.cfg.MaxBody)+1))
	if err != nil {
		return cloud.HostReply{}, explain(ctx, r.URL, err)
	}
	if len(body) > f.cfg.MaxBody {
		return cloud.HostReply{}, &cloud.HostError{Name: "LimitError", Message: fmt.Sprintf("the response is over %d bytes", f.cfg.MaxBody)}
	}
	out := &cloud.Response{Status: res.StatusCode, Body: body}
	for name, values := range res.Header {
		for _, v := range values {
			out.Headers = append(out.Headers, cloud.Header{Name: strings.ToLower(name), Value: v})
		}
	}
	return cloud.HostReply{Found: true, Response: out, Value: res.Request.URL.String()}, nil
}

// explain says what went wrong without what it would tell of the network inside.
func explain(ctx context.Context, url string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, errRefused):
		return fail("fetch of %q: %s", cloud.Shorten(url), errRefused)
	case errors.As(err, &dns):
		return fail("fetch of %q: the host name does not resolve", cloud.Shorten(url))
	case errors.As(err, &op) && op.Op == "dial":
		return fail("fetch of %q: the connection could not be made", cloud.Shorten(url))
	default:
		return fail("fetch of %q failed", cloud.Shorten(url))
	}
}

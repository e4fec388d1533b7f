package fetch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"picloud/internal/cloud"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newFetcher(t *testing.T, cfg Config) *Fetcher {
	t.Helper()
	cfg.MaxBody = 1 << 20
	cfg.Version = "test"
	f := New(cfg)
	t.Cleanup(f.closeIdle)
	return f
}

// closeIdle closes the idle connections of every app.
func (f *Fetcher) closeIdle() {
	f.pools.mu.Lock()
	all := slices.Collect(maps.Values(f.pools.apps))
	f.pools.mu.Unlock()

	for _, q := range all {
		q.transport.CloseIdleConnections()
	}
}

// newServer serves what scripts fetch, and returns its URL.
func newServer(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server.URL
}

// get fetches a URL in a redirect mode.
func get(ctx context.Context, s *Session, n uint64, url, mode string) (cloud.HostReply, error) {
	request := &cloud.Request{Method: http.MethodGet, URL: url}
	return s.Call(ctx, n, cloud.Fetch{Request: request, Redirect: mode})
}

// isThrown reports whether a script gets err under that name, with that part of a message.
func isThrown(err error, name, message string) bool {
	var thrown *cloud.HostError
	return errors.As(err, &thrown) && thrown.Name == name && strings.Contains(thrown.Message, message)
}

// What a script is told names no address and no cause; the cause of a run's own end is passed through.
func TestExplain(t *testing.T) {
	t.Parallel()
	over := errors.New("the run is over")
	ended, cancel := context.WithCancelCause(context.Background())
	cancel(over)

	const secret = "10.1.2.3:5432"
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"refused":   {fmt.Errorf("dial %s: %w", secret, errRefused), "this address is not reachable"},
		"port":      {fmt.Errorf("dial %s: %w", secret, errPort), "belongs to another protocol"},
		"redirect":  {fmt.Errorf("get: %w", errRedirect), "redirect mode is error"},
		"location":  {fmt.Errorf("get: %w", errLocation), "not an http or https address"},
		"redirects": {fmt.Errorf("get: %w", errRedirects), "more than 20 times"},
		"name":      {&net.DNSError{Err: "no such host", Server: secret}, "does not resolve"},
		"dial":      {&net.OpError{Op: "dial", Err: errors.New(secret)}, "could not be made"},
		"read":      {&net.OpError{Op: "read", Err: errors.New(secret)}, "the connection ended"},
		"other":     {errors.New("malformed HTTP response from " + secret), "what came is not HTTP"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := explain(t.Context(), "http://x.test/", c.err)
			if !isThrown(err, "FetchError", c.want) || !strings.Contains(err.Error(), `"http://x.test/"`) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("it names the address: %v", err)
			}
			if err := explain(ended, "http://x.test/", c.err); err != over {
				t.Errorf("after the run's end: %v", err)
			}
		})
	}
}

// The script's header fields reach the server, without those that belong to the connection.
func TestRequestHeaders(t *testing.T) {
	t.Parallel()
	s := newFetcher(t, Config{AllowPrivate: true}).Open(1)

	request := &cloud.Request{Method: http.MethodGet, URL: "http://x.test/", Headers: []cloud.Header{
		{Name: "X-Own", Value: "1"}, {Name: "x-own", Value: "2"}, {Name: "Authorization", Value: "Bearer t"},
	}}
	for _, name := range ignoredHeaders {
		request.Headers = append(request.Headers, cloud.Header{Name: strings.ToUpper(name), Value: "mine"})
	}

	req, err := s.newRequest(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if got := req.Header.Values("X-Own"); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("X-Own is %q", got)
	}
	if len(req.Header) != 3 || req.Header.Get("Authorization") != "Bearer t" || req.Host != "x.test" {
		t.Errorf("header %v, host %q", req.Header, req.Host)
	}
	if got := req.Header.Get("User-Agent"); got != "PiCloud/test" {
		t.Errorf("User-Agent is %q", got)
	}

	request.Headers = []cloud.Header{{Name: "user-agent", Value: "mine"}}
	req, err = s.newRequest(t.Context(), request)
	if err != nil || req.Header.Get("User-Agent") != "mine" {
		t.Errorf("the script's User-Agent: %v %v", req, err)
	}
}

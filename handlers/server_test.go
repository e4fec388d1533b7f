package handlers

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp/fasthttputil"

	"picloud/internal/cloud"
)

// newServer is a server without manager, orchestrator and database; what it logs goes to the buffer.
func newServer(t *testing.T, change func(*Config)) (*Server, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	cfg := Config{
		IDs:       &cloud.IDSource{},
		Log:       slog.New(slog.NewTextHandler(&log, nil)),
		Version:   "1.2.3",
		CursorKey: []byte("key"),
		Ready:     func(context.Context) error { return nil },
		Metrics:   prometheus.NewRegistry(),
	}

	if change != nil {
		change(&cfg)
	}
	return New(cfg), &log
}

func send(t *testing.T, s *Server, method, path string, headers ...string) (*http.Response, string) {
	t.Helper()

	req := httptest.NewRequest(method, path, nil)
	for k := 0; k < len(headers); k += 2 {
		req.Header.Set(headers[k], headers[k+1])
	}

	res, err := s.app.Test(req, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()

	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func TestHealth(t *testing.T) {
	t.Parallel()
	down := func(c *Config) {
		c.Ready = func(context.Context) error { return errors.New("no database at 10.0.0.1") }
	}

	full := func(c *Config) {
		c.Ready = func(context.Context) error {
			return cloud.Errorf(cloud.CodeUnavailable, "not ready: the database's disk is full")
		}
	}

	for _, c := range []struct {
		name, path string
		change     func(*Config)
		status     int
		body       string
	}{
		{"alive", "/healthz", down, 200, `{"status":"ok"}`},
		{"ready", "/readyz", nil, 200, `{"status":"ready"}`},
		{"not ready", "/readyz", down, 503, `"detail":"not ready"`},
		{"not ready, and why", "/readyz", full, 503, `"detail":"not ready: the database's disk is full"`},
		{"version", "/version", nil, 200, `{"version":"1.2.3"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, _ := newServer(t, c.change)
			res, body := send(t, s, "GET", c.path)
			if res.StatusCode != c.status || !strings.Contains(body, c.body) ||
				strings.Contains(body, "10.0.0.1") {
				t.Errorf("%d %s", res.StatusCode, body)
			}
		})
	}
}

// The metrics are not for everybody, and not there at all where they have a listener of their own.
func TestMetricsAreClosed(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name   string
		change func(*Config)
		status int
	}{
		{"no credential", nil, 401},
		{"elsewhere", func(c *Config) { c.MetricsElsewhere = true }, 404},
		{"a host of scripts", func(c *Config) { c.AdminHost = "admin.example" }, 404},
		{"no dashboard here", func(c *Config) { c.NoAdmin = true }, 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, _ := newServer(t, c.change)
			if res, body := send(t, s, "GET", "/metrics"); res.StatusCode != c.status {
				t.Errorf("%d %s", res.StatusCode, body)
			}
		})
	}
}

// Files may be kept for ever under the address that has their content's hash, and only there.
func TestStaticFiles(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t, nil)
	css := assets().CSS

	for _, c := range []struct {
		name, path string
		cache      string
	}{
		{"with its hash", css, "public, max-age=31536000, immutable"},
		{"without", "/static/app.css", "public, max-age=300"},
		{"with another", "/static/app.css?v=0", "public, max-age=300"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			res, body := send(t, s, "GET", c.path)
			if res.StatusCode != 200 || len(body) == 0 || res.Header.Get("Cache-Control") != c.cache {
				t.Errorf("%d, %d bytes, %q", res.StatusCode, len(body), res.Header.Get("Cache-Control"))
			}
			if got := res.Header.Get("Content-Type"); got != "text/css; charset=utf-8" {
				t.Errorf("type %q", got)
			}
		})
	}

	_, plain := send(t, s, "GET", css)
	res, packed := send(t, s, "GET", css, "Accept-Encoding", "gzip")
	r, err := gzip.NewReader(strings.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}

	if unpacked, err := io.ReadAll(r); string(unpacked) != plain ||
		err != nil || res.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("compressed: %d bytes of %d, %v", len(unpacked), len(plain), err)
	}
	if res, _ := send(t, s, "GET", "/static/nothing.css"); res.StatusCode != 404 {
		t.Errorf("an unknown file: %d", res.StatusCode)
	}
}

// One request that meets a mistake of ours fails; its caller is told nothing of it.
func TestPanicIsAnInternalError(t *testing.T) {
	t.Parallel()
	s, log := newServer(t, func(c *Config) {
		c.Ready = func(context.Context) error { panic("index out of range in secret.go") }
	})
	res, body := send(t, s, "GET", "/readyz")
	if res.StatusCode != 500 || strings.Contains(body, "secret.go") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if !strings.Contains(log.String(), "secret.go") {
		t.Errorf("the log lacks it: %q", log)
	}
}

// Who has no credential is told so before the body has come, and what comes of it is no request.
func TestCredentialComesBeforeTheBody(t *testing.T) {
	t.Parallel()
	const post = "POST /api/v1/apps HTTP/1.1\r\nHost: x\r\nContent-Length: "
	const inside = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

	for name, c := range map[string]struct {
		text string
		want int // answers
	}{
		"a body that does not end": {post + "8388608\r\n\r\n" + strings.Repeat(inside, 3000), 1},
		"a body that is a request": {post + strconv.Itoa(len(inside)) + "\r\n\r\n" + inside + next, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answers := raw(t, c.text)
			if len(answers) != c.want || answers[0].StatusCode != http.StatusUnauthorized {
				t.Errorf("%d answers, the first %+v", len(answers), answers[0])
			}
		})
	}
}

// Every answer has one Date, and nothing says what serves it.
func TestDateAndServer(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t, nil)
	res, _ := send(t, s, "GET", "/healthz")
	if dates := res.Header["Date"]; len(dates) != 1 {
		t.Errorf("dates %q", dates)
	}

	if _, err := http.ParseTime(res.Header.Get("Date")); err != nil {
		t.Error(err)
	}
	if res.Header.Get("Server") != "" || res.Header.Get("?ate") != "" {
		t.Errorf("headers %v", res.Header)
	}
}

// No route stands twice, and every API operation of the description has one.
func TestRoutes(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t, nil)
	seen := map[string]bool{}

	for _, r := range s.Routes() {
		key := r.Method + " " + r.Path
		if seen[key] && !strings.HasSuffix(r.Path, "/") && r.Path != "/admin" {
			t.Errorf("%s stands twice", key)
		}
		seen[key] = true
	}
	replace := strings.NewReplacer("{", ":", "}", "")

	for path, item := range s.API().Paths {
		for method, operation := range map[string]bool{
			"GET": item.Get != nil, "POST": item.Post != nil, "PUT": item.Put != nil, "PATCH": item.Patch != nil,
			"DELETE": item.Delete != nil,
		} {
			if operation && !seen[method+" "+replace.Replace(path)] {
				t.Errorf("%s %s is described and not routed", method, path)
			}
		}
	}
}

// flaky is a listener whose Accept fails with each of its errors before it waits.
type flaky struct {
	net.Listener
	errs []error
}

func (f *flaky) Accept() (net.Conn, error) {
	if len(f.errs) > 0 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		return nil, err
	}
	return f.Listener.Accept()
}

// A system that is short of files for a moment does not end the server; a listener that is closed does.
func TestRetryListener(t *testing.T) {
	t.Parallel()
	l := fasthttputil.NewInmemoryListener()
	temporary := func(n syscall.Errno) error { return &net.OpError{Op: "accept", Err: n} }
	r := &retryListener{
		Listener: &flaky{Listener: l, errs: []error{temporary(syscall.EMFILE),
			temporary(syscall.ECONNABORTED)}},
		log: slog.New(slog.DiscardHandler),
	}

	go func() {
		if conn, err := l.Dial(); err == nil {
			_ = conn.Close()
		}
	}()
	conn, err := r.Accept()
	if err != nil {
		t.Fatalf("temporary errors ended it: %v", err)
	}
	_ = conn.Close()

	_ = l.Close()
	if _, err := r.Accept(); err == nil {
		t.Error("a closed listener goes on")
	}

	for err, want := range map[error]bool{
		temporary(syscall.ENOBUFS): true,
		temporary(syscall.EBADF):   false,
		net.ErrClosed:              false,
	} {
		if isTemporary(err) != want {
			t.Errorf("%v: temporary %v", err, !want)
		}
	}
}

// The date is written once a second, and never that of an earlier one.
func TestDateIsPresent(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t, nil)
	lastDate.Store(&date{second: 1, text: []byte("Thu, 01 Jan 1970 00:00:01 GMT")})
	before := time.Now().Truncate(time.Second)
	res, _ := send(t, s, fiber.MethodGet, "/healthz")
	if at, err := http.ParseTime(res.Header.Get("Date")); err != nil || at.Before(before) {
		t.Errorf("%v, %v", at, err)
	}
}

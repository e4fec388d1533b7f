package handlers

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/valyala/fasthttp/fasthttputil"
)

// answer is what a server sent for one request.
type answer struct {
	*http.Response
	body string
}

// raw sends bytes to a server, below everything that makes well-formed requests, and reads its answers until it
// closes the connection.
func raw(t *testing.T, text string) []answer {
	t.Helper()
	s, _ := newServer(t, func(c *Config) { c.NoScripts = true })
	l := fasthttputil.NewInmemoryListener()
	overC := make(chan error, 1)
	go func() { overC <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Shutdown(context.Background())
		<-overC
	})

	conn, err := l.Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() { _, _ = io.WriteString(conn, text) }()
	r := bufio.NewReader(conn)

	var answers []answer
	for {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return answers
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, answer{res, string(body)})
	}
}

// next is a request after which the server closes the connection. It is answered if the one before it left no
// doubt about where it ends.
const next = "GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

// What is no request, or could be read in two ways, is answered by a problem document with a date.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()

	const (
		get  = "GET /healthz HTTP/1.1\r\n"
		post = "POST /healthz HTTP/1.1\r\nHost: x\r\n"
	)

	for _, c := range []struct {
		name, text string
		status     int
		detail     string
	}{
		{"an unknown method", "BREW / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400,
			"this method is not known here"},
		{"a method in lower case", "get / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400, "known are GET"},
		{"a method with a bracket", "GE(T / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "could not be read"},
		{"a method with NUL", "GE\x00T / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "could not be read"},
		{"a space before the method", " GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "could not be read"},
		{"no request", "nonsense\r\n\r\n", 400, "could not be read"},
		{"HTTP/0.9", "GET /\r\n\r\n", 400, "could not be read"},
		{"HTTP/2 without an agreement", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "could not be read"},
		{"HTTP/3.0", "GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505, "HTTP/1.1"},
		{"no version of HTTP", "GET / HTTPS/1.1\r\nHost: x\r\n\r\n", 400, "could not be read"},
		{"headers that are too long", get + "Host: x\r\nX-Long: " + strings.Repeat("x", maxHeaders) + "\r\n\r\n",
			431, "over 32 KiB"},

		{"a name with a space", get + "Host: x\r\nX A: b\r\n\r\n", 400, "has a space"},
		{"a name with a space, folded", get + "Host: x\r\nX A: b\r\n c\r\n\r\n", 400, "has a space"},
		{"a space before the colon", get + "Host: x\r\nX-A : b\r\n\r\n", 400, "could not be read"},
		{"a space before the first name", get + " Host: x\r\n\r\n", 400, "could not be read"},
		{"a tab in a name", get + "Host: x\r\nX\tA: b\r\n\r\n", 400, "could not be read"},
		{"no name", get + "Host: x\r\n: b\r\n\r\n", 400, "could not be read"},
		{"no colon", get + "Host: x\r\nX-A\r\n\r\n", 400, "could not be read"},
		{"NUL in a value", get + "Host: x\r\nX-A: a\x00b\r\n\r\n", 400, "could not be read"},
		{"a bare CR in a value", get + "Host: x\r\nX-A: a\rX-B: b\r\n\r\n", 400, "could not be read"},

		{"no Host", get + "\r\n", 400, "or Host is missing"},
		{"an empty Host", get + "Host:\r\n\r\n", 400, "or Host is missing"},
		{"two Hosts", get + "Host: x\r\nHost: x\r\n\r\n", 400, "could not be read"},
		{"Host with a user", get + "Host: user:pw@x\r\n\r\n", 400, "header Host must be"},
		{"Host with a path", get + "Host: x/y\r\n\r\n", 400, "header Host must be"},
		{"Host with a query", get + "Host: x?y\r\n\r\n", 400, "header Host must be"},
		{"Host with a comma", get + "Host: x, y\r\n\r\n", 400, "header Host must be"},
		{"Host with two ports", get + "Host: x:80:81\r\n\r\n", 400, "header Host must be"},
		{"Host with no number as port", get + "Host: x:http\r\n\r\n", 400, "header Host must be"},
		{"Host with a port that is too large", get + "Host: x:65536\r\n\r\n", 400, "header Host must be"},
		{"Host with a space", get + "Host: x y\r\n\r\n", 400, "header Host must be"},
		{"Host with an escape", get + "Host: x%2ey\r\n\r\n", 400, "header Host must be"},
		{"Host of HTTP/1.0 with a user", "GET /healthz HTTP/1.0\r\nHost: user@x\r\n\r\n", 400, "header Host must be"},

		{"a target with a user", "GET http://user:pw@x/healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "target"},
		{"a target without a host", "GET http:///healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "target"},
		{"a target of another scheme", "GET file://x/healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "target"},
		{"a target that hides a host", "GET //y://z/healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "target"},
		{"a target that is no path", "GET healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "could not be read"},
		{"a target of a tunnel", "CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n", 400, "target"},
		{"an absolute target with a bad Host", "GET http://x/healthz HTTP/1.1\r\nHost: y@z\r\n\r\n", 400, "Host"},

		{"another expectation", get + "Host: x\r\nExpect: 200-ok\r\n\r\n", 417, "100-continue"},
		{"another expectation with a body", post + "Expect: 200-ok\r\nContent-Length: 2\r\n\r\nhi", 417, "100-continue"},
		{"another expectation behind the known one", post + "Expect: 100-continue, x=y\r\n\r\n", 417, "100-continue"},
		{"another expectation in a second line", post + "Expect: x\r\nExpect: y\r\n\r\n", 417, "100-continue"},

		{"two lengths", post + "Content-Length: 0\r\nContent-Length: 5\r\n\r\n", 400, "could not be read"},
		{"a list of lengths", post + "Content-Length: 0, 0\r\n\r\n", 400, "could not be read"},
		{"a length with a sign", post + "Content-Length: +1\r\n\r\nx", 400, "could not be read"},
		{"a negative length", post + "Content-Length: -1\r\n\r\n", 400, "could not be read"},
		{"a hexadecimal length", post + "Content-Length: 0x1\r\n\r\nx", 400, "could not be read"},
		{"a length beyond all numbers", post + "Content-Length: 99999999999999999999\r\n\r\n", 400, "could not be read"},
		{"an unknown coding", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400, "could not be read"},
		{"a coding that hides chunked", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400,
			"could not be read"},
		{"chunked twice", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
			"could not be read"},
		{"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
			"could not be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			answers := raw(t, c.text+next)
			if len(answers) != 1 {
				t.Fatalf("%d answers, the last %+v", len(answers), answers[max(0, len(answers)-1):])
			}
			first := answers[0]
			if first.StatusCode != c.status || !strings.Contains(first.body, c.detail) ||
				!strings.Contains(first.body, `"code":"malformed"`) {
				t.Errorf("%d %s", first.StatusCode, first.body)
			}

			if first.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("type %q", first.Header.Get("Content-Type"))
			}
			if _, err := http.ParseTime(first.Header.Get("Date")); err != nil {
				t.Errorf("date: %v", err)
			}
		})
	}
}

// What is unusual and allowed is answered as usual, and the request behind it too, unless two headers disagree
// about where the first one ends.
func TestUnusualRequests(t *testing.T) {
	t.Parallel()

	const (
		get  = "GET /healthz HTTP/1.1\r\n"
		post = "POST /healthz HTTP/1.1\r\nHost: x\r\n"
	)

	for name, c := range map[string]struct {
		text     string
		status   int
		answered int // how many of the two requests
	}{
		"nothing odd":          {get + "Host: x\r\n\r\n", 200, 2},
		"Host with a port":     {get + "Host: x:8080\r\n\r\n", 200, 2},
		"Host of IPv6":         {get + "Host: [::1]:80\r\n\r\n", 200, 2},
		"a folded value":       {get + "Host: x\r\nX-A: a\r\n b\r\n\r\n", 200, 2},
		"an absolute target":   {"GET http://x/healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200, 2},
		"HTTP/1.0, no Host":    {"GET /healthz HTTP/1.0\r\n\r\n", 200, 1},
		"Expect in HTTP/1.0":   {"GET /healthz HTTP/1.0\r\nHost: x\r\nExpect: x\r\n\r\n", 200, 1},
		"an empty expectation": {get + "Host: x\r\nExpect:\r\n\r\n", 200, 2},
		"all of the server":    {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404, 2},
		"a chunk's extension":  {post + "Transfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n0\r\n\r\n", 404, 2},
		"two ends of the body": {post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 404, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answers := raw(t, c.text+next)
			if len(answers) != c.answered || answers[0].StatusCode != c.status {
				t.Errorf("%d answers, %d first, want %d and %d", len(answers), answers[0].StatusCode, c.answered, c.status)
			}
		})
	}
}

// Methods that the web knows beyond the usual ones reach scripts.
func TestKnownMethods(t *testing.T) {
	t.Parallel()

	s, _ := newServer(t, func(c *Config) { c.NoScripts = true })
	for _, method := range methods {
		if res, body := send(t, s, method, "/f/shop/orders"); res.StatusCode != 404 {
			t.Errorf("%s: %d %s", method, res.StatusCode, body)
		}
	}
}

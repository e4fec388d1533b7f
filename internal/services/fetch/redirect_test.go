package fetch

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"picloud/internal/cloud"
)

// hops redirects /n to /n-1, and answers /0 with what reached it.
func hops(w http.ResponseWriter, r *http.Request) {
	var n int
	_, _ = fmt.Sscanf(r.URL.Path, "/%d", &n)
	if n > 0 {
		http.Redirect(w, r, fmt.Sprintf("/%d", n-1), http.StatusFound)
		return
	}
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %q %q", r.Method, r.Header.Get("Content-Type"), body)
}

// Each redirect mode does what the Fetch standard says, and a chain of redirects ends.
func TestRedirectModes(t *testing.T) {
	t.Parallel()
	server := newServer(t, hops)

	s := newFetcher(t, Config{AllowPrivate: true}).Open(1)
	for name, c := range map[string]struct {
		hops   int
		mode   string
		status int
		url    string // the final one
		errors string
	}{
		"followed":            {3, follow, 200, "/0", ""},
		"followed by default": {1, "", 200, "/0", ""},
		"as many as allowed":  {MaxRedirects, follow, 200, "/0", ""},
		"one too many":        {MaxRedirects + 1, follow, 0, "", "redirects more than 20 times"},
		"manual":              {3, manual, 302, "/3", ""},
		"manual without one":  {0, manual, 200, "/0", ""},
		"refused":             {1, refuse, 0, "", "redirect mode is error"},
		"refused without one": {0, refuse, 200, "/0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reply, err := get(t.Context(), s, 1, fmt.Sprintf("%s/%d", server, c.hops), c.mode)
			if c.errors != "" {
				if !isThrown(err, "FetchError", c.errors) {
					t.Errorf("got %+v %v, want %q", reply, err, c.errors)
				}
				return
			}
			if err != nil || reply.Response.Status != c.status || reply.Value != server+c.url {
				t.Errorf("got %+v %v", reply, err)
			}
		})
	}
}

// A redirect that makes a GET of a POST drops the body and the fields that describe it.
func TestRedirectDropsTheBody(t *testing.T) {
	t.Parallel()
	server := newServer(t, hops)

	s := newFetcher(t, Config{AllowPrivate: true}).Open(1)
	for path, want := range map[string]string{
		"/0": `POST "text/plain" "hello"`,
		"/2": `GET "" ""`,
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			request := &cloud.Request{
				Method:  http.MethodPost,
				URL:     server + path,
				Headers: []cloud.Header{{Name: "content-type", Value: "text/plain"}},
				Body:    []byte("hello"),
			}
			reply, err := s.Call(t.Context(), 1, cloud.Fetch{Request: request})
			if err != nil || string(reply.Response.Body) != want {
				t.Errorf("got %+v %v, want %s", reply.Response, err, want)
			}
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return r(req) }

// redirectOf makes a request whose answers redirect to one location after the other, and returns the last
// request that followed, with what it sent.
func redirectOf(t *testing.T, in *cloud.Request, status int, locations ...string) (*http.Request, string) {
	t.Helper()

	var body []byte
	upstream := roundTripper(func(req *http.Request) (*http.Response, error) {
		body = nil
		if req.Body != nil {
			body, _ = io.ReadAll(req.Body)
		}

		res := &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: req}
		if len(locations) > 0 {
			res.StatusCode = status
			res.Header.Set("Location", locations[0])
			locations = locations[1:]
		}
		return res, nil
	})

	req, err := newFetcher(t, Config{}).Open(1).newRequest(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	res, err := do(upstream, req, follow)
	if err != nil {
		t.Fatal(err)
	}

	return res.Request, string(body)
}

// Which redirects make a GET of a request is what the Fetch standard says.
func TestRedirectedMethod(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		status        int
		method, after string
	}{
		{301, "GET", "GET"}, {301, "HEAD", "HEAD"}, {301, "POST", "GET"}, {301, "PUT", "PUT"},
		{302, "POST", "GET"}, {302, "DELETE", "DELETE"}, {302, "PATCH", "PATCH"},
		{303, "GET", "GET"}, {303, "HEAD", "HEAD"}, {303, "POST", "GET"}, {303, "PUT", "GET"},
		{307, "POST", "POST"}, {307, "PUT", "PUT"},
		{308, "POST", "POST"}, {308, "GET", "GET"},
	} {
		t.Run(fmt.Sprintf("%d %s", c.status, c.method), func(t *testing.T) {
			t.Parallel()
			in := &cloud.Request{Method: c.method, URL: "http://a.test/", Body: []byte("hello"),
				Headers: []cloud.Header{{Name: "Content-Type", Value: "text/plain"}}}

			// The second hop is as the first one.
			for _, hops := range [][]string{{"/b"}, {"/b", "/c"}} {
				req, body := redirectOf(t, in, c.status, hops...)
				wantBody, wantType := "hello", "text/plain"
				if c.method != c.after {
					wantBody, wantType = "", ""
				}
				gotType := req.Header.Get("Content-Type")
				if req.Method != c.after || body != wantBody || gotType != wantType {
					t.Errorf("after %d hops: %s %q %q", len(hops), req.Method, gotType, body)
				}
			}
		})
	}
}

// Credentials go to the origin that they were meant for, and to no other; once dropped they do not come back.
// Fields that the script made up go everywhere, as the standard says.
func TestRedirectedCredentials(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		locations []string
		kept      bool
	}{
		"same origin":     {[]string{"/b"}, true},
		"absolute":        {[]string{"https://a.test/b"}, true},
		"standard port":   {[]string{"https://A.test:443/b"}, true},
		"other host":      {[]string{"https://b.test/"}, false},
		"subdomain":       {[]string{"https://x.a.test/"}, false},
		"other port":      {[]string{"https://a.test:8443/"}, false},
		"without TLS":     {[]string{"http://a.test/"}, false},
		"no scheme":       {[]string{"//b.test/"}, false},
		"there and back":  {[]string{"https://b.test/", "https://a.test/"}, false},
		"later":           {[]string{"/b", "/c", "https://b.test/"}, false},
		"same port, http": {[]string{"http://a.test:443/"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := &cloud.Request{Method: "GET", URL: "https://a.test/a", Headers: []cloud.Header{
				{Name: "authorization", Value: "Bearer t"},
				{Name: "cookie", Value: "c=1"},
				{Name: "x-own", Value: "1"},
			}}

			req, _ := redirectOf(t, in, 302, c.locations...)
			for _, field := range []string{"Authorization", "Cookie"} {
				if kept := req.Header.Get(field) != ""; kept != c.kept {
					t.Errorf("%s reaches %s: %t", field, req.URL, kept)
				}
			}
			if req.Header.Get("X-Own") != "1" {
				t.Errorf("X-Own does not reach %s", req.URL)
			}
		})
	}
}

// No host learns by a Referer which URL, with its query, led to it. A script's own one is passed on.
func TestRedirectedReferer(t *testing.T) {
	t.Parallel()

	for _, own := range []string{"", "https://mine.test/"} {
		in := &cloud.Request{Method: "GET", URL: "https://a.test/x?api_key=s3"}
		if own != "" {
			in.Headers = []cloud.Header{{Name: "referer", Value: own}}
		}

		for _, locations := range [][]string{{"https://b.test/"}, {"/y?key=2", "https://b.test/"}} {
			if req, _ := redirectOf(t, in, 302, locations...); req.Header.Get("Referer") != own {
				t.Errorf("the Referer is %q after %q, want %q", req.Header.Get("Referer"), locations, own)
			}
		}
	}
}

// A redirect to what could not be fetched by itself fails.
func TestRedirectElsewhere(t *testing.T) {
	t.Parallel()

	for location, want := range map[string]error{
		"ftp://a.test/":              errLocation,
		"file:///etc/passwd":         errLocation,
		"mailto:a@b.test":            errLocation,
		"http:///x":                  errLocation,
		"http://%zz":                 errLocation,
		"http://ann:hunter2@b.test/": errUser,
	} {
		t.Run(location, func(t *testing.T) {
			t.Parallel()
			server := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", location)
				w.WriteHeader(http.StatusFound)
			})

			s := newFetcher(t, Config{AllowPrivate: true}).Open(1)
			if _, err := get(t.Context(), s, 1, server, follow); !isThrown(err, "FetchError", want.Error()) {
				t.Errorf("got %v", err)
			}
			reply, err := get(t.Context(), s, 2, server, manual)
			if err != nil || headerOf(reply.Response, "location") != location {
				t.Errorf("manual: %+v %v", reply.Response, err)
			}
		})
	}
}

// What is left of a redirect's short body is read, so that its connection serves the next request.
func TestRedirectedBodyIsRead(t *testing.T) {
	t.Parallel()

	short, long := &countedBody{left: 100}, &countedBody{left: 1 << 30}
	for _, body := range []*countedBody{short, long} {
		answers := []*http.Response{
			{StatusCode: 302, Header: http.Header{"Location": {"/b"}}, Body: body},
			{StatusCode: 200, Header: http.Header{}, Body: http.NoBody},
		}
		upstream := roundTripper(func(*http.Request) (*http.Response, error) {
			res := answers[0]
			answers = answers[1:]
			return res, nil
		})

		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://a.test/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if res, err := do(upstream, req, follow); err != nil || res.StatusCode != 200 || !body.closed {
			t.Errorf("%+v %v, closed %t", res, err, body.closed)
		}
	}
	if short.left != 0 || long.left < 1<<29 {
		t.Errorf("%d bytes are left of the short body, %d of the long one", short.left, long.left)
	}
}

// countedBody is a body of so many zeros.
type countedBody struct {
	left   int
	closed bool
}

func (b *countedBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), b.left)
	b.left -= n
	return n, nil
}

func (b *countedBody) Close() error {
	b.closed = true
	return nil
}

package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"picloud/internal/cloud"
)

// What cannot be requested is thrown before anything is sent.
func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	s := newFetcher(t, Config{AllowPrivate: true}).Open(1)

	to := func(method, url string) *cloud.Request { return &cloud.Request{Method: method, URL: url} }
	for name, c := range map[string]struct {
		request       *cloud.Request
		thrown, wants string
	}{
		"no request":   {nil, "TypeError", "fetch needs a request"},
		"no scheme":    {to("GET", "x.test"), "FetchError", "not an http or https"},
		"other scheme": {to("GET", "file:///etc/passwd"), "FetchError", "not an http"},
		"no host":      {to("GET", "http:///x"), "FetchError", "not an http"},
		"no URL":       {to("GET", "http://%zz"), "FetchError", "not an http"},
		"method":       {to("G T", "http://x.test/"), "FetchError", "not an http"},
		"blocked port": {to("GET", "http://127.0.0.1:25/"), "FetchError", "this port"},
		"long body": {
			&cloud.Request{Method: "POST", URL: "http://x.test/", Body: make([]byte, 1<<20+1)},
			"LimitError", "the request has more than the 1048576 bytes",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := s.Call(t.Context(), 1, cloud.Fetch{Request: c.request})
			if !isThrown(err, c.thrown, c.wants) {
				t.Errorf("got %v, want %s: %s", err, c.thrown, c.wants)
			}
		})
	}
}

// A short body comes with its response. A long one, or one of unknown length, is read in pieces or as a
// whole, and each way gives the same bytes.
func TestBodies(t *testing.T) {
	t.Parallel()
	text := func(n int) string { return strings.Repeat("0123456789", n/10) }
	short, long := text(1000), text(500_000)
	server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Seen", r.Method)

		switch r.URL.Path {
		case "/short":
			_, _ = w.Write([]byte(short))
		case "/long":
			_, _ = w.Write([]byte(long))
		case "/unknown":
			_, _ = w.Write([]byte(short[:500]))
			w.(http.Flusher).Flush()
			_, _ = w.Write([]byte(short[500:]))
		case "/empty":
			w.WriteHeader(http.StatusNoContent)
		}
	})
	f := newFetcher(t, Config{AllowPrivate: true})

	for name, c := range map[string]struct {
		method, path string
		all          bool
		partial      bool
		want         string
	}{
		"short":             {"GET", "/short", false, false, short},
		"empty":             {"GET", "/empty", false, false, ""},
		"head":              {"HEAD", "/long", false, false, ""},
		"long in pieces":    {"GET", "/long", false, true, long},
		"long at once":      {"GET", "/long", true, true, long},
		"unknown in pieces": {"GET", "/unknown", false, true, short},
		"unknown at once":   {"GET", "/unknown", true, true, short},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := f.Open(1)
			request := &cloud.Request{Method: c.method, URL: server + c.path}
			reply, err := s.Call(t.Context(), 7, cloud.Fetch{Request: request})
			if err != nil || reply.Partial != c.partial || !reply.Found {
				t.Fatalf("%+v %v", reply, err)
			}
			if seen := headerOf(reply.Response, "x-seen"); seen != c.method {
				t.Errorf("X-Seen is %q", seen)
			}

			got := string(reply.Response.Body)
			for reply.Partial {
				call := cloud.FetchRead{Fetch: 7, All: c.all}
				if reply, err = s.Call(t.Context(), 8, call); err != nil {
					t.Fatal(err)
				}
				if len(reply.Bytes) > wholeBody && !c.all {
					t.Errorf("a piece of %d bytes", len(reply.Bytes))
				}
				got += string(reply.Bytes)
			}
			if got != c.want || len(s.open) != 0 {
				t.Errorf("%d bytes, want %d; %d bodies are open", len(got), len(c.want), len(s.open))
			}

			_, err = s.Call(t.Context(), 9, cloud.FetchRead{Fetch: 7})
			if !isThrown(err, "FetchError", "no body that could be read") {
				t.Errorf("read again: %v", err)
			}
		})
	}
}

func headerOf(r *cloud.Response, name string) string {
	for _, h := range r.Headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

// A run can leave maxOpen bodies unread, and no more.
func TestOpenBodiesAreBounded(t *testing.T) {
	t.Parallel()
	server := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush() // a body of unknown length
		_, _ = w.Write([]byte("x"))
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel() // closes the bodies

	s := newFetcher(t, Config{AllowPrivate: true}).Open(1)
	for n := range uint64(maxOpen) {
		if _, err := get(ctx, s, n, server, follow); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := get(ctx, s, maxOpen, server, follow); !isThrown(err, "LimitError", "100 responses") {
		t.Errorf("body %d: %v", maxOpen+1, err)
	}

	// One that is read makes room for another.
	if _, err := s.Call(ctx, 1000, cloud.FetchRead{Fetch: 0, All: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := get(ctx, s, maxOpen, server, follow); err != nil {
		t.Errorf("after one was read: %v", err)
	}
}

// Requests beyond maxPerRun wait until one has its response, or the run ends.
func TestRequestsOfARunAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		goOnCh := make(chan struct{})
		under := make(chan struct{}, 2*maxPerRun)
		f := newMemoryFetcher(t, func(*http.Request) string {
			under <- struct{}{}
			<-goOnCh
			return ""
		})
		s := f.Open(1)
		ctx, cancel := context.WithCancelCause(t.Context())

		results := make(chan error, maxPerRun+1)
		for n := range uint64(maxPerRun + 1) {
			go func() {
				_, err := get(ctx, s, n, "http://x.test/", follow)
				results <- err
			}()
		}
		synctest.Wait()
		if len(under) != maxPerRun {
			t.Errorf("%d requests are under way, want %d", len(under), maxPerRun)
		}

		goOnCh <- struct{}{}
		synctest.Wait()
		if err := <-results; err != nil || len(under) != maxPerRun+1 {
			t.Errorf("one has its response, %v, and %d were under way", err, len(under))
		}

		// Those under way end with the run, and so do those that wait.
		go func() {
			_, err := get(ctx, s, maxPerRun+1, "http://x.test/", follow)
			results <- err
		}()
		synctest.Wait()
		over := errors.New("the run is over")
		cancel(over)

		for range maxPerRun + 1 {
			if err := <-results; err != over {
				t.Errorf("at the end of the run: %v", err)
			}
		}

		close(goOnCh)
		synctest.Wait()
		if len(s.inFlight) != 0 || f.places.Free() != maxInFlight {
			t.Errorf("%d slots of the run are taken, and %d places are free", len(s.inFlight), f.places.Free())
		}
	})
}

// A request that its script cancelled ends, and so does the reading of its body.
func TestCancelledBody(t *testing.T) {
	t.Parallel()
	server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("x"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	s := newFetcher(t, Config{AllowPrivate: true}).Open(1)
	ctx, cancel := context.WithCancel(t.Context())
	if reply, err := get(ctx, s, 1, server, follow); err != nil || !reply.Partial {
		t.Fatalf("%+v %v", reply, err)
	}

	reply, err := s.Call(ctx, 2, cloud.FetchRead{Fetch: 1})
	if err != nil || string(reply.Bytes) != "x" {
		t.Fatalf("%+v %v", reply, err)
	}

	cancel()
	_, err = s.Call(t.Context(), 3, cloud.FetchRead{Fetch: 1})
	if !isThrown(err, "FetchError", "the request was cancelled") || len(s.open) != 0 {
		t.Errorf("got %v; %d bodies are open", err, len(s.open))
	}
}

// A small answer that grows when it is decompressed ends at the limit.
func TestDecompressionBomb(t *testing.T) {
	t.Parallel()
	body := zeros(t, 64<<20)
	bomb := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(body)
	})

	f := newFetcher(t, Config{AllowPrivate: true})
	for name, all := range map[string]bool{"at once": true, "in pieces": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := f.Open(1)
			reply, err := get(t.Context(), s, 1, bomb, follow)
			if err != nil || !reply.Partial {
				t.Fatalf("%+v %v", reply, err)
			}

			got := 0
			for err == nil && reply.Partial {
				reply, err = s.Call(t.Context(), 9, cloud.FetchRead{Fetch: 1, All: all})
				got += len(reply.Bytes)
			}
			if !isThrown(err, "LimitError", "more than the 1048576 bytes") || got > 1<<20 {
				t.Errorf("%d bytes, %v", got, err)
			}
		})
	}
}

// zeros returns n zeros, compressed.
func zeros(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

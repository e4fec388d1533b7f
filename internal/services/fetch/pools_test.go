package fetch

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"picloud/internal/cloud"
)

// newMemoryFetcher returns a fetcher whose connections stay in the process: it dials pipes, at whose other
// end each request is answered with the body that handle returns. The upstream never reads a request's body.
// In a synctest bubble, which it is for, it depends on no clock whether a connection is used again.
func newMemoryFetcher(t *testing.T, handle func(*http.Request) string) *Fetcher {
	t.Helper()
	f := newFetcher(t, Config{AllowPrivate: true})
	f.pools.dial = func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()

			for r := bufio.NewReader(far); ; {
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				body := handle(req)
				fmt.Fprintf(far, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			}
		}()
		return near, nil
	}
	return f
}

func pathOf(req *http.Request) string { return req.URL.Path }

// kept counts the pools, and the connections in them.
func (p *pools) kept() (all, open int) {
	p.mu.Lock()
	defer p.mu.Unlock()

	return len(p.apps), p.open
}

// of returns the pool of an app.
func (p *pools) of(app cloud.AppID) *pool {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.apps[app]
}

// connections is how many a pool has, dropped or not.
func (q *pool) connections() int {
	q.pools.mu.Lock()
	defer q.pools.mu.Unlock()

	return q.open
}

// An upstream that does not read the body of a request takes it for the next request on that connection. So
// an app could decide what another one receives, if that got the same connection.
func TestConnectionsAreNotShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newMemoryFetcher(t, pathOf)
		poison := &cloud.Request{Method: http.MethodPost, URL: "http://x.test/alpha",
			Body: []byte("GET /poison HTTP/1.1\r\nX-Ignore: ")}
		reply, err := f.Open(1).Call(t.Context(), 1, cloud.Fetch{Request: poison})
		if err != nil || string(reply.Response.Body) != "/alpha" {
			t.Fatalf("%+v %v", reply.Response, err)
		}

		// The app that did it shows that the connection is used again.
		for _, c := range []struct {
			app  cloud.AppID
			want string
		}{{2, "/own"}, {1, "/poison"}} {
			reply, err := get(t.Context(), f.Open(c.app), 1, "http://x.test/own", follow)
			if err != nil || string(reply.Response.Body) != c.want {
				t.Errorf("app %d gets %+v %v, want %s", c.app, reply.Response, err, c.want)
			}
		}
	})
}

// What is kept for an app goes with its last connection.
func TestPoolsAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newMemoryFetcher(t, pathOf)
		for app := range cloud.AppID(50) {
			if _, err := get(t.Context(), f.Open(app+1), 1, "http://x.test/", follow); err != nil {
				t.Fatal(err)
			}
		}
		if all, open := f.pools.kept(); all != 50 || open != 50 {
			t.Errorf("%d pools with %d connections, want 50", all, open)
		}

		time.Sleep(idleConnTimeout)
		synctest.Wait()
		if all, open := f.pools.kept(); all != 0 || open != 0 {
			t.Errorf("%d pools with %d connections are left", all, open)
		}

		// Neither does a request that gets no connection leave anything behind.
		f.pools.dial = func(context.Context, string, string) (net.Conn, error) {
			return nil, syscall.ECONNREFUSED
		}
		_, err := get(t.Context(), f.Open(1), 1, "http://x.test/", follow)
		if all, _ := f.pools.kept(); err == nil || all != 0 {
			t.Errorf("%d pools are left; %v", all, err)
		}
	})
}

// When too many connections are open, the app that has the most loses its idle ones; those in use go on to
// the end of their request. The other apps keep theirs.
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		goOnCh := make(chan struct{})
		f := newMemoryFetcher(t, func(req *http.Request) string {
			if req.URL.Path == "/wait" {
				<-goOnCh
			}
			return ""
		})
		f.pools.max = 5
		fetch := func(app cloud.AppID, path string) {
			if _, err := get(t.Context(), f.Open(app), 1, "http://x.test"+path, follow); err != nil {
				t.Error(err)
			}
		}
		wantOpen := func(when string, first *pool, ofFirst, all int) {
			t.Helper()
			synctest.Wait()
			if _, open := f.pools.kept(); open != all || first.connections() != ofFirst {
				t.Errorf("%s: %d connections, want %d; %d of the first app, want %d",
					when, open, all, first.connections(), ofFirst)
			}
		}

		for range 3 {
			go fetch(1, "/wait")
		}
		synctest.Wait()
		goOnCh <- struct{}{} // one of the connections becomes idle
		fetch(2, "/")
		fetch(3, "/")
		first, second, third := f.pools.of(1), f.pools.of(2), f.pools.of(3)
		wantOpen("as many as allowed", first, 3, 5)

		fetch(4, "/")
		wantOpen("one too many", first, 2, 3)
		fetch(2, "/")
		fetch(3, "/")
		wantOpen("the others use theirs again", first, 2, 3)
		if f.pools.of(1) != nil || f.pools.of(2) != second || f.pools.of(3) != third {
			t.Error("another app than the first lost its pool")
		}

		// What was in use ends with its request, and the app starts anew.
		close(goOnCh)
		wantOpen("at the end of the requests", first, 0, 3)
		fetch(1, "/")
		wantOpen("the first app again", f.pools.of(1), 1, 4)
	})
}

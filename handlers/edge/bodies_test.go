package edge

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp/fasthttputil"

	"picloud/internal/cloud"
)

// echo is a server that answers with the body it read, at most limit bytes of it.
func echo(t *testing.T, limit int) (connect func() net.Conn) {
	t.Helper()
	e, _ := newEdge(t, nil)
	return serve(t, e, true, func(c *fiber.Ctx) error {
		body, err := e.ReadBody(c, limit)
		if err != nil {
			return err
		}
		return c.Send(body)
	})
}

// serve runs a server until the test ends.
func serve(t *testing.T, e *Edge, stream bool, h fiber.Handler) (connect func() net.Conn) {
	t.Helper()
	app := fiber.New(fiber.Config{
		ErrorHandler:          e.HandleError,
		StreamRequestBody:     stream,
		BodyLimit:             1 << 40,
		DisableStartupMessage: true,
	})
	app.Use(func(c *fiber.Ctx) error {
		defer ReleaseBody(c.Context())
		return h(c)
	})

	l := fasthttputil.NewInmemoryListener()
	overC := make(chan error, 1)
	go func() { overC <- app.Listener(proxyListener{l}) }()
	t.Cleanup(func() {
		_ = app.Shutdown()
		<-overC
	})

	return func() net.Conn {
		conn, err := l.Dial()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
}

// proxyListener accepts connections that come from the address of the tests' proxy.
type proxyListener struct{ net.Listener }

func (l proxyListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return proxyConn{conn}, err
}

type proxyConn struct{ net.Conn }

func (proxyConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(proxy.Addr(), 1))
}

func chunked(body string) string {
	var b strings.Builder
	b.WriteString("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")

	for len(body) > 0 {
		n := min(1000, len(body))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	b.WriteString("0\r\n\r\n")
	return b.String()
}

func declared(body string) string {
	return fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// The limit holds whether the length is declared or not, and the caller sees why its body was refused.
func TestBodyLimit(t *testing.T) {
	t.Parallel()

	const limit = 4000
	for _, c := range []struct {
		name   string
		encode func(string) string
		size   int
		status int
	}{
		{"empty", declared, 0, 200},
		{"declared, as long as it may be", declared, limit, 200},
		{"declared, one byte too long", declared, limit + 1, 413},
		{"declared, ten times too long", declared, 10 * limit, 413},
		{"chunked, empty", chunked, 0, 200},
		{"chunked, as long as it may be", chunked, limit, 200},
		{"chunked, one byte too long", chunked, limit + 1, 413},
		{"chunked, three times too long", chunked, 3 * limit, 413},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn := echo(t, limit)()
			body := strings.Repeat("x", c.size)
			go func() { _, _ = io.WriteString(conn, c.encode(body)) }() // it may be cut off
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()

			if res.StatusCode != c.status {
				t.Fatalf("status %d, want %d", res.StatusCode, c.status)
			}
			if got := bodyOf(t, res); c.status == 200 && got != body {
				t.Errorf("%d bytes arrived, want %d", len(got), len(body))
			}

			// What is left of a refused body must not be read as the next request.
			if (c.status == 413) != res.Close {
				t.Errorf("closes the connection: %v", res.Close)
			}
		})
	}
}

// A body that ends too early is the caller's mistake, not an error of ours.
func TestBodyThatEndsTooEarly(t *testing.T) {
	t.Parallel()
	conn := echo(t, 100)()
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()

	if body := bodyOf(t, res); res.StatusCode != 400 || !strings.Contains(body, `"code":"malformed"`) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

// A caller who hangs up in the middle of a body of a declared length has not sent a shorter one.
func TestBodyOfCallerWhoHangsUp(t *testing.T) {
	t.Parallel()

	// The server itself waits for the first 8 KiB.
	for _, c := range []struct{ size, sent int }{
		{10_000, 9000}, {pieceBytes, pieceBytes - 1}, {1 << 20, 1 << 19}, {1 << 20, 1<<20 - 1},
	} {
		t.Run(fmt.Sprintf("%d of %d bytes", c.sent, c.size), func(t *testing.T) {
			t.Parallel()
			e, _ := newEdge(t, nil)
			readCh := make(chan error, 1)
			conn := serve(t, e, true, func(c *fiber.Ctx) error {
				_, err := e.ReadBody(c, 1<<20)
				readCh <- err
				return err
			})()

			begin := fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", c.size)
			if _, err := io.WriteString(conn, begin+strings.Repeat("x", c.sent)); err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()

			if err := <-readCh; cloud.CodeOf(err) != cloud.CodeMalformed {
				t.Errorf("%v", err)
			}
		})
	}
}

// A body is the reader's to keep: Fiber uses its buffers again for the next request of a connection.
func TestBodyIsACopy(t *testing.T) {
	t.Parallel()

	for _, stream := range []bool{true, false} {
		t.Run(fmt.Sprint("stream ", stream), func(t *testing.T) {
			t.Parallel()
			var kept [][]byte
			e, _ := newEdge(t, nil)
			connect := serve(t, e, stream, func(c *fiber.Ctx) error {
				body, err := e.ReadBody(c, 100)
				kept = append(kept, body)
				return err
			})
			conn := connect()
			r := bufio.NewReader(conn)

			for _, body := range []string{"first", "other"} {
				if _, err := io.WriteString(conn, declared(body)); err != nil {
					t.Fatal(err)
				}
				res, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Fatal(err)
				}
				_ = bodyOf(t, res)
				_ = res.Body.Close()
			}

			if string(kept[0]) != "first" || string(kept[1]) != "other" {
				t.Errorf("%q", kept)
			}
		})
	}
}

// What is sent takes memory, not what is promised; and what one caller sends leaves room for others, until
// it is over.
func TestBodyBudget(t *testing.T) {
	t.Parallel()

	const budget = 400 << 10
	e, _ := newEdge(t, func(c *Config) {
		c.BodyBudget = budget
		c.TrustedProxies = []netip.Prefix{proxy}
	})
	arrivedCh := make(chan struct{})
	connect := serve(t, e, true, func(c *fiber.Ctx) error {
		body, err := e.ReadBody(c, 1<<20)
		if err != nil {
			return err
		}
		return c.SendString(strconv.Itoa(len(body)))
	})

	// post sends the first bytes of a body.
	post := func(client string, size, sent int) (net.Conn, *bufio.Reader) {
		conn := connect()
		go func() {
			_, _ = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: %s\r\nContent-Length: %d\r\n\r\n", client, size)
			_, _ = io.WriteString(conn, strings.Repeat("x", sent))
			arrivedCh <- struct{}{}
		}()
		return conn, bufio.NewReader(conn)
	}
	status := func(r *bufio.Reader) int {
		t.Helper()
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		_ = bodyOf(t, res)
		return res.StatusCode
	}

	// A hundred callers that promise a megabyte each and send nothing of it.
	for range 100 {
		post("9.9.9.9", 1<<20, 0)
		<-arrivedCh
	}
	if free := e.bodies.pool.Free(); free != budget {
		t.Errorf("promises took %d bytes", budget-free)
	}

	first, answer := post("9.9.9.9", 150<<10, 149<<10)
	<-arrivedCh

	for e.bodies.pool.Held("9.9.9.9") < 130<<10 { // it was sent; now it has all its room
		time.Sleep(time.Millisecond)
	}
	_, refused := post("9.9.9.9", 150<<10, 150<<10)
	if got := status(refused); got != 503 {
		t.Errorf("more than its share: %d, want 503", got)
	}
	<-arrivedCh
	_, other := post("8.8.8.8", 100<<10, 100<<10)
	if got := status(other); got != 200 {
		t.Errorf("another caller: %d, want 200", got)
	}
	<-arrivedCh

	_, _ = io.WriteString(first, strings.Repeat("x", 1<<10))
	if got := status(answer); got != 200 {
		t.Errorf("the first caller: %d, want 200", got)
	}
	_, again := post("9.9.9.9", 150<<10, 150<<10)
	if got := status(again); got != 200 {
		t.Errorf("once its first body is done with: %d, want 200", got)
	}
	<-arrivedCh
}

// A caller that does not read its answers is refused when they take its share, and nobody else is.
func TestUnreadAnswers(t *testing.T) {
	t.Parallel()

	e, _ := newEdge(t, func(c *Config) {
		c.BodyBudget = 100 << 10
		c.TrustedProxies = []netip.Prefix{proxy}
	})
	var sent []func()
	ask := func(client string) (err error) {
		answer(t, e, func(c *fiber.Ctx) error {
			if err = e.CheckRoom(c); err == nil {
				_ = c.SendString(strings.Repeat("x", 40<<10))
				sent = append(sent, e.ChargeAnswer(c))
			}
			return nil
		}, request("GET", "/", "X-Forwarded-For", client))
		return err
	}

	for k, want := range []bool{true, true, false} {
		if err := ask("9.9.9.9"); (err == nil) != want {
			t.Errorf("answer %d: %v", k+1, err)
		}
	}
	if err := ask("8.8.8.8"); err != nil {
		t.Errorf("another caller: %v", err)
	}

	for _, f := range sent {
		f()
	}
	if err := ask("9.9.9.9"); err != nil {
		t.Errorf("after it has read them: %v", err)
	}
}

package handlers

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// A peer may take its time for a large answer as long as it takes each piece in time; one that stops is cut
// off.
func TestPacedWrites(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		conn := &pacedConn{Conn: server}
		answer := make([]byte, 10*pieceSize)

		type result struct {
			n   int
			err error
		}
		doneCh := make(chan result, 1)
		write := func() {
			n, err := conn.Write(answer)
			doneCh <- result{n, err}
		}

		go write()
		began := time.Now()

		piece := make([]byte, pieceSize)
		for range 10 {
			time.Sleep(pieceTimeout - 2*time.Second)
			if _, err := io.ReadFull(client, piece); err != nil {
				t.Fatal(err)
			}
		}
		if got := <-doneCh; got.err != nil || got.n != len(answer) {
			t.Errorf("a slow peer got %d bytes in %s: %v", got.n, time.Since(began), got.err)
		}

		began = time.Now()
		go write()
		_, _ = io.ReadFull(client, piece)
		got := <-doneCh
		if waited := time.Since(began); !errors.Is(got.err, os.ErrDeadlineExceeded) || waited > pieceTimeout {
			t.Errorf("a peer that stopped to read: %d bytes, %v after %s", got.n, got.err, waited)
		}
		_, _ = client.Close(), conn.Close()
	})
}

// What an answer took is given back once: when the next request is read, or when the connection ends.
func TestAfterAnswer(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name string
		over func(*pacedConn)
	}{
		{"the next request", func(c *pacedConn) { _, _ = c.Read(make([]byte, 1)) }},
		{"the end", func(c *pacedConn) { _ = c.Close() }},
		{"another answer", func(c *pacedConn) { c.afterAnswer(func() {}) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, client := net.Pipe()
			conn := &pacedConn{Conn: server}
			_ = client.Close()

			calls := 0
			conn.afterAnswer(func() { calls++ })
			if calls != 0 {
				t.Fatal("given back before it was taken")
			}
			c.over(conn)
			_ = conn.Close()
			if calls != 1 {
				t.Errorf("given back %d times", calls)
			}
		})
	}
}

// A peer that is still sending a body that was refused sees the answer.
func TestLinger(t *testing.T) {
	t.Parallel()

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()

	go func() {
		conn, err := pacedListener{l}.Accept()
		if err != nil {
			return
		}
		_, _ = conn.Write([]byte("refused"))
		conn.(*pacedConn).linger(true)
		_ = conn.Close()
	}()

	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Write(bytes.Repeat([]byte("x"), 8<<20)); err != nil {
		t.Fatalf("while it sends: %v", err)
	}
	_ = client.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(client); string(got) != "refused" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

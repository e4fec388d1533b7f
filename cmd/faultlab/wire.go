package main

import (
	"bytes"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// wire stands between one node and PostgreSQL. It cuts connections around COMMIT, delays what passes, and holds it up.
type wire struct {
	dir    string
	target atomic.Pointer[string]

	// Per cent of commits whose connection is cut before COMMIT reaches the server, and before its answer gets back.
	before, after atomic.Int64
	// Each way, each time something is said: from half of it to all of it.
	delay atomic.Int64 // nanoseconds
	// hold stops what connections of an application name say, until it is empty again; "*" is all of them.
	hold atomic.Pointer[string]
	cuts atomic.Int64

	mu    sync.Mutex
	conns map[net.Conn]bool
	l     net.Listener
}

func newWire(dir, target string) (*wire, error) {
	w := &wire{dir: dir, conns: map[net.Conn]bool{}}
	w.target.Store(&target)
	w.release()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	if w.l, err = net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432")); err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := w.l.Accept()
			if err != nil {
				return
			}
			go w.serve(conn)
		}
	}()
	return w, nil
}

func (w *wire) release()          { none := ""; w.hold.Store(&none) }
func (w *wire) block(name string) { w.hold.Store(&name) }

// cutAll ends every connection at once.
func (w *wire) cutAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		_ = c.Close()
	}
}

func (w *wire) close() { _ = w.l.Close(); w.cutAll() }

func (w *wire) add(c net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[c] = true
}

func (w *wire) remove(c net.Conn) {
	_ = c.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, c)
}

// link is one connection. PostgreSQL's protocol says in its first message which application it is.
type link struct {
	w              *wire
	client, server net.Conn
	name           atomic.Pointer[string]
	inTransaction  atomic.Bool
}

func (w *wire) serve(client net.Conn) {
	w.add(client)
	defer w.remove(client)
	server, err := net.Dial("unix", *w.target.Load())
	if err != nil {
		return
	}
	w.add(server)
	defer w.remove(server)
	k := &link{w: w, client: client, server: server}
	none := ""
	k.name.Store(&none)
	done := make(chan struct{}, 2)
	go func() { k.upstream(); done <- struct{}{} }()
	go func() { k.downstream(); done <- struct{}{} }()
	<-done
}

func (k *link) commits() bool { return *k.name.Load() == "picloud commits" }

func (k *link) upstream() {
	buf := make([]byte, 64<<10)
	for {
		n, err := k.client.Read(buf)
		if err != nil {
			return
		}
		if *k.name.Load() == "" {
			if _, rest, found := bytes.Cut(buf[:n], []byte("application_name\x00")); found {
				name, _, _ := strings.Cut(string(rest), "\x00")
				k.name.Store(&name)
			}
		}
		// The second thing said in a transaction carries its COMMIT.
		if k.commits() && k.inTransaction.Load() && rand.Int64N(100) < k.w.before.Load() {
			k.w.cuts.Add(1)
			return
		}
		k.wait()
		if _, err := k.server.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (k *link) downstream() {
	buf := make([]byte, 64<<10)
	for {
		n, err := k.server.Read(buf)
		if err != nil {
			return
		}
		if k.commits() && bytes.Contains(buf[:n], []byte("COMMIT\x00")) && rand.Int64N(100) < k.w.after.Load() {
			k.w.cuts.Add(1)
			return
		}
		// ReadyForQuery ends an answer: 'Z', length 5, status.
		if n >= 6 && buf[n-6] == 'Z' && buf[n-2] == 5 {
			k.inTransaction.Store(buf[n-1] == 'T')
		}
		k.wait()
		if _, err := k.client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// wait delays and holds up.
func (k *link) wait() {
	if d := k.w.delay.Load(); d > 0 {
		time.Sleep(time.Duration(d/2 + rand.Int64N(d/2+1)))
	}
	for {
		hold := *k.w.hold.Load()
		if hold == "" || hold != "*" && hold != *k.name.Load() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

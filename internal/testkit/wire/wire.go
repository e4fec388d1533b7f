// Package wire stands between a node and its PostgreSQL and does to their connections what networks do. Tests
// and the fault lab share it.
package wire

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

// socket is the name of PostgreSQL's socket in the directory that a connection string calls its host (port
// 5432).
const socket = ".s.PGSQL.5432"

// Wire is the way from one node to one server. It cuts connections around COMMIT, delays what passes, and
// blocks it. All its methods and fields may be used while connections are open.
type Wire struct {
	// Dir is the directory of the socket to connect to: the host of a connection string.
	Dir string

	// Before and After are the commits, in per cent, whose connection is cut: before COMMIT reaches the
	// server, and before its answer gets back. Spare is how many answers pass before the first cut.
	Before, After, Spare atomic.Int64
	// CutBefore and CutAfter count the connections that were cut.
	CutBefore, CutAfter atomic.Int64

	// Vanish refuses every new connection once an answer was cut off, until it is false again.
	Vanish atomic.Bool
	// Delay, in nanoseconds, holds back each message, each way, for half of it to all of it.
	Delay atomic.Int64

	host    atomic.Pointer[string] // directory of the server's socket, for new connections
	blocked atomic.Pointer[string] // application name whose connections are blocked; "*": all, empty: none
	gone    atomic.Bool            // an answer was cut off

	l     net.Listener
	mu    sync.Mutex // guards conns; no other lock is taken under it
	conns map[net.Conn]bool
}

// New opens a wire in a directory that is made, to the server whose socket is in the directory host.
func New(dir, host string) (*Wire, error) {
	w := &Wire{Dir: dir, conns: map[net.Conn]bool{}}
	w.Connect(host)
	w.Release()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}

	var err error
	if w.l, err = net.Listen("unix", filepath.Join(dir, socket)); err != nil {
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

// Connect leads new connections to the server whose socket is in the directory host.
func (w *Wire) Connect(host string) { w.host.Store(&host) }

// Block blocks the connections of an application name, "*" for all, until Release. What they send is kept.
func (w *Wire) Block(name string) { w.blocked.Store(&name) }

// Release lets everything pass again, and first what was kept.
func (w *Wire) Release() { w.Block("") }

// CutAll ends every connection at once.
func (w *Wire) CutAll() {
	w.mu.Lock()
	defer w.mu.Unlock()

	for c := range w.conns {
		_ = c.Close()
	}
}

// Close ends the wire and its connections.
func (w *Wire) Close() { _ = w.l.Close(); w.CutAll() }

func (w *Wire) add(c net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[c] = true
}

func (w *Wire) remove(c net.Conn) {
	_ = c.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, c)
}

// link is one connection.
type link struct {
	w              *Wire
	client, server net.Conn
	name           atomic.Pointer[string] // of the application, from the first message
	inTransaction  atomic.Bool            // as the server's last answer said
}

func (w *Wire) serve(client net.Conn) {
	w.add(client)
	defer w.remove(client)

	server, err := net.Dial("unix", filepath.Join(*w.host.Load(), socket))
	if err != nil {
		return
	}

	if w.Vanish.Load() && w.gone.Load() {
		_ = server.Close()
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

		// The second message of a transaction carries its COMMIT.
		if k.commits() && k.inTransaction.Load() && rand.Int64N(100) < k.w.Before.Load() {
			k.w.CutBefore.Add(1)
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

		if k.commits() && bytes.Contains(buf[:n], []byte("COMMIT\x00")) && k.cutsAnswer() {
			k.w.CutAfter.Add(1)
			k.w.gone.Store(true)
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

// cutsAnswer says whether this answer of a COMMIT is lost.
func (k *link) cutsAnswer() bool {
	return k.w.Spare.Add(-1) < 0 && rand.Int64N(100) < k.w.After.Load()
}

// wait holds a message back for the wire's delay, and for as long as its connection is blocked.
func (k *link) wait() {
	if d := k.w.Delay.Load(); d > 0 {
		time.Sleep(time.Duration(d/2 + rand.Int64N(d/2+1)))
	}

	for {
		blocked := *k.w.blocked.Load()
		if blocked == "" || blocked != "*" && blocked != *k.name.Load() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

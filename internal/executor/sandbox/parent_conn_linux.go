package sandbox

import (
	"fmt"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"picloud/internal/executor/sandbox/rawsys"
)

// rawConn reads and writes the connection to the parent, which never blocks, by the system calls of package
// rawsys. That saves a child with little to do more than a short run costs.
type rawConn struct {
	net.Conn
	raw syscall.RawConn

	// in belongs to the goroutine that reads, out to the one that writes; read and write are made once, as
	// closures would be allocated for each call.
	in, out     transfer
	read, write func(fd uintptr) bool
}

// transfer is one system call's buffer and outcome.
type transfer struct {
	p   []byte
	n   int
	err error
}

// done takes a call's outcome. It reports false if the socket is not ready.
func (t *transfer) done(n int, errno unix.Errno) bool {
	switch errno {
	case 0:
		t.n, t.err = n, nil
	case unix.EAGAIN:
		return false
	default:
		t.n, t.err = 0, errno
	}

	return true
}

// withRawSyscalls wraps a connection that has a descriptor.
func withRawSyscalls(conn net.Conn) net.Conn {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return conn
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return conn
	}

	q := &rawConn{Conn: conn, raw: raw}
	q.read = func(fd uintptr) bool { return q.in.done(rawsys.Read(fd, q.in.p)) }
	q.write = func(fd uintptr) bool { return q.out.done(rawsys.Write(fd, q.out.p)) }

	return q
}

// Read is called by one goroutine at a time.
func (q *rawConn) Read(p []byte) (int, error) {
	q.in = transfer{p: p}
	if err := q.raw.Read(q.read); err != nil {
		return 0, fmt.Errorf("read: %w", err)
	}

	n, err := q.in.n, q.in.err
	q.in.p = nil
	if n == 0 && err == nil && len(p) > 0 {
		err = io.EOF
	}

	return n, err
}

// Write is called by one goroutine at a time.
func (q *rawConn) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		q.out = transfer{p: p[done:]}
		if err := q.raw.Write(q.write); err != nil {
			return done, fmt.Errorf("write: %w", err)
		}
		if q.out.err != nil {
			return done, q.out.err
		}
		done += q.out.n
	}

	q.out.p = nil
	return done, nil
}

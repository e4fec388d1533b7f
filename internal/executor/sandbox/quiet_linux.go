package sandbox

import (
	"fmt"
	"io"
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// quietConn reads and writes the connection to the parent, which never blocks, by system calls that the Go runtime does not
// hear of. Of any other it tells its monitor (sysmon, runtime/proc.go), a thread that looks around every 20 us for a while: in a
// child that has little to do, that would cost more than a short run.
type quietConn struct {
	net.Conn
	raw         syscall.RawConn
	in, out     transfer
	read, write func(fd uintptr) bool
}

// transfer is one system call's buffer and outcome.
type transfer struct {
	p   []byte
	n   int
	err error
}

// try makes the call once; false: the socket is not ready.
func (t *transfer) try(call, fd uintptr) bool {
	for {
		n, _, errno := unix.RawSyscall(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(t.p))), uintptr(len(t.p)))
		switch errno {
		case 0:
			t.n, t.err = int(n), nil
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return false
		default:
			t.n, t.err = 0, errno
		}
		return true
	}
}

func quiet(conn net.Conn) net.Conn {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return conn
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return conn
	}
	q := &quietConn{Conn: conn, raw: raw}
	q.read = func(fd uintptr) bool { return q.in.try(unix.SYS_READ, fd) }
	q.write = func(fd uintptr) bool { return q.out.try(unix.SYS_WRITE, fd) }
	return q
}

// Read is called by one goroutine at a time.
func (q *quietConn) Read(p []byte) (int, error) {
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
func (q *quietConn) Write(p []byte) (int, error) {
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

// wakeMonitor makes a system call that the runtime hears of.
func wakeMonitor() { _, _, _ = unix.Syscall(unix.SYS_GETPID, 0, 0, 0) }

package sandbox

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// The connection to the parent carries whatever size in both directions at once, and says when it ends.
func TestRawConn(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}

	var ends [2]net.Conn
	for k, fd := range fds {
		f := os.NewFile(uintptr(fd), "end")
		if ends[k], err = net.FileConn(f); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	child, parent := withRawSyscalls(ends[0]), ends[1]
	if _, ok := child.(*rawConn); !ok {
		t.Fatalf("the connection is a %T", child)
	}
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // far more than the socket holds
	errC := make(chan error, 2)
	go func() {
		_, err := child.Write(sent)
		errC <- err
	}()
	go func() { _, _ = io.Copy(parent, io.LimitReader(parent, int64(len(sent)))) }() // what it hears it says
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(child, got); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d bytes did not come back as they were sent (%v)", len(got), err)
	}
	if err := <-errC; err != nil {
		t.Fatal(err)
	}
	if err := parent.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := child.Read(got); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("after the end %d bytes came (%v)", n, err)
	}
	if _, err := child.Write(sent); !errors.Is(err, unix.EPIPE) {
		t.Errorf("writing to nobody: %v", err)
	}
	_ = child.Close()
	if _, err := child.Read(got); !errors.Is(err, net.ErrClosed) {
		t.Errorf("reading what is closed: %v", err)
	}
}

package ingress

import (
	"io"
	"net"
	"testing"
)

// A caller that closes its side is noticed, by the watch and by asking.
func TestHangupIsNoticed(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name  string
		begin func(*hangupWatch) <-chan struct{}
	}{
		{"after a while", (*hangupWatch).Watch},
		{"at once", (*hangupWatch).now},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, client := tcp(t)
			w := newHangupWatch(server)
			goneC := c.begin(w)
			_ = client.Close()
			<-goneC
			if !w.HungUp() {
				t.Error("asked, it says that the caller is there")
			}
			w.stop()
		})
	}
}

// A caller that closes only its writing side, as some do after a request, has hung up as well: nothing
// tells the two apart.
func TestHalfCloseIsAHangup(t *testing.T) {
	t.Parallel()
	server, client := tcp(t)
	w := newHangupWatch(server)
	goneC := w.now()
	_ = client.(*net.TCPConn).CloseWrite()
	<-goneC
	w.stop()
}

// The next request of a caller that does not wait for the first is no hang-up, and no byte of it is lost.
func TestPipelinedRequestIsNoHangup(t *testing.T) {
	t.Parallel()
	server, client := tcp(t)
	w := newHangupWatch(server)
	goneC := w.now()
	if _, err := io.WriteString(client, "next"); err != nil {
		t.Fatal(err)
	}

	w.stop()

	select {
	case <-goneC:
		t.Error("taken for a hang-up")
	default:
	}

	if w.HungUp() {
		t.Error("asked, it says that the caller is gone")
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(server, got); err != nil || string(got) != "next" {
		t.Errorf("%q, %v", got, err)
	}
}

// After stop the connection can be read again, whether the watch had begun or not: its deadline is not left
// in the past.
func TestStopGivesTheConnectionBack(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name  string
		begin func(*hangupWatch)
	}{
		{"never watched", func(*hangupWatch) {}},
		{"not yet watched", func(w *hangupWatch) { w.Watch() }},
		{"watched", func(w *hangupWatch) { w.now() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, client := tcp(t)
			w := newHangupWatch(server)
			c.begin(w)

			w.stop()
			if _, err := io.WriteString(client, "more"); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 4)
			if _, err := io.ReadFull(server, got); err != nil || string(got) != "more" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// A connection without a socket, as in tests, is never taken for one whose caller is gone.
func TestWatchWithoutASocket(t *testing.T) {
	t.Parallel()
	conn, other := net.Pipe()
	defer other.Close()

	w := newHangupWatch(conn)
	goneC := w.now()
	_ = conn.Close()
	w.stop()

	select {
	case <-goneC:
		t.Error("gone")
	default:
	}

	if w.HungUp() {
		t.Error("gone, when asked")
	}
}

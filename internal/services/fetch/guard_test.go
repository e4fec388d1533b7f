package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"picloud/internal/cloud"
)

// Every address that is not globally reachable is refused, in each form that carries it.
func TestGuard(t *testing.T) {
	refused := []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.0.1", "169.254.0.1", "169.254.169.254",
		"172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1",
		"203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16", "100.100.100.200",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1",
		"100::1", "2001:db8::1", "2001::1", "2002:7f00:1::1", "2002:a9fe:a9fe::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254", "fdff::1", "fe80::1", "fe80::1%lo", "fec0::1", "ff02::1",
		"3fff::1", "5f00::1",
	}
	public := publicOnly()
	for _, a := range refused {
		if err := public(netip.AddrPortFrom(netip.MustParseAddr(a), 80)); !errors.Is(err, errRefused) {
			t.Errorf("%s: %v", a, err)
		}
	}
	for _, a := range []string{"1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::200e", "::ffff:8.8.8.8"} {
		if err := public(netip.AddrPortFrom(netip.MustParseAddr(a), 443)); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
	for _, a := range []string{"169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::", "100.100.100.200", "fd00:ec2::254", "fd00:ec2::254%eth0"} {
		if err := notMetadata(netip.AddrPortFrom(netip.MustParseAddr(a), 80)); !errors.Is(err, errRefused) {
			t.Errorf("metadata at %s: %v", a, err)
		}
	}
	for _, a := range []string{"127.0.0.1", "10.0.0.1", "169.254.1.1", "::1", "fd00::1"} {
		if err := notMetadata(netip.AddrPortFrom(netip.MustParseAddr(a), 80)); err != nil {
			t.Errorf("development at %s: %v", a, err)
		}
	}
}

// A redirect is dialled anew: the guard decides on its address again.
func TestRedirectInside(t *testing.T) {
	secret := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the address inside was reached") }))
	t.Cleanup(secret.Close)
	outside := httptest.NewServer(http.RedirectHandler(secret.URL, http.StatusTemporaryRedirect))
	t.Cleanup(outside.Close)
	f := New(Config{MaxBody: 1 << 20, Version: "test"})
	public, open := f.guard, netip.MustParseAddrPort(strings.TrimPrefix(outside.URL, "http://"))
	f.guard = func(to netip.AddrPort) error {
		if to == open {
			return nil
		}
		return public(to)
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		_, err := f.Open().Call(context.Background(), 1, cloud.OpFetch, cloud.HostArgs{Request: &cloud.Request{Method: method, URL: outside.URL, Body: []byte("x")}})
		if err == nil || !strings.Contains(err.Error(), "not reachable for scripts") {
			t.Errorf("%s: %v", method, err)
		}
	}
}

// A small answer that grows when it is decompressed ends at the limit.
func TestDecompressionBomb(t *testing.T) {
	bomb := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(zeros(t, 64<<20))
	}))
	t.Cleanup(bomb.Close)
	s := New(Config{AllowPrivate: true, MaxBody: 1 << 20, Version: "test"}).Open()
	for n, all := range []bool{true, false} {
		reply, err := s.Call(context.Background(), uint64(n), cloud.OpFetch, cloud.HostArgs{Request: &cloud.Request{Method: http.MethodGet, URL: bomb.URL}})
		if err != nil || !reply.Partial {
			t.Fatalf("%+v %v", reply, err)
		}
		got := 0
		for err == nil && reply.Partial {
			reply, err = s.Call(context.Background(), 9, cloud.OpFetchRead, cloud.HostArgs{Number: float64(n), Flag: all})
			got += len(reply.Bytes)
		}
		if err == nil || !strings.Contains(err.Error(), "more than the 1048576 bytes") || got > 1<<20 {
			t.Errorf("%d bytes, %v", got, err)
		}
	}
}

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

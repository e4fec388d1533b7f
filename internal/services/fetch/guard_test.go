package fetch

import (
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
	t.Parallel()

	public := publicOnly()
	for name, c := range map[string]struct {
		guard     guard
		refused   bool
		addresses string
	}{
		"this network and private IPv4": {public, true, `0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1
			100.127.255.255 172.16.0.1 172.31.255.255 192.168.0.1`},
		"loopback and link-local IPv4": {public, true, `127.0.0.1 127.255.0.1 169.254.0.1 169.254.169.254`},
		"special IPv4": {public, true, `192.0.0.1 192.0.0.192 192.0.2.1 198.18.0.1 198.19.255.255 198.51.100.1
			203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255`},
		"metadata in public space": {public, true, `168.63.129.16 100.100.100.200`},
		"IPv4 in IPv6": {public, true, `::ffff:127.0.0.1 ::ffff:10.0.0.1
			::ffff:169.254.169.254 ::127.0.0.1`},
		"NAT64": {public, true, `64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::a00:1`},
		"6to4":  {public, true, `2002:7f00:1::1 2002:a9fe:a9fe::1`},
		"special IPv6": {public, true, `:: ::1 100::1 2001:db8::1 2001::1 fc00::1 fd00:ec2::254 fd20:ce::254
			fdff::1 fe80::1 fe80::1%lo fec0::1 ff02::1 3fff::1 5f00::1`},
		"public": {public, false, `1.1.1.1 8.8.8.8 93.184.216.34 2606:4700::1111 2a00:1450:4001::200e
			::ffff:8.8.8.8`},

		"metadata, for development": {notMetadata, true, `169.254.169.254 ::ffff:169.254.169.254
			64:ff9b::a9fe:a9fe 64:ff9b:1::a9fe:a9fe 2002:a9fe:a9fe:: 100.100.100.200 fd00:ec2::254
			fd00:ec2::254%eth0`},
		"private, for development": {notMetadata, false, `127.0.0.1 10.0.0.1 169.254.1.1 ::1 fd00::1`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			for _, address := range strings.Fields(c.addresses) {
				err := c.guard(netip.AddrPortFrom(netip.MustParseAddr(address), 80))
				if c.refused != errors.Is(err, errRefused) || !c.refused && err != nil {
					t.Errorf("%s: %v, want refused %t", address, err, c.refused)
				}
			}
		})
	}
}

// The dialer's hook refuses what it cannot read and the ports of other protocols before it asks the guard.
func TestControl(t *testing.T) {
	t.Parallel()

	f := newFetcher(t, Config{AllowPrivate: true})
	for address, want := range map[string]error{
		"127.0.0.1:80":       nil,
		"[::1]:8080":         nil,
		"169.254.169.254:80": errRefused,
		"127.0.0.1:25":       errPort,
		"127.0.0.1:22":       errPort,
		"[::1]:6667":         errPort,
		"127.0.0.1:0":        errPort,
		"localhost:80":       errRefused,
		"":                   errRefused,
	} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			if err := f.control("tcp", address, nil); !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
		})
	}
}

// A redirect is dialled anew: the guard decides on its address again.
func TestRedirectInside(t *testing.T) {
	t.Parallel()
	secret := newServer(t, func(http.ResponseWriter, *http.Request) {
		t.Error("the address inside was reached")
	})
	outside := httptest.NewServer(http.RedirectHandler(secret, http.StatusTemporaryRedirect))
	t.Cleanup(outside.Close)

	f := newFetcher(t, Config{})
	public, open := f.guard, netip.MustParseAddrPort(strings.TrimPrefix(outside.URL, "http://"))
	f.guard = func(to netip.AddrPort) error {
		if to == open {
			return nil
		}
		return public(to)
	}

	for _, method := range []string{http.MethodGet, http.MethodPost} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			request := &cloud.Request{Method: method, URL: outside.URL, Body: []byte("x")}
			_, err := f.Open(1).Call(t.Context(), 1, cloud.Fetch{Request: request})
			if err == nil || !strings.Contains(err.Error(), "not reachable for scripts") {
				t.Errorf("got %v", err)
			}
		})
	}
}

package fetch

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"

	"code.dny.dev/ssrf"
)

// guard decides whether a connection to an address may be made. It sees the address that the system is about
// to dial, after names were resolved, so a name cannot resolve to one address for the guard and to another
// for the dialer.
type guard func(to netip.AddrPort) error

var (
	errRefused = errors.New("this address is not reachable for scripts")
	errPort    = errors.New("this port is not reachable for scripts: it belongs to another protocol")
)

// control is the dialer's hook, called for every connection after names are resolved.
func (f *Fetcher) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return errRefused
	}
	if slices.Contains(blockedPorts, to.Port()) {
		return errPort
	}
	return f.guard(to)
}

// publicOnly refuses everything but globally reachable unicast addresses (IANA special-purpose registries,
// RFC 6890).
func publicOnly() guard {
	public := ssrf.New(ssrf.WithAnyPort())
	return func(to netip.AddrPort) error {
		// An IPv4 address in IPv6 form is judged as the IPv4 address that the system will dial.
		to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
		network := "tcp6"
		if to.Addr().Is4() {
			network = "tcp4"
		}

		if err := public.Safe(network, to.String(), nil); err != nil {
			return errRefused
		}
		return notMetadata(to)
	}
}

// metadata are the addresses at which clouds serve credentials to their machines.
var metadata = []netip.Addr{
	netip.MustParseAddr("169.254.169.254"), // AWS, Google Cloud, Azure and most others
	netip.MustParseAddr("169.254.170.2"),   // AWS, containers
	netip.MustParseAddr("169.254.170.23"),  // AWS, pods
	netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud
	netip.MustParseAddr("168.63.129.16"),   // Azure
	netip.MustParseAddr("192.0.0.192"),     // Oracle Cloud
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("fd00:ec2::23"),    // AWS, pods
	netip.MustParseAddr("fd20:ce::254"),    // Google Cloud
	netip.MustParseAddr("fd00:42::42"),     // Scaleway
}

// notMetadata refuses the metadata addresses in each form that leads to them, and nothing else.
func notMetadata(to netip.AddrPort) error {
	for _, addr := range withEmbedded(to.Addr().WithZone("").Unmap()) {
		if slices.Contains(metadata, addr) {
			return errRefused
		}
	}
	return nil
}

// Prefixes of addresses that embed an IPv4 address to which a gateway may lead: NAT64 (RFC 6052, RFC 8215),
// 6to4 (RFC 3056).
var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
	nat64Local = netip.MustParsePrefix("64:ff9b:1::/48")
	sixToFour  = netip.MustParsePrefix("2002::/16")
)

// withEmbedded returns an address, and the IPv4 address that it embeds.
func withEmbedded(addr netip.Addr) []netip.Addr {
	all := []netip.Addr{addr}
	if !addr.Is6() {
		return all
	}

	b := addr.As16()
	switch {
	case nat64.Contains(addr), nat64Local.Contains(addr):
		all = append(all, netip.AddrFrom4([4]byte(b[12:])))
	case sixToFour.Contains(addr):
		all = append(all, netip.AddrFrom4([4]byte(b[2:6])))
	}
	return all
}

// blockedPorts speak protocols that a crafted request could be mistaken for (Fetch standard, 2.9).
var blockedPorts = []uint16{
	0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103,
	104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514,
	515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723,
	2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
}

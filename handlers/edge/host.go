package edge

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"picloud/internal/cloud"
)

// AdminHostOnly hides dashboard and API from the hosts of scripts.
func (e *Edge) AdminHostOnly(c *fiber.Ctx) error {
	if !e.ServesAdmin(c) {
		return cloud.Errorf(cloud.CodeNotFound, "nothing answers at this address")
	}
	return c.Next()
}

// ServesAdmin reports whether dashboard and API answer on the request's host. A host of their own must be
// claimed by all that names a host: a proxy that forgets to overwrite X-Forwarded-Host passes on what a
// caller wrote there, and would open the dashboard on an address that is for scripts.
func (e *Edge) ServesAdmin(c *fiber.Ctx) bool {
	isOther := func(host string) bool { return host != e.cfg.AdminHost }
	return !e.cfg.NoAdmin && (e.SharesHost() || !slices.ContainsFunc(e.claimedHosts(c), isOther))
}

// ServesScripts reports whether scripts answer on the request's host: if nothing claims the dashboard's.
func (e *Edge) ServesScripts(c *fiber.Ctx) bool {
	return !e.cfg.NoScripts && (e.SharesHost() || !slices.Contains(e.claimedHosts(c), e.cfg.AdminHost))
}

// claimedHosts are the hosts that a request names: in Host, in its target, and in what a trusted proxy
// forwards.
func (e *Edge) claimedHosts(c *fiber.Ctx) []string {
	return []string{bareHost(c.Context().Request.Header.Host()), bareHost(c.Context().Host()), e.Host(c)}
}

// SharesHost reports whether scripts answer on the same hosts as the dashboard.
func (e *Edge) SharesHost() bool { return e.cfg.AdminHost == "" }

// Host is the request's host, lower case and without port. Forwarded hosts count from trusted proxies alone.
func (e *Edge) Host(c *fiber.Ctx) string { return bareHost(e.Authority(c)) }

// Authority is the request's host, with its port. What a trusted proxy forwards counts, unless it is no host.
func (e *Edge) Authority(c *fiber.Ctx) []byte {
	if e.FromTrustedProxy(c) {
		if forwarded := Forwarded(c, "X-Forwarded-Host"); ValidHost(forwarded) {
			return []byte(forwarded)
		}
	}
	return c.Context().Host()
}

// bareHost is a host in lower case, without port and final dot.
func bareHost(authority []byte) string {
	host := string(authority)
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// ValidHost reports whether a text is a host as the header Host has it (RFC 9110, 7.2): a DNS name, an IPv4
// address or an IPv6 address in brackets, with or without a port. Names may have underscores, as those of
// containers do.
func ValidHost(text string) bool {
	host, port := cutPort(text)
	if !validPort(port) {
		return false
	}

	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		inner, closed := strings.CutSuffix(inner, "]")
		address, err := netip.ParseAddr(inner)
		return closed && err == nil && address.Is6() && address.Zone() == ""
	}

	for label := range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if label == "" || strings.ContainsFunc(label, notInLabel) {
			return false
		}
	}
	return true
}

// cutPort divides a host from its port, "" without one.
func cutPort(text string) (host, port string) {
	colon := strings.LastIndexByte(text, ':')
	if colon < strings.LastIndexByte(text, ']') || colon < 0 {
		return text, ""
	}
	return text[:colon], text[colon+1:]
}

func notInLabel(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// validPort reports whether a text is the number of a port. A colon with nothing behind it is the usual port.
func validPort(port string) bool {
	_, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil
}

// Secure reports whether the caller speaks TLS, with this server or with the proxy before it.
func (e *Edge) Secure(c *fiber.Ctx) bool {
	return c.Context().IsTLS() || e.FromTrustedProxy(c) && Forwarded(c, "X-Forwarded-Proto") == "https"
}

// FromTrustedProxy reports whether the peer is a proxy whose X-Forwarded headers count.
func (e *Edge) FromTrustedProxy(c *fiber.Ctx) bool {
	if len(e.cfg.TrustedProxies) == 0 {
		return false
	}
	return e.isTrusted(peer(c))
}

func (e *Edge) isTrusted(address netip.Addr) bool {
	for _, p := range e.cfg.TrustedProxies {
		if p.Contains(address) {
			return true
		}
	}
	return false
}

// peer is the other end of the connection, the zero address if that is no TCP connection.
func peer(c *fiber.Ctx) netip.Addr {
	address, ok := c.Context().RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return address.AddrPort().Addr().Unmap()
}

// Client is the caller's address: the last one in X-Forwarded-For that is no trusted proxy. What stands
// before it was written by somebody who may lie.
func (e *Edge) Client(c *fiber.Ctx) netip.Addr {
	client := peer(c)
	if !e.FromTrustedProxy(c) {
		return client
	}

	for _, hop := range slices.Backward(forwardedValues(c, "X-Forwarded-For")) {
		address, ok := forwardedAddress(hop)
		if !ok {
			break
		}
		client = address
		if !e.isTrusted(client) {
			break
		}
	}
	return client
}

// Forwarded is what the nearest proxy says in a header of its own, "" for nothing. It counts only from a
// trusted proxy (FromTrustedProxy).
func Forwarded(c *fiber.Ctx, name string) string {
	values := forwardedValues(c, name)
	return values[len(values)-1]
}

// forwardedValues are the values of a header in the order in which proxies added them, at least one. Some
// proxies append to the line that is there, others add a line, and the lines are one list (RFC 9110, 5.3).
func forwardedValues(c *fiber.Ctx, name string) []string {
	lines := c.Context().Request.Header.PeekAll(name)
	values := strings.Split(string(bytes.Join(lines, []byte(","))), ",")

	for k := range values {
		values[k] = strings.TrimSpace(values[k])
	}
	return values
}

// forwardedAddress reads an address as proxies write it: bare, with a port, and IPv6 perhaps in brackets.
func forwardedAddress(hop string) (netip.Addr, bool) {
	address, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(hop, "["), "]"))
	if err != nil {
		var withPort netip.AddrPort
		withPort, err = netip.ParseAddrPort(hop)
		address = withPort.Addr()
	}
	return address.Unmap().WithZone(""), err == nil
}

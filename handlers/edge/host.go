package edge

import (
	"net"
	"net/netip"
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

// ServesAdmin reports whether dashboard and API answer on the request's host.
func (e *Edge) ServesAdmin(c *fiber.Ctx) bool {
	return !e.cfg.NoAdmin && (e.cfg.AdminHost == "" || e.Host(c) == e.cfg.AdminHost)
}

// ServesScripts reports whether scripts answer on the request's host.
func (e *Edge) ServesScripts(c *fiber.Ctx) bool {
	return !e.cfg.NoScripts && (e.cfg.AdminHost == "" || e.Host(c) != e.cfg.AdminHost)
}

// SharesHost reports whether scripts answer on the same hosts as the dashboard.
func (e *Edge) SharesHost() bool { return e.cfg.AdminHost == "" }

// Host is the request's host, lower case and without port. Forwarded hosts count from trusted proxies alone.
func (e *Edge) Host(c *fiber.Ctx) string {
	host := string(c.Context().Host())
	if e.FromTrustedProxy(c) {
		if forwarded := c.Get("X-Forwarded-Host"); forwarded != "" {
			host = forwarded
		}
	}

	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// Secure reports whether the caller speaks TLS, with this server or with the proxy before it.
func (e *Edge) Secure(c *fiber.Ctx) bool {
	return c.Context().IsTLS() || e.FromTrustedProxy(c) && c.Get("X-Forwarded-Proto") == "https"
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

	hops := strings.Split(c.Get("X-Forwarded-For"), ",")
	for k := len(hops) - 1; k >= 0; k-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[k]))
		if err != nil {
			break
		}
		client = hop.Unmap()
		if !e.isTrusted(client) {
			break
		}
	}
	return client
}

package main

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"picloud/handlers/edge"
)

// checkAddresses checks what names a place in the network, before anything is made: a mistake in one of them
// would stop a start that has made a database already, or leave a dashboard that no request can reach.
func (c *Config) checkAddresses() error {
	if !canListen(c.Listen) {
		return errors.New("PICLOUD_LISTEN must be host:port or :port, as in 127.0.0.1:8080")
	}
	if c.MetricsListen != "" && !canListen(c.MetricsListen) {
		return errors.New("PICLOUD_METRICS_LISTEN must be host:port or :port, as in 127.0.0.1:9090")
	}

	c.AdminHost = strings.ToLower(strings.TrimSuffix(c.AdminHost, "."))
	if c.AdminHost != "" && !isHost(c.AdminHost) {
		return errors.New("PICLOUD_ADMIN_HOST must be a host alone, as in admin.example.com, " +
			"without scheme, port or path")
	}

	if c.PublicURL != "" && !isWebAddress(c.PublicURL) {
		return errors.New("PICLOUD_PUBLIC_URL must be the whole address, as in https://admin.example.com")
	}
	return nil
}

// canListen reports whether a text names an address to listen on; the port is a number or a service's name.
func canListen(address string) bool {
	_, port, err := net.SplitHostPort(address)
	if err != nil || port == "" {
		return false
	}
	_, err = net.LookupPort("tcp", port)
	return err == nil
}

// isHost reports whether requests can name this host: a DNS name or an address, as the edge compares them.
func isHost(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return address.Zone() == ""
	}
	return edge.ValidHost(host) && !strings.ContainsAny(host, ":[")
}

func isWebAddress(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && edge.ValidHost(u.Host)
}

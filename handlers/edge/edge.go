// Package edge is what every request shares, whether the JSON API, the dashboard or a script answers it:
// which host it is for, whose address it comes from, who calls and in which app, how its body is read, and
// how an error is answered. It also holds the few decisions that API and dashboard take alike, each in a file
// of its noun. It registers no address and renders no page but that of an error.
package edge

import (
	"cmp"
	"log/slog"
	"net/netip"

	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
)

// Config is what an Edge needs.
type Config struct {
	Manager *manager.Manager
	Auth    *auth.Authenticator
	// IDs gives internal errors the id under which they are logged.
	IDs *cloud.IDSource
	Log *slog.Logger
	// AdminHost, if set, is the only host of /admin and /api; scripts answer on every other.
	AdminHost string
	// NoAdmin is set where dashboard and API answer at another process; NoScripts where endpoints do.
	NoAdmin, NoScripts bool
	// TrustedProxies may say for whom they ask: their X-Forwarded headers count.
	TrustedProxies []netip.Prefix
	// BodyBudget is how many bytes of memory the bodies of requests and answers may take; 0: 256 MiB.
	BodyBudget int64
	// SigningKey signs the cursors of lists and the tokens of forms.
	SigningKey []byte
}

// Edge answers what every request asks. It is safe for concurrent use.
type Edge struct {
	// throttle counts wrong passwords, wherever they are given: at the API, the login page and the change of
	// a password.
	throttle *auth.Throttle
	bodies   *bodies

	cfg Config
}

// New returns an Edge.
func New(cfg Config) *Edge {
	budget := cmp.Or(cfg.BodyBudget, 256<<20)
	return &Edge{throttle: auth.NewThrottle(), bodies: newBodies(budget), cfg: cfg}
}

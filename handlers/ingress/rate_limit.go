package ingress

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"picloud/internal/auth"
	"picloud/internal/catalog"
	"picloud/internal/cloud"
	"picloud/internal/ratelimit"
)

// rule is a rate limit that a request is counted against.
type rule struct {
	// name is its name in headers, id that of the route or script it belongs to.
	name string
	id   cloud.ID
	*cloud.RateLimit
}

// rulesOf are the limits of what a request met.
func rulesOf(target *catalog.Target) []rule {
	var rules []rule
	if r := target.Route; r != nil && r.RateLimit != nil {
		rules = append(rules, rule{"default", r.ID, r.RateLimit})
	}
	if script := target.Script; script.RateLimit != nil {
		rules = append(rules, rule{"script", script.ID, script.RateLimit})
	}
	return rules
}

// limitRate counts a request against the limits of what it met, and tells in the answer what is left,
// whatever becomes of the request (draft-ietf-httpapi-ratelimit-headers). A request that is refused anyway is
// not counted: by it strangers could use up what others may call.
func (s *Server) limitRate(c *fiber.Ctx, target *catalog.Target, isRefused bool) error {
	count := s.rates.Take
	if isRefused {
		count = s.rates.Look
	}

	var told announcement
	for _, r := range rulesOf(target) {
		policy := ratelimit.Policy{Requests: r.Requests, Per: time.Duration(r.Seconds) * time.Second}
		state := count(r.id, policy, s.countedWith(c, r.RateLimit), time.Now())
		told.add(c, r, state)
		if state.Wait > 0 && !isRefused {
			return tooMany(state.Wait, "the rate limit of this address (%d in %d s, %s) is used up",
				r.Requests, r.Seconds, countedTogether(r.RateLimit))
		}
	}
	return nil
}

// limitApp counts a request against the quota of its app. It is not announced: clients plan with the limits
// of routes, and this one is shared by all of an app's clients.
func (s *Server) limitApp(app *catalog.App) error {
	quota := app.Quotas.RequestsPerSecond
	if quota == nil {
		return nil
	}

	policy := ratelimit.Policy{Requests: int(*quota), Per: time.Second}
	if state := s.apps.Take(app.ID, policy, "", time.Now()); state.Wait > 0 {
		return tooMany(state.Wait, "the app's quota of requests (%d a second) is used up", *quota)
	}
	return nil
}

// announcement is what the answer's headers say of the limits that a request met.
type announcement struct{ policies, limits []string }

// add adds a limit. While nothing is left, its time is that of Retry-After, else that until everything is.
// The names are sent as the draft writes them: fasthttp would make "Ratelimit" of them.
func (a *announcement) add(c *fiber.Ctx, r rule, state ratelimit.State) {
	until := state.Full
	if state.Wait > 0 {
		until = state.Wait
	}
	a.policies = append(a.policies, fmt.Sprintf(`"%s";q=%d;w=%d`, r.name, r.Requests, r.Seconds))
	a.limits = append(a.limits, fmt.Sprintf(`"%s";r=%d;t=%d`, r.name, state.Left, wholeSeconds(until)))

	h := &c.Response().Header
	h.SetCanonical([]byte("RateLimit-Policy"), []byte(strings.Join(a.policies, ", ")))
	h.SetCanonical([]byte("RateLimit"), []byte(strings.Join(a.limits, ", ")))
}

// tooMany tells a caller to wait. The text says what it has used up.
func tooMany(wait time.Duration, text string, args ...any) error {
	seconds := wholeSeconds(wait)
	return cloud.Errorf(cloud.CodeTooMany, "%s; try again in %d s", fmt.Sprintf(text, args...), seconds).
		With("retry_after", seconds)
}

// countedWith names those whose requests are counted together with this one. Without the header that shall
// tell them apart it is the address: otherwise all who leave it out would stand in each other's way.
func (s *Server) countedWith(c *fiber.Ctx, rule *cloud.RateLimit) string {
	switch rule.By {
	case cloud.LimitByEverybody:
		return ""
	case cloud.LimitByHeader:
		if lines := c.Context().Request.Header.PeekAll(rule.Header); len(lines) > 0 {
			return "header " + string(bytes.Join(lines, []byte(", ")))
		}
	}
	return "address " + auth.ClientOf(s.Client(c))
}

// countedTogether says to a caller whose requests count.
func countedTogether(rule *cloud.RateLimit) string {
	switch rule.By {
	case cloud.LimitByEverybody:
		return "from all callers together"
	case cloud.LimitByHeader:
		return "with one value of " + rule.Header
	default:
		return "from one client"
	}
}

// wholeSeconds rounds up, so that whoever waits as long has waited long enough.
func wholeSeconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

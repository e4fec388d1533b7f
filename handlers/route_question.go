package handlers

import (
	"net/url"
	"strings"

	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
)

// routeQuestion asks which route answers a request.
type routeQuestion struct {
	Method, Host, Path string
}

// askRoute reads the question from a method and an absolute URL or a path.
func askRoute(method, rawURL string) (routeQuestion, error) {
	u, err := url.Parse(rawURL)
	if err != nil || !strings.HasPrefix(u.EscapedPath(), "/") {
		return routeQuestion{}, cloud.Errorf(cloud.CodeInvalid, "url must be absolute, or a path that starts with /")
	}
	return routeQuestion{strings.ToUpper(method), strings.ToLower(u.Hostname()), u.EscapedPath()}, nil
}

// answeredIn reports whether what was found is a route of the caller's app. A route of another app that answers first is no
// match: the caller learns nothing about it.
func answeredIn(c *appCaller, found *orchestrator.Target, err error) (bool, error) {
	switch code := cloud.CodeOf(err); {
	case err != nil && (code == cloud.CodeNotFound || code == cloud.CodeMethod):
		return false, nil
	case err != nil:
		return false, err
	default:
		return found.AppID() == c.id(), nil
	}
}

package edge

import (
	"net/url"
	"picloud/internal/catalog"
	"strings"

	"picloud/internal/cloud"
)

// RouteQuestion asks which route answers a request.
type RouteQuestion struct {
	// Method is in upper case, Host in lower case and without port, Path percent-encoded.
	Method, Host, Path string
}

// AskRoute reads the question from a method and an absolute URL or a path.
func AskRoute(method, rawURL string) (RouteQuestion, error) {
	u, err := url.Parse(rawURL)
	if err != nil || !strings.HasPrefix(u.EscapedPath(), "/") {
		return RouteQuestion{}, cloud.Errorf(cloud.CodeInvalid,
			"url must be absolute, or a path that starts with /")
	}

	return RouteQuestion{
		Method: strings.ToUpper(method),
		Host:   strings.ToLower(u.Hostname()),
		Path:   u.EscapedPath(),
	}, nil
}

// AnsweredIn reports whether what was found is a route of the caller's app. A route of another app that
// answers first is no match: the caller learns nothing about it.
func AnsweredIn(c *AppCaller, found *catalog.Target, err error) (bool, error) {
	code := cloud.CodeOf(err)
	switch {
	case err == nil:
		return found.AppID() == c.ID(), nil
	case code == cloud.CodeNotFound || code == cloud.CodeMethod:
		return false, nil
	default:
		return false, err
	}
}

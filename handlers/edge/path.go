package edge

import (
	"net/url"
	"unicode/utf8"

	"picloud/internal/cloud"
)

// Unescape decodes a path parameter, which the router gives as it came.
func Unescape(v string) (string, error) {
	s, err := url.PathUnescape(v)
	if err != nil || !utf8.ValidString(s) {
		return "", cloud.Errorf(cloud.CodeInvalid, "the path is not percent-encoded UTF-8")
	}
	return s, nil
}

// IDParam reads an id of a path. A text that is no id names nothing: the answer is that there is no such
// thing.
func IDParam(v, what string) (cloud.ID, error) {
	id, ok := cloud.ParseID(v)
	if !ok {
		return id, cloud.Errorf(cloud.CodeNotFound, "no such %s", what)
	}
	return id, nil
}

package kv

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"picloud/internal/cloud"
)

// macSize is how many bytes of a cursor's HMAC are kept: enough against guessing, short in a URL.
const macSize = 12

var errCursor = cloud.Errorf(cloud.CodeInvalid, "the cursor does not belong to this list")

// listScope is the list that a cursor belongs to.
type listScope struct {
	app        cloud.AppID
	collection string
	prefix     string
}

// mac authenticates a key as a place in a list. The fields cannot run into each other: none of them contains
// NUL.
func (s *Store) mac(scope listScope, key string) []byte {
	h := hmac.New(sha256.New, s.cfg.CursorKey)
	fmt.Fprintf(h, "kv\x00%d\x00%s\x00%s\x00%s", scope.app, scope.collection, scope.prefix, key)
	return h.Sum(nil)[:macSize]
}

// sealCursor returns the cursor of the page that follows key. It is signed, not encrypted: a caller may see
// the key, but can use the cursor for this list alone.
func (s *Store) sealCursor(scope listScope, key string) string {
	return base64.RawURLEncoding.EncodeToString(append(s.mac(scope, key), key...))
}

// openCursor returns the key that sealCursor was given, "" for no cursor, and errCursor for that of another
// list.
func (s *Store) openCursor(scope listScope, cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}

	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) < macSize {
		return "", errCursor
	}

	key := string(raw[macSize:])
	if !hmac.Equal(raw[:macSize], s.mac(scope, key)) {
		return "", errCursor
	}
	return key, nil
}
